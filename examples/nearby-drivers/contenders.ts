/** The same drivers in four indexes, and one question to all of them. */
import * as h3 from 'h3-js';
import type { Cells, Found, GeoStore, MutableGeoIndex, Position } from 'spillway/geo';
import { createCells, createQuadtree, geohashCells, h3Cells } from 'spillway/geo';
import type { City } from './city.ts';

/** Cells of about a kilometre: 1.2 km by 0.6 km, and 0.5 km from the middle to a corner. */
const GEOHASH_LENGTH = 6;
const H3_RESOLUTION = 8;
/** A question takes microseconds; the best of so many is what it takes when nothing else disturbs. */
const TURNS = 5;

export interface Answer {
  readonly name: string;
  readonly found: readonly Found[];
  readonly microseconds: number;
  /** Null where it is not known. */
  readonly cellsTouched: number | null;
}

export type Question =
  | { readonly center: Position; readonly k: number }
  | { readonly center: Position; readonly radiusM: number };

export class Contenders {
  readonly cells: { readonly geohash: Cells; readonly h3: Cells };
  readonly #quadtree: MutableGeoIndex;
  readonly #redis: GeoStore;

  constructor(drivers: number, redis: GeoStore) {
    const capacity = drivers;
    this.cells = {
      geohash: createCells(geohashCells(GEOHASH_LENGTH), { capacity }),
      h3: createCells(h3Cells(h3, { resolution: H3_RESOLUTION }), { capacity }),
    };
    this.#quadtree = createQuadtree({ capacity });
    this.#redis = redis;
  }

  /** Takes over where some drivers are now. */
  async update({ lats, lons }: City, from: number, to: number): Promise<void> {
    const moved = [];
    for (let id = from; id < to; id++) {
      const position = { lat: lats[id]!, lon: lons[id]! };
      this.cells.geohash.set(id, position);
      this.cells.h3.set(id, position);
      this.#quadtree.set(id, position);
      // Of one length, so that they sort as numbers do.
      moved.push({ id: String(id).padStart(6, '0'), ...position });
    }
    await this.#redis.setMany(moved);
  }

  async ask(question: Question): Promise<Answer[]> {
    const { geohash, h3 } = this.cells;
    const here = (index: MutableGeoIndex): Found[] =>
      'k' in question ? index.nearest(question.center, question.k) : index.within(question.center, question.radiusM);
    const local = (name: string, index: MutableGeoIndex, cells: Cells | null): Answer => {
      let [found, microseconds]: [Found[], number] = [[], Number.POSITIVE_INFINITY];
      for (let turn = 0; turn < TURNS; turn++) {
        const before = performance.now();
        found = here(index);
        microseconds = Math.min(microseconds, (performance.now() - before) * 1000);
      }
      return { name, found, microseconds, cellsTouched: cells === null ? null : cells.cellsTouched };
    };
    const before = performance.now();
    const remote = await ('k' in question
      ? this.#redis.nearest(question.center, question.k)
      : this.#redis.within(question.center, question.radiusM));
    const microseconds = (performance.now() - before) * 1000;
    return [
      local('Quadtree', this.#quadtree, null),
      local('Geohash', geohash, geohash),
      local('H3', h3, h3),
      {
        name: 'Redis GEO',
        found: remote.map(({ id, ...rest }) => ({ ...rest, id: Number(id) })),
        microseconds,
        cellsTouched: null,
      },
    ];
  }
}

/** True if all found the same drivers in the same order, at the same distances. */
export function alike(answers: readonly Answer[]): boolean {
  const [first, ...others] = answers.map(({ found }) =>
    JSON.stringify(found.map(({ id, lat, lon, distanceM }) => [id, lat, lon, distanceM])),
  );
  return others.every((other) => other === first);
}
