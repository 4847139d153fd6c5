import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jumpBucket } from './jump.ts';

test('the buckets are those that other implementations of the paper publish', () => {
  for (const [key, buckets, bucket] of [
    [1, 1, 0],
    [42, 57, 43],
    [0xdead10cc, 1, 0],
    [0xdead10cc, 666, 361],
    [256, 1024, 520],
  ] as const) {
    assert.equal(jumpBucket(0, key, buckets), bucket, `${key} among ${buckets}`);
  }
});

test('the generator is the 64-bit one of the paper, carried over both words', () => {
  for (const key of [0n, 1n, 0xffffffffn, 0x123456789abcdefn, 2n ** 64n - 1n]) {
    let state = key;
    let [bucket, next] = [0, 0];
    while (next < 1_000_000) {
      bucket = next;
      state = BigInt.asUintN(64, state * 2862933555777941757n + 1n);
      next = Math.floor((bucket + 1) * (2 ** 31 / Number((state >> 33n) + 1n)));
    }
    assert.equal(jumpBucket(Number(key >> 32n), Number(key & 0xffffffffn), 1_000_000), bucket);
  }
});
