/**
 * Answers of the admin API that a screen asks for again and again while it is looked at: nothing is asked while the tab is hidden, one question is
 * under way at a time, and what was known stays on the screen while a newer answer is on its way or did not come. Did it not, the shell says so.
 */
import { useEffect, useState } from 'preact/hooks';
import { ApiError } from './api.ts';
import { pageClock, tab } from './browser.ts';
import { noteStale } from './stale.ts';

export interface Polled<T> {
  /** Null before the first. */
  readonly value: T | null;
  /** Why there is no newer one; null while all is well. */
  readonly problem: ApiError | null;
}

/** Asks at once, when `key` changes, and then every `everyMs`. */
export function usePolled<T>(key: string, everyMs: number, ask: (signal: AbortSignal) => Promise<T>): Polled<T> {
  const [{ of, ...polled }, setPolled] = useState<Polled<T> & { readonly of: string }>({
    of: key,
    value: null,
    problem: null,
  });
  useEffect(() => {
    const ending = new AbortController();
    let isAsking = false;
    let isKnown = false;
    const run = async (): Promise<void> => {
      if (isAsking || tab.isHidden) return;
      isAsking = true;
      try {
        const value = await ask(ending.signal);
        if (ending.signal.aborted) return;
        isKnown = true;
        noteStale(ending, null);
        setPolled({ of: key, value, problem: null });
      } catch (error) {
        if (ending.signal.aborted) return;
        const problem = error instanceof ApiError ? error : new ApiError(0, String(error));
        if (isKnown) noteStale(ending, problem.message);
        setPolled((before) => ({ of: key, value: before.of === key ? before.value : null, problem }));
      } finally {
        isAsking = false;
      }
    };
    void run();
    const timer = pageClock.every(everyMs, () => void run());
    const stop = tab.onChange(() => void run());
    return () => {
      ending.abort();
      timer.clear();
      stop();
      noteStale(ending, null);
    };
  }, [key, everyMs]);
  return of === key ? polled : { value: null, problem: null };
}
