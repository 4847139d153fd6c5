/** What a time series says, refuses and lets go of. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedClock } from '../../kernel/simulated-clock.ts';
import { stepQuantiles } from './range.ts';
import { createSeries } from './series.ts';

const START_MS = 1_800_000_000_000;
const bounds = Float64Array.of(0.1, 0.2, 0.4, Number.POSITIVE_INFINITY);

test('a histogram is merged, never averaged: quantiles are of all values of all series', () => {
  const clock = new SimulatedClock(START_MS);
  const series = createSeries({ clock });
  const [fast, slow] = ['fast', 'slow'].map((route) =>
    series.histogram({ name: 'duration', labels: { route }, bounds }),
  );
  fast!.add(START_MS, { buckets: [0], counts: [98], sum: 4 });
  slow!.add(START_MS, { buckets: [1, 2], counts: [1, 1], sum: 0.5 });
  const query = { name: 'duration', fromMs: START_MS, toMs: START_MS + 1000, stepMs: 1000, merged: true };
  const row = series.range(query).rows[0];
  assert.ok(row?.kind === 'histogram');
  assert.deepEqual(row.steps, [{ buckets: [0, 1, 2], counts: [98, 1, 1], sum: 4.5 }]);
  const [p50, p99, all] = stepQuantiles(bounds, row.steps[0]!, [0.5, 0.99, 1]);
  assert.equal(p50, 0.1);
  assert.ok(p99! > 0.1 && p99! < 0.2 && all! > 0.2 && all! < 0.4);
  assert.deepEqual(stepQuantiles(bounds, null, [0.5]), [null]);
});

test('histograms with other buckets are not added to these, and replace those of the same labels', () => {
  const clock = new SimulatedClock(START_MS);
  const series = createSeries({ clock });
  const other = Float64Array.of(1, Number.POSITIVE_INFINITY);
  series
    .histogram({ name: 'duration', labels: { route: 'a' }, bounds: other })
    .add(START_MS, { buckets: [0], counts: [7], sum: 1 });
  series
    .histogram({ name: 'duration', labels: { route: 'b' }, bounds })
    .add(START_MS + 1000, { buckets: [3], counts: [1], sum: 1 });
  const query = { name: 'duration', fromMs: START_MS, toMs: START_MS + 2000, stepMs: 1000, merged: true };
  const [row] = series.range(query).rows;
  assert.ok(row?.kind === 'histogram');
  assert.deepEqual(row.steps, [null, { buckets: [3], counts: [1], sum: 1 }]);
  series
    .histogram({ name: 'duration', labels: { route: 'a' }, bounds })
    .add(START_MS + 1000, { buckets: [0], counts: [2], sum: 1 });
  const [after] = series.range(query).rows;
  assert.ok(after?.kind === 'histogram');
  assert.deepEqual(after.steps[1], { buckets: [0, 3], counts: [2, 1], sum: 2 });
});

test('a gauge that is set to zero is zero, within a step too', () => {
  const clock = new SimulatedClock(START_MS);
  const series = createSeries({ clock });
  const level = series.gauge({ name: 'level' });
  level.set(START_MS, 5);
  level.set(START_MS + 400, 0);
  level.set(START_MS + 1000, 0);
  const range = series.range({ name: 'level', fromMs: START_MS, toMs: START_MS + 2000, stepMs: 1000 });
  const [row] = range.rows;
  assert.ok(row?.kind === 'gauge');
  assert.deepEqual(
    [[...row.last], [...row.max]],
    [
      [0, 0],
      [5, 0],
    ],
  );
});

test('a step is as fine as what reaches so far, and the answer says which', () => {
  const clock = new SimulatedClock(START_MS);
  const series = createSeries({ clock });
  series.round(START_MS);
  series.counter({ name: 'brief', detail: 'brief' }).add(START_MS, 1);
  series.counter({ name: 'full' }).add(START_MS, 1);
  clock.pass(2 * 3_600_000);
  const toMs = clock.wallMs();
  series.round(toMs);
  const stepOf = (name: string, agoMs: number): number =>
    series.range({ name, fromMs: toMs - agoMs, toMs, stepMs: 1000 }).stepMs;
  assert.equal(stepOf('full', 1_800_000), 1000);
  assert.equal(stepOf('full', 2 * 3_600_000), 10_000);
  assert.equal(stepOf('brief', 1_800_000), 10_000);
  assert.equal(stepOf('brief', 2 * 3_600_000), 300_000);
  assert.throws(() => series.range({ name: 'full', fromMs: toMs, toMs }), /not after/);
});

test('of a time before the clock was set nothing is known, however short it was', () => {
  const clock = new SimulatedClock(0);
  const series = createSeries({ clock });
  const counter = series.counter({ name: 'c' });
  const count = (seconds: number): void => {
    for (let second = 0; second < seconds; second++) {
      clock.pass(1000);
      counter.add(clock.wallMs(), 1);
    }
  };
  count(1000);
  assert.equal(counter.firstMs(), 1000);
  clock.stepWall(START_MS);
  const setMs = clock.wallMs();
  count(1);
  assert.equal(counter.firstMs(), setMs + 1000);
  count(1000);
  assert.equal(counter.firstMs(), setMs + 1000);
});

test('what is restored of a series that has become another meanwhile is let go of', () => {
  const clock = new SimulatedClock(START_MS);
  const series = createSeries({ clock });
  const restoring = series.restoring();
  const identity = { kind: 'counter', name: 'c', labels: {}, detail: 'full', bounds: new Float64Array(0) } as const;
  for (let step = 0; step < 300; step++) restoring.add(identity, 2, { step: START_MS / 300_000 - step, value: 1 });
  series.gauge({ name: 'c' }).set(START_MS, 7);
  for (const _ of restoring.end(true));
  const other = createSeries({ clock });
  other.gauge({ name: 'c' }).set(START_MS, 7);
  assert.deepEqual(series.stats, { ...other.stats, replaced: 1 });
});

test('rows are those with the newest samples, and how many more there are is said', () => {
  const clock = new SimulatedClock(START_MS);
  const series = createSeries({ clock });
  for (let at = 0; at < 5; at++) series.counter({ name: 'c', labels: { at: String(at) } }).add(START_MS + at * 1000, 1);
  const range = series.range({ name: 'c', fromMs: START_MS, toMs: START_MS + 5000, rowsMax: 2 });
  assert.deepEqual([range.rows.map(({ labels }) => labels['at']), range.more], [['4', '3'], 3]);
  assert.equal(
    series.range({ name: 'c', labels: { at: '1' }, fromMs: START_MS, toMs: START_MS + 5000 }).rows.length,
    1,
  );
});

test('what is answered is bounded, however many rows of however many steps are asked for', () => {
  const clock = new SimulatedClock(START_MS);
  const series = createSeries({ clock });
  for (let at = 0; at < 300; at++) series.counter({ name: 'c', labels: { at: String(at) } }).add(START_MS, 1);
  const query = { name: 'c', fromMs: START_MS - 3_600_000, toMs: START_MS + 3_600_000, rowsMax: 1000 };
  const fine = series.range({ ...query, stepMs: 1000 });
  assert.deepEqual([fine.sampled.length, fine.rows.length, fine.more], [7200, 138, 162]);
  assert.equal(series.range(query).rows.length, 300);
});

test('more series than there may be are refused and counted, until some have been idle for ten minutes', () => {
  const clock = new SimulatedClock(START_MS);
  const series = createSeries({ clock, seriesMax: 2 });
  const [one, two, three] = ['one', 'two', 'three'].map((name) => series.counter({ name }));
  for (const each of [one, two, three]) each!.add(clock.wallMs(), 1);
  assert.deepEqual([series.stats.series, series.stats.refused], [2, 1]);
  clock.pass(700_000);
  two!.add(clock.wallMs(), 1);
  three!.add(clock.wallMs(), 1);
  assert.deepEqual([series.stats.series, series.stats.refused], [2, 1]);
  const sum = (name: string): number => series.counter({ name }).total(START_MS, clock.wallMs() + 1000);
  assert.deepEqual([sum('one'), sum('two'), sum('three')], [0, 2, 1]);
  one!.add(clock.wallMs(), 1);
  assert.equal(series.stats.refused, 2);
});

test('when its memory is full, new series are refused and all the others reach less far, evenly', () => {
  const clock = new SimulatedClock(START_MS);
  const series = createSeries({ clock, memoryBytes: 1_000_000 });
  const all = Array.from({ length: 60 }, (_, at) => series.counter({ name: 'c', labels: { at: String(at) } }));
  let most = 0;
  for (let second = 0; second < 9000; second++) {
    clock.pass(1000);
    series.round(clock.wallMs());
    for (const each of all) each.add(clock.wallMs(), 1_000_000);
    most = Math.max(most, series.stats.bytes);
  }
  assert.ok(most < 1_300_000, `${most} B`);
  const now = clock.wallMs() + 1000;
  for (let at = 0; at < 60; at++) {
    assert.equal(series.counter({ name: 'c', labels: { at: String(at) } }).total(now - 900_000, now), 900 * 1_000_000);
  }
  clock.pass(1000);
  for (let tries = 0; tries < 3 && series.stats.bytes <= 1_000_000; tries++) clock.pass(20_000);
  const before = series.stats;
  series.counter({ name: 'further' }).add(now, 1);
  assert.equal(series.stats.refused, before.bytes > 1_000_000 ? 1 : 0);
});

test('series by which something is decided stay whole, whatever there is beside them', () => {
  const clock = new SimulatedClock(START_MS);
  const series = createSeries({ clock, seriesMax: 3, memoryBytes: 1_000_000, lasting: ['bad', 'later'] });
  const bad = series.counter({ name: 'bad' });
  bad.add(clock.wallMs(), 7);
  const bounds = Float64Array.from({ length: 400 }, (_, at) => at);
  const buckets = Array.from(bounds.keys());
  const counts = buckets.map(() => 0.5);
  const long = series.histogram({ name: 'long', bounds });
  for (let second = 0; second < 1800; second++) {
    clock.pass(1000);
    long.add(clock.wallMs(), { buckets, counts, sum: 1 });
    if (second % 200 === 0) bad.add(clock.wallMs(), 1);
  }
  for (let more = 0; more < 1000 && series.stats.bytes <= 1_000_000; more++) {
    clock.pass(1000);
    long.add(clock.wallMs(), { buckets, counts, sum: 1 });
  }
  assert.ok(series.stats.bytes > 1_000_000, `${series.stats.bytes} B`);
  for (let at = 0; at < 5; at++) series.counter({ name: 'other', labels: { at: String(at) } }).add(clock.wallMs(), 1);
  assert.equal(series.stats.refused, 5);
  series.counter({ name: 'later' }).add(clock.wallMs(), 3);
  const sum = (name: string): number => series.counter({ name }).total(START_MS, clock.wallMs() + 1000);
  assert.deepEqual([sum('bad'), sum('later')], [16, 3]);
  // Long without a failure, while others want room.
  const small = createSeries({ clock, seriesMax: 1, lasting: ['bad'] });
  small.counter({ name: 'bad' }).add(clock.wallMs(), 7);
  clock.pass(700_000);
  small.counter({ name: 'x' }).add(clock.wallMs(), 1);
  small.counter({ name: 'y' }).add(clock.wallMs(), 1);
  assert.equal(small.counter({ name: 'bad' }).total(START_MS, clock.wallMs() + 1000), 7);
});

test('series that get no samples any more are forgotten when all of it is old', () => {
  const clock = new SimulatedClock(START_MS);
  const series = createSeries({ clock });
  const other = series.counter({ name: 'other' });
  const gone = series.counter({ name: 'gone', detail: 'brief' });
  gone.add(START_MS, 1);
  const passes = (ms: number): void => {
    clock.pass(ms);
    for (let times = 0; times < 5; times++) other.add(clock.wallMs(), 1);
  };
  passes(12 * 3_600_000);
  assert.equal(series.stats.series, 2);
  clock.stepWall(400 * 86_400_000);
  passes(1000);
  assert.equal(series.stats.series, 2, 'a clock that leaps makes nothing old');
  clock.stepWall(-400 * 86_400_000);
  passes(15 * 3_600_000);
  assert.equal(series.stats.series, 1);
  gone.add(clock.wallMs(), 4);
  assert.equal(series.counter({ name: 'gone' }).total(START_MS, clock.wallMs() + 1000), 4);
});

test('a clock that was ahead for longer than anything reaches, and is right again, leaves what it said behind', () => {
  const clock = new SimulatedClock(START_MS);
  const series = createSeries({ clock });
  const requests = series.counter({ name: 'c' });
  requests.add(clock.wallMs(), 1);
  clock.stepWall(50 * 86_400_000);
  requests.add(clock.wallMs(), 2);
  clock.stepWall(-50 * 86_400_000);
  clock.pass(1000);
  requests.add(clock.wallMs(), 4);
  const now = clock.wallMs() + 1000;
  assert.equal(series.counter({ name: 'c' }).total(now - 60_000, now), 5);
  assert.equal(series.stats.late, 0);
  requests.add(clock.wallMs() - 50 * 86_400_000, 8);
  assert.equal(series.stats.late, 1);
  assert.equal(series.counter({ name: 'c' }).total(now - 60_000, now), 5);
});

test('options that make no sense are refused', () => {
  assert.throws(() => createSeries({ seriesMax: 0 }), { code: 'OPTIONS_INVALID' });
  assert.throws(() => createSeries({ memoryBytes: '10kb' }), { code: 'OPTIONS_INVALID' });
  assert.throws(() => createSeries({ memory: 1 } as object), { code: 'OPTIONS_INVALID' });
});
