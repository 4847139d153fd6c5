import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import * as fc from 'fast-check';
import { cellLane, createCell } from '../kernel/cells.ts';
import { clearConnections, ConnectionCount } from './connection-count.ts';
import { ENDPOINT_SLOTS, endpointSlots as slot } from './slots.ts';

test('the total is what was taken and not given back, never more than there may be; a cleared lane is taken off', () => {
  const event = fc.record({ lane: fc.nat(2), take: fc.boolean(), max: fc.integer({ min: 1, max: 6 }) });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), fc.nat(2), (events, dead) => {
      const cell = createCell(3, ENDPOINT_SLOTS);
      const counts = [0, 1, 2].map((lane) => new ConnectionCount(cell, lane));
      const open = [0, 0, 0];
      const sum = (): number => open.reduce((a, b) => a + b, 0);
      for (const { lane, take, max } of events) {
        if (take) {
          const isFree = sum() < max;
          assert.equal(counts[lane]!.take(max), isFree);
          if (isFree) open[lane]! += 1;
        } else if (open[lane]! > 0) {
          counts[lane]!.giveBack();
          open[lane]! -= 1;
        }
        assert.equal(counts[lane]!.total, sum());
        assert.equal(cellLane(cell, ENDPOINT_SLOTS, lane)[slot.connections], open[lane]);
      }
      clearConnections(cell, dead);
      open[dead] = 0;
      assert.equal(counts[0]!.total, sum());
    }),
  );
});

const ATTEMPTS = 1_000_000;

/** When an attempt of a thread began, when it was over, and when what it had was given back; that is 0 if it had nothing. */
interface Attempts {
  readonly began: Int32Array;
  readonly over: Int32Array;
  readonly gaveBack: Int32Array;
  /** How often it had the place while the other had it. */
  readonly shared: number;
}

/** Whether each attempt that failed did so beside one of the other thread that had the place. */
function areExcused(attempts: Attempts, other: Attempts): boolean {
  let at = 0;
  return attempts.gaveBack.every((gaveBack, attempt) => {
    if (gaveBack > 0) return true;
    const [began, over] = [attempts.began[attempt]!, attempts.over[attempt]!];
    while (at < ATTEMPTS && (other.gaveBack[at] === 0 || other.gaveBack[at]! < began)) at++;
    return at < ATTEMPTS && other.began[at]! < over;
  });
}

test('of two threads that want the last place at the same moment one has it, and never both', async () => {
  const cell = createCell(2, ENDPOINT_SLOTS);
  /** The time, and how many have the place. */
  const words = new Int32Array(new SharedArrayBuffer(8));
  const code = `
    const { parentPort, workerData } = require('node:worker_threads');
    const { module, cell, words, lane, attempts } = workerData;
    import(module).then(({ ConnectionCount }) => {
      const count = new ConnectionCount(cell, lane);
      const [began, over, gaveBack] = [0, 1, 2].map(() => new Int32Array(attempts));
      parentPort.postMessage('ready');
      parentPort.once('message', () => {
        let shared = 0;
        for (let attempt = 0; attempt < attempts; attempt++) {
          began[attempt] = Atomics.add(words, 0, 1);
          const has = count.take(1);
          if (has) shared += Atomics.add(words, 1, 1);
          over[attempt] = Atomics.add(words, 0, 1);
          if (!has) continue;
          Atomics.sub(words, 1, 1);
          count.giveBack();
          gaveBack[attempt] = Atomics.add(words, 0, 1);
        }
        parentPort.postMessage({ began, over, gaveBack, shared });
        parentPort.close();
      });
    });`;
  const module = new URL('connection-count.ts', import.meta.url).href;
  const workers = [0, 1].map(
    (lane) => new Worker(code, { eval: true, workerData: { module, cell, words, lane, attempts: ATTEMPTS } }),
  );
  const heard = async (worker: Worker): Promise<unknown> => ((await once(worker, 'message')) as [unknown])[0];
  await Promise.all(workers.map(heard));
  const results = workers.map(heard);
  for (const worker of workers) worker.postMessage('begin');
  const [one, other] = (await Promise.all(results)) as [Attempts, Attempts];
  assert.ok(areExcused(one, other) && areExcused(other, one), 'both were refused, and the place was free');
  assert.equal(one.shared + other.shared, 0, 'both had it');
  assert.equal(new ConnectionCount(cell, 0).total, 0);
});
