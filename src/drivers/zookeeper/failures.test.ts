import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isRefusal, refused } from './failures.ts';

test('a server that is busy for a while is unavailable, and one that will not refuses; both say what it said', () => {
  const [busy, denied] = [refused('create /a', -127), refused('multi of 2', -102, 1)];
  assert.deepEqual([busy.code, busy.retryable, isRefusal(busy, 'THROTTLED')], ['STORE_UNAVAILABLE', true, true]);
  assert.deepEqual([denied.code, denied.retryable, isRefusal(denied, 'NO_AUTH')], ['STORE_REFUSED', false, true]);
  assert.equal(denied.message, 'ZooKeeper refused multi of 2, step 1: NO_AUTH (-102).');
});
