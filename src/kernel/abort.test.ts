import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allAborted, LazyAbort } from './abort.ts';

const why = (): Error => new Error('enough');

test('the signal of several is aborted with the last of them, lazy or not', () => {
  const [lazy, over, plain] = [new LazyAbort(), new LazyAbort(), new AbortController()];
  over.abort(why);
  const signal = allAborted([plain, lazy, over]);
  lazy.abort(why);
  lazy.abort(why);
  assert.equal(signal.aborted, false);
  plain.abort();
  assert.equal(signal.aborted, true);
  assert.equal(signal.reason, over.reason);
  assert.equal(
    allAborted([over, AbortSignal.abort()].map((each) => ('signal' in each ? each : { signal: each }))).aborted,
    true,
  );
});

test('who listens to a lazy one is told once, at once if it is too late', () => {
  const abort = new LazyAbort();
  let told = 0;
  abort.onAbort(() => told++);
  assert.equal(told, 0);
  abort.abort(why);
  abort.abort(why);
  assert.equal(told, 1);
  abort.onAbort(() => told++);
  assert.equal(told, 2);
});
