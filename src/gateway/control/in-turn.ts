/** Runs jobs one at a time, in the order they were asked for; one that fails does not hold up the next. */
export class InTurn {
  #last: Promise<unknown> = Promise.resolve();

  run<Result>(job: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(job);
    this.#last = result.catch(() => null);
    return result;
  }
}
