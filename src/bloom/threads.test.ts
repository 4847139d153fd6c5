import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { seededRandom } from '../kernel/random.ts';
import { createFilter, type LayoutName, layouts } from './bloom-filter.ts';

const THREADS = 8;
const KEYS = 30_000;

/**
 * Each thread adds its key number `front`, then moves `front` on; so all threads that run are at the same number, and the keys of
 * one number are in one block. What a thread was not there for it adds at the end.
 */
const program = `
  const { parentPort, workerData } = require('node:worker_threads');
  import(workerData.module).then(({ openFilter }) => {
    const { memory, shared, threads, keys } = workerData;
    const filter = openFilter(memory);
    const [there, front] = [shared, shared.subarray(1)];
    const late = new Set(Array(keys.length / 2).keys());
    const add = (at) => late.delete(at) && filter.add(keys.subarray(2 * at, 2 * at + 2));
    Atomics.add(there, 0, 1);
    while (Atomics.load(there, 0) < threads);
    for (let at = 0; at < keys.length / 2; at = Atomics.load(front, 0)) {
      add(at);
      Atomics.compareExchange(front, 0, at, at + 1);
    }
    for (const at of late) add(at);
    parentPort.postMessage('added');
  });`;

/** Keys of which those with the same number are in the same block for all seeds, with bits of their own. */
function keysOf(layout: LayoutName, seed: number): Uint32Array {
  const random = seededRandom(seed);
  const words = Uint32Array.from({ length: 2 * KEYS }, () => random.int32());
  for (let key = 0; key < KEYS; key++) words[2 * key + (layout === 'blocked' ? 1 : 0)] = (key / KEYS) * 2 ** 32;
  return words;
}

for (const layout of Object.keys(layouts) as LayoutName[]) {
  test(`${layout}: ${THREADS} threads that add to one filter at once lose no bit`, async () => {
    const options = { capacity: THREADS * KEYS, layout };
    const shared = createFilter({ ...options, shared: true });
    const alone = createFilter(options);
    const words = new Int32Array(new SharedArrayBuffer(8));
    const module = new URL('bloom-filter.ts', import.meta.url).href;
    const workers = Array.from({ length: THREADS }, (_, thread) => {
      const keys = keysOf(layout, thread);
      alone.addMany(keys);
      const workerData = { memory: shared.memory, shared: words, threads: THREADS, keys, module };
      return new Worker(program, { eval: true, workerData });
    });
    await Promise.all(workers.map((worker) => once(worker, 'message')));
    await Promise.all(workers.map((worker) => worker.terminate()));
    const expected = new Int32Array(alone.memory);
    const lost = new Int32Array(shared.memory).reduce((sum, word, at) => sum + (word === expected[at] ? 0 : 1), 0);
    assert.equal(lost, 0, `${lost} words lack bits`);
  });
}
