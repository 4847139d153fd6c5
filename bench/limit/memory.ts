/** Limits in the memory of one thread, beside rate-limiter-flexible: one key, a hundred thousand keys, and growing to a million. */
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { seededRandom } from '../../src/kernel/random.ts';
import { allOf, createLimiter, memoryStore, slidingWindow, tokenBucket } from '../../src/limit/index.ts';
import { byTurns, type Contender, print } from './turns.ts';

/** Never reached, so that every take is granted: what is refused costs rate-limiter-flexible an exception as well. */
const LIMIT = 1e8;
const bucket = tokenBucket({ capacity: LIMIT, refillPerSecond: 1000 });

function contenders(keys: readonly string[]): Contender[] {
  const store = memoryStore();
  const own = createLimiter({ name: 'bucket', algorithm: bucket, store });
  const sliding = createLimiter({ name: 'window', algorithm: slidingWindow({ limit: LIMIT, per: '1m' }), store });
  const both = allOf(own, sliding);
  const peer = new RateLimiterMemory({ points: LIMIT, duration: 60 });
  let at = 0;
  // In turn: so the string is in the cache, as one is that was just read from a request. Where its row is, only its hash says.
  const next = (): string => keys[(at = at + 1 === keys.length ? 0 : at + 1)]!;
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
      name: 'rate-limiter-flexible, await consume',
      async run(takes) {
        for (let take = 0; take < takes; take++) await peer.consume(next());
      },
    },
  ];
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
  print('memory, 100,000 keys', await byTurns(contenders(keys)));
  printGrowth();
}
