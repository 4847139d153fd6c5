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

export class Line {
  /** By key, those behind the one whose turn it is. */
  readonly #lines = new Map<string, Set<Next>>();

  /** The turn, which ends when it is disposed of; null if the wait was over before. */
  async turn(key: string, { clock, waitMs, signal }: TurnOptions): Promise<Disposable | null> {
    signal?.throwIfAborted();
    const line = this.#lines.get(key);
    if (line === undefined) {
      this.#lines.set(key, new Set());
      return this.#turnOf(key);
    }
    if (line.size >= LINE_MAX) {
      const message = `${LINE_MAX} callers of this process wait for “${key}” already.`;
      throw new SpillwayError('LEASE_TAKEN', message, { retryable: true });
    }
    const { promise, resolve, reject } = Promise.withResolvers<Disposable | null>();
    const next = (): void => resolve(this.#turnOf(key));
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

  #turnOf(key: string): Disposable {
    let over = false;
    return {
      [Symbol.dispose]: () => {
        if (over) return;
        over = true;
        const line = this.#lines.get(key)!;
        const [next] = line;
        if (next === undefined) this.#lines.delete(key);
        else {
          line.delete(next);
          next();
        }
      },
    };
  }
}
