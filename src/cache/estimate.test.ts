import assert from 'node:assert/strict';
import { test } from 'node:test';

import { estimateBytes } from './estimate.ts';

test('what a value holds is added up', () => {
  const text = estimateBytes('x'.repeat(1000));
  assert.ok(text >= 1000 && text <= 2100);
  const row = { id: 42, title: 'x'.repeat(100), tags: ['a', 'b'] };
  const one = estimateBytes(row);
  assert.ok(estimateBytes([row, { ...row }]) > 1.5 * one);
  assert.ok(estimateBytes(Buffer.alloc(5000)) >= 5000);
  assert.ok(estimateBytes(new ArrayBuffer(5000)) >= 5000);
  assert.ok(estimateBytes(new Map([['k', 'x'.repeat(500)]])) > 500);
  assert.ok(estimateBytes(new Set(['x'.repeat(500)])) > 500);
  assert.ok(estimateBytes([1n, true, null, undefined, Symbol('s'), 1.5]) > 0);
});

test('what is reached twice is counted once, and what holds itself ends', () => {
  const shared = { text: 'x'.repeat(1000) };
  assert.ok(estimateBytes([shared, shared]) < 1.2 * estimateBytes([shared]));
  const own: { self?: unknown } = {};
  own.self = own;
  assert.ok(estimateBytes(own) < 200);
});

test('a value of very many parts is not counted to its end', () => {
  const many = Array.from({ length: 100_001 }, (_, at) => at);
  assert.equal(estimateBytes(many), Infinity);
  assert.equal(estimateBytes(new Set(many)), Infinity);
  assert.equal(estimateBytes(new Map(many.map((at) => [at, at]))), Infinity);
  assert.equal(estimateBytes(Object.fromEntries(many.map((at) => [`k${at}`, at]))), Infinity);
});

test('a deep value needs no deep stack', () => {
  let deep: unknown = null;
  for (let depth = 0; depth < 50_000; depth++) deep = { deep };
  assert.ok(estimateBytes(deep) > 50_000);
});
