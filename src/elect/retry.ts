/**
 * Asking a store until it answers: each question has a time, after which it counts as failed, and after a failure comes a pause, each longer than
 * the one before, by chance, up to what a store that comes back should wait for.
 */
import { abortable } from '../kernel/abort.ts';
import { type Backoff, backoffMs } from '../kernel/backoff.ts';
import type { Clock } from '../kernel/clock.ts';
import { SpillwayError } from '../kernel/errors.ts';
import type { Random } from '../kernel/random.ts';

export interface RetryOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** How long one question may take. */
  readonly timeoutMs: number;
}

/** At the longest, a thousand processes that ask a store which is down are some 700 questions a second. */
const BACKOFF: Backoff = { shortestMs: 10, baseMs: 10, longestMs: 3000 };

export class Retry {
  readonly #clock: Clock;
  readonly #random: Random;
  #failures = 0;

  constructor({ clock, random }: RetryOptions) {
    this.#clock = clock;
    this.#random = random;
  }

  /** What it resolves with at last. Rejects with an error that waiting does not mend, or with the signal's reason. */
  async until<T>(ask: () => Promise<T>, signal?: AbortSignal, onFailure?: () => void): Promise<T> {
    for (;;) {
      try {
        const answer = await ask();
        this.#failures = 0;
        return answer;
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof SpillwayError && error.retryable)) throw error;
        onFailure?.();
        await this.pause(signal);
      }
    }
  }

  /** After something went wrong, and before it is tried again. */
  async pause(signal: AbortSignal | undefined): Promise<void> {
    this.#failures += 1;
    await sleep(this.#clock, backoffMs(BACKOFF, this.#failures, this.#random), signal);
  }
}

/** One question, which has an answer in time or is an error, also if whoever is asked never gives it up. */
export async function answered<T>(
  { clock, timeoutMs }: RetryOptions,
  ask: (signal: AbortSignal) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  signal?.throwIfAborted();
  const given = new AbortController();
  const onAbort = (): void => given.abort(signal?.reason);
  const timer = clock.after(timeoutMs, () => given.abort(silence(timeoutMs)), { ref: true });
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    return await abortable(ask(given.signal), given.signal);
  } finally {
    timer.clear();
    signal?.removeEventListener('abort', onAbort);
  }
}

/** Keeps the process alive. Rejects with the signal's reason. */
export async function sleep(clock: Clock, ms: number, signal: AbortSignal | undefined): Promise<void> {
  const over = Promise.withResolvers<void>();
  const timer = clock.after(ms, over.resolve, { ref: true });
  try {
    await abortable(over.promise, signal);
  } finally {
    timer.clear();
  }
}

function silence(timeoutMs: number): SpillwayError {
  return new SpillwayError('STORE_UNAVAILABLE', `The store did not answer within ${timeoutMs} ms.`, {
    retryable: true,
  });
}
