/**
 * Limits in memory that threads share: what a take costs alone, what two threads do with a key each, and four with one key; whether that is
 * exact, and whether each gets its turn.
 */
import { availableParallelism } from 'node:os';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { createSharedMemory } from '../../src/limit/index.ts';
import type { HammerJob, HammerReport } from './hammer-thread.ts';
import { memorySubjects } from './memory.ts';
import type { subjects } from './memory-subjects.ts';
import { byTurns } from './turns.ts';

const names = [
  'memory that threads share, takeSync',
  'token bucket, takeSync',
] as const satisfies (keyof typeof subjects)[];

const SECONDS = 1;
const ROUNDS = 5;

/** Takes a second of each thread, all at once. */
async function hammer(
  keys: readonly string[],
  limit: number,
): Promise<{ readonly rates: number[]; readonly cpuRates: number[]; readonly granted: number }> {
  const memory = createSharedMemory({ keysMax: 1000 });
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const workers = keys.map((key) => {
    const workerData: HammerJob = { memory, gate, key, limit, seconds: SECONDS };
    return new Worker(new URL('./hammer-thread.ts', import.meta.url), { workerData });
  });
  await Promise.all(workers.map((worker) => once(worker, 'online')));
  const reports = workers.map(async (worker) => ((await once(worker, 'message')) as [HammerReport])[0]);
  Atomics.store(gate, 0, 1);
  Atomics.notify(gate, 0);
  const done = await Promise.all(reports);
  await Promise.all(workers.map((worker) => worker.terminate()));
  return {
    rates: done.map(({ takes, seconds }) => takes / seconds),
    cpuRates: done.map(({ takes, cpuSeconds }) => takes / cpuSeconds),
    granted: done.reduce((sum, { granted }) => sum + granted, 0),
  };
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
const median = (numbers: readonly number[]): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;
const millions = (rate: number): string => `${(rate / 1e6).toFixed(2)} M/s`;

export async function sharedPart(): Promise<void> {
  for (const count of [1, 100_000]) {
    const title = `shared memory, uncontended, ${count === 1 ? 'one key' : '100,000 keys'}`;
    await byTurns(title, { file: memorySubjects, names, keys: { count, order: 'in turn' } });
  }
  const [alone, apart, together]: [number[], number[], number[]] = [[], [], []];
  const shares: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    alone.push(sum((await hammer(['a'], 1e8)).cpuRates));
    apart.push(sum((await hammer(['a', 'b'], 1e8)).cpuRates));
    const { rates, granted } = await hammer(['hot', 'hot', 'hot', 'hot'], 100_000);
    if (granted !== 100_000) throw new Error(`four threads on one key were granted ${granted} of 100000`);
    together.push(sum(rates));
    shares.push(Math.min(...rates) / (sum(rates) / rates.length));
  }
  const ratio = median(apart.map((rate, round) => rate / alone[round]!));
  process.stdout.write(
    `\nshared memory, threads on ${availableParallelism()} cores, median of ${ROUNDS} rounds\n` +
      `  one thread                 ${millions(median(alone))} of its CPU\n` +
      `  two threads, a key each    ${millions(median(apart))} of their CPU   ${ratio.toFixed(2)} × one thread\n` +
      `  four threads, one key      ${millions(median(together))}   exact: 100000 of 100000 granted in every round; ` +
      `the slowest thread had ${(median(shares) * 100).toFixed(0)} % of an equal share\n`,
  );
}
