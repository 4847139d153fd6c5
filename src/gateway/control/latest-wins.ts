/**
 * Runs one job at a time and keeps at most one waiting: a newer one takes its place. Whoever asked for a job that was
 * replaced gets the result of the one that took its place, so everybody who waits hears how it ended.
 *
 * Invariant: `run` is never called while a call of it is under way.
 */
export class LatestWins<Job, Result> {
  readonly #run: (job: Job) => Promise<Result>;
  #running: Promise<unknown> | null = null;
  #next: { job: Job; readonly result: PromiseWithResolvers<Result> } | null = null;

  constructor(run: (job: Job) => Promise<Result>) {
    this.#run = run;
  }

  ask(job: Job): Promise<Result> {
    if (this.#running === null) return this.#begin(job);
    if (this.#next === null) this.#next = { job, result: Promise.withResolvers<Result>() };
    else this.#next.job = job;
    return this.#next.result.promise;
  }

  #begin(job: Job): Promise<Result> {
    const running = this.#run(job);
    const settled = running.then(
      () => {},
      () => {},
    );
    this.#running = settled;
    void settled.then(() => {
      this.#running = null;
      const next = this.#next;
      this.#next = null;
      if (next !== null) this.#begin(next.job).then(next.result.resolve, next.result.reject);
    });
    return running;
  }
}
