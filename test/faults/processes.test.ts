/** A process under test: asked, frozen, thawed, killed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { freeze, isStopped } from '../servers/process-state.ts';
import type { Clocks } from './clocks-process.ts';
import { WorkerProcess } from './processes.ts';

const file = new URL('clocks-process.ts', import.meta.url);

interface Tick {
  readonly tick?: number;
}
const isTick = ({ tick }: Tick): boolean => tick !== undefined;

test('questions side by side have each its answer, and an error is told to who asked', async () => {
  await using worker = new WorkerProcess(file);
  const [first, failure, second] = await Promise.all([
    worker.ask<Clocks>({ verb: 'clocks' }),
    worker.ask({ verb: 'fail' }).catch((error: Error) => error.message),
    worker.ask<Clocks>({ verb: 'clocks' }),
  ]);
  assert.ok(first.monotonicMs <= second.monotonicMs);
  assert.equal(failure, 'asked to fail');
});

test('a frozen process does nothing at all, by the kernel and by what it says; thawed, it goes on where it was', async () => {
  await using worker = new WorkerProcess(file);
  await worker.ask({ verb: 'tick' });
  await worker.next(isTick);
  assert.ok(!isStopped(worker.pid));
  for (let round = 0; round < 5; round++) {
    worker.freeze();
    assert.ok(isStopped(worker.pid));
    const answer = worker.ask<Clocks>({ verb: 'clocks' });
    const thawMs = performance.now() + 30;
    const heldStill = (): boolean => performance.now() < thawMs;
    while (heldStill()) {
      assert.ok(isStopped(worker.pid));
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    const first = await Promise.race([answer, Promise.resolve('no answer')]);
    assert.equal(first, 'no answer');
    worker.thaw();
    assert.ok(!isStopped(worker.pid));
    await answer;
  }
  let last = -1;
  for (let count = 0; count < 10; count++) {
    const { tick } = await worker.next<Tick>(isTick);
    assert.ok(tick! > last, 'in order, and none twice');
    last = tick!;
  }
});

test('who waits for a process that ends is told how it ended and what it said', async () => {
  await using worker = new WorkerProcess(file);
  const waits = worker.next(() => false);
  await Promise.all([
    assert.rejects(worker.ask({ verb: 'exit' }), /clocks-process\.ts ended by code 3; it said:\nasked to end/),
    assert.rejects(waits, /ended by code 3/),
  ]);
  await assert.rejects(worker.next(), /ended by code 3/);
  worker.send('nobody is there');
  assert.throws(() => freeze(worker.pid), /ESRCH/);
});

test('killed while it is frozen, it is gone; what it said before is heard', async () => {
  const worker = new WorkerProcess(file);
  await worker.ask({ verb: 'tick' });
  await worker.next(isTick);
  worker.freeze();
  await worker.kill();
  assert.throws(() => process.kill(worker.pid, 0), { code: 'ESRCH' });
  await assert.rejects(
    worker.next(() => false),
    /ended by SIGKILL/,
  );
  await worker[Symbol.asyncDispose]();
});

test('a process that is dead and not yet reaped is not waited for', async () => {
  await using worker = new WorkerProcess(file);
  await worker.ask({ verb: 'clocks' });
  process.kill(worker.pid, 'SIGKILL');
  assert.throws(() => worker.freeze(), /has ended, and takes no SIGSTOP/);
});

test('a process whose test is killed goes with it', async () => {
  const parent = new WorkerProcess(new URL('parent-process.ts', import.meta.url));
  const { pid } = await parent.next<{ pid: number }>();
  process.kill(pid, 0);
  await parent.kill();
  // It is killed by the kernel as its parent dies, and is nobody's child for the moment until it is reaped.
  const isThere = (): boolean => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };
  while (isThere()) await new Promise<void>((resolve) => setImmediate(resolve));
});
