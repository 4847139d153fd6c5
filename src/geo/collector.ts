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
 * Invariant: once full, a heap with the last in order at its root (J. W. J. Williams, "Heapsort", 1964).
 * Cost: no allocation after the largest answer so far; 28 B for each that is kept.
 */
import type { FilterOptions, Found, Hits } from './geo-index.ts';
import { angleOf, type Measure } from './measure.ts';

const HALF_DEGREE = Math.PI / 360;
/** Keys farther apart than this, relative, are distances in the same order: it is some twenty times what rounding makes of them. */
const NEAR = 1e-14;
/** What a bound that is computed from a distance may be off by, relative, and much more. */
const SPARE = 1e-12;

/** The square for a tenth of a micrometre: at such distances it is of rounding. */
const SAME_PLACE = 1e-28;
/** Near a pole a cosine is as small as its rounding is elsewhere. */
const COSINE_ERROR = 1e-15;

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
  #ids = new Uint32Array(64);
  #keys = new Float64Array(64);
  #lats = new Float64Array(64);
  #lons = new Float64Array(64);
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
    this.#bound(this.#distanceMaxM);
  }

  #bound(distanceM: number): void {
    // Where another measure says 0, as between two longitudes of a pole, this square may not be.
    const least = this.#sphereM === 0 ? SAME_PLACE : Number.MIN_VALUE;
    this.haversineMax = squaredSine(distanceM / this.#measure.radiusMinM) * (1 + SPARE) + least;
    this.#haversineSure = squaredSine(distanceM / this.#measure.radiusMaxM) * (1 - SPARE);
  }

  /** False for what is surely too far: this costs no sine, nor a look at the id. */
  mayKeep(lat: number, lon: number): boolean {
    const halfLat = (lat - this.#lat) * HALF_DEGREE;
    let halfLon = Math.abs(lon - this.#lon) * HALF_DEGREE;
    if (halfLon > Math.PI / 2) halfLon = Math.PI - halfLon;
    // sin x ≥ x − x³/6, and a cosine changes by no more than its angle.
    const leastLat = halfLat * (1 - (halfLat * halfLat) / 6);
    const leastLon = halfLon * (1 - (halfLon * halfLon) / 6);
    const leastCos = Math.max(0, this.#cosLat - 2 * Math.abs(halfLat) - COSINE_ERROR);
    const least = leastLat * leastLat + this.#cosLat * leastCos * leastLon * leastLon;
    return least * (1 - SPARE) <= this.haversineMax;
  }

  /** Keeps it if it is to be kept. */
  offer(id: number, lat: number, lon: number): void {
    const sinLat = Math.sin((lat - this.#lat) * HALF_DEGREE);
    const sinLon = Math.sin((lon - this.#lon) * HALF_DEGREE);
    const haversine = sinLat * sinLat + this.#cosLat * Math.cos(lat * 2 * HALF_DEGREE) * sinLon * sinLon;
    if (haversine > this.haversineMax) return;
    let key = haversine;
    if (this.#sphereM === 0) key = this.#measure.distanceM(this.#lat, this.#lon, lat, lon);
    if (haversine > this.#haversineSure && this.#distanceOf(key) > this.#distanceMaxM) return;
    const full = this.count === this.#countMax;
    if (full && this.#isAfter(key, id, this.#keys[0]!, this.#ids[0]!)) return;
    if (this.#filter !== undefined && !this.#filter(id)) return;
    if (full) {
      this.#sink(0, this.count, id, key, lat, lon);
    } else {
      if (this.count === this.#ids.length) this.#grow();
      this.#put(this.count++, id, key, lat, lon);
      if (this.count < this.#countMax) return;
      this.#heapify();
    }
    if (this.#sphereM === 0) this.#bound(this.#keys[0]!);
    else this.haversineMax = this.#keys[0]! * (1 + SPARE) + Number.MIN_VALUE;
  }

  #distanceOf(key: number): number {
    return this.#sphereM === 0 ? key : this.#sphereM * angleOf(key);
  }

  #isAfter(keyA: number, idA: number, keyB: number, idB: number): boolean {
    const difference = keyA - keyB;
    if (Math.abs(difference) > NEAR * keyB) return difference > 0;
    if (difference === 0) return idA > idB;
    const ofDistance = this.#distanceOf(keyA) - this.#distanceOf(keyB);
    return ofDistance === 0 ? idA > idB : ofDistance > 0;
  }

  #grow(): void {
    const length = this.#ids.length * 2;
    const ids = new Uint32Array(length);
    ids.set(this.#ids);
    this.#ids = ids;
    const doubled = (from: Float64Array): Float64Array<ArrayBuffer> => {
      const to = new Float64Array(length);
      to.set(from);
      return to;
    };
    this.#keys = doubled(this.#keys);
    this.#lats = doubled(this.#lats);
    this.#lons = doubled(this.#lons);
  }

  #put(at: number, id: number, key: number, lat: number, lon: number): void {
    this.#ids[at] = id;
    this.#keys[at] = key;
    this.#lats[at] = lat;
    this.#lons[at] = lon;
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#ids[from]!, this.#keys[from]!, this.#lats[from]!, this.#lons[from]!);
  }

  /** Puts one into the heap of `[0, end)`, whose place `at` is free and below which all is in order. */
  #sink(at: number, end: number, id: number, key: number, lat: number, lon: number): void {
    for (;;) {
      let child = 2 * at + 1;
      if (child >= end) break;
      if (child + 1 < end) {
        const right = child + 1;
        if (this.#isAfter(this.#keys[right]!, this.#ids[right]!, this.#keys[child]!, this.#ids[child]!)) child = right;
      }
      if (!this.#isAfter(this.#keys[child]!, this.#ids[child]!, key, id)) break;
      this.#move(child, at);
      at = child;
    }
    this.#put(at, id, key, lat, lon);
  }

  #resink(from: number, at: number, end: number): void {
    this.#sink(at, end, this.#ids[from]!, this.#keys[from]!, this.#lats[from]!, this.#lons[from]!);
  }

  #heapify(): void {
    for (let at = (this.count >>> 1) - 1; at >= 0; at--) this.#resink(at, at, this.count);
  }

  /** Sorts what was kept. */
  finish(): void {
    if (this.count < this.#countMax) this.#heapify();
    for (let end = this.count - 1; end > 0; end--) {
      const id = this.#ids[end]!;
      const key = this.#keys[end]!;
      const lat = this.#lats[end]!;
      const lon = this.#lons[end]!;
      this.#move(0, end);
      this.#sink(0, end, id, key, lat, lon);
    }
  }

  found(): Found[] {
    const found: Found[] = [];
    for (let at = 0; at < this.count; at++) {
      const distanceM = this.#distanceOf(this.#keys[at]!);
      found.push({ id: this.#ids[at]!, lat: this.#lats[at]!, lon: this.#lons[at]!, distanceM });
    }
    return found;
  }

  copyInto({ ids, distancesM }: Hits): void {
    for (let at = 0; at < this.count; at++) {
      ids[at] = this.#ids[at]!;
      distancesM[at] = this.#distanceOf(this.#keys[at]!);
    }
  }
}
