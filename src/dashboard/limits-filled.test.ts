import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SeriesAnswer } from '../gateway/admin/series-answer.ts';
import { filledOf } from './limits-filled.ts';

const answer = (rows: readonly (readonly [limit: string, filled: string, values: readonly number[]])[], more = 0): SeriesAnswer => ({
  ...{ fromMs: 0, stepMs: 10_000, nowMs: 20_000, sampled: [true, true], more },
  rows: rows.map(([limit, filled, values]) => ({ kind: 'counter', labels: { limit, filled }, values })),
}); // prettier-ignore

test('the fullest key is said, and what half of the requests met, whatever order rows come in', () => {
  const rows = [
    ['api', '1', [0, 0]],
    ['api', '0.8', [0, 1]],
    ['api', '0.1', [5, 1]],
    ['api', '0.2', [2, 4]],
    ['login', '1', [0, 3]],
    ['quiet', '0.5', [0, 0]],
  ] as const;
  assert.deepEqual(Object.fromEntries(filledOf(answer(rows))), {
    api: { most: 0.8, usual: 0.2 },
    login: { most: 1, usual: 1 },
  });
});

test('of a part of the rows nothing is said', () => {
  assert.equal(filledOf(answer([['api', '1', [1, 1]]], 3)).size, 0);
});
