/**
 * How much of a trace is hit: S3-FIFO as the cache has it, and LRU as `lru-cache` has it, of the same requests in the same run. The traces are made, not recorded: keys
 * asked for as Zipf's law says (the nth of them 1/n^s as often as the first), alone, and with scans in between: of every hundred requests
 * twenty are for keys that are asked for once and never again, as by a crawler or a report. No time is measured, so a run is as good as another.
 */
import { LRUCache } from 'lru-cache';
import { type Queued, S3Fifo, USES_MAX } from '../../src/cache/s3-fifo.ts';
import { seededRandom } from '../../src/kernel/random.ts';

const KEYS = 100_000;
const REQUESTS = 1_000_000;
/** In runs, as scans come. */
const SCAN_LENGTH = 5000;
const SCAN_SHARE = 0.2;

/** Ranks by Zipf's law, by search in what the ranks before it add up to. */
function zipf(exponent: number, seed: number): () => number {
  const random = seededRandom(seed);
  const sums = new Float64Array(KEYS);
  let sum = 0;
  for (let rank = 0; rank < KEYS; rank++) sums[rank] = sum += 1 / (rank + 1) ** exponent;
  return () => {
    const wanted = random.unit() * sum;
    let low = 0;
    let high = KEYS - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle]! < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

function trace(exponent: number, withScans: boolean): string[] {
  const next = zipf(exponent, 1);
  const period = SCAN_LENGTH / SCAN_SHARE;
  return Array.from({ length: REQUESTS }, (_, at) =>
    withScans && at % period >= period - SCAN_LENGTH ? `scan ${at}` : `key ${next()}`,
  );
}

class Item implements Queued {
  readonly key: string;
  weight = 1;
  uses = 0;
  queue: Queued['queue'] = null;
  newer: Queued | null = null;
  older: Queued | null = null;

  constructor(key: string) {
    this.key = key;
  }
}

function hitsOfS3Fifo(requests: readonly string[], size: number): number {
  const policy = new S3Fifo<Item>(size, Infinity);
  const items = new Map<string, Item>();
  let hits = 0;
  for (const key of requests) {
    const item = items.get(key);
    if (item !== undefined) {
      hits += 1;
      if (item.uses < USES_MAX) item.uses += 1;
      continue;
    }
    const added = new Item(key);
    policy.add(added, (evicted) => items.delete(evicted.key));
    items.set(key, added);
  }
  return hits;
}

function hitsOfLru(requests: readonly string[], size: number): number {
  const cache = new LRUCache<string, true>({ max: size });
  let hits = 0;
  for (const key of requests) {
    if (cache.get(key) === true) hits += 1;
    else cache.set(key, true);
  }
  return hits;
}

export function policyPart(): void {
  process.stdout.write(`\nhits of ${REQUESTS.toLocaleString('en')} requests, of ${KEYS.toLocaleString('en')} keys\n`);
  for (const withScans of [false, true]) {
    for (const exponent of [0.8, 1]) {
      const requests = trace(exponent, withScans);
      for (const size of [1000, 10_000]) {
        const [own, lru] = [hitsOfS3Fifo(requests, size), hitsOfLru(requests, size)];
        const percent = (hits: number): string => `${((100 * hits) / REQUESTS).toFixed(1).padStart(5)} %`;
        const name = `Zipf ${exponent.toFixed(1)}${withScans ? ' with scans' : ''}, room for ${size}`;
        process.stdout.write(`  ${name.padEnd(40)} S3-FIFO ${percent(own)}   LRU ${percent(lru)}\n`);
      }
    }
  }
}
