import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findAccount } from './user-account.ts';

const passwd = 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65533:nobody:/:/bin/false\n7:x:1007:1008::/:\n';

test('a user is found by name, then by number; a number that no user has stands for itself', () => {
  assert.deepEqual(findAccount('nobody', passwd), { name: 'nobody', uid: 65534, gid: 65533 });
  assert.deepEqual(findAccount('65534', passwd), { name: 'nobody', uid: 65534, gid: 65533 });
  assert.deepEqual(findAccount('7', passwd), { name: '7', uid: 1007, gid: 1008 });
  assert.deepEqual(findAccount('4711', passwd), { name: null, uid: 4711, gid: 4711 });
  assert.equal(findAccount('nobod', passwd), null);
  assert.equal(findAccount('', ''), null);
});
