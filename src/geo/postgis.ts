/**
 * The store in PostgreSQL with PostGIS: `geography` in a GiST index, which knows poles and the antimeridian by itself.
 *
 * - A position is kept as it is given, in doubles.
 * - Circles are searched by `ST_DWithin` on a sphere, the nearest by `<->`; distances are then measured here, on the ellipsoid too if the
 *   store is given `geodesic`, and so are those of the other stores.
 * - Boxes and polygons have edges along parallels, which `geography` does not know; they are searched in a second index, of plain degrees.
 *
 * Cost: a circle or a box is one round trip, the nearest two.
 */
import type { PostgresClient } from '../drivers/postgres.ts';
import { SpillwayError } from '../kernel/errors.ts';
import type { Placed } from './geo-index.ts';
import type { Box, Position } from './position.ts';
import { type PostgresGeoStore, type PostgresStoreOptions, PostgresTable } from './postgres-table.ts';
import { angleOfKth } from './reach.ts';
import { type Backend, type Search, ServerStore } from './server-store.ts';

/** Of the sphere that PostGIS takes for WGS84. */
const SPHERE_RADIUS_M = 6_371_008.771_415_059;
/** A metre and a millionth: more than anything rounds. */
const margin = (angle: number): number => angle * 1.000_001 + 1.6e-7;
/** Beyond, a box round a circle is so large that the index is of no use. */
const INDEXED_ANGLE_MAX = 1;

const COLUMNS = 'id, ST_Y(at::geometry) AS lat, ST_X(at::geometry) AS lon';

function geography(lon: string, lat: string): string {
  return `ST_SetSRID(ST_MakePoint(${lon}, ${lat}), 4326)::geography`;
}

/** A box as boxes of plain degrees: without one across the antimeridian, with both names of it, and with poles at every longitude. */
function plainBoxes({ south, west, north, east }: Box): Box[] {
  const boxes =
    west <= east
      ? [{ south, west, north, east }]
      : [
          { south, west, north, east: 180 },
          { south, west: -180, north, east },
        ];
  if (west === -180 || west > east) boxes.push({ south, west: 180, north, east: 180 });
  if (east === 180 || west > east) boxes.push({ south, west: -180, north, east: -180 });
  if (north === 90) boxes.push({ south: 90, west: -180, north: 90, east: 180 });
  if (south === -90) boxes.push({ south: -90, west: -180, north: -90, east: 180 });
  return boxes;
}

/**
 * PostGIS 3.3 may end a search by `<->` with “index returned tuples in wrong order”, an internal error, when it comes to what is nearly on the other
 * side of the Earth. Then all rows are looked at.
 */
function isWrongOrder(error: unknown): boolean {
  return error instanceof SpillwayError && error.cause instanceof Error && Reflect.get(error.cause, 'code') === 'XX000';
}

class PostgisBackend implements Backend {
  readonly #table: PostgresTable;

  constructor(table: PostgresTable) {
    this.#table = table;
  }

  set(placed: readonly Placed<string>[], signal: AbortSignal): Promise<void> {
    return this.#table.write(
      `INSERT INTO ${this.#table.name} (id, at)
       SELECT id, ${geography('lon', 'lat')} FROM unnest($1::text[], $2::float8[], $3::float8[]) AS given (id, lat, lon)
       ON CONFLICT (id) DO UPDATE SET at = excluded.at`,
      placed,
      [({ id }) => id, ({ lat }) => lat, ({ lon }) => lon],
      signal,
    );
  }

  remove(id: string, signal: AbortSignal): Promise<boolean> {
    return this.#table.remove(id, signal);
  }

  around({ lat, lon }: Position, angle: number, signal: AbortSignal): Promise<Placed<string>[]> {
    const within =
      angle < INDEXED_ANGLE_MAX
        ? `ST_DWithin(at, ${geography('$1', '$2')}, $3, false)`
        : `ST_Distance(at, ${geography('$1', '$2')}, false) <= $3`;
    const text = `SELECT ${COLUMNS} FROM ${this.#table.name} WHERE ${within}`;
    return this.#table.placed(text, [lon, lat, margin(angle) * SPHERE_RADIUS_M], signal);
  }

  async nearest({ center, k, angleMax, stretch }: Search, signal: AbortSignal): Promise<Placed<string>[]> {
    const here = geography('$1', '$2');
    const first = (order: string): Promise<readonly Placed<string>[]> =>
      this.#table.query(
        `SELECT ${COLUMNS} FROM ${this.#table.name} ORDER BY ${order} LIMIT $3`,
        [center.lon, center.lat, Math.min(k, this.#table.answersMax + 1)],
        signal,
      );
    const rows = await first(`at <-> ${here}`).catch((error: unknown) => {
      if (!isWrongOrder(error)) throw error;
      return first(`ST_Distance(at, ${here}, false)`);
    });
    // Whatever its order is worth, the k-th nearest is not farther than the farthest of any k.
    const needed = Math.min(angleMax, angleOfKth(center, k, rows) * stretch);
    return this.around(center, needed, signal);
  }

  inBox(box: Box, signal: AbortSignal): Promise<Placed<string>[]> {
    const boxes = plainBoxes(box);
    return this.#table.placed(
      `SELECT ${COLUMNS}
       FROM unnest($1::float8[], $2::float8[], $3::float8[], $4::float8[]) AS box (west, south, east, north)
       JOIN ${this.#table.name} ON at::geometry && ST_MakeEnvelope(west, south, east, north, 4326)`,
      [
        boxes.map(({ west }) => west),
        boxes.map(({ south }) => south),
        boxes.map(({ east }) => east),
        boxes.map(({ north }) => north),
      ],
      signal,
    );
  }
}

/**
 * Positions in PostgreSQL, 14 or later, with PostGIS 3, through your own client: a `Pool` (or a `Client`) of pg. Run `migrate()` once before; if
 * the extension is not there yet, that needs the right to create it.
 */
export function postgisStore(client: PostgresClient, options: PostgresStoreOptions): PostgresGeoStore {
  const table = new PostgresTable('postgisStore', client, options);
  return Object.assign(new ServerStore(new PostgisBackend(table), table.measure), {
    migrate: () =>
      table.run(
        `CREATE EXTENSION IF NOT EXISTS postgis;
         CREATE SCHEMA IF NOT EXISTS ${table.schema};
         CREATE TABLE IF NOT EXISTS ${table.name} (id text COLLATE "C" PRIMARY KEY, at geography(Point, 4326) NOT NULL);
         CREATE INDEX IF NOT EXISTS ${table.indexName} ON ${table.name} USING gist (at);
         CREATE INDEX IF NOT EXISTS ${table.indexName.replace('_place', '_degrees')} ON ${table.name} USING gist ((at::geometry));`,
      ),
  });
}
