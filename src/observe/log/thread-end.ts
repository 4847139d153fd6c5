/**
 * What is still to be done when this thread ends, and before that, when it ends by an error that nobody caught. One listener of the process
 * for all of it, and none while there is nothing. A signal that nobody handles ends a process without it, as does `worker.terminate()`.
 */
type Event = 'exit' | 'uncaughtExceptionMonitor';

class Listeners<Values extends readonly unknown[]> {
  readonly #event: Event;
  readonly #runs = new Set<(...values: Values) => void>();

  constructor(event: Event) {
    this.#event = event;
  }

  readonly #all = (...values: readonly unknown[]): void => {
    for (const run of this.#runs) run(...(values as unknown as Values));
  };

  add(run: (...values: Values) => void): () => void {
    if (this.#runs.size === 0) process.on(this.#event as 'exit', this.#all);
    this.#runs.add(run);
    return () => {
      this.#runs.delete(run);
      if (this.#runs.size === 0) process.off(this.#event, this.#all);
    };
  }
}

const ends = new Listeners<[]>('exit');
const crashes = new Listeners<[error: unknown, origin: string]>('uncaughtExceptionMonitor');

/** Calls `run`, which must be synchronous, at the end of the thread, however it came; not if what is returned was called before. */
export function atThreadEnd(run: () => void): () => void {
  return ends.add(run);
}

/** Calls `run` with an error that nobody caught, before anything else is done about it. `origin` is `uncaughtException` or `unhandledRejection`. */
export function onCrash(run: (error: unknown, origin: string) => void): () => void {
  return crashes.add(run);
}
