/** Limits of one kind that requests meet together: which of them concern a request, and who decides about just those. */
import { allOf, type AllOf } from '../../limit/index.ts';
import type { Meter } from './meter.ts';
import type { Keyed } from './request-key.ts';

/** A meter, and what one request takes of it. */
export interface Metered<M extends Meter = Meter> {
  readonly meter: M;
  readonly cost: number;
}

/** Those that concern a request. */
export interface Asked<M extends Meter = Meter> {
  readonly members: readonly Metered<M>[];
  /** The limiter of all of them, and what it is told. */
  readonly limiter: AllOf;
  readonly costs: readonly number[];
  /** Of the request that was asked about last. */
  readonly keys: string[];
}

/** The number of a subset has a bit for each meter. */
const METERS_MAX = 32;

export class Members<M extends Meter> {
  readonly #all: readonly Metered<M>[];
  /** By subset: some requests lack what others have. */
  readonly #asked = new Map<number, Asked<M>>();
  /** Of all, for the request that is being read; null where it is not concerned. */
  readonly #keys: (string | null)[];

  constructor(all: readonly Metered<M>[]) {
    if (all.length > METERS_MAX) throw new RangeError(`${all.length} limits for one request; at most ${METERS_MAX}.`);
    this.#all = all;
    this.#keys = all.map(() => null);
  }

  /** Those that concern a request, with its keys; null if that is nobody. */
  asked(request: Keyed): Asked<M> | null {
    const keys = this.#keys;
    let subset = 0;
    for (let index = 0; index < keys.length; index++) {
      const key = this.#all[index]!.meter.readKey(request);
      keys[index] = key;
      if (key !== null) subset |= 1 << index;
    }
    if (subset === 0) return null;
    const asked = this.#asked.get(subset) ?? this.#open(subset);
    for (let index = 0, place = 0; index < keys.length; index++) {
      const key = keys[index]!;
      if (key !== null) asked.keys[place++] = key;
    }
    return asked;
  }

  #open(subset: number): Asked<M> {
    const members = this.#all.filter((_, index) => (subset & (1 << index)) !== 0);
    const [first, ...others] = members.map(({ meter }) => meter.limiter);
    const asked: Asked<M> = {
      members,
      limiter: allOf(first!, ...others),
      costs: members.map(({ cost }) => cost),
      keys: members.map(() => ''),
    };
    this.#asked.set(subset, asked);
    return asked;
  }
}
