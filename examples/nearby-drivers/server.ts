/**
 * The page and its data: who is where (`/drivers`), and what each index answers (`/near`). A city that moves, with a Redis of its own.
 */
import { readFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import * as h3 from 'h3-js';
import { Redis } from 'ioredis';
import { coverByCells, geohash, geohashCells, h3Cells, redisStore, type Position } from 'spillway/geo';
import { RedisServer } from '../../test/servers/redis.ts';
import { CENTER, City, REACH_M } from './city.ts';
import { alike, Contenders, type Question } from './contenders.ts';

const TICK_MS = 500;
/** Each driver says where it is every five seconds. */
const TICKS_A_ROUND = 10;
/** More would be no picture. */
const OUTLINES_MAX = 200;

const files: Readonly<Record<string, readonly [file: string, type: string]>> = {
  '/': ['page.html', 'text/html; charset=utf-8'],
  '/page.css': ['page.css', 'text/css; charset=utf-8'],
  '/page.js': ['page.js', 'text/javascript; charset=utf-8'],
};

export interface NearbyDrivers extends AsyncDisposable {
  readonly url: string;
}

/** A question from the query of `/near`, or null if it is none. */
function questionOf(query: URLSearchParams): Question | null {
  const number = (name: string): number => Number(query.get(name) ?? Number.NaN);
  const center = { lat: number('lat'), lon: number('lon') };
  if (!(Math.abs(center.lat) <= 90 && Math.abs(center.lon) <= 180)) return null;
  const [k, radiusM] = [number('k'), number('radius')];
  if (Number.isInteger(k) && k >= 1 && k <= 100) return { center, k };
  return radiusM >= 0 && radiusM <= 3000 ? { center, radiusM } : null;
}

/** The cells that a circle touches, as polygons of latitude and longitude. */
function outlines(center: Position, radiusM: number): { geohash: number[][][]; h3: number[][][] } {
  const rectangles = coverByCells(geohashCells(6), center, radiusM, OUTLINES_MAX).map((cell) => {
    const { south, west, north, east } = geohash.bounds(cell);
    return [
      [south, west],
      [south, east],
      [north, east],
      [north, west],
    ];
  });
  const hexagons = coverByCells(h3Cells(h3, { resolution: 8 }), center, radiusM, OUTLINES_MAX);
  return { geohash: rectangles, h3: hexagons.map((cell) => h3.cellToBoundary(cell)) };
}

function send(response: ServerResponse, status: number, type: string, body: string | Uint8Array): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body);
}

export async function startNearbyDrivers({ drivers = 100_000, port = 0 } = {}): Promise<NearbyDrivers> {
  await using failed = new AsyncDisposableStack();
  const redisServer = failed.use(await RedisServer.start());
  const client = new Redis(redisServer.port);
  client.on('error', () => {});
  failed.defer(() => client.disconnect());
  const city = new City(drivers);
  const contenders = new Contenders(drivers, redisStore(client, { key: 'drivers' }));
  await contenders.update(city, 0, drivers);

  // Changes and questions take turns, so that a question meets all indexes in one state.
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = turn.then(work);
    turn = result.catch(() => {});
    return result;
  };
  let tick = 0;
  let moving = false;
  let closing = false;
  const step = Math.ceil(drivers / TICKS_A_ROUND);
  const timer = setInterval(() => {
    // A machine that is too slow for the city has a slower city.
    if (moving) return;
    moving = true;
    void inTurn(async () => {
      const from = (tick++ % TICKS_A_ROUND) * step;
      const to = Math.min(drivers, from + step);
      for (let id = from; id < to; id++) city.move(id);
      await contenders.update(city, from, to);
    })
      .catch((error: unknown) => closing || console.error(String(error)))
      .finally(() => (moving = false));
  }, TICK_MS);
  failed.defer(() => clearInterval(timer));

  const near = async (query: URLSearchParams, response: ServerResponse): Promise<void> => {
    const question = questionOf(query);
    if (question === null)
      return send(response, 400, 'text/plain', 'expected lat, lon, and k to 100 or radius to 3000');
    const answers = await inTurn(() => contenders.ask(question));
    const found = answers[0]!.found;
    const radiusM = 'radiusM' in question ? question.radiusM : (found.at(-1)?.distanceM ?? 0);
    const body = {
      alike: alike(answers),
      radiusM,
      found: found.map(({ id, lat, lon }) => [id, lat, lon]),
      answers: answers.map(({ name, found, microseconds, cellsTouched }) => {
        return { name, count: found.length, microseconds, cellsTouched };
      }),
      cells: radiusM <= 3000 ? outlines(question.center, radiusM) : { geohash: [], h3: [] },
    };
    return send(response, 200, 'application/json', JSON.stringify(body));
  };

  const positions = (): Uint8Array => {
    const both = new Float32Array(drivers * 2);
    for (let id = 0; id < drivers; id++) {
      both[id * 2] = city.lats[id]! - CENTER.lat;
      both[id * 2 + 1] = city.lons[id]! - CENTER.lon;
    }
    return new Uint8Array(both.buffer);
  };

  const server = createServer((request, response) => {
    // By hand: a URL cannot be made of every line that comes.
    const [pathname = '/', query] = (request.url ?? '/').split('?', 2);
    const file = Object.hasOwn(files, pathname) ? files[pathname] : undefined;
    if (file !== undefined) send(response, 200, file[1], readFileSync(new URL(file[0], import.meta.url)));
    else if (pathname === '/city') {
      send(response, 200, 'application/json', JSON.stringify({ ...CENTER, drivers, reachM: REACH_M }));
    } else if (pathname === '/drivers') send(response, 200, 'application/octet-stream', positions());
    else if (pathname === '/near') {
      near(new URLSearchParams(query), response).catch((error: unknown) =>
        send(response, 500, 'text/plain', String(error)),
      );
    } else send(response, 404, 'text/plain', 'nothing here');
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const owned = failed.move();
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async [Symbol.asyncDispose]() {
      // Ctrl-C ends Redis as well: what is under way has nobody to wait for.
      closing = true;
      client.disconnect();
      server.close();
      server.closeAllConnections();
      await inTurn(async () => {});
      await owned.disposeAsync();
    },
  };
}
