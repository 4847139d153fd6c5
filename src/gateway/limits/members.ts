/** Limits of one kind that requests meet together: which of them concern a request, and who decides about just those. */
import { allOf, type AllOf } from '../../limit/index.ts';
import type { Meter } from './meter.ts';
import type { Keyed } from './request-key.ts';

/** A meter, and what one request takes of it. */
export interface Metered<M extends Meter = Meter> {
  readonly meter: M;
  readonly cost: number;
}

export interface Asked<M extends Meter = Meter> extends Metered<M> {
  readonly key: string;
  /** Its bit in the number of a subset. */
  readonly bit: number;
}

/** The number of a subset has a bit for each meter. */
const METERS_MAX = 32;

export class Members<M extends Meter> {
  readonly #all: readonly Metered<M>[];
  /** By subset: some requests lack what others have. */
  readonly #together = new Map<number, AllOf>();

  constructor(all: readonly Metered<M>[]) {
    if (all.length > METERS_MAX) throw new RangeError(`${all.length} limits for one request; at most ${METERS_MAX}.`);
    this.#all = all;
  }

  /** Those that concern a request, each with its key. */
  asked(request: Keyed): Asked<M>[] {
    const asked: Asked<M>[] = [];
    for (const [index, { meter, cost }] of this.#all.entries()) {
      const key = meter.readKey(request);
      if (key !== null) asked.push({ meter, cost, key, bit: 1 << index });
    }
    return asked;
  }

  /** The limiter of all that are asked. */
  together(asked: readonly Asked<M>[]): AllOf {
    let subset = 0;
    for (const { bit } of asked) subset |= bit;
    let limiter = this.#together.get(subset);
    if (limiter === undefined) {
      const [first, ...others] = asked.map(({ meter }) => meter.limiter);
      limiter = allOf(first!, ...others);
      this.#together.set(subset, limiter);
    }
    return limiter;
  }
}
