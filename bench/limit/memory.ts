/**
 * Limits in the memory of one thread, beside rate-limiter-flexible: one key, a hundred thousand keys, and growing to a million.
 *
 * The keys stay in use: none is as good as new when it is asked for again. What it costs if each is, so that the table forgets them all the time
 * and makes them anew, is a row of its own. A `Map` that only finds the same strings again is the floor: it has their hashes in them.
 * Keys are asked for in turn, as their strings lie in memory, so that the string is in the cache, as one is that was just read from a
 * request; where its row is, only its hash says. Shuffled, what is waited for is the strings as well.
 */
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { type Random, seededRandom } from '../../src/kernel/random.ts';
import { allOf, createLimiter, memoryStore, slidingWindow, tokenBucket } from '../../src/limit/index.ts';
import { byTurns, type Contender, print } from './turns.ts';

/** Never reached, so that every take is granted: what is refused costs rate-limiter-flexible an exception as well. */
const LIMIT = 1e8;
/** Of each key more is taken than comes back. */
const bucket = tokenBucket({ capacity: LIMIT, refillPerSecond: 1 });
/** A take has come back before the key is asked for again, if there are a thousand. */
const quick = tokenBucket({ capacity: LIMIT, refillPerSecond: 1_000_000 });

function contenders(keys: readonly string[]): Contender[] {
  const store = memoryStore();
  const own = createLimiter({ name: 'bucket', algorithm: bucket, store });
  const sliding = createLimiter({ name: 'window', algorithm: slidingWindow({ limit: LIMIT, per: '1m' }), store });
  const both = allOf(own, sliding);
  const peer = new RateLimiterMemory({ points: LIMIT, duration: 60 });
  const map = new Map(keys.map((key, index) => [key, index]));
  let found = 0;
  const next = inTurn(keys);
  return [
    {
      name: 'token bucket, takeSync',
      run(takes) {
        for (let take = 0; take < takes; take++) own.takeSync(next());
      },
    },
    {
      name: 'sliding window, takeSync',
      run(takes) {
        for (let take = 0; take < takes; take++) sliding.takeSync(next());
      },
    },
    {
      name: 'both together, takeSync',
      run(takes) {
        for (let take = 0; take < takes; take++) both.takeSync(next());
      },
    },
    {
      name: 'token bucket, await take',
      async run(takes) {
        for (let take = 0; take < takes; take++) await own.take(next());
      },
    },
    {
      name: 'the floor: Map.get of the same string',
      run(takes) {
        for (let take = 0; take < takes; take++) found += map.get(next())!;
        if (Number.isNaN(found)) throw new Error('a key is missing');
      },
    },
    {
      name: 'rate-limiter-flexible, await consume',
      async run(takes) {
        for (let take = 0; take < takes; take++) await peer.consume(next());
      },
    },
  ];
}

/** Takes of keys that stay, and of keys that were forgotten when they are asked for again. */
function forgetful(keys: readonly string[]): Contender[] {
  return [['each is forgotten and made anew', quick] as const, ['the same keys, in use', bucket] as const].map(
    ([name, algorithm]) => {
      const limiter = createLimiter({ name: 'bucket', algorithm });
      const next = inTurn(keys);
      const run = (takes: number): void => {
        for (let take = 0; take < takes; take++) limiter.takeSync(next());
      };
      return { name, run };
    },
  );
}

function inTurn(keys: readonly string[]): () => string {
  let at = 0;
  return () => keys[(at = at + 1 === keys.length ? 0 : at + 1)]!;
}

function shuffled(keys: readonly string[], random: Random): string[] {
  const order = [...keys];
  for (let at = order.length - 1; at > 0; at--) {
    const other = Math.floor(random.unit() * (at + 1));
    [order[at], order[other]] = [order[other]!, order[at]!];
  }
  return order;
}

const MILLION = 1_000_000;
const RUNS = 5;
/** So slow that no key is as good as new while the table grows. */
const lasting = tokenBucket({ capacity: 10, refillPerSecond: 0.001 });

/** How long each of a million first takes took, the table growing in every run at the same ones. */
function growth(keys: readonly string[]): { readonly ms: Float64Array; readonly bytesPerKey: number } {
  const store = memoryStore({ keysMax: MILLION, random: seededRandom(1) });
  const limiter = createLimiter({ name: 'growing', algorithm: lasting, store });
  const ms = Float64Array.from(keys, (key) => {
    const before = performance.now();
    limiter.takeSync(key);
    return performance.now() - before;
  });
  const { keys: count, bytes } = store.size('growing');
  return { ms, bytesPerKey: bytes / count };
}

function printGrowth(): void {
  const keys = Array.from({ length: MILLION }, (_, id) => `user:${id}`);
  const runs = Array.from({ length: RUNS }, () => growth(keys));
  const longest = (ms: Float64Array): number => ms.reduce((a, b) => Math.max(a, b), 0);
  const always = runs[0]!.ms.map((_, take) => Math.min(...runs.map(({ ms }) => ms[take]!)));
  process.stdout.write(
    `\nmemory, growing to a million keys: ${runs[0]!.bytesPerKey.toFixed(0)} B a key\n` +
      `  the longest take that is long in each of ${RUNS} runs, being the table's own   ${longest(always).toFixed(2)} ms\n` +
      `  the longest take of the best run, whatever made it long              ${Math.min(...runs.map(({ ms }) => longest(ms))).toFixed(2)} ms\n`,
  );
}

export async function memoryPart(): Promise<void> {
  const keys = Array.from({ length: 100_000 }, (_, id) => `user:${id}`);
  print('memory, one key', await byTurns(contenders(keys.slice(0, 1))));
  print('memory, 100,000 keys in use, in turn', await byTurns(contenders(keys)));
  print('memory, 100,000 keys in use, shuffled', await byTurns(contenders(shuffled(keys, seededRandom(2)))));
  print('memory, 100,000 keys that are forgotten, token bucket', await byTurns(forgetful(keys)));
  printGrowth();
}
