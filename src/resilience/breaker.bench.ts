/**
 * What a call through a breaker costs, beside the two breakers that npm serves most. Run: `npm run bench -- breaker`.
 *
 * Time of this process's own CPU, the best of several rounds, in turns. The call is an async function that answers at once, awaited before the next, which
 * costs what the first row says and is in all others. All have a share of failures over 10 s; ours also judges how long calls take, which
 * the others cannot. opossum is without its timeout, which would be a timer a call.
 */
import { circuitBreaker, handleAll, SamplingBreaker } from 'cockatiel';
import Opossum from 'opossum';
import { createMetrics } from '../observe/index.ts';
import { createBreaker } from './index.ts';

const ROUNDS = 7;
const CALLS = 300_000;

interface Case {
  readonly name: string;
  readonly call: () => Promise<unknown>;
}

const work = async (): Promise<number> => 42;
const slow = { over: '500ms', rate: '80%' } as const;
const ours = createBreaker({ name: 'a', slow });
const counted = createBreaker({ name: 'b', slow, metrics: createMetrics() });
const open = createBreaker({ name: 'c', slow });
open.isolate();
const { signal } = new AbortController();
const opossum = new Opossum(work, { timeout: false, errorThresholdPercentage: 50, volumeThreshold: 20 });
const opossumOpen = new Opossum(work, { timeout: false });
opossumOpen.open();
const sampling = { threshold: 0.5, duration: 10_000, minimumRps: 2 };
const cockatiel = circuitBreaker(handleAll, { halfOpenAfter: 5000, breaker: new SamplingBreaker(sampling) });
const cockatielOpen = circuitBreaker(handleAll, { halfOpenAfter: 5000, breaker: new SamplingBreaker(sampling) });
cockatielOpen.isolate();

const noError = (): null => null;
const cases: readonly Case[] = [
  { name: 'the call alone', call: work },
  { name: 'spillway', call: () => ours.run(work) },
  { name: 'spillway, with a signal of the caller', call: () => ours.run(work, { signal }) },
  { name: 'spillway, counted', call: () => counted.run(work) },
  { name: 'cockatiel', call: () => cockatiel.execute(work) },
  { name: 'opossum', call: () => opossum.fire() },
  { name: 'spillway, open', call: () => open.run(work) },
  { name: 'cockatiel, open', call: () => cockatielOpen.execute(work).catch(noError) },
  { name: 'opossum, open', call: () => opossumOpen.fire().catch(noError) },
];

const best = new Map<Case, number>();
for (let round = 0; round < ROUNDS; round++) {
  for (const each of cases) {
    const before = process.cpuUsage();
    for (let call = 0; call < CALLS; call++) await each.call();
    const { user, system } = process.cpuUsage(before);
    best.set(each, Math.min(best.get(each) ?? Infinity, ((user + system) * 1000) / CALLS));
  }
}
opossum.shutdown();
opossumOpen.shutdown();
process.stdout.write('CPU time of a call\n');
for (const [{ name }, ns] of best) process.stdout.write(`  ${name.padEnd(40)} ${ns.toFixed(0).padStart(6)} ns\n`);
