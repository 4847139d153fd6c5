/** Real threads that count in one memory: nothing is lost, limits hold over all of them, and one that dies leaves nothing behind. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { createMetrics } from './metrics.ts';

const program = `
  const { parentPort, workerData } = require('node:worker_threads');
  import(workerData.module).then(({ createMetrics }) => {
    const metrics = createMetrics({ shared: workerData.shared });
    const jobs = {
      // All threads begin at once, and count series that they share and series that they race for.
      race({ gate, threads, keys, updates }) {
        Atomics.add(gate, 0, 1);
        while (Atomics.load(gate, 0) < threads);
        const counter = metrics.counter({ name: 'r_total', help: 'R.', labels: ['key'], seriesMax: 100 });
        const seconds = metrics.histogram({ name: 's', help: 'S.' });
        for (let at = 0; at < keys; at++) counter.bind({ key: (at * workerData.stride) % keys }).add();
        const [one, series] = [counter.bind({ key: 0 }), seconds.bind()];
        for (let at = 0; at < updates; at++) {
          one.add();
          series.observe(at % 2 === 0 ? 0.001 : 10);
        }
      },
      hold() {
        metrics.gauge({ name: 'g', help: 'G.' }).bind().set(5);
        metrics.rows({ name: 'r', help: 'R.', labels: ['x'], rowsMax: 2 }).open({ x: 'held' }, 5);
        metrics.counter({ name: 'c_total', help: 'C.' }).bind().add(5);
        metrics.histogram({ name: 's', help: 'S.' }).bind().observe(5);
      },
    };
    jobs[workerData.job](workerData);
    parentPort.postMessage('done');
    parentPort.on('message', () => undefined);
  });`;

const module = new URL('metrics.ts', import.meta.url).href;

test('eight threads: no update is lost, and a metric has no more series than it may, whoever was first', async () => {
  const [threads, keys, updates] = [8, 300, 200_000];
  const metrics = createMetrics();
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const strides = [1, 7, 11, 13, 17, 19, 23, 29];
  const workers = strides.map((stride) => {
    const workerData = { job: 'race', shared: metrics.shared, module, gate, threads, keys, updates, stride };
    return new Worker(program, { eval: true, workerData });
  });
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  const counter = metrics.counter({ name: 'r_total', help: 'R.', labels: ['key'], seriesMax: 100 });
  const series = counter.series();
  assert.equal(counter.read(), threads * (keys + updates));
  assert.equal(series.length, 101);
  assert.equal(series.filter(({ labels }) => labels['overflow'] === 'true').length, 1);
  const reading = metrics.histogram({ name: 's', help: 'S.' }).read();
  assert.equal(reading.count, threads * updates);
  assert.ok(Math.abs(reading.sum / ((threads * updates * 10.001) / 2) - 1) < 1e-9);
  await Promise.all(workers.map((worker) => worker.terminate()));
});

test('twenty workers, one after the other, each killed: counts stay, gauges do not, and memory does not grow', async () => {
  const metrics = createMetrics({ memoryBytes: '64kb' });
  const page = async (): Promise<string> => {
    let text = '';
    for await (const chunk of metrics.expose().body) text += chunk;
    return text;
  };
  const run = async (): Promise<void> => {
    const workerData = { job: 'hold', shared: metrics.shared, module };
    const worker = new Worker(program, { eval: true, workerData });
    metrics.watch(worker);
    await once(worker, 'message');
    assert.equal(metrics.gauge({ name: 'g', help: 'G.' }).read(), 5);
    assert.match(await page(), /^r\{x="held"\} 5$/m);
    await worker.terminate();
    assert.equal(metrics.gauge({ name: 'g', help: 'G.' }).read(), 0);
    assert.doesNotMatch(await page(), /^r\{/m);
  };
  for (let round = 0; round < 20; round++) await run();
  assert.equal(metrics.counter({ name: 'c_total', help: 'C.' }).read(), 100);
  assert.equal(metrics.histogram({ name: 's', help: 'S.' }).read().count, 20);
  const text = await page();
  assert.match(text, /refused_total\{cause="memory"\} 0\n/);
  assert.ok(Number(/^spillway_metrics_memory_bytes (\d+)$/m.exec(text)?.[1]) < 8 * 1024, text);
});
