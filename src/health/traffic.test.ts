import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import * as fc from 'fast-check';
import { cellLanes, sumSlot } from '../kernel/cells.ts';
import {
  createTrafficCell,
  clearRow,
  readRow,
  RESULTS,
  resultTexts,
  TRAFFIC_SLOTS,
  TrafficRecorder,
  trafficResults,
  type TrafficResult,
} from './traffic.ts';

const { answer, serverError, refused, answerTimeout, reset } = trafficResults;
const five = { errors: 5, serverErrors: false };

test('every kind of result has a text, and its number is a bit of the row', () => {
  assert.deepEqual(
    Object.values(trafficResults),
    resultTexts.map((_, kind) => kind),
  );
  assert.ok(RESULTS <= 10);
});

test('the worker that makes the row full learns it, once; a good result begins a new one', () => {
  const cell = createTrafficCell(2);
  const [one, two] = [0, 1].map((lane) => new TrafficRecorder({ cell, lane, row: five }));
  const results = [one, two, one, two].map((recorder) => recorder!.record(refused, 0));
  assert.deepEqual(results, [false, false, false, false]);
  assert.equal(two!.record(answerTimeout, 0), true);
  assert.equal(one!.record(refused, 0), false);
  assert.deepEqual(readRow(cell), { errors: 6, kinds: [refused, answerTimeout] });
  assert.equal(one!.record(answer, 3), false);
  assert.deepEqual(readRow(cell), { errors: 0, kinds: [] });
  two!.record(reset, 0);
  assert.deepEqual(readRow(cell), { errors: 1, kinds: [reset] });
  clearRow(cell);
  assert.equal(readRow(cell).errors, 0);
});

test('a 5xx ends a row or is one of it, as the policy says', () => {
  for (const [serverErrors, errors] of [
    [false, 0],
    [true, 3],
  ] as const) {
    const cell = createTrafficCell(1);
    const recorder = new TrafficRecorder({ cell, lane: 0, row: { errors: 5, serverErrors } });
    for (const result of [refused, refused, serverError]) recorder.record(result, 0);
    assert.equal(readRow(cell).errors, errors);
  }
});

test('without a policy no row is ever full', () => {
  const recorder = new TrafficRecorder({ cell: createTrafficCell(1), lane: 0, row: null });
  for (let error = 0; error < 1_000; error++) assert.equal(recorder.record(refused, 0), false);
});

test('row and counts are those of the history, over any number of lanes', () => {
  const results = fc.constantFrom<TrafficResult[]>(...Object.values(trafficResults), answer, answer);
  const history = fc.array(fc.tuple(results, fc.nat(2)), { maxLength: 80 });
  fc.assert(
    fc.property(history, fc.boolean(), fc.integer({ min: 1, max: 6 }), (steps, serverErrors, errors) => {
      const cell = createTrafficCell(3);
      const recorders = [0, 1, 2].map((lane) => new TrafficRecorder({ cell, lane, row: { errors, serverErrors } }));
      const isError = (result: TrafficResult) => result > serverError || (serverErrors && result === serverError);
      let row: TrafficResult[] = [];
      for (const [result, lane] of steps) {
        row = isError(result) ? [...row, result] : [];
        assert.equal(recorders[lane]!.record(result, 1), row.length === errors);
      }
      const kinds = [...new Set(row)].toSorted((a, b) => a - b);
      assert.deepEqual(readRow(cell), { errors: row.length, kinds });
      for (const result of Object.values(trafficResults)) {
        const count = steps.filter(([one]) => one === result).length;
        assert.equal(sumSlot(cellLanes(cell, TRAFFIC_SLOTS), result), count);
      }
    }),
  );
});

test('threads that fail at the same time make one row, and exactly one of them makes it full', async () => {
  const THREADS = 3;
  const ERRORS = 300_000;
  const cell = createTrafficCell(THREADS);
  const start = new Int32Array(new SharedArrayBuffer(4));
  const url = new URL('./traffic.ts', import.meta.url).href;
  const program = `
    const { workerData, parentPort } = require('node:worker_threads');
    import(${JSON.stringify(url)}).then(({ TrafficRecorder, trafficResults }) => {
      const recorder = new TrafficRecorder(workerData);
      parentPort.postMessage('ready');
      Atomics.wait(workerData.start, 0, 0);
      let full = 0;
      for (let error = 0; error < ${ERRORS}; error++) if (recorder.record(trafficResults.reset, 0)) full++;
      parentPort.postMessage(full);
    });`;
  const row = { errors: THREADS * ERRORS - 1_000, serverErrors: false };
  const workers = Array.from(
    { length: THREADS },
    (_, lane) => new Worker(program, { eval: true, workerData: { cell, lane, row, start } }),
  );
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  const done = Promise.all(workers.map((worker) => once(worker, 'message')));
  Atomics.store(start, 0, 1);
  Atomics.notify(start, 0);
  const full = (await done).map(([count]) => count as number);
  assert.equal(
    full.reduce((sum, count) => sum + count, 0),
    1,
  );
  assert.equal(readRow(cell).errors, THREADS * ERRORS);
  await Promise.all(workers.map((worker) => worker.terminate()));
});
