import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import * as fc from 'fast-check';
import { clearLane, clearSlot, createLoads, createLoadTable, Loads, type LoadTable } from './loads.ts';

/** How long an answer is expected to take. */
function estimateMs(loads: Loads, index: number, nowMs: number): number {
  const times = new Float64Array(loads.length).fill(-1);
  loads.expect({ nowMs }, new Float64Array(loads.length).fill(1), times, index, index + 1);
  assert.ok(times.every((time, at) => (at === index ? time >= 0 : time === -1)));
  return times[index]!;
}

function done(loads: Loads, index: number, latencyMs: number, nowMs: number, ok = true): void {
  loads.answered(index, latencyMs, nowMs, ok);
  loads.finished(index);
}

test('in flight is what was started and not finished, over all lanes and views; a cleared lane is taken off', () => {
  const event = fc.record({ lane: fc.nat(2), index: fc.nat(3), start: fc.boolean() });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 100 }), fc.nat(2), (events, dead) => {
      const table = createLoadTable(6, 3);
      const slots = [4, 0, 5, 2];
      const views = [0, 1, 2].map((lane) => new Loads(table, lane, slots));
      const open = views.map(() => slots.map(() => 0));
      for (const { lane, index, start } of events) {
        if (start) views[lane]!.started(index, 0);
        else if (open[lane]![index]! > 0) done(views[lane]!, index, 1, 0);
        else continue;
        open[lane]![index]! += start ? 1 : -1;
      }
      const expected = (): number[] => slots.map((_, index) => open.reduce((sum, lane) => sum + lane[index]!, 0));
      const seen = (): number[] => slots.map((_, index) => views[0]!.inFlight(index));
      assert.deepEqual(seen(), expected());
      clearLane(table, dead);
      open[dead]!.fill(0);
      assert.deepEqual(seen(), expected());
    }),
  );
});

test('in flight stays exact while threads count at once, and a thread that ends in the middle is taken off', async () => {
  const table = createLoadTable(2, 3);
  const code = `
    const { parentPort, workerData } = require('node:worker_threads');
    import(workerData.module).then(({ Loads }) => {
      const loads = new Loads(workerData.table, workerData.lane, [0, 1]);
      for (let i = 0; i < 100000; i++) { loads.started(1, 0); loads.answered(1, 1, 0, true); loads.finished(1); }
      for (let i = 0; i < 5; i++) loads.started(1, 0);
      parentPort.postMessage('done');
      setInterval(() => {}, 1000);
    });`;
  const workers = [1, 2].map((lane) => {
    const workerData = { table, lane, module: new URL('loads.ts', import.meta.url).href };
    return new Worker(code, { eval: true, workerData });
  });
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  const mine = new Loads(table, 0, [0, 1]);
  mine.started(1, 0);
  assert.equal(mine.inFlight(1), 11);
  for (const [at, worker] of workers.entries()) {
    await worker.terminate();
    clearLane(table, at + 1);
  }
  assert.equal(mine.inFlight(1), 1);
});

test('a slower answer counts at once, faster ones pull the estimate down with time', () => {
  const loads = createLoads(1);
  const answer = (latencyMs: number, nowMs: number): number => {
    loads.started(0, nowMs - latencyMs);
    done(loads, 0, latencyMs, nowMs);
    return estimateMs(loads, 0, nowMs);
  };
  assert.equal(answer(10, 1000), 10);
  assert.equal(answer(200, 1300), 200);
  const soon = answer(10, 1400);
  assert.ok(soon > 190 && soon < 200, `${soon}`);
  for (let nowMs = 1500; nowMs < 60_000; nowMs += 100) answer(10, nowMs);
  assert.ok(estimateMs(loads, 0, 60_000) < 12);
});

test('an endpoint is forgotten with time unless something waits there', () => {
  const loads = createLoads(1);
  loads.started(0, 0);
  done(loads, 0, 100, 100);
  const afterTen = estimateMs(loads, 0, 10_100);
  assert.ok(afterTen > 30 && afterTen < 40, `${afterTen}`);
  assert.equal(estimateMs(loads, 0, 100_000), 0);
  loads.started(0, 200);
  assert.ok(estimateMs(loads, 0, 210) > 95);
  const late = createLoads(1);
  late.started(0, 0);
  done(late, 0, 100, 100);
  late.started(0, 10_100);
  const waiting = estimateMs(late, 0, 10_101);
  assert.ok(waiting > 30 && waiting < 40, `${waiting}`);
});

test('an endpoint that hangs is as slow as nothing has come back', () => {
  const loads = createLoads(1);
  loads.started(0, 0);
  done(loads, 0, 5, 5);
  loads.started(0, 10_000);
  loads.started(0, 10_020);
  assert.equal(estimateMs(loads, 0, 14_000), 4000);
  done(loads, 0, 4100, 14_100);
  assert.equal(estimateMs(loads, 0, 14_150), 4100);
});

test('an unknown endpoint costs nothing while idle, and is taken to be slow until it has answered', () => {
  const loads = createLoads(1);
  assert.equal(estimateMs(loads, 0, 0), 0);
  loads.started(0, 0);
  assert.ok(estimateMs(loads, 0, 1) >= 1000);
});

test('one that fails fast is no bargain; one failure in a hundred is forgiven', () => {
  const loads = createLoads(2);
  for (let made = 0; made < 400; made++) {
    loads.started(0, made * 10);
    done(loads, 0, 1, made * 10 + 1, made % 100 !== 50);
    loads.started(1, made * 10);
    done(loads, 1, 0.1, made * 10 + 1, made < 300);
  }
  assert.ok(estimateMs(loads, 0, 4000) < 10, `${estimateMs(loads, 0, 4000)}`);
  assert.ok(estimateMs(loads, 1, 4000) > 9000, `${estimateMs(loads, 1, 4000)}`);
});

test('a single failure costs little, and a row of them more than any server that works', () => {
  const loads = createLoads(1);
  const costs = Array.from({ length: 20 }, (_, failed) => {
    loads.started(0, failed);
    done(loads, 0, 0, failed, false);
    return estimateMs(loads, 0, failed);
  });
  assert.ok(costs[0]! < 200 && costs[4]! > 2000 && costs[19]! > 8000, costs.map(Math.round).join(' '));
});

test('a stream that has begun is in flight but does not wait: its silence is not slowness', () => {
  const loads = createLoads(1);
  loads.started(0, 0);
  loads.answered(0, 20, 20, true);
  assert.equal(loads.inFlight(0), 1);
  assert.ok(estimateMs(loads, 0, 5000) < 20);
  assert.equal(estimateMs(loads, 0, 100_000), 0);
});

test('work that was given up says nothing of the endpoint', () => {
  const loads = createLoads(1);
  loads.started(0, 0);
  loads.abandoned(0);
  loads.finished(0);
  assert.equal(loads.inFlight(0), 0);
  assert.equal(estimateMs(loads, 0, 0), 0);
});

test('a slot that another endpoint gets begins unknown', () => {
  const table: LoadTable = createLoadTable(1, 1);
  const loads = new Loads(table, 0, [0]);
  loads.started(0, 0);
  done(loads, 0, 50, 50, false);
  clearSlot(table, 0);
  assert.equal(estimateMs(loads, 0, 50), 0);
});

test('a slot or a lane that the table does not have is refused', () => {
  const table = createLoadTable(2, 1);
  assert.throws(() => new Loads(table, 0, [2]), /Slot 2 of a table that has 2/);
  assert.throws(() => new Loads(table, 1, [0]), /Lane 1 of a table that has 1/);
});
