import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedClock } from '../../kernel/simulated-clock.ts';
import { FoundEndpoints } from './found-endpoints.ts';

const settled = (): Promise<void> => new Promise(setImmediate);

function under() {
  const clock = new SimulatedClock();
  const answers: (string | null)[] = [];
  const refused: string[] = [];
  let applied = 0;
  const found = new FoundEndpoints({
    clock,
    apply: async () => {
      applied += 1;
      const answer = answers.shift() ?? null;
      if (answer === 'throws') throw new RangeError('thrown');
      return answer;
    },
    onRefused: (reason) => refused.push(reason),
  });
  return { clock, answers, refused, found, count: () => applied };
}

test('what is refused is told, and put in force again until it is', async () => {
  const { clock, answers, refused, found, count } = under();
  answers.push('not now', 'throws');
  found.changed();
  await settled();
  assert.deepEqual([count(), refused], [1, ['not now']]);
  clock.pass(5000);
  await settled();
  assert.deepEqual([count(), refused], [2, ['not now', 'RangeError: thrown']]);
  clock.pass(5000);
  await settled();
  assert.equal(count(), 3);
  clock.pass(60_000);
  await settled();
  assert.deepEqual([count(), refused.length], [3, 2], 'it is in force');
});

test('who waits is told, and it is put in force later all the same; a change before that takes its place', async () => {
  const { clock, answers, refused, found, count } = under();
  answers.push('not now');
  assert.equal(await found.put(), 'not now');
  assert.deepEqual(refused, [], 'who waited was told');
  clock.pass(4000);
  assert.equal(await found.put(), null);
  clock.pass(60_000);
  await settled();
  assert.equal(count(), 2);
});

test('nothing is put in force after the end', async () => {
  const { clock, answers, found, count } = under();
  answers.push('not now');
  await found.put();
  found.close();
  clock.pass(60_000);
  assert.equal(await found.put(), null);
  assert.equal(count(), 1);
});
