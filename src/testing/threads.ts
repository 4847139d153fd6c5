/** Runs a balancer in threads of their own, at the same time, on one table of loads. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { type BalancerOptions, createLoadTable, type LoadTable } from '../balance/index.ts';
import type { BalancerPlace } from './balancer-place.ts';
import type { PickJob } from './pick-thread.ts';

export const THREADS = 2;

export interface ThreadPicks {
  readonly keys: Int32Array;
  /** @defaultValue all */
  readonly eligible?: Uint8Array;
  /** Where they count what they start: lanes 1 to THREADS. Without one, nothing is started. */
  readonly table?: LoadTable;
}

/** What each thread picked. */
export async function inThreads(
  { module, exported }: BalancerPlace,
  options: Pick<BalancerOptions, 'weights' | 'names' | 'start'>,
  { keys, eligible, table }: ThreadPicks,
): Promise<number[][]> {
  const { length } = options.weights;
  const file = new URL(import.meta.url.endsWith('.ts') ? './pick-thread.ts' : './pick-thread.js', import.meta.url);
  const results = Array.from({ length: THREADS }, async (_, thread): Promise<number[]> => {
    const workerData: PickJob = {
      place: { module, exported },
      options,
      table: table ?? createLoadTable(length, THREADS + 1),
      lane: thread + 1,
      keys,
      eligible: eligible ?? new Uint8Array(length).fill(1),
      starts: table !== undefined,
    };
    const worker = new Worker(file, { workerData });
    try {
      const [picks] = (await once(worker, 'message')) as [number[]];
      return picks;
    } finally {
      await worker.terminate();
    }
  });
  return Promise.all(results);
}
