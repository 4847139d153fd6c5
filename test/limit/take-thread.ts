/** A thread that hammers a limiter in shared memory for the tests, and says what it was granted. Started by one message, ends with another. */
import { parentPort, workerData } from 'node:worker_threads';
import { allOf, createLimiter, fixedWindow, sharedMemoryStore } from '../../src/limit/index.ts';

export interface TakeJob {
  /** For both limiters, or for each by its name. */
  readonly memory: SharedArrayBuffer | Readonly<Record<string, SharedArrayBuffer>>;
  /** Zero until all may begin. */
  readonly gate: Int32Array;
  readonly limit: number;
  /** Taken in turn. */
  readonly keys: readonly string[];
  readonly takes: number;
  /** Takes from a second limiter as well, all or none. */
  readonly both: boolean;
}

export interface TakeReport {
  readonly granted: readonly number[];
  readonly refused: number;
}

const { memory, gate, limit, keys, takes, both } = workerData as TakeJob;
const store = sharedMemoryStore(memory);
const first = createLimiter({ name: 'first', algorithm: fixedWindow({ limit, per: '366d' }), store });
const second = createLimiter({ name: 'second', algorithm: fixedWindow({ limit, per: '366d' }), store });
const limits = allOf(first, second);
const granted = keys.map(() => 0);
let refused = 0;
Atomics.wait(gate, 0, 0);
for (let take = 0; take < takes; take++) {
  const index = take % keys.length;
  const key = keys[index]!;
  const { allowed } = both ? limits.takeSync([key, `other ${key}`]) : first.takeSync(key);
  if (allowed) granted[index]! += 1;
  else refused += 1;
}
const report: TakeReport = { granted, refused };
parentPort?.postMessage(report);
