/**
 * Watching a seat: who leads it, and each change. Looks when the store says that something changed, and every so often in case it did not.
 *
 * One look at a time; changes that come faster than they are taken are seen as the last of them.
 */
import { abortable } from '../kernel/abort.ts';
import { SpillwayError } from '../kernel/errors.ts';
import type { Holding, LeaseStore } from '../lease/store.ts';

export interface Leadership {
  /** What the leader calls itself; null while there is none. */
  readonly leader: string | null;
  readonly term: bigint | null;
}

export interface SeatOptions {
  readonly seat: string;
  readonly everyMs: number;
  readonly signal: AbortSignal | undefined;
}

export async function* observeSeat(
  store: LeaseStore,
  { seat, everyMs, signal }: SeatOptions,
): AsyncGenerator<Leadership> {
  let changed = Promise.withResolvers<void>();
  const unwatch = store.watch(seat, null, () => changed.resolve());
  const looking = store.clock.every(everyMs, () => changed.resolve(), { ref: true });
  const waiting = { signal: signal ?? new AbortController().signal };
  let known: bigint | null | undefined;
  const look = async (): Promise<readonly Holding[]> => {
    for (;;) {
      try {
        return await abortable(store.read(seat, waiting), signal);
      } catch (error) {
        if (!(error instanceof SpillwayError && error.retryable)) throw error;
        await next();
      }
    }
  };
  const next = async (): Promise<void> => {
    await abortable(changed.promise, signal);
    changed = Promise.withResolvers();
  };
  try {
    while (signal?.aborted !== true) {
      const [holding] = await look();
      const term = holding?.token ?? null;
      if (term !== known) yield { leader: holding?.holder ?? null, term: (known = term) };
      await next();
    }
  } catch (error) {
    if (signal?.aborted === true) return;
    throw error;
  } finally {
    unwatch();
    looking.clear();
  }
}
