/**
 * A hit in memory, of one key and of ten thousand in turn: ours through its promise, with the loader that is not called, and by `peek`;
 * `lru-cache` by `get`, which is synchronous, loads nothing and has no promise, and by `fetch`, which loads once for all as ours does; `cacheable`
 * by its `get`. All have a ttl. A `Map` that finds the same string again is the floor, and so is the `await` of a promise that is there.
 *
 * Each loop awaits every answer, as a request does; what `await` takes is in it, and is a row of its own.
 */
import { Cacheable } from 'cacheable';
import { LRUCache } from 'lru-cache';
import { createCache, memoryCache } from 'spillway/cache';
import { createMetrics } from 'spillway/observe';
import { byTurns, type Contender, print } from '../limit/turns.ts';

const TTL_MS = 3_600_000;

interface Row {
  readonly id: string;
}

async function contenders(keys: readonly string[]): Promise<Contender[]> {
  const options = { ttl: TTL_MS, memory: memoryCache({ entriesMax: 20_000 }) } as const;
  const own = createCache<Row>({ name: 'own', ...options });
  const counted = createCache<Row>({ name: 'counted', ...options, memory: memoryCache({ entriesMax: 20_000 }), metrics: createMetrics() }); // prettier-ignore
  const lru = new LRUCache<string, Row>({ max: 20_000, ttl: TTL_MS });
  const fetching = new LRUCache<string, Row>({ max: 20_000, ttl: TTL_MS, fetchMethod: async (id) => ({ id }) });
  const cacheable = new Cacheable({ ttl: TTL_MS });
  const map = new Map<string, Row>();
  const load = async (): Promise<Row> => {
    throw new Error('was to be a hit');
  };
  for (const id of keys) {
    const row = { id };
    await own.set(id, row);
    await counted.set(id, row);
    lru.set(id, row);
    await fetching.fetch(id);
    await cacheable.set(id, row);
    map.set(id, row);
  }
  const next = inTurn(keys);
  const note = (row: Row | undefined): void => {
    if (row === undefined) throw new Error('a key is missing');
  };
  const there = Promise.resolve(map.get(keys[0]!));
  return [
    {
      name: 'spillway, await get',
      async run(takes) {
        for (let take = 0; take < takes; take++) note(await own.get(next(), load));
      },
    },
    {
      name: 'spillway with metrics, await get',
      async run(takes) {
        for (let take = 0; take < takes; take++) note(await counted.get(next(), load));
      },
    },
    {
      name: 'spillway, peek',
      run(takes) {
        for (let take = 0; take < takes; take++) note(own.peek(next()));
      },
    },
    {
      name: 'lru-cache, get',
      run(takes) {
        for (let take = 0; take < takes; take++) note(lru.get(next()));
      },
    },
    {
      name: 'lru-cache, await fetch',
      async run(takes) {
        for (let take = 0; take < takes; take++) note(await fetching.fetch(next()));
      },
    },
    {
      name: 'cacheable, await get',
      async run(takes) {
        for (let take = 0; take < takes; take++) note(await cacheable.get<Row>(next()));
      },
    },
    {
      name: 'the floor: await of a promise that is there',
      async run(takes) {
        for (let take = 0; take < takes; take++) note(await there);
      },
    },
    {
      name: 'the floor: Map.get of the same string',
      run(takes) {
        for (let take = 0; take < takes; take++) note(map.get(next()));
      },
    },
  ];
}

function inTurn(keys: readonly string[]): () => string {
  let at = 0;
  return () => keys[(at = at + 1 === keys.length ? 0 : at + 1)]!;
}

export async function hitPart(): Promise<void> {
  const keys = Array.from({ length: 10_000 }, (_, id) => `product:${id}`);
  print('a hit, one key', await byTurns(await contenders(keys.slice(0, 1))));
  print('a hit, 10,000 keys in turn', await byTurns(await contenders(keys)));
}
