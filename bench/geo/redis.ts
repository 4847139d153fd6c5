/** A Redis of its own with a hundred thousand members in a town: the time on the wall of a question, and of it the server's own. */
import { Redis } from 'ioredis';
import { type Position, redisStore } from '../../src/geo/index.ts';
import type { Random } from '../../src/kernel/random.ts';
import { RedisServer } from '../../test/servers/redis.ts';
import { heading, micros, row } from './timing.ts';

const THINGS = 100_000;
const QUERIES = 2000;
/** Questions under way at once: as many as a busy process has. */
const AT_ONCE = 16;
const ROUNDS = 3;

async function serverSeconds(admin: Redis): Promise<number> {
  const info = await admin.info('cpu');
  const read = (name: string): number => Number(new RegExp(`^used_cpu_${name}:([\\d.]+)`, 'm').exec(info)?.[1]);
  return read('user') + read('sys');
}

export async function benchRedis(random: Random): Promise<void> {
  heading(`Redis: 20 nearest of ${THINGS} in a town, ${AT_ONCE} questions at once`);
  await using server = await RedisServer.start();
  const client = new Redis(server.port);
  try {
    const place = (): Position => ({ lat: 52.52 + (random.unit() - 0.5) / 5, lon: 13.4 + (random.unit() - 0.5) / 3 });
    const store = redisStore(client, { key: 'things' });
    await store.setMany(Array.from({ length: THINGS }, (_, id) => ({ id: String(id), ...place() })));
    const centers = Array.from({ length: QUERIES }, place);
    const geosearch = (radiusM: number) => (at: number) => {
      const from = ['FROMLONLAT', String(centers[at]!.lon), String(centers[at]!.lat)];
      return client.call(
        'GEOSEARCH',
        'things',
        ...from,
        'BYRADIUS',
        String(radiusM),
        'm',
        'ASC',
        'COUNT',
        '20',
        'WITHDIST',
      );
    };
    const works: Readonly<Record<string, (at: number) => Promise<unknown>>> = {
      nearest: (at) => store.nearest(centers[at]!, 20),
      '  GEOSEARCH … COUNT 20 within 500 m, where one knows that much': geosearch(500),
      '  GEOSEARCH … COUNT 20 within 5 km, to be sure': geosearch(5000),
    };
    for (const [name, work] of Object.entries(works)) {
      let [wall, own] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
      for (let round = 0; round < ROUNDS; round++) {
        const [wallBefore, ownBefore] = [performance.now(), await serverSeconds(client)];
        for (let at = 0; at < QUERIES; at += AT_ONCE) {
          await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => work((at + index) % QUERIES)));
        }
        wall = Math.min(wall, ((performance.now() - wallBefore) / QUERIES) * 1e6);
        own = Math.min(own, (((await serverSeconds(client)) - ownBefore) / QUERIES) * 1e9);
      }
      row(name, `${micros(wall)}, server ${micros(own)}`);
    }
  } finally {
    client.disconnect();
  }
}
