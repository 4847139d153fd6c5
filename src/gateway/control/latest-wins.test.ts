import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LatestWins } from './latest-wins.ts';

function recorded() {
  const runs: {
    readonly job: string;
    readonly finish: (result: string) => void;
    readonly fail: (error: Error) => void;
  }[] = [];
  let running = 0;
  const queue = new LatestWins<string, string>(async (job) => {
    running += 1;
    assert.equal(running, 1, 'two ran at once');
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    runs.push({ job, finish: resolve, fail: reject });
    try {
      return await promise;
    } finally {
      running -= 1;
    }
  });
  return { queue, runs };
}

test('a job that waits is replaced by a newer one, and both askers get the newer result', async () => {
  const { queue, runs } = recorded();
  const first = queue.ask('a');
  const second = queue.ask('b');
  const third = queue.ask('c');
  runs[0]!.finish('A');
  assert.equal(await first, 'A');
  while (runs.length < 2) await new Promise(setImmediate);
  assert.equal(runs[1]!.job, 'c');
  runs[1]!.finish('C');
  assert.deepEqual(await Promise.all([second, third]), ['C', 'C']);
  assert.equal(runs.length, 2);
});

test('a job that fails neither stops the next nor is forgotten', async () => {
  const { queue, runs } = recorded();
  const first = queue.ask('a');
  const second = queue.ask('b');
  runs[0]!.fail(new Error('no'));
  await assert.rejects(first, /no/);
  while (runs.length < 2) await new Promise(setImmediate);
  runs[1]!.finish('B');
  assert.equal(await second, 'B');
});
