/** A store must answer as brute force does over the same positions, whatever is asked, wherever. */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { Found, GeoStore, Placed } from '../../src/geo/geo-index.ts';
import { haversine, type Measure } from '../../src/geo/measure.ts';
import { type Box, boxContains, type Position } from '../../src/geo/position.ts';
import { createRegion, type Ring } from '../../src/geo/region.ts';
import { pointAt, polar } from './places.ts';

export type Placing = Placed<string>;

/** Everywhere, at the poles, along the antimeridian, in one town, and several in one place. */
export function population(count: number, unit: () => number): Placing[] {
  const town = { lat: 52.52, lon: 13.405 };
  const polarTown = { lat: 85.0513, lon: 179.999 };
  return Array.from({ length: count }, (_, index) => {
    const id = `id ${index}`;
    const kind = index % 8;
    if (kind === 0) return { id, lat: 85 + unit() * 5, lon: unit() * 360 - 180 };
    if (kind === 1) return { id, lat: -85 - unit() * 5, lon: unit() * 360 - 180 };
    if (kind === 2) return { id, lat: unit() * 180 - 90, lon: (index % 16 === 2 ? 179 : -180) + unit() };
    if (kind === 3) return { id, ...pointAt(polarTown, unit() * 360, unit() ** 2 * 0.001) };
    if (kind === 4) return { id, lat: Math.round(unit() * 4 - 2) * 45, lon: Math.round(unit() * 8 - 4) * 45 };
    if (kind === 5) return { id, ...pointAt(town, unit() * 360, unit() ** 2 * 0.005) };
    return { id, lat: (Math.asin(2 * unit() - 1) * 180) / Math.PI, lon: unit() * 360 - 180 };
  });
}

const order = (a: { id: string }, b: { id: string }): number => (a.id < b.id ? -1 : 1);

class BruteForce {
  readonly #placed: readonly Placing[];
  readonly #measure: Measure;

  constructor(placed: readonly Placing[], measure: Measure) {
    this.#placed = placed;
    this.#measure = measure;
  }

  nearest(center: Position, k: number, maxDistanceM: number, filter: (id: string) => boolean): Found<string>[] {
    return this.#placed
      .map(({ id, lat, lon }) => {
        return { id, lat, lon, distanceM: this.#measure.distanceM(center.lat, center.lon, lat, lon) };
      })
      .filter(({ id, distanceM }) => distanceM <= maxDistanceM && filter(id))
      .sort((a, b) => a.distanceM - b.distanceM || order(a, b))
      .slice(0, k);
  }

  where(contains: (lat: number, lon: number) => boolean): Placing[] {
    return this.#placed.filter(({ lat, lon }) => contains(lat, lon)).sort(order);
  }
}

const radii = fc.oneof(
  fc.double({ min: 0, max: 7.4, noNaN: true }).map((exponent) => 10 ** exponent),
  fc.constantFrom(0, 1e5, 10_007_543, 20_015_115, 3e7, Number.POSITIVE_INFINITY),
);
const boxes: fc.Arbitrary<Box> = fc.tuple(polar, polar).map(([a, b]) => ({
  south: Math.min(a.lat, b.lat),
  west: a.lon,
  north: Math.max(a.lat, b.lat),
  east: b.lon,
}));
/** Around a centre, of different reach in each direction. */
const rings: fc.Arbitrary<Ring> = fc
  .tuple(polar, fc.array(fc.double({ min: 0.01, max: 0.6, noNaN: true }), { minLength: 3, maxLength: 9 }))
  .map(([center, reaches]) => reaches.map((reach, at) => pointAt(center, (at * 360) / reaches.length, reach)));

function isRing(ring: Ring): boolean {
  try {
    createRegion([ring]);
    return true;
  } catch {
    return false;
  }
}

export interface AgreementOptions {
  readonly store: GeoStore;
  /** What was put in. */
  readonly placed: readonly Placing[];
  /** Where the store keeps it. */
  readonly kept?: (position: Position) => Position;
  readonly measure?: Measure;
  readonly numRuns: number;
}

/** Asks at random, from the middle of things that are there as often as not. */
export async function agrees({
  store,
  placed,
  kept = (position) => position,
  measure = haversine(),
  numRuns,
}: AgreementOptions): Promise<void> {
  const model = new BruteForce(
    placed.map(({ id, lat, lon }) => {
      const at = kept({ lat, lon });
      return { id, lat: at.lat, lon: at.lon };
    }),
    measure,
  );
  const spot = fc.nat(placed.length - 1).map((index) => ({ lat: placed[index]!.lat, lon: placed[index]!.lon }));
  const centers = fc.oneof(polar, spot);
  const limits = fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined });
  const odd = (id: string): boolean => Number(id.slice(3)) % 7 === 0;
  const filters = fc.constantFrom(undefined, odd);
  const all = (): boolean => true;

  await fc.assert(
    fc.asyncProperty(centers, radii, limits, filters, async (center, radiusM, limit, filter) => {
      const options = { ...(limit === undefined ? {} : { limit }), ...(filter === undefined ? {} : { filter }) };
      const found = await store.within(center, radiusM, options);
      assert.deepEqual(found, model.nearest(center, limit ?? Number.POSITIVE_INFINITY, radiusM, filter ?? all));
    }),
    { numRuns },
  );
  const counts = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constantFrom(placed.length, Number.POSITIVE_INFINITY));
  await fc.assert(
    fc.asyncProperty(centers, counts, radii, filters, async (center, k, maxDistanceM, filter) => {
      const options = { maxDistanceM, ...(filter === undefined ? {} : { filter }) };
      const found = await store.nearest(center, k, options);
      assert.deepEqual(found, model.nearest(center, k, maxDistanceM, filter ?? all));
      const unbounded = await store.nearest(center, k, filter === undefined ? {} : { filter });
      assert.deepEqual(unbounded, model.nearest(center, k, Number.POSITIVE_INFINITY, filter ?? all));
    }),
    { numRuns },
  );
  await fc.assert(
    fc.asyncProperty(boxes, filters, async (box, filter) => {
      const found = await store.inBox(box, filter === undefined ? {} : { filter });
      const expected = model.where((lat, lon) => boxContains(box, lat, lon));
      assert.deepEqual(found, filter === undefined ? expected : expected.filter(({ id }) => filter(id)));
    }),
    { numRuns },
  );
  await fc.assert(
    fc.asyncProperty(rings.filter(isRing), async (ring) => {
      const region = createRegion([ring]);
      assert.deepEqual(
        await store.inPolygon([ring]),
        model.where((lat, lon) => region.contains(lat, lon)),
      );
    }),
    { numRuns },
  );
}
