/**
 * Series that are found again by one text, for labels that are known at the end of a request only: a lookup in a map in place of one by several
 * labels. Bounded as the metric is: what is beyond is bound each time, and counted in the overflow.
 *
 * Invariant: nothing throws. Metrics may be a user's own, and are told in the middle of requests and queries, which do not depend on who counts them.
 */
export class BoundSeries<Instrument> {
  readonly #bound = new Map<string, Instrument>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  tell(key: string, bind: () => Instrument, what: (instrument: Instrument) => void): void {
    try {
      what(this.#of(key, bind));
    } catch {
      // WHY nothing is said: the metrics, where it could be said, are what failed.
    }
  }

  #of(key: string, bind: () => Instrument): Instrument {
    const known = this.#bound.get(key);
    if (known !== undefined) return known;
    const instrument = bind();
    if (this.#bound.size < this.#max) this.#bound.set(key, instrument);
    return instrument;
  }
}
