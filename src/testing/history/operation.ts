/**
 * What happened, as a history: each operation with who began it, when it was begun, when it had returned, what went in and what came out.
 * It is all that a checker knows; times need only be of one clock, or numbers of one sequence.
 *
 * Invariants, which `checkHistory` demands: times are finite, nothing returns before it was begun, and a process does one thing at a
 * time, so nothing follows an operation of it that never returned.
 */
import { SpillwayError } from '../../kernel/errors.ts';

export interface Operation<Input = unknown, Output = unknown> {
  /** Whoever does one thing at a time: a process, a thread, a connection. */
  readonly process: number | string;
  /** When it was begun, by the clock or sequence that all share. */
  readonly invoked: number;
  /** When it had returned, by the same clock; null if it never did: then it stays open, and may have happened at any time since, or not. */
  readonly returned: number | null;
  readonly input: Input;
  /** What it returned; undefined if that is nothing, or if nobody knows. */
  readonly output?: Output | undefined;
}

export type History<Input = unknown, Output = unknown> = readonly Operation<Input, Output>[];

function malformed(operation: Operation, at: number, fault: string): SpillwayError {
  return new SpillwayError(
    'HISTORY_INVALID',
    `Operation ${at} of the history, by process ${operation.process}: ${fault}.`,
  );
}

/** Throws `HISTORY_INVALID` for a history that cannot have been, with the number of the operation in the list. Cost: a sort. */
export function checkHistory(history: History): void {
  for (const [at, operation] of history.entries()) {
    const { invoked, returned } = operation;
    if (!Number.isFinite(invoked)) throw malformed(operation, at, `invoked is ${invoked}; expected a finite number`);
    if (returned === null) continue;
    if (!Number.isFinite(returned))
      throw malformed(operation, at, `returned is ${returned}; expected a finite number, or null if it never returned`);
    if (returned < invoked)
      throw malformed(operation, at, `it returned at ${returned}, before it was invoked at ${invoked}`);
  }
  const last = new Map<number | string, Operation>();
  const order = [...history.keys()].sort((a, b) => {
    const [one, other] = [history[a]!, history[b]!];
    return one.invoked - other.invoked || (one.returned ?? Infinity) - (other.returned ?? Infinity);
  });
  for (const at of order) {
    const operation = history[at]!;
    const before = last.get(operation.process);
    if (before?.returned === null)
      throw malformed(
        operation,
        at,
        `it follows one, invoked at ${before.invoked}, that never returned: whoever goes on is another process`,
      );
    if (before !== undefined && operation.invoked < before.returned)
      throw malformed(
        operation,
        at,
        `it was invoked at ${operation.invoked}, while the one before lasted until ${before.returned}`,
      );
    last.set(operation.process, operation);
  }
}
