/** ns to record a result, and bytes allocated for it. Run: `node --expose-gc src/health/traffic.bench.ts`. */
import { createTrafficCell, TrafficRecorder, trafficResults } from './traffic.ts';
import { TrafficWindow } from './traffic-window.ts';

const ROUNDS = 20_000_000;
const times = Float64Array.from({ length: 1024 }, (_, index) => 0.1 * 1.01 ** index);

function measure(name: string, errorMask: number): void {
  const recorder = new TrafficRecorder({
    cell: createTrafficCell(4),
    lane: 1,
    row: { errors: 5, serverErrors: false },
  });
  let bestNs = Number.POSITIVE_INFINITY;
  let full = 0;
  let bytes = 0;
  for (let repeat = 0; repeat < 7; repeat++) {
    globalThis.gc?.();
    const heap = process.memoryUsage().heapUsed;
    const before = process.hrtime.bigint();
    for (let round = 1; round <= ROUNDS; round++) {
      const result = (round & errorMask) === 0 ? trafficResults.refused : trafficResults.answer;
      if (recorder.record(result, times[round & 1023]!)) full++;
    }
    bestNs = Math.min(bestNs, Number(process.hrtime.bigint() - before) / ROUNDS);
    bytes = (process.memoryUsage().heapUsed - heap) / ROUNDS;
  }
  process.stdout.write(`${name}: ${bestNs.toFixed(1)} ns, ${bytes.toFixed(3)} B a result${full > 0 ? '!' : ''}\n`);
}

measure('all well', 0x7fffffff);
measure('1 error in 128', 127);
measure('1 error in 2', 1);

for (const lanes of [1, 8]) {
  const window = new TrafficWindow({ cell: createTrafficCell(lanes), windowMs: 10_000 }, 0);
  const rounds = 100_000;
  const before = process.hrtime.bigint();
  for (let round = 0; round < rounds; round++) window.collect(round * 100);
  const ns = Number(process.hrtime.bigint() - before) / rounds;
  process.stdout.write(`collect, ${lanes} lanes: ${(ns / 1000).toFixed(2)} µs\n`);
}
