import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { edgeAlgorithms, type EdgeName, grants, LIMIT, mostWithin } from './edge.ts';
import { edgeChart } from './edge-chart.ts';

const within = (name: EdgeName, ms: number): number => mostWithin(grants(edgeAlgorithms[name]), ms);

test('R1: a fixed window grants twice its limit within seconds, the sliding ones do not', () => {
  assert.equal(within('fixed window', 15_000), 2 * LIMIT);
  // At most limit × (1 + t / window).
  assert.ok(within('sliding window', 15_000) <= LIMIT * 1.25);
  assert.ok(within('sliding window', 60_000) < 2 * LIMIT);
  assert.equal(within('sliding log', 60_000), LIMIT);
  // At most capacity + t × rate.
  assert.ok(within('token bucket', 15_000) <= 50 + 25);
  assert.ok(within('token bucket', 60_000) <= 50 + LIMIT);
});

test('the picture in the guide is the one that is drawn now', () => {
  const path = new URL('../../docs/guides/rate-limiting.svg', import.meta.url);
  assert.equal(readFileSync(path, 'utf8'), edgeChart(), 'npm run bench -- limit --svg docs/guides/rate-limiting.svg');
});
