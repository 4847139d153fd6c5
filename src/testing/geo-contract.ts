/**
 * What every geospatial index and store answers: what brute force over the same positions does, in the same order, each time.
 * Run it against your own:
 *
 *     import { test } from 'node:test';
 *     import { geoContract } from 'spillway/testing';
 *
 *     for (const { name, run } of geoContract({ name: 'mine', create: (positions) => mine(positions) })) test(name, run);
 *
 * Everything is replayed from fixed seeds.
 */
import assert from 'node:assert/strict';
import type { FilterOptions, Found, NearestOptions, Placed, WithinOptions } from '../geo/geo-index.ts';
import { haversine, type Measure } from '../geo/measure.ts';
import type { Box, Position } from '../geo/position.ts';
import { createRegion, type Polygon } from '../geo/region.ts';
import { type Random, seededRandom } from '../kernel/random.ts';
import { type ContractCase, contractCases, type Deviations } from './contract.ts';
import {
  type Answer,
  boxRing,
  bruteForce,
  bruteForceBox,
  hardBox,
  hardCircle,
  hardPosition,
  hardWorld,
} from './geo-world.ts';

type Answers<T> = readonly T[] | Promise<readonly T[]>;

/** What is asked: a `GeoIndex` is one, and a `GeoStore` whose ids are numbers as text. */
export interface GeoUnderTest<Id = number | string> {
  within(center: Position, radiusM: number, options?: WithinOptions<Id>): Answers<Found<Id>>;
  nearest(center: Position, k: number, options?: NearestOptions<Id>): Answers<Found<Id>>;
  inBox(box: Box, options?: FilterOptions<Id>): Answers<Placed<Id>>;
  inPolygon(polygon: Polygon, options?: FilterOptions<Id>): Answers<Placed<Id>>;
}

export interface GeoSubject<Id extends number | string = number | string> {
  /** Shown with each case. */
  readonly name: string;
  /** Makes one that has these positions; the id of each is its number in the list, of a store that number as text. */
  readonly create: (positions: readonly Position[]) => GeoUnderTest<Id> | Promise<GeoUnderTest<Id>>;
  /** How it measures. @defaultValue `haversine()` */
  readonly measure?: Measure;
  /** The position that it keeps for one that it is given. @defaultValue the same */
  readonly kept?: (position: Position) => Position;
  /** How many questions of each kind. @defaultValue 20,000 */
  readonly questions?: number;
  readonly deviations?: Deviations;
}

/** Worlds of this many points, the more often the smaller; a tree has several levels in the larger. */
const WORLDS = [0, 1, 2, 20, 100, 100, 300, 300, 300, 300, 3000];

/** Worlds from this size on are asked a tenth: brute force takes long there. */
const LARGE = 1000;

/** A store's ids are text. */
function plain(found: readonly Found<number | string>[]): Answer[] {
  return found.map(({ id, distanceM }) => ({ id: Number(id), distanceM }));
}

/** Compares by a loop: the runner's own comparison takes longer than the answers. */
function same(found: readonly Found<number | string>[], expected: readonly Answer[], asked: unknown): void {
  const agrees = (at: number): boolean =>
    Number(found[at]!.id) === expected[at]!.id && found[at]!.distanceM === expected[at]!.distanceM;
  if (found.length === expected.length && found.every((_, at) => agrees(at))) return;
  assert.deepEqual(plain(found), expected, JSON.stringify(asked));
}

