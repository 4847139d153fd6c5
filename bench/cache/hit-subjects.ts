/**
 * Who answers a hit, each in a process of its own: ours through its promise, with the loader that is not called, and by `peek`;
 * `lru-cache` by `get`, which is synchronous, loads nothing and has no promise, and by `fetch`, which loads once for all as ours does; `cacheable`
 * by its `get`. All have a ttl. A `Map` that finds the same string again is the floor, and so is the `await` of a promise that is there.
 *
 * Each loop awaits every answer, as a request does; what `await` takes is in it, and is a row of its own.
 */
import { Cacheable } from 'cacheable';
import { LRUCache } from 'lru-cache';
import { createCache, type CacheOptions, memoryCache } from 'spillway/cache';
import { createMetrics } from 'spillway/observe';
import { inTurn } from '../limit/keys.ts';
import type { Run, Subjects } from '../limit/turns.ts';

const TTL_MS = 3_600_000;
const ENTRIES_MAX = 20_000;

interface Row {
  readonly id: string;
}

function note(row: Row | undefined): void {
  if (row === undefined) throw new Error('a key is missing');
}

function load(): never {
  throw new Error('was to be a hit');
}

/** Sets every key, then awaits a hit of each in turn. */
async function awaited(
  keys: readonly string[],
  set: (id: string) => unknown,
  get: (id: string) => Promise<Row | undefined>,
): Promise<Run> {
  for (const id of keys) await set(id);
  const next = inTurn(keys);
  return async (takes) => {
    for (let take = 0; take < takes; take++) note(await get(next()));
  };
}

async function direct(
  keys: readonly string[],
  set: (id: string) => unknown,
  get: (id: string) => Row | undefined,
): Promise<Run> {
  for (const id of keys) await set(id);
  const next = inTurn(keys);
  return (takes) => {
    for (let take = 0; take < takes; take++) note(get(next()));
  };
}

function own(options: Partial<CacheOptions<Row>> = {}): ReturnType<typeof createCache<Row>> {
  return createCache<Row>({ name: 'own', ttl: TTL_MS, memory: memoryCache({ entriesMax: ENTRIES_MAX }), ...options });
}

export const subjects = {
  'spillway, await get'(keys) {
    const cache = own();
    return awaited(keys, (id) => cache.set(id, { id }), (id) => cache.get(id, load)); // prettier-ignore
  },
  'spillway with metrics, await get'(keys) {
    const cache = own({ metrics: createMetrics() });
    return awaited(keys, (id) => cache.set(id, { id }), (id) => cache.get(id, load)); // prettier-ignore
  },
  'spillway, peek'(keys) {
    const cache = own();
    return direct(keys, (id) => cache.set(id, { id }), (id) => cache.peek(id)); // prettier-ignore
  },
  'lru-cache, get'(keys) {
    const cache = new LRUCache<string, Row>({ max: ENTRIES_MAX, ttl: TTL_MS });
    return direct(keys, (id) => cache.set(id, { id }), (id) => cache.get(id)); // prettier-ignore
  },
  'lru-cache, await fetch'(keys) {
    const fetchMethod = async (id: string): Promise<Row> => ({ id });
    const cache = new LRUCache<string, Row>({ max: ENTRIES_MAX, ttl: TTL_MS, fetchMethod });
    return awaited(keys, (id) => cache.fetch(id), (id) => cache.fetch(id)); // prettier-ignore
  },
  'cacheable, await get'(keys) {
    const cache = new Cacheable({ ttl: TTL_MS });
    return awaited(keys, (id) => cache.set(id, { id }), (id) => cache.get<Row>(id)); // prettier-ignore
  },
  'the floor: await of a promise that is there'(keys) {
    const there = Promise.resolve({ id: keys[0]! });
    return awaited(keys, () => {}, () => there); // prettier-ignore
  },
  'the floor: Map.get of the same string'(keys) {
    const map = new Map<string, Row>();
    return direct(keys, (id) => map.set(id, { id }), (id) => map.get(id)); // prettier-ignore
  },
} as const satisfies Subjects;
