/** Runs jobs one at a time, in the order they were asked for; one that fails does not hold up the next. */
export class InTurn {
  #last: Promise<unknown> = Promise.resolve();

  run<Result>(job: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(job);
    this.#last = result.catch(() => null);
    return result;
  }
}

/** The same job for all who ask, one at a time. Whoever asks while the next waits for its turn shares that one, so no more than one ever waits. */
export function sharedInTurn<Result>(job: () => Promise<Result>): () => Promise<Result> {
  const turn = new InTurn();
  let next: Promise<Result> | null = null;
  return () =>
    (next ??= turn.run(() => {
      next = null;
      return job();
    }));
}
