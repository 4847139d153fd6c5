/**
 * Lines of those who wait for the same key within a process: one at a time has its turn, in the order of their coming.
 *
 * Invariants: at most `LINE_MAX` in a line; who leaves it (served, out of time, aborted) leaves nothing behind. O(1) to join, O(n) to leave early.
 */
import type { Clock } from '../kernel/clock.ts';
import { SpillwayError } from '../kernel/errors.ts';

export interface TurnOptions {
  readonly clock: Clock;
  readonly waitMs: number;
  readonly signal: AbortSignal | undefined;
}

/** Each is a caller with a promise; ten thousand of them are already a line that nobody should stand in. */
const LINE_MAX = 10_000;

type Next = () => void;

/** By key, those behind the one whose turn it is; null while nobody was. */
type Lines = Map<string, Set<Next> | null>;

class Turn implements Disposable {
  readonly #lines: Lines;
  readonly #key: string;
  #over = false;

  constructor(lines: Lines, key: string) {
    this.#lines = lines;
    this.#key = key;
  }

  [Symbol.dispose](): void {
    if (this.#over) return;
    this.#over = true;
    const line = this.#lines.get(this.#key);
    const [next] = line ?? [];
    if (next === undefined) this.#lines.delete(this.#key);
    else {
      line!.delete(next);
      next();
    }
  }
}

export class Line {
  readonly #lines: Lines = new Map();

  /** The turn, which ends when it is disposed of: at once if nobody has it. Null if the wait was over before. */
  turn(key: string, options: TurnOptions): Disposable | Promise<Disposable | null> {
    options.signal?.throwIfAborted();
    const line = this.#lines.get(key);
    if (line !== undefined) return this.#wait(key, line ?? new Set(), options);
    this.#lines.set(key, null);
    return new Turn(this.#lines, key);
  }

  async #wait(key: string, line: Set<Next>, { clock, waitMs, signal }: TurnOptions): Promise<Disposable | null> {
    if (line.size >= LINE_MAX) {
      const message = `${LINE_MAX} callers of this process wait for “${key}” already.`;
      throw new SpillwayError('LEASE_TAKEN', message, { retryable: true });
    }
    this.#lines.set(key, line);
    const { promise, resolve, reject } = Promise.withResolvers<Disposable | null>();
    const next = (): void => resolve(new Turn(this.#lines, key));
    const leave = (): void => {
      if (line.delete(next)) resolve(null);
    };
    const onAbort = (): void => {
      if (line.delete(next)) reject(signal?.reason);
    };
    const timer = clock.after(waitMs, leave, { ref: true });
    signal?.addEventListener('abort', onAbort, { once: true });
    line.add(next);
    try {
      return await promise;
    } finally {
      timer.clear();
      signal?.removeEventListener('abort', onAbort);
    }
  }
}
