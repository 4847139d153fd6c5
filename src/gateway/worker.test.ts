/** A worker thread by its messages. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { Origin } from '../../test/engine/origin.ts';
import { connectTo } from '../../test/engine/peer.ts';
import { snapshotOf } from '../../test/engine/plans.ts';
import type { FromWorker, ToWorker, WorkerStart } from './control/messages.ts';

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
