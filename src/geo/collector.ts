/**
 * What a search keeps of the positions that it is offered: all within a distance, or of them the nearest so many; sorted by
 * distance, then id.
 *
 * `haversineMax` is what the search prunes by: nothing whose squared sine of half the angle is above it can be kept. It falls as nearer
 * ones are found.
 *
 * On a sphere the order is that of this square, its key, and no arc sine is computed before the end. Two keys that differ by the last
 * bits may be one distance after rounding, and then the id decides: keys so near each other are compared by the distances that they
 * become. With another measure the key is the distance.
 *
 * Invariant: once full, a heap with the last in order at its root (J. W. J. Williams, "Heapsort", 1964), in which keys move and what belongs to
 * them stays in its slot. Of a few, a node has one child, not two: they are sorted, and a processor foresees such steps better.
 * Cost: no allocation after the largest answer so far; 32 B for each that is kept.
 */
import type { FilterOptions, Found, Hits } from './geo-index.ts';
import { angleOf, haversineFrom, type Measure } from './measure.ts';

const HALF_DEGREE = Math.PI / 360;
/** Keys farther apart than this, relative, are distances in the same order: it is some twenty times what rounding makes of them. */
const NEAR = 1e-14;
/** What a bound that is computed from a distance may be off by, relative, and much more. */
const SPARE = 1e-12;

/** The square for a tenth of a micrometre: at such distances it is of rounding. */
const SAME_PLACE = 1e-28;
/** Near a pole a cosine is as small as its rounding is elsewhere. */
const COSINE_ERROR = 1e-15;

/** Where both take as long: 20 take a tenth less so than by two children, 200 two thirds more. */
const FEW = 48;

interface Search {
  readonly lat: number;
  readonly lon: number;
  readonly countMax: number;
  readonly distanceMaxM: number;
  readonly filter: FilterOptions['filter'];
}

/** Of half an angle; beyond half a circle there is nothing. */
function squaredSine(angle: number): number {
  if (angle >= Math.PI) return Number.POSITIVE_INFINITY;
  const sine = Math.sin(angle / 2);
  return sine * sine;
}

export class Collector {
  haversineMax = 0;
  count = 0;
  readonly #measure: Measure;
  /** On a sphere its radius, else 0. */
  readonly #sphereM: number;
  #keys = new Float64Array(64);
  #slots = new Uint32Array(64);
  #ids = new Uint32Array(64);
  #lats = new Float64Array(64);
  #lons = new Float64Array(64);
  /** A slot that nothing kept is in. */
  #free = 0;
  /** What `mayKeep` has let through. */
  #atLat = 0;
  #atLon = 0;
  #lat = 0;
  #lon = 0;
  #cosLat = 1;
  #countMax = 0;
  #distanceMaxM = 0;
  /** Up to here a position is surely within the distance, above it is measured. */
  #haversineSure = 0;
  #filter: FilterOptions['filter'];

  constructor(measure: Measure) {
    this.#measure = measure;
    this.#sphereM = measure.radiusMinM === measure.radiusMaxM ? measure.radiusMinM : 0;
  }

  /** True if the number is not bounded. */
  get takesAll(): boolean {
    return this.#countMax === Number.POSITIVE_INFINITY;
  }

  /** The angle of `haversineMax`, in radians. */
  get angleMax(): number {
    return angleOf(this.haversineMax);
  }

  begin({ lat, lon, countMax, distanceMaxM, filter }: Search): void {
    this.count = 0;
    this.#free = 0;
    this.#lat = lat;
    this.#lon = lon;
    this.#cosLat = Math.cos(lat * 2 * HALF_DEGREE);
    this.#countMax = countMax;
    this.#filter = filter;
    this.#distanceMaxM = distanceMaxM;
    this.#bound(distanceMaxM);
  }

  /** Forgets what was found, for a search that must begin anew. */
  restart(): void {
    this.count = 0;
    this.#free = 0;
    this.#bound(this.#distanceMaxM);
  }

  #bound(distanceM: number): void {
    // Where another measure says 0, as between two longitudes of a pole, this square may not be.
    const least = this.#sphereM === 0 ? SAME_PLACE : Number.MIN_VALUE;
    this.haversineMax = squaredSine(distanceM / this.#measure.radiusMinM) * (1 + SPARE) + least;
    this.#haversineSure = squaredSine(distanceM / this.#measure.radiusMaxM) * (1 - SPARE);
  }

