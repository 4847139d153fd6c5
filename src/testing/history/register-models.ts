/**
 * Models of what holds a value: a register, one with compare-and-set, a counter, and a register that is fenced by tokens.
 * Of an operation that never returned the output is undefined, and any will do.
 */
import { type Keyed, keyOf, type Model } from './model.ts';

/** What a register holds; compared by `===`. */
export type Value = number | bigint | string | boolean | null;

/** A fencing token. */
export type Token = number | bigint;

export interface ReadOperation extends Keyed {
  readonly op: 'read';
}

export interface WriteOperation extends Keyed {
  readonly op: 'write';
  readonly value: Value;
}

export interface CasOperation extends Keyed {
  readonly op: 'cas';
  readonly from: Value;
  readonly to: Value;
}

/** Read → the value; write → nothing. A register that was never written holds `initial`. */
export function register(initial: Value = null): Model<Value, ReadOperation | WriteOperation, Value> {
  return {
    name: 'register',
    init: initial,
    key: keyOf,
    readOnly: ({ op }) => op === 'read',
    step(held, input, output) {
      if (input.op === 'write') return input.value;
      return output === undefined || output === held ? held : undefined;
    },
  };
}

/** Read → the value; write → nothing; cas → whether the value was `from`, and is `to` now. */
export function casRegister(initial: Value = null): Model<Value, ReadOperation | WriteOperation | CasOperation, Value> {
  return {
    name: 'CAS register',
    init: initial,
    key: keyOf,
    readOnly: ({ op }, output) => op === 'read' || (op === 'cas' && output === false),
    step(held, input, output) {
      if (input.op === 'write') return input.value;
      if (input.op === 'read') return output === undefined || output === held ? held : undefined;
      const fits = held === input.from;
      if (output !== undefined && output !== fits) return undefined;
      return fits ? input.to : held;
    },
  };
}

export interface IncrementOperation extends Keyed {
  readonly op: 'increment';
  /** @defaultValue 1 */
  readonly by?: number;
}

/** Read → the count; increment → the count after it, or nothing if it returns none. */
export function counter(initial = 0): Model<number, ReadOperation | IncrementOperation, number> {
  return {
    name: 'counter',
    init: initial,
    key: keyOf,
    readOnly: ({ op }) => op === 'read',
    step(count, input, output) {
      const after = input.op === 'increment' ? count + (input.by ?? 1) : count;
      return output === undefined || output === after ? after : undefined;
    },
  };
}

export interface FencedWriteOperation extends Keyed {
  readonly op: 'write';
  readonly token: Token;
  readonly value: Value;
}

interface Fenced {
  readonly value: Value;
  /** The highest token that has written; null before the first. */
  readonly fence: Token | null;
}

export interface FencedRegisterOptions {
  /** What it holds before the first write. @defaultValue null */
  readonly initial?: Value;
  /** Each token writes once: one equal to the highest is stale too, as with `where fence < $1`. @defaultValue false */
  readonly once?: boolean;
}

/** Read → the value; write with a token → true, or false if a higher one has written before (stale). */
export function fencedRegister({ initial = null, once = false }: FencedRegisterOptions = {}): Model<
  Fenced,
  ReadOperation | FencedWriteOperation,
  Value
> {
  return {
    name: 'fenced register',
    init: { value: initial, fence: null },
    key: keyOf,
    identity: ({ value, fence }) => `${fence} ${typeof value} ${value}`,
    readOnly: ({ op }, output) => op === 'read' || output === false,
    step(held, input, output) {
      if (input.op === 'read') return output === undefined || output === held.value ? held : undefined;
      const { token, value } = input;
      const accepted = held.fence === null || (once ? token > held.fence : token >= held.fence);
      if (output !== undefined && output !== accepted) return undefined;
      return accepted ? { value, fence: token } : held;
    },
  };
}
