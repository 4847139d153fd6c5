/** What counting costs the modules that are handed metrics: a take of a limiter, a lock that is had and given back, with and without. */
import { memoryLeases } from 'spillway/lease';
import { createLimiter, tokenBucket } from 'spillway/limit';
import { createLocks } from 'spillway/lock';
import { createMetrics } from 'spillway/observe';
import { cpuNs } from '../cpu-time.ts';

const ROUNDS = 7;

interface Case {
  readonly name: string;
  readonly times: number;
  readonly run: (times: number) => Promise<void> | void;
}

function limiterCase(name: string, withMetrics: boolean): Case {
  const algorithm = tokenBucket({ capacity: 1e6, refillPerSecond: 1e6 });
  const limiter = createLimiter({ name: 'api', algorithm, ...(withMetrics ? { metrics: createMetrics() } : {}) });
  const run = (times: number): void => {
    for (let at = 0; at < times; at++) limiter.takeSync('ann');
  };
  return { name, times: 300_000, run };
}

function lockCase(name: string, withMetrics: boolean): Case {
  const named = { metrics: createMetrics(), metricsName: (lock: string) => lock.split(':')[0]! };
  const locks = createLocks(memoryLeases(), withMetrics ? named : {});
  const run = async (times: number): Promise<void> => {
    for (let at = 0; at < times; at++) await (await locks.acquire('order:42', { ttl: '10s' })).release();
  };
  return { name, times: 10_000, run };
}

export async function patternsPart(): Promise<void> {
  const cases = [
    limiterCase('limiter, a take', false),
    limiterCase('limiter, a take, counted', true),
    lockCase('lock in memory, had and given back', false),
    lockCase('lock in memory, had and given back, counted', true),
  ];
  const best = new Map<Case, number>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const each of cases) {
      const before = cpuNs();
      await each.run(each.times);
      best.set(each, Math.min(best.get(each) ?? Infinity, (cpuNs() - before) / each.times));
    }
  }
  process.stdout.write('\nCPU time of what is counted, and of the same that is not\n');
  for (const [{ name }, ns] of best) process.stdout.write(`  ${name.padEnd(48)} ${ns.toFixed(0).padStart(7)} ns\n`);
}