  /** False for what is surely too far: this costs no cosine, nor a look at the id. Else it is what `offer` offers. */
  mayKeep(lat: number, lon: number): boolean {
    const halfLat = (lat - this.#lat) * HALF_DEGREE;
    let halfLon = Math.abs(lon - this.#lon) * HALF_DEGREE;
    if (halfLon > Math.PI / 2) halfLon = Math.PI - halfLon;
    // sin x ≥ x − x³/6, and a cosine changes by no more than its angle.
    const leastLat = halfLat * (1 - (halfLat * halfLat) / 6);
    const leastLon = halfLon * (1 - (halfLon * halfLon) / 6);
    const leastCos = Math.max(0, this.#cosLat - 2 * Math.abs(halfLat) - COSINE_ERROR);
    const least = leastLat * leastLat + this.#cosLat * leastCos * leastLon * leastLon;
    if (least * (1 - SPARE) > this.haversineMax) return false;
    this.#atLat = lat;
    this.#atLon = lon;
    return true;
  }

  /** Keeps what `mayKeep` has let through, if it is to be kept. Handed over as arguments, two numbers with fractions would be two objects. */
  offer(id: number): void {
    const lat = this.#atLat;
    const lon = this.#atLon;
    const haversine = haversineFrom(this.#cosLat, this.#lat, this.#lon, lat, lon);
    if (haversine > this.haversineMax) return;
    let key = haversine;
    if (this.#sphereM === 0) key = this.#measure.distanceM(this.#lat, this.#lon, lat, lon);
    if (haversine > this.#haversineSure && this.#distanceOf(key) > this.#distanceMaxM) return;
    const slot = this.#free;
    if (slot === this.#ids.length) this.#grow();
    this.#ids[slot] = id;
    const full = this.count === this.#countMax;
    if (full && !this.#isAfter(this.#keys[0]!, this.#slots[0]!, key, slot)) return;
    if (this.#filter !== undefined && !this.#filter(id)) return;
    this.#lats[slot] = lat;
    this.#lons[slot] = lon;
    if (full) {
      this.#free = this.#slots[0]!;
      this.#sink(0, this.count, key, slot);
    } else {
      this.#keys[slot] = key;
      this.#slots[slot] = slot;
      this.#free = ++this.count;
      if (this.count < this.#countMax) return;
      this.#order();
    }
    if (this.#sphereM === 0) this.#bound(this.#keys[0]!);
    else this.haversineMax = this.#keys[0]! * (1 + SPARE) + Number.MIN_VALUE;
  }

  #distanceOf(key: number): number {
    return this.#sphereM === 0 ? key : this.#sphereM * angleOf(key);
  }

  #isAfter(keyA: number, slotA: number, keyB: number, slotB: number): boolean {
    const difference = keyA - keyB;
    if (Math.abs(difference) > NEAR * keyB) return difference > 0;
    const ofDistance = difference === 0 ? 0 : this.#distanceOf(keyA) - this.#distanceOf(keyB);
    return ofDistance === 0 ? this.#ids[slotA]! > this.#ids[slotB]! : ofDistance > 0;
  }

  #grow(): void {
    const length = this.#ids.length * 2;
    const longer = <T extends Uint32Array | Float64Array>(to: T, from: T): T => {
      to.set(from);
      return to;
    };
    this.#keys = longer(new Float64Array(length), this.#keys);
    this.#slots = longer(new Uint32Array(length), this.#slots);
    this.#ids = longer(new Uint32Array(length), this.#ids);
    this.#lats = longer(new Float64Array(length), this.#lats);
    this.#lons = longer(new Float64Array(length), this.#lons);
  }

  /** Puts one into the heap of `[0, end)`, whose place `at` is free and below which all is in order. */
  #sink(at: number, end: number, key: number, slot: number): void {
    const keys = this.#keys;
    const slots = this.#slots;
    const few = this.count <= FEW;
    for (;;) {
      let child = few ? at + 1 : 2 * at + 1;
      if (child >= end) break;
      const right = child + 1;
      if (!few && right < end && this.#isAfter(keys[right]!, slots[right]!, keys[child]!, slots[child]!)) child = right;
      if (!this.#isAfter(keys[child]!, slots[child]!, key, slot)) break;
      keys[at] = keys[child]!;
      slots[at] = slots[child]!;
      at = child;
    }
    keys[at] = key;
    slots[at] = slot;
  }

  /** Makes a heap of all. */
  #order(): void {
    for (let at = this.count - 2; at >= 0; at--) this.#sink(at, this.count, this.#keys[at]!, this.#slots[at]!);
  }

  /** Sorts what was kept. */
  finish(): void {
    if (this.count < this.#countMax) this.#order();
    const keys = this.#keys;
    const slots = this.#slots;
    const few = this.count <= FEW;
    for (let low = 0, high = this.count - 1; low < high; high--) {
      const key = keys[high]!;
      const slot = slots[high]!;
      keys[high] = keys[low]!;
      slots[high] = slots[low]!;
      if (few) {
        keys[low] = key;
        slots[low] = slot;
        low++;
      } else this.#sink(0, high, key, slot);
    }
  }

  found(): Found[] {
    const found: Found[] = [];
    for (let at = 0; at < this.count; at++) {
      const slot = this.#slots[at]!;
      const distanceM = this.#distanceOf(this.#keys[at]!);
      found.push({ id: this.#ids[slot]!, lat: this.#lats[slot]!, lon: this.#lons[slot]!, distanceM });
    }
    return found;
  }

  copyInto({ ids, distancesM }: Hits): void {
    for (let at = 0; at < this.count; at++) {
      ids[at] = this.#ids[this.#slots[at]!]!;
      distancesM[at] = this.#distanceOf(this.#keys[at]!);
    }
  }
}
