/** ns of CPU for one update of a counter and of a histogram, and for what both kinds of histogram begin with: the bucket of a value. */
import { BUCKETS, durationBuckets } from '../../src/gateway/durations.ts';
import { seededRandom } from '../../src/kernel/random.ts';
import { cpuNs } from '../cpu-time.ts';
import { contenders } from './contenders.ts';

const ROUNDS = 7;
const UPDATES = 1_000_000;

interface Case {
  readonly name: string;
  readonly run: () => void;
}

/** As latencies are: most near 20 ms, some far above. */
function latencies(): Float64Array {
  const random = seededRandom(1);
  return Float64Array.from({ length: 4096 }, () => 0.02 * (1 - random.unit()) ** -0.5);
}

function casesOf(): Case[] {
  const values = latencies();
  return contenders.flatMap((make) => {
    const contender = make();
    const counters = Object.entries(contender.counters('/cart', '200')).map(([way, count]) => ({
      name: `counter    ${contender.name}, ${way}`,
      run: () => {
        for (let at = 0; at < UPDATES; at++) count();
      },
    }));
    const histograms = Object.entries(contender.histograms('/cart', '200')).map(([way, observe]) => ({
      name: `histogram  ${contender.name}, ${way}`,
      run: () => {
        for (let at = 0; at < UPDATES; at++) observe(values[at & 4095]!);
      },
    }));
    return [...counters, ...histograms];
  });
}

/** With the bounds of the gateway; and without it, which is what the loop takes. */
function bucketCases(): Case[] {
  const valuesMs = latencies().map((seconds) => 1000 * seconds);
  const counts = new Float64Array(BUCKETS);
  return [
    {
      name: 'bucket     kernel/buckets.ts, and counted',
      run: () => {
        for (let at = 0; at < UPDATES; at++) counts[durationBuckets.bucketOf(valuesMs[at & 4095]!)]! += 1;
      },
    },
    {
      name: 'bucket     only counted',
      run: () => {
        for (let at = 0; at < UPDATES; at++) counts[at & 63]! += valuesMs[at & 4095]!;
      },
    },
  ];
}

export function updatesPart(): void {
  const cases = [...casesOf(), ...bucketCases()];
  const best = new Map<string, number>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const { name, run } of cases) {
      const before = cpuNs();
      run();
      best.set(name, Math.min(best.get(name) ?? Infinity, (cpuNs() - before) / UPDATES));
    }
  }
  process.stdout.write('\nCPU time of one update\n');
  for (const [name, ns] of [...best].toSorted(([a], [b]) => a.slice(0, 9).localeCompare(b.slice(0, 9)))) {
    process.stdout.write(`  ${name.padEnd(48)} ${ns.toFixed(1).padStart(7)} ns\n`);
  }
}
