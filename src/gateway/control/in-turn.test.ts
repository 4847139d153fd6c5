import assert from 'node:assert/strict';
import { test } from 'node:test';
import { turn } from '../../observe/page.ts';
import { sharedInTurn } from './in-turn.ts';

test('however many ask while one is at work, the job is done once more, for all of them, and begun after they asked', async () => {
  const begun: PromiseWithResolvers<number>[] = [];
  const ask = sharedInTurn(() => {
    const job = Promise.withResolvers<number>();
    begun.push(job);
    return job.promise;
  });
  const first = ask();
  await turn();
  assert.equal(begun.length, 1);
  const later = Array.from({ length: 1000 }, ask);
  await turn();
  assert.equal(begun.length, 1, 'one at a time');
  begun[0]!.resolve(1);
  assert.equal(await first, 1);
  await turn();
  begun[1]!.resolve(2);
  assert.deepEqual(new Set(await Promise.all(later)), new Set([2]));
  assert.equal(begun.length, 2);
});

test('one that fails is told to whoever shared it, and the next is done all the same', async () => {
  let times = 0;
  const ask = sharedInTurn(async () => {
    times += 1;
    if (times === 1) throw new Error('not yet');
    return times;
  });
  const [one, other] = [ask(), ask()];
  await assert.rejects(one, /not yet/);
  await assert.rejects(other, /not yet/);
  assert.equal(await ask(), 2);
});
