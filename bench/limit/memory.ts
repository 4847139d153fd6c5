/**
 * Limits in the memory of one thread, beside rate-limiter-flexible: one key, a hundred thousand keys, and growing to a million.
 */
import { seededRandom } from '../../src/kernel/random.ts';
import { createLimiter, memoryStore, tokenBucket } from '../../src/limit/index.ts';
import type { subjects } from './memory-subjects.ts';
import { byTurns } from './turns.ts';

export const memorySubjects = new URL('./memory-subjects.ts', import.meta.url);

type Name = keyof typeof subjects;

const names = [
  'token bucket, takeSync',
  'sliding window, takeSync',
  'both together, takeSync',
  'token bucket, await take',
  'the floor: Map.get of the same string',
  'rate-limiter-flexible, await consume',
] as const satisfies Name[];
const forgetful = ['keys that are forgotten and made anew', 'token bucket, takeSync'] as const satisfies Name[];

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
  const file = memorySubjects;
  const many = { count: 100_000, order: 'in turn' } as const;
  await byTurns('memory, one key', { file, names, keys: { count: 1, order: 'in turn' } });
  await byTurns('memory, 100,000 keys in use, in turn', { file, names, keys: many });
  await byTurns('memory, 100,000 keys in use, shuffled', { file, names, keys: { ...many, order: 'shuffled' } });
  await byTurns('memory, 100,000 keys that are forgotten', { file, names: forgetful, keys: many });
  printGrowth();
}