export function geoContract<Id extends number | string>(subject: GeoSubject<Id>): ContractCase[] {
  const { create, measure = haversine(), kept = (position: Position) => position, questions = 20_000 } = subject;

  /** Asks in every world; a question has what it needs to be asked and answered. */
  async function inWorlds(
    seed: number,
    ask: (world: {
      readonly index: GeoUnderTest<Id>;
      readonly positions: readonly Position[];
      readonly random: Random;
    }) => Promise<void>,
    asks = questions,
  ): Promise<void> {
    const random = seededRandom(seed);
    for (const count of WORLDS) {
      const given = hardWorld(random, count);
      const index = await create(given);
      const positions = given.map((position) => kept(position));
      const share = asks / WORLDS.length / (count < LARGE ? 1 : 10);
      for (let asked = 0; asked < share; asked++) await ask({ index, positions, random });
    }
  }

  return contractCases(
    subject.name,
    {
      'all within a radius, sorted by distance and then by id': () =>
        inWorlds(1, async ({ index, positions, random }) => {
          const circle = hardCircle(random, positions, measure);
          const found = await index.within(circle.center, circle.radiusM);
          same(found, bruteForce(positions, { ...circle, measure }), circle);
        }),
      'the nearest, among them those equally far by id': () =>
        inWorlds(2, async ({ index, positions, random }) => {
          const { center } = hardCircle(random, positions, measure);
          const k = 1 + Math.floor(random.unit() ** 3 * 100);
          const found = await index.nearest(center, k);
          const all = bruteForce(positions, { center, radiusM: Number.POSITIVE_INFINITY, measure });
          same(found, all.slice(0, k), { center, k });
        }),
      'the nearest within a distance and of those that a filter lets through': () =>
        inWorlds(3, async ({ index, positions, random }) => {
          const circle = hardCircle(random, positions, measure);
          const k = 1 + Math.floor(random.unit() * 10);
          const filter = (id: Id): boolean => Number(id) % 3 !== 0;
          const expected = bruteForce(positions, { ...circle, measure })
            .filter(({ id }) => id % 3 !== 0)
            .slice(0, k);
          const nearest = await index.nearest(circle.center, k, { maxDistanceM: circle.radiusM, filter });
          same(nearest, expected, circle);
          const within = await index.within(circle.center, circle.radiusM, { limit: k, filter });
          same(within, expected, circle);
        }),
      'what is in a box, by id, and where it is': () =>
        inWorlds(4, async ({ index, positions, random }) => {
          const box = hardBox(random);
          const found = await index.inBox(box);
          const ids = found.map(({ id }) => Number(id));
          assert.deepEqual(ids, bruteForceBox(positions, box), JSON.stringify(box));
          for (const { id, lat, lon } of found) {
            const { lat: latKept, lon: lonKept } = positions[Number(id)]!;
            assert.ok(lat === latKept && lon === lonKept, `${id} is at ${lat} ${lon}`);
          }
        }),
      'what is in a polygon, by id': () =>
        inWorlds(
          5,
          async ({ index, positions, random }) => {
            const corners = [1, 2, 3, 4, 5].map(() => hardPosition(random));
            const polygons = [[boxRing(hardBox(random))], [corners]].filter((polygon) => isPolygon(polygon));
            for (const polygon of polygons) {
              const { contains } = createRegion(polygon);
              const expected = [...positions.keys()].filter((id) => contains(positions[id]!.lat, positions[id]!.lon));
              const found = (await index.inPolygon(polygon)).map(({ id }) => Number(id));
              assert.deepEqual(found, expected, JSON.stringify(polygon));
            }
            // Making a polygon ready takes longer than asking.
          },
          questions / 4,
        ),
      'what cannot be meant is refused with a code': async () => {
        const index = await create([{ lat: 1, lon: 1 }]);
        const here = { lat: 0, lon: 0 };
        const calls: (() => Answers<unknown>)[] = [
          () => index.within({ lat: 91, lon: 0 }, 1),
          () => index.within({ lat: Number.NaN, lon: 0 }, 1),
          () => index.within({ lat: 0, lon: 181 }, 1),
          // As they come from JSON and from databases.
          () => index.within({ lat: '1', lon: 0 } as unknown as Position, 1),
          () => index.nearest({ lat: 1, lon: '0' } as unknown as Position, 1),
          () => index.within(null as unknown as Position, 1),
          () => index.within(here, '1' as unknown as number),
          () => index.inBox(null as unknown as Box),
          () => index.within(here, -1),
          () => index.within(here, Number.NaN),
          () => index.within(here, 1, { limit: 0 }),
          () => index.nearest(here, 0),
          () => index.nearest(here, 1.5),
          () => index.nearest(here, 1, { maxDistanceM: -1 }),
          // Misspelt it would be no bound.
          () => index.nearest(here, 1, { maxDistance: 1 } as NearestOptions<Id>),
          () => index.within(here, 1, { k: 1 } as WithinOptions<Id>),
          () => index.inBox({ south: 0, west: 0, north: 1, east: 1 }, { only: () => true } as FilterOptions<Id>),
          () => index.inBox({ south: 1, west: 0, north: 0, east: 1 }),
          () => index.inPolygon([]),
          () => index.inPolygon([[here, here, here]]),
          () => index.inPolygon(null as unknown as Polygon),
          // A ring where a list of rings belongs.
          () => index.inPolygon([here, { lat: 1, lon: 0 }, { lat: 0, lon: 1 }] as unknown as Polygon),
        ];
        for (const call of calls) {
          await assert.rejects(async () => call(), { code: 'OPTIONS_INVALID' }, String(call));
        }
      },
    },
    subject.deviations,
  );
}

function isPolygon(polygon: Polygon): boolean {
  try {
    createRegion(polygon);
    return true;
  } catch {
    return false;
  }
}
