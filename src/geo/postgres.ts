/**
 * The store in PostgreSQL without any extension: latitude, longitude, and a geohash in an ordinary B-tree.
 *
 * - A position is kept as it is given, in doubles.
 * - An area is a few ranges of geohashes, each a range of the index. The geohash sorts by its bytes (`COLLATE "C"`), so that
 *   `WHERE geohash LIKE '9q8yy%'` of your own uses the same index.
 * - The nearest: one statement counts what is within 100 m, 400 m, … to half the Earth, in the index only and never far; the next reads the circle
 *   that has enough.
 *
 * Cost: a question is one to three round trips, and the nearest up to seven where everybody is far away and close together; as many again when a
 * filter leaves too few. Of what the ranges hold beside the area, about as much again, the server sends all.
 */
import type { PostgresClient } from '../drivers/postgres.ts';
import type { Placed } from './geo-index.ts';
import { geohash, geohashAt } from './geohash.ts';
import type { Box, Position } from './position.ts';
import { type PostgresGeoStore, type PostgresStoreOptions, PostgresTable } from './postgres-table.ts';
import { angleOfKth, reach } from './reach.ts';
import { type Backend, type Search, ServerStore } from './server-store.ts';
import { areaOfBox, areaOfCap, type Area, scoreRanges } from './z-order.ts';

export type { PostgresGeoStore, PostgresStoreOptions };

/** About 100 m. */
const FIRST_ANGLE = 1.6e-5;
/** 6 mm: for rounding. */
const MARGIN = 1e-9;
/** Each is a seek in the index; with more of them, less beside the area is read. */
const RANGES_MAX = 32;
const COUNTED_RANGES_MAX = 8;

interface TextRanges {
  readonly first: string[];
  readonly last: string[];
}

function textRanges(area: Area, rangesMax: number): TextRanges {
  const ranges = scoreRanges({ latMax: 90, cover: area, rangesMax });
  return {
    first: ranges.map(({ first }) => geohashAt(first, 'first')),
    last: ranges.map(({ last }) => geohashAt(last, 'last')),
  };
}

class PostgresBackend implements Backend {
  readonly #table: PostgresTable;

  constructor(table: PostgresTable) {
    this.#table = table;
  }

  set(placed: readonly Placed<string>[], signal: AbortSignal): Promise<void> {
    return this.#table.write(
      `INSERT INTO ${this.#table.name} (id, lat, lon, geohash)
       SELECT * FROM unnest($1::text[], $2::float8[], $3::float8[], $4::text[])
       ON CONFLICT (id) DO UPDATE SET lat = excluded.lat, lon = excluded.lon, geohash = excluded.geohash`,
      placed,
      [({ id }) => id, ({ lat }) => lat, ({ lon }) => lon, ({ lat, lon }) => geohash.encode({ lat, lon }, 12)],
      signal,
    );
  }

  remove(id: string, signal: AbortSignal): Promise<boolean> {
    return this.#table.remove(id, signal);
  }

  around(center: Position, angle: number, signal: AbortSignal): Promise<Placed<string>[]> {
    return this.#read(areaOfCap({ center, angle: angle + MARGIN }), signal);
  }

  inBox(box: Box, signal: AbortSignal): Promise<Placed<string>[]> {
    return this.#read(areaOfBox(box), signal);
  }

  async nearest(search: Search, signal: AbortSignal): Promise<Placed<string>[]> {
    const { center, angleMax, stretch } = search;
    const k = Math.min(search.k, this.#table.answersMax + 1);
    const angle = await reach({
      k,
      from: FIRST_ANGLE,
      most: angleMax,
      count: (angles, enough) => this.#count(center, angles, enough, signal),
    });
    const some = await this.around(center, angle, signal);
    const needed = Math.min(angleMax, angleOfKth(center, k, some) * stretch);
    return needed <= angle ? some : this.around(center, needed, signal);
  }

  #read(area: Area, signal: AbortSignal): Promise<Placed<string>[]> {
    const { first, last } = textRanges(area, RANGES_MAX);
    return this.#table.placed(
      `SELECT place.id, place.lat, place.lon
       FROM unnest($1::text[], $2::text[]) AS range (first, last) CROSS JOIN LATERAL
         (SELECT id, lat, lon FROM ${this.#table.name}
          WHERE geohash >= range.first COLLATE "C" AND geohash <= range.last COLLATE "C") AS place`,
      [first, last],
      signal,
    );
  }

  async #count(
    center: Position,
    angles: readonly number[],
    enough: number,
    signal: AbortSignal,
  ): Promise<readonly number[]> {
    const covers = angles.map((angle) => textRanges(areaOfCap({ center, angle }), COUNTED_RANGES_MAX));
    const rows = await this.#table.query<{ cover: number; held: unknown }>(
      `SELECT cover, sum(counted.held) AS held
       FROM unnest($1::int[], $2::text[], $3::text[]) AS range (cover, first, last) CROSS JOIN LATERAL
         (SELECT count(*) AS held FROM
           (SELECT FROM ${this.#table.name}
            WHERE geohash >= range.first COLLATE "C" AND geohash <= range.last COLLATE "C" LIMIT $4) AS few
         ) AS counted
       GROUP BY cover`,
      [
        covers.flatMap(({ first }, index) => first.map(() => index)),
        covers.flatMap(({ first }) => first),
        covers.flatMap(({ last }) => last),
        enough,
      ],
      signal,
    );
    const held = angles.map(() => 0);
    for (const row of rows) held[row.cover] = Number(row.held);
    return held;
  }
}

/**
 * Positions in PostgreSQL, 14 or later, through your own client: a `Pool` (or a `Client`) of pg. Run `migrate()` once before.
 */
export function postgresStore(client: PostgresClient, options: PostgresStoreOptions): PostgresGeoStore {
  const table = new PostgresTable('postgresStore', client, options);
  return Object.assign(new ServerStore(new PostgresBackend(table), table.measure), {
    migrate: () =>
      table.run(
        `CREATE SCHEMA IF NOT EXISTS ${table.schema};
         CREATE TABLE IF NOT EXISTS ${table.name} (
           id text COLLATE "C" PRIMARY KEY,
           lat float8 NOT NULL,
           lon float8 NOT NULL,
           geohash text COLLATE "C" NOT NULL
         );
         CREATE INDEX IF NOT EXISTS ${table.indexName} ON ${table.name} (geohash);`,
      ),
  });
}
