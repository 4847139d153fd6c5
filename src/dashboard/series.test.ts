import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { SeriesAnswer } from '../gateway/admin/series-answer.ts';
import { quantile } from '../kernel/quantile.ts';
import {
  alongside,
  bucketsOf,
  countsOf,
  gridOf,
  percentileColumns,
  ratesOf,
  sampledMs,
  sinceSampled,
  timeSpanOf,
  wholeOf,
} from './series.ts';

const answer: SeriesAnswer = {
  fromMs: 100_000,
  stepMs: 10_000,
  nowMs: 134_000,
  sampled: [false, true, true, true],
  more: 0,
  rows: [
    { kind: 'counter', labels: { route: 'a', code_class: '2xx' }, values: [0, 20, 30, 8] },
    { kind: 'counter', labels: { route: 'a', code_class: '5xx' }, values: [0, 0, 10, 0] },
    { kind: 'counter', labels: { route: 'b', code_class: '2xx' }, values: [0, 1, 1, 1] },
  ],
};

test('counts are of the rows that have the labels, and rates of the time that a step has had', () => {
  assert.deepEqual(countsOf(answer), [0, 21, 41, 9]);
  assert.deepEqual(countsOf(answer, { route: 'a' }), [0, 20, 40, 8]);
  assert.deepEqual(countsOf(answer, { code_class: '5xx' }), [0, 0, 10, 0]);
  assert.deepEqual(countsOf(answer, { route: 'c' }), [0, 0, 0, 0]);
  assert.deepEqual(ratesOf(answer, countsOf(answer, { route: 'a' })), [null, 2, 4, 2]);
});

test('the newest step is not over before its end', () => {
  assert.deepEqual(gridOf(answer), { times: [100_000, 110_000, 120_000, 130_000], stepMs: 10_000, partial: 3 });
  assert.equal(gridOf({ ...answer, nowMs: 140_000 }).partial, -1);
  assert.deepEqual(gridOf({ ...answer, sampled: [], rows: [] }), { times: [], stepMs: 10_000, partial: -1 });
});

const bounds = [0.001, 0.01, 0.1, 1, null];
const histogram = (steps: ({ buckets: number[]; counts: number[]; sum: number } | null)[]): SeriesAnswer => ({
  ...answer,
  sampled: steps.map(() => true),
  rows: [{ kind: 'histogram', labels: {}, bounds, steps }],
});

test('percentiles are those of the buckets in ms, of a step and of all steps together', () => {
  const step = fc.option(
    fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 5, maxLength: 5 }).map((counts) => ({
      buckets: [0, 1, 2, 3, 4].filter((bucket) => counts[bucket]! > 0),
      counts: counts.filter((count) => count > 0),
      sum: 1,
    })),
  );
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 6 }), (steps) => {
      const buckets = bucketsOf(histogram(steps))!;
      const ms = [1, 10, 100, 1000, Number.POSITIVE_INFINITY];
      assert.deepEqual(buckets.bounds, ms);
      const dense = steps.map((given) => {
        const counts = new Float64Array(5);
        for (const [at, bucket] of (given?.buckets ?? []).entries()) counts[bucket] = given!.counts[at]!;
        return counts;
      });
      const whole = dense.reduce((sum, counts) => sum.map((count, at) => count + counts[at]!), new Float64Array(5));
      const orNull = (value: number): number | null => (Number.isNaN(value) ? null : value);
      const of = (counts: Float64Array): (number | null)[] =>
        [0.5, 0.9, 0.99, 0.999].map((share) => orNull(quantile(ms, counts, share)));
      const columns = percentileColumns(buckets);
      for (const [at, counts] of dense.entries())
        assert.deepEqual(
          columns.map((column) => column[at]),
          of(counts),
        );
      const told = wholeOf(buckets);
      assert.deepEqual(told.percentiles, of(whole));
      assert.equal(
        told.count,
        whole.reduce((sum, count) => sum + count, 0),
      );
      assert.equal(told.sumMs, 1000 * steps.filter((given) => given !== null).length);
    }),
  );
});

test('a step in which nothing was sampled is not one without answers', () => {
  const { steps } = bucketsOf({ ...histogram([null, null]), sampled: [true, false] })!;
  assert.deepEqual(steps, [[], null]);
  assert.equal(bucketsOf({ ...answer, rows: [] }), null);
});

test('the time before anything was sampled is left out, but for what a chart has at least', () => {
  const long = (first: number, length: number): SeriesAnswer => ({
    ...answer,
    sampled: Array.from({ length }, (_, at) => at >= first),
    rows: [
      { kind: 'counter', labels: {}, values: Array.from({ length }, (_, at) => at) },
      {
        kind: 'gauge',
        labels: {},
        last: Array.from({ length }, (_, at) => at),
        max: Array.from({ length }, (_, at) => at),
      },
      { kind: 'histogram', labels: {}, bounds, steps: Array.from({ length }, () => null) },
    ],
  });
  const cut = sinceSampled(long(100, 200));
  assert.equal(cut.fromMs, 100_000 + 100 * 10_000);
  assert.ok(cut.sampled.length === 100 && cut.sampled.every(Boolean));
  assert.deepEqual(cut.rows.map((row) => (row.kind === 'counter' ? row.values : row.kind === 'gauge' ? row.max : row.steps).length), [100, 100, 100]); // prettier-ignore
  assert.equal(countsOf(cut)[0], 100);
  assert.equal(sinceSampled(long(190, 200)).sampled.length, 60);
  assert.equal(sinceSampled(long(500, 200)).sampled.length, 60);
  assert.equal(sinceSampled(long(0, 200)).sampled.length, 200);
  assert.equal(sinceSampled(answer), answer);
});

test('what is kept less finely is laid alongside by its time', () => {
  const grid = { times: [99_000, 100_000, 105_000, 119_999, 120_000, 200_000] };
  assert.deepEqual(alongside(grid, answer, [1, 2, null, 4]), [null, 1, 1, 2, null, null]);
});

test('a span that does not exist is the first', () => {
  assert.deepEqual([timeSpanOf('3h').spanMs, timeSpanOf('x').id], [10_800_000, '5m']);
});

test('a rate is of the time in which something was sampled: not of gaps, and with what was kept from before a restart', () => {
  const known = { ...answer, sampled: [true, false, true, true] };
  // 100 to 110, 120 to 134.
  assert.equal(sampledMs(known, 0, 0), 24_000);
  assert.equal(sampledMs(known, 105_000, 0), 19_000);
  // It began within a step before which there was nothing.
  assert.equal(sampledMs(known, 0, 125_000), 19_000);
  assert.equal(sampledMs(known, 0, 105_000), 19_000);
  // It was started anew, and what was counted before is there: a second ago is not when it all began.
  assert.equal(sampledMs(known, 0, 133_000), 24_000);
  assert.equal(sampledMs({ ...known, sampled: [false, false, false, false] }, 0, 0), 0);
});
