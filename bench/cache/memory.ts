/**
 * Memory of an entry, of a hundred thousand: what the heap grows by when all have the same object for a value, so that values take nothing;
 * and by how much the estimate of sizes is off for values as JSON brings them.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { LRUCache } from 'lru-cache';
import { createCache, memoryCache } from 'spillway/cache';
import { estimateBytes } from '../../src/cache/estimate.ts';

const ENTRIES = 100_000;
const VALUES = 5000;
const TTL_MS = 3_600_000;

/** The heap without garbage, also that of what was collected a moment ago. */
async function heapBytes(collect: () => void): Promise<number> {
  for (let round = 0; round < 3; round++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Values of a kind, each as it comes from a database or another service: no two share anything but their shape. */
const kinds: Readonly<Record<string, (nth: number) => string>> = {
  'a row of ten fields': (nth) =>
    JSON.stringify({
      id: nth,
      sku: `sku-${nth}`,
      title: `A chair of kind ${nth}`,
      price: nth + 0.99,
      currency: 'EUR',
      stock: nth % 50,
      vendor: `vendor ${nth % 97}`,
      rating: 4.5,
      visible: true,
      updated: '2026-11-29T12:00:00Z',
    }),
  'a list of fifty numbers': (nth) => JSON.stringify(Array.from({ length: 50 }, (_, at) => nth * at + 0.5)),
  'a text of two thousand letters': (nth) => JSON.stringify(String(nth).padEnd(2000, 'x')),
  'twenty objects in a list': (nth) =>
    JSON.stringify(
      Array.from({ length: 20 }, (_, at) => ({ id: nth + at, name: `item ${nth + at}`, tags: ['a', 'b'] })),
    ),
};

/** Whatever was made stays, so that nothing becomes garbage while something else is weighed. */
const kept: unknown[] = [];

export async function memoryPart(): Promise<void> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const grownBy = async (make: () => unknown): Promise<number> => {
    const before = await heapBytes(collect);
    kept.push(await make());
    return (await heapBytes(collect)) - before;
  };
  const print = (name: string, bytes: number, more = ''): void => {
    process.stdout.write(`  ${name.padEnd(44)} ${bytes.toFixed(0).padStart(6)} B${more}\n`);
  };

  const keys = Array.from({ length: ENTRIES }, (_, id) => `product:${id}`);
  // As they are in any map: their hashes are in them.
  kept.push(new Set(keys));
  const value = { id: 'one for all' };
  process.stdout.write(`\nan entry beside its key and value, of ${ENTRIES.toLocaleString('en')}\n`);
  const memory = memoryCache({ entriesMax: ENTRIES, bytesMax: '1gb', sizeOf: () => 0 });
  const own = createCache<typeof value>({ name: 'own', ttl: TTL_MS, memory });
  const set = await grownBy(async () => {
    for (const key of keys) await own.set(key, value);
  });
  const asked = await grownBy(async () => {
    for (const key of keys) await own.get(key, () => value);
  });
  print('spillway, set', set / ENTRIES);
  print('spillway, set and asked for', (set + asked) / ENTRIES);
  print('spillway, as bytesMax counts it', memory.bytes / ENTRIES - (2 * keys.join('').length) / ENTRIES);
  const lru = await grownBy(() => {
    const cache = new LRUCache<string, typeof value>({ max: ENTRIES, ttl: TTL_MS });
    for (const key of keys) cache.set(key, value);
    return cache;
  });
  print('lru-cache with a ttl, set', lru / ENTRIES);
  if (own.entries !== ENTRIES) throw new Error('entries are missing');

  process.stdout.write('\nvalues as JSON brings them, and the estimate of their size\n');
  for (const [name, make] of Object.entries(kinds)) {
    const texts = Array.from({ length: VALUES }, (_, nth) => make(nth));
    kept.push(texts);
    const values: unknown[] = new Array(VALUES).fill(null);
    const grown = await grownBy(() => {
      for (const [nth, text] of texts.entries()) values[nth] = JSON.parse(text);
      return values;
    });
    const bytes = grown / VALUES;
    const estimate = values.reduce<number>((sum, each) => sum + estimateBytes(each), 0) / VALUES;
    print(name, bytes, `   estimate ${estimate.toFixed(0).padStart(6)} B   ${(estimate / bytes).toFixed(2)} ×`);
  }
}
