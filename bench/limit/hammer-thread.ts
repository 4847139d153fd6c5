/** A thread that takes from one key for some seconds. Started by one gate with the others, says what it did. */
import { parentPort, workerData } from 'node:worker_threads';
import { createLimiter, fixedWindow, sharedMemoryStore } from '../../src/limit/index.ts';
import { cpuMs } from './turns.ts';

export interface HammerJob {
  readonly memory: SharedArrayBuffer;
  readonly gate: Int32Array;
  readonly key: string;
  readonly limit: number;
  readonly seconds: number;
}

export interface HammerReport {
  readonly takes: number;
  readonly granted: number;
  /** Of the clock, and of its own CPU. */
  readonly seconds: number;
  readonly cpuSeconds: number;
}

const { memory, gate, key, limit, seconds } = workerData as HammerJob;
const algorithm = fixedWindow({ limit, per: '366d' });
const limiter = createLimiter({ name: 'hammered', algorithm, store: sharedMemoryStore(memory) });
for (let warm = 0; warm < 50_000; warm++) limiter.takeSync(`warm up ${key}`);
Atomics.wait(gate, 0, 0);
const startMs = performance.now();
const startCpuMs = cpuMs();
let takes = 0;
let granted = 0;
while (performance.now() - startMs < seconds * 1000) {
  for (let take = 0; take < 1000; take++) if (limiter.takeSync(key).allowed) granted += 1;
  takes += 1000;
}
const report: HammerReport = {
  takes,
  granted,
  seconds: (performance.now() - startMs) / 1000,
  cpuSeconds: (cpuMs() - startCpuMs) / 1000,
};
parentPort?.postMessage(report);
