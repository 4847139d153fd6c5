/** Series against the list of all samples that they were ever given, under clocks that go on, leap and are set back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { SimulatedClock } from '../../kernel/simulated-clock.ts';
import { resolutions } from './resolutions.ts';
import { createSeries } from './series.ts';

const HOUR_MS = 3_600_000;

interface Sample {
  readonly atMs: number;
  readonly value: number;
}

const moves = fc.oneof(
  { weight: 20, arbitrary: fc.constant({ passMs: 1000, leapMs: 0 }) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 40_000 }).map((passMs) => ({ passMs, leapMs: 0 })) },
  { weight: 1, arbitrary: fc.integer({ min: -600_000, max: 600_000 }).map((leapMs) => ({ passMs: 1000, leapMs })) },
);
const increments = fc.oneof(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 1e9 }));
const script = fc.array(
  fc.record({ move: moves, one: increments, two: increments, level: fc.integer({ min: 0, max: 9 }) }),
  {
    minLength: 50,
    maxLength: 400,
  },
);

const sumIn = (samples: readonly Sample[], fromMs: number, toMs: number): number =>
  samples.reduce((sum, { atMs, value }) => sum + (atMs >= fromMs && atMs < toMs ? value : 0), 0);

test('every range is the sum of the samples in it, at every step, and coarse steps are exactly their fine ones', () => {
  fc.assert(
    fc.property(script, fc.integer({ min: 0, max: 9_999 }), fc.nat(400), (steps, offsetMs, ago) => {
      const clock = new SimulatedClock(1_800_000_000_000 + offsetMs);
      const series = createSeries({ clock });
      const [one, two] = ['one', 'two'].map((which) => series.counter({ name: 'requests', labels: { which } }));
      const gauge = series.gauge({ name: 'level' });
      const given: Record<'one' | 'two', Sample[]> = { one: [], two: [] };
      const levels: Sample[] = [];
      let newestMs = 0;
      for (const { move, ...values } of steps) {
        clock.pass(move.passMs);
        clock.stepWall(move.leapMs);
        const atMs = clock.wallMs();
        newestMs = Math.max(newestMs, atMs);
        series.round(atMs);
        one!.add(atMs, values.one);
        two!.add(atMs, values.two);
        gauge.set(atMs, values.level);
        given.one.push({ atMs, value: values.one });
        given.two.push({ atMs, value: values.two });
        levels.push({ atMs, value: values.level });
      }
      const nowMs = clock.wallMs();
      const toMs = Math.floor(nowMs / 1000) * 1000 + 1000;
      // What is still to come by a clock that was ahead is not in any window that ends now.
      for (const lengthMs of [1000, 60_000, 300_000, HOUR_MS]) {
        const total = series.counter({ name: 'requests', labels: { which: 'one' } }).total(toMs - lengthMs, toMs);
        assert.equal(total, sumIn(given.one, toMs - lengthMs, toMs), `${lengthMs} ms`);
      }
      const from = Math.max(newestMs - HOUR_MS + 60_000, 0);
      const rangeFrom = Math.max(from, toMs - ago * 1000 - 1000);
      for (const stepMs of [1000, 7000, 10_000, 60_000]) {
        const range = series.range({ name: 'requests', fromMs: rangeFrom, toMs, stepMs });
        assert.equal(range.stepMs % stepMs, 0);
        const shown = (['one', 'two'] as const).filter((which) => given[which].some(({ value }) => value > 0));
        assert.equal(range.rows.length, shown.length);
        for (const row of range.rows) {
          const samples = given[row.labels['which'] as 'one' | 'two'];
          assert.ok(row.kind === 'counter');
          for (const [at, value] of row.values.entries()) {
            const stepFrom = range.fromMs + at * range.stepMs;
            assert.equal(value, sumIn(samples, stepFrom, stepFrom + range.stepMs), `step ${at} of ${range.stepMs} ms`);
            const isSampled = samples.some(({ atMs }) => atMs >= stepFrom && atMs < stepFrom + range.stepMs);
            assert.equal(range.sampled[at], isSampled);
          }
        }
        const together = series.range({ name: 'requests', fromMs: rangeFrom, toMs, stepMs, merged: true }).rows[0];
        const rows = range.rows.map((row) => (row.kind === 'counter' ? row.values : []));
        if (together !== undefined) {
          assert.ok(together.kind === 'counter');
          assert.deepEqual(
            [...together.values],
            range.sampled.map((_, at) => rows.reduce((sum, row) => sum + row[at]!, 0)),
          );
        }

        const level = series.range({ name: 'level', fromMs: rangeFrom, toMs, stepMs }).rows[0];
        if (level === undefined) continue;
        assert.ok(level.kind === 'gauge');
        for (const [at, max] of level.max.entries()) {
          const stepFrom = range.fromMs + at * range.stepMs;
          const inside = levels.filter(({ atMs }) => atMs >= stepFrom && atMs < stepFrom + range.stepMs);
          assert.equal(max, Math.max(0, ...inside.map(({ value }) => value)));
        }
      }
      const all = resolutions.map(({ stepMs }) => {
        const range = series.range({ name: 'requests', fromMs: from, toMs: newestMs + 1, stepMs, merged: true });
        assert.equal(range.stepMs % stepMs, 0);
        return range.rows.flatMap((row) => (row.kind === 'counter' ? [...row.values] : [])).reduce((a, b) => a + b, 0);
      });
      assert.deepEqual(new Set(all).size, 1, `each resolution has the same sum: ${all.join(', ')}`);
    }),
    { numRuns: 120 },
  );
});

test('of five weeks at a request a second each window is right to half a step, and all of it fits', () => {
  const clock = new SimulatedClock(1_800_000_000_000);
  const series = createSeries({ clock });
  const requests = series.counter({ name: 'requests' });
  const DAY_S = 86_400;
  for (let second = 0; second < 36 * DAY_S; second++) {
    clock.pass(1000);
    series.round(clock.wallMs());
    requests.add(clock.wallMs(), 1);
  }
  clock.pass(123_000);
  const toMs = clock.wallMs() + 1000;
  for (const [windowS, stepS] of [
    [3000, 1],
    [6 * 3600, 10],
    [DAY_S - 200, 10],
    [3 * DAY_S, 300],
    [30 * DAY_S, 300],
    [35 * DAY_S, 300],
  ] as const) {
    const total = series.counter({ name: 'requests' }).total(toMs - windowS * 1000, toMs);
    const expected = windowS - 123;
    assert.ok(Math.abs(total - expected) <= stepS / 2, `${windowS} s: ${total} for ${expected}`);
  }
  const { bytes } = series.stats;
  assert.ok(bytes < 90_000, `${bytes} B`);
  const range = series.range({ name: 'requests', fromMs: toMs - 35 * DAY_S * 1000, toMs });
  assert.equal(range.stepMs % 300_000, 0);
  assert.ok(range.sampled.length <= 610);
});
