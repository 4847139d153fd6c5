/**
 * Tiers: who is asked first. Endpoints of a lower priority number before those of a higher, within a priority those of the
 * own zone before the others, and backups last of all.
 *
 * A tier takes all the work as long as enough of it is left; below that it passes on in proportion. Enough is 1 / 1.4 of its
 * weight: what is left then carries at most 1.4 times its usual work, and a single failure in a tier of four does not send
 * traffic across zones. So a tier's capacity is 1.4 × (weight that is in) / (weight in all), at most 1; each tier takes what the
 * ones before it leave, up to its capacity; if all of them together have less than 1, they share all work in proportion.
 * Backups get work only when no other endpoint is in.
 *
 * Source: Envoy's priority levels and overprovisioning factor.
 * Cost: O(n) a choice; no allocation.
 */

const OVERPROVISIONING = 1.4;

export interface Tiered {
  /** 0 first. */
  readonly priority: number;
  /** Of the zone that chooses. */
  readonly local: boolean;
  /** Only when nobody else is in. */
  readonly backup: boolean;
  readonly weight: number;
}

export class Tiers {
  /** By endpoint. */
  readonly #tiers: Uint16Array;
  readonly #weights: Float64Array;
  readonly #totals: Float64Array;
  readonly #shares: Float64Array;
  /** Tiers from here on are backups. */
  readonly #backups: number;

  constructor(endpoints: readonly Tiered[]) {
    const order = [...new Set(endpoints.map(rank))].toSorted((a, b) => a - b);
    this.#tiers = Uint16Array.from(endpoints, (endpoint) => order.indexOf(rank(endpoint)));
    this.#weights = Float64Array.from(endpoints, ({ weight }) => weight);
    this.#totals = new Float64Array(order.length);
    this.#shares = new Float64Array(order.length);
    for (const [index, { weight }] of endpoints.entries()) this.#totals[this.#tiers[index]!]! += weight;
    const backups = order.findIndex((each) => each >= BACKUP);
    this.#backups = backups < 0 ? order.length : backups;
  }

  /** With one tier there is nothing to choose. */
  get count(): number {
    return this.#totals.length;
  }

  /** Of the endpoint. */
  tierOf(index: number): number {
    return this.#tiers[index] ?? 0;
  }

  /** What each tier gets of all work now, in order; valid until the next call. All 0 if nobody is in. */
  shares(eligible: Uint8Array): Float64Array {
    const shares = this.#shares.fill(0);
    for (let index = 0; index < eligible.length; index++) {
      if (eligible[index] === 1) shares[this.#tiers[index]!]! += this.#weights[index]!;
    }
    let sum = this.#toCapacities(0, this.#backups);
    if (sum > 0) shares.fill(0, this.#backups);
    else sum = this.#toCapacities(this.#backups, shares.length);
    const scale = sum > 0 && sum < 1 ? 1 / sum : 1;
    let left = 1;
    for (let tier = 0; tier < shares.length; tier++) {
      const share = Math.min(left, shares[tier]! * scale);
      shares[tier] = share;
      left -= share;
    }
    return shares;
  }

  /** Leaves of `eligible` those of one tier, by a uniform number in [0, 1). */
  choose(eligible: Uint8Array, unit: number): void {
    const shares = this.shares(eligible);
    let chosen = -1;
    let rest = unit;
    for (let tier = 0; tier < shares.length && rest >= 0; tier++) {
      if (shares[tier] === 0) continue; // and the last that has any gets what rounding leaves
      chosen = tier;
      rest -= shares[tier]!;
    }
    for (let index = 0; index < eligible.length; index++) if (this.#tiers[index] !== chosen) eligible[index] = 0;
  }

  /** The weights that are in, in `#shares[from, to)`, become capacities. Returns their sum. */
  #toCapacities(from: number, to: number): number {
    const shares = this.#shares;
    let sum = 0;
    for (let tier = from; tier < to; tier++) {
      if (shares[tier] === 0) continue;
      shares[tier] = Math.min(1, (OVERPROVISIONING * shares[tier]!) / this.#totals[tier]!);
      sum += shares[tier]!;
    }
    return sum;
  }
}

/** Above every priority. */
const BACKUP = 1e9;

/** Tiers have the order of their ranks. */
function rank({ priority, local, backup }: Tiered): number {
  return (backup ? BACKUP : 0) + 2 * priority + (local ? 0 : 1);
}
