/**
 * Models of what is held: a mutex with fencing tokens, a semaphore, and a read-write lock.
 *
 * They know no time. A lock with a ttl is given to the next when it runs out, and to a mutex that is two holders at once: such a
 * history is checked with `fencedMutex({ expires: true })`, and by `checkLockHistory` at what the lock protects.
 */
import { type Keyed, keyOf, type Model } from './model.ts';
import type { Token } from './register-models.ts';

export interface AcquireOperation extends Keyed {
  readonly op: 'acquire';
}

export interface ReleaseOperation extends Keyed {
  readonly op: 'release';
  readonly token: Token;
}

interface Held {
  /** Whose it is, `unknown` if the answer was lost, or null if it is free. */
  readonly by: Token | 'unknown' | null;
  /** The highest token that anybody got; null before the first. */
  readonly last: Token | null;
}

export interface FencedMutexOptions {
  /** Who holds it may lose it to the next at any time: it has a ttl. Then tokens are held to grow, and nothing else. @defaultValue false */
  readonly expires?: boolean;
}

/**
 * Acquire → a token greater than all before, or null if somebody holds it; release → whether it was held by that token, or nothing.
 *
 * Of an acquire whose answer was lost nobody knows the token: all that it does is hold.
 */
export function fencedMutex({ expires = false }: FencedMutexOptions = {}): Model<
  Held,
  AcquireOperation | ReleaseOperation,
  Token | boolean | null
> {
  return {
    name: expires ? 'fenced mutex that expires' : 'fenced mutex',
    init: { by: null, last: null },
    key: keyOf,
    identity: ({ by, last }) => `${by} ${last}`,
    readOnly: (_input, output) => output === null || output === false,
    step(state, input, output) {
      const { by, last } = state;
      if (input.op === 'release') {
        const ours = by !== null && by !== 'unknown' && by === input.token;
        // What has expired is nobody's, though the next has not come yet.
        if (output !== undefined && output !== ours && !(expires && output === false)) return undefined;
        return ours && output !== false ? { by: null, last } : state;
      }
      if (output === null) return by === null ? undefined : state;
      if (by !== null && !expires) return undefined;
      if (output === undefined) return { by: 'unknown', last };
      if (typeof output === 'boolean' || (last !== null && output <= last)) return undefined;
      return { by: output, last: output };
    },
  };
}

export interface PermitsOperation extends Keyed {
  readonly op: 'acquire' | 'release';
  /** @defaultValue 1 */
  readonly permits?: number;
}

/** Acquire → true, or false if fewer are free; release → nothing, and no more than were taken. With one permit it is a mutex. */
export function semaphore(permits: number): Model<number, PermitsOperation, boolean> {
  return {
    name: `semaphore of ${permits}`,
    init: permits,
    key: keyOf,
    readOnly: ({ op }, output) => op === 'acquire' && output === false,
    step(free, { op, permits: count = 1 }, output) {
      if (op === 'release') return free + count <= permits ? free + count : undefined;
      if (output === false) return free < count ? free : undefined;
      return free >= count ? free - count : undefined;
    },
  };
}

export interface SharedOperation extends Keyed {
  readonly op: 'acquire' | 'release';
  readonly mode: 'read' | 'write';
}

/** What a read-write lock counts when a writer has it; else the readers. */
const WRITER = -1;

/** Acquire to read or to write → true, or false if it is taken; release → nothing. Many readers, or one writer alone. */
export function readWriteLock(): Model<number, SharedOperation, boolean> {
  return {
    name: 'read-write lock',
    init: 0,
    key: keyOf,
    readOnly: ({ op }, output) => op === 'acquire' && output === false,
    step(holders, { op, mode }, output) {
      if (op === 'release') {
        if (mode === 'write') return holders === WRITER ? 0 : undefined;
        return holders > 0 ? holders - 1 : undefined;
      }
      const fits = mode === 'write' ? holders === 0 : holders !== WRITER;
      if (output === false) return fits ? undefined : holders;
      if (!fits) return undefined;
      return mode === 'write' ? WRITER : holders + 1;
    },
  };
}
