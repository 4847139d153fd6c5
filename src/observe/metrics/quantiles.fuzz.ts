/** Quantiles against exact ones, on what latencies are like: heavy tails, and humps far apart. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type Random, seededRandom } from '../../kernel/random.ts';
import { createMetrics } from './metrics.ts';

/** Stated in reading.ts and the guide. */
const ERROR_MAX = 0.022;
const THREADS = 4;
const SAMPLES = 4000;

function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.unit())) * Math.cos(2 * Math.PI * random.unit());
}

const distributions: Readonly<Record<string, (random: Random, spread: number) => number>> = {
  lognormal: (random, spread) => 0.02 * Math.exp(spread * normal(random)),
  Pareto: (random, spread) => 0.001 * (1 - random.unit()) ** -(spread / 2),
  bimodal: (random, spread) =>
    random.unit() < 0.97 ? 0.001 * (1 + random.unit()) : spread * (1 + 0.1 * random.unit()),
};

for (const [name, draw] of Object.entries(distributions)) {
  test(`${name}: p50 to p99.9 of what several threads counted are within 2.2 % of the exact ones`, () => {
    fc.assert(
      fc.property(fc.integer(), fc.double({ min: 0.5, max: 2.5, noNaN: true }), (seed, spread) => {
        const random = seededRandom(seed);
        const family = createMetrics().histogram({ name: 's', help: 'S.', labels: ['thread'] });
        const series = Array.from({ length: THREADS }, (_, thread) => family.bind({ thread }));
        const values = Array.from({ length: SAMPLES }, () => Math.min(4000, Math.max(1e-6, draw(random, spread))));
        for (const [at, value] of values.entries()) series[at % THREADS]!.observe(value);
        values.sort((a, b) => a - b);
        const reading = family.read();
        for (const q of [0.5, 0.9, 0.95, 0.99, 0.999, 1]) {
          const exact = values[Math.max(1, Math.ceil(q * SAMPLES)) - 1]!;
          const error = Math.abs(reading.quantile(q) / exact - 1);
          assert.ok(error <= ERROR_MAX, `p${100 * q}: ${reading.quantile(q)} for ${exact}, ${100 * error} %`);
        }
        const sum = values.reduce((all, value) => all + value, 0);
        assert.ok(Math.abs(reading.sum / sum - 1) < 1e-9);
      }),
      { numRuns: 60 },
    );
  });
}

test('below the range the least is read, above it Infinity, and the ranks between are not moved by either', () => {
  const family = createMetrics().histogram({ name: 's', help: 'S.', bounds: [10], range: [1, 1000] });
  for (const value of [0, 1e-9, 0.5, 100, 100, 100, 100, 1e6, 1e9, 1e300]) family.bind().observe(value);
  const reading = family.read();
  assert.deepEqual(
    [reading.quantile(0), reading.quantile(0.3), reading.quantile(0.8)],
    [1, 1, Number.POSITIVE_INFINITY],
  );
  assert.ok(Math.abs(reading.quantile(0.5) / 100 - 1) <= ERROR_MAX);
});
