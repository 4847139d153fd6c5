/** Giving up on a promise: whoever no longer wants the result is told at once, and no listener stays behind. */

/** The promise's result; rejects with the signal's reason if that comes first. What the promise does afterwards is nobody's error. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  return signal === undefined ? promise : untilAborted(promise, signal);
}

async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([aborted, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** Aborted when all of them are. Of one that is lazy no signal is made for it. */
export function allAborted(all: readonly { readonly signal: AbortSignal }[]): AbortSignal {
  const controller = new AbortController();
  let left = all.length;
  const onAbort = (): void => {
    left -= 1;
    if (left === 0) controller.abort(all.at(-1)?.signal.reason);
  };
  for (const each of all) {
    if (each instanceof LazyAbort) each.onAbort(onAbort);
    else if (each.signal.aborted) onAbort();
    else each.signal.addEventListener('abort', onAbort, { once: true });
  }
  return controller.signal;
}

/** An abort controller whose signal is made when it is first looked at, and its reason too: most calls are over before anybody does. */
export class LazyAbort {
  #controller: AbortController | null = null;
  #why: (() => Error) | null = null;
  #reason: Error | null = null;
  #listeners: (() => void)[] | null = null;

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.aborted) this.#controller.abort(this.reason);
    }
    return this.#controller.signal;
  }

  get aborted(): boolean {
    return this.#why !== null;
  }

  /** Null unless it is aborted. */
  get reason(): Error | null {
    if (this.#why !== null) this.#reason ??= this.#why();
    return this.#reason;
  }

  /** Only the first counts. */
  abort(why: () => Error): void {
    if (this.#why !== null) return;
    this.#why = why;
    this.#controller?.abort(this.reason);
    for (const run of this.#listeners ?? []) run();
  }

  /** Runs it when it is aborted, at once if it is. What it runs must not throw. */
  onAbort(run: () => void): void {
    if (this.aborted) run();
    else (this.#listeners ??= []).push(run);
  }
}
