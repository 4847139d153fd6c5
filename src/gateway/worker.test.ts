/** A worker thread by its messages. */
import assert from 'node:assert/strict';
import { on, once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { eventually } from '../../test/engine/bench.ts';
import { Origin } from '../../test/engine/origin.ts';
import { connectTo } from '../../test/engine/peer.ts';
import { snapshotOf } from '../../test/engine/plans.ts';
import { cellLane } from '../kernel/cells.ts';
import type { FromWorker, ToWorker, WorkerStart } from './control/messages.ts';
import { PROCESS_SLOTS, processSlots } from './slots.ts';

const NEVER_MS = 1e9;

for (const [what, first, second] of [
  ['a drain that ends sooner ends the one before it', NEVER_MS, 0],
  ['a drain that would end later does not put the end off', 0, NEVER_MS],
] as const) {
  test(what, { timeout: 30_000 }, async (t) => {
    const origin = await Origin.listen();
    t.after(() => origin.close());
    const start: WorkerStart = { lane: 1, snapshot: snapshotOf([origin.port]), ports: {} };
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: start });
    t.after(() => worker.terminate());
    const say = (message: ToWorker): void => worker.postMessage(message);
    const [applied] = (await once(worker, 'message')) as [FromWorker];
    assert.equal(applied.kind, 'applied');
    const client = await connectTo(applied.kind === 'applied' ? applied.ports['web']! : 0);
    t.after(() => client.destroy());
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await (await origin.accept()).request();
    const drained: FromWorker[] = [];
    const both = new Promise<void>((resolve) => {
      worker.on('message', (message: FromWorker) => {
        if (drained.push(message) === 2) resolve();
      });
    });
    say({ kind: 'drain', timeoutMs: first });
    say({ kind: 'drain', timeoutMs: second });
    await both;
    assert.deepEqual(drained, [{ kind: 'drained' }, { kind: 'drained' }]);
    assert.notEqual(await client.gone(), 'open');
  });
}

test('spans that nobody has taken are followed by no others; those that wait come when they are, and the last with the end', async (t) => {
  const origin = await Origin.listen();
  t.after(() => origin.close());
  const snapshot = snapshotOf([origin.port], { traces: { sample: 1, slowMs: 1000, perSecond: 100 } });
  const start: WorkerStart = { lane: 1, snapshot, ports: {} };
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: start });
  t.after(() => worker.terminate());
  const said = on(worker, 'message') as AsyncIterableIterator<[FromWorker]>;
  const next = async (): Promise<FromWorker> => (await said.next()).value[0];
  const applied = await next();
  const client = await connectTo(applied.kind === 'applied' ? applied.ports['web']! : 0);
  t.after(() => client.destroy());
  // Refused by the gateway itself: a span each.
  const ask = async (path: string): Promise<void> => {
    client.write(`GET /${path} HTTP/1.1\r\nHost: a\r\nVia: 1.1 ${snapshot.pseudonym}\r\n\r\n`);
    assert.equal((await client.response()).status, 508);
  };
  const paths = (message: FromWorker): unknown[] =>
    message.kind === 'spans' ? message.spans.map(({ attributes }) => attributes['url.path']) : [message.kind];
  await ask('1');
  assert.deepEqual(paths(await next()), ['/1']);
  await ask('2');
  // A tick sends what there is, then writes the gauges, once a second.
  const lane = cellLane(snapshot.cell, PROCESS_SLOTS, start.lane);
  lane[processSlots.heapBytes] = 0;
  await eventually('a tick', () => lane[processSlots.heapBytes] !== 0);
  worker.postMessage({ kind: 'apply', snapshot: { ...snapshot, version: 2 }, ports: {} } satisfies ToWorker);
  assert.deepEqual(paths(await next()), ['applied']);
  await ask('3');
  worker.postMessage({ kind: 'spans-taken' } satisfies ToWorker);
  assert.deepEqual(paths(await next()), ['/2', '/3']);
  await ask('4');
  worker.postMessage({ kind: 'drain', timeoutMs: 0 } satisfies ToWorker);
  assert.deepEqual(paths(await next()), ['/4']);
  assert.deepEqual(await next(), { kind: 'drained' });
});
