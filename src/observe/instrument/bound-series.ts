/**
 * Series that are found again by one text, for labels that are known at the end of a request only: a lookup in a map in place of one by several
 * labels. Bounded as the metric is: what is beyond is bound each time, and counted in the overflow.
 */
export class BoundSeries<Instrument> {
  readonly #bound = new Map<string, Instrument>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  of(key: string, bind: () => Instrument): Instrument {
    const known = this.#bound.get(key);
    if (known !== undefined) return known;
    const instrument = bind();
    if (this.#bound.size < this.#max) this.#bound.set(key, instrument);
    return instrument;
  }
}
