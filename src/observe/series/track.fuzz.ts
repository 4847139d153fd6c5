/** A track against a naive model: a map from steps to what was added to them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { counterKind, gaugeKind, type GaugeStep, histogramKind, type HistogramStep, type StepKind } from './kinds.ts';
import { Track } from './track.ts';

const STEPS = 1000;
const START = 1_800_000_000;

/** Mostly onward by a step, at times by many; at times back, as a clock that is set. */
const moves = fc.oneof(
  { weight: 12, arbitrary: fc.constant(1) },
  { weight: 4, arbitrary: fc.constant(0) },
  { weight: 2, arbitrary: fc.integer({ min: 2, max: 300 }) },
  { weight: 2, arbitrary: fc.integer({ min: -400, max: -1 }) },
  { weight: 1, arbitrary: fc.integer({ min: -1500, max: 1500 }) },
);

const bucketCounts = fc.dictionary(fc.integer({ min: 0, max: 500 }).map(String), fc.integer({ min: 1, max: 1e9 }), {
  maxKeys: 4,
});
const values = {
  counter: fc.oneof(
    fc.integer({ min: 0, max: 300 }),
    fc.maxSafeInteger().filter((value) => value > 0),
    fc.double({ min: 0, max: 1e6, noNaN: true }),
  ),
  gauge: fc
    .oneof(fc.integer({ min: -5, max: 900 }), fc.double({ noNaN: true }))
    .map((value): GaugeStep => ({ last: value + 0, max: value + 0 })),
  histogram: fc
    .tuple(bucketCounts, fc.double({ min: 0, max: 1e6, noNaN: true }))
    .map(([counts, sum]): HistogramStep => ({
      buckets: Object.keys(counts).map(Number),
      counts: Object.values(counts),
      sum,
    })),
};

/** Buckets by number: what a naive person would keep. */
const naive = {
  counter: (into: number, later: number) => into + later,
  gauge: (into: GaugeStep, later: GaugeStep) => ({ last: later.last, max: Math.max(into.max, later.max) }),
  histogram: (into: HistogramStep, later: HistogramStep): HistogramStep => {
    const counts = new Map(into.buckets.map((bucket, at) => [bucket, into.counts[at]!]));
    for (const [at, bucket] of later.buckets.entries())
      counts.set(bucket, (counts.get(bucket) ?? 0) + later.counts[at]!);
    const buckets = [...counts.keys()].sort((one, other) => one - other);
    return { buckets, counts: buckets.map((bucket) => counts.get(bucket)!), sum: into.sum + later.sum };
  },
};

function holds<Step>(kind: StepKind<Step>, value: fc.Arbitrary<Step>, add: (into: Step, later: Step) => Step): void {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(moves, value), { minLength: 1, maxLength: 700 }),
      fc.nat(),
      fc.nat(),
      (given, one, other) => {
        let bytes = 0;
        const onBytes = (grown: number): boolean => {
          bytes += grown;
          return false;
        };
        const track = new Track({ kind, steps: STEPS, onBytes });
        const model = new Map<number, Step>();
        let step = START;
        let newest = 0;
        for (const [move, added] of given) {
          step += move;
          const isLate = step <= newest - STEPS;
          assert.equal(track.add(step, added), !isLate);
          if (isLate) continue;
          newest = Math.max(newest, step);
          const before = model.get(step);
          model.set(step, before === undefined ? added : add(before, added));
        }
        assert.equal(track.last, newest);
        const read = (from: number, to: number): [number, Step][] => {
          const found: [number, Step][] = [];
          track.each(from, to, (at, held) => found.push([at, kind.copy(held)]));
          return found;
        };
        const expected = (from: number, to: number): [number, Step][] =>
          [...model].filter(([at]) => at >= from && at <= to).sort(([a], [b]) => a - b);
        // All that is within reach is there; what is older may be.
        assert.deepEqual(read(newest - STEPS + 1, newest), expected(newest - STEPS + 1, newest));
        const from = newest - STEPS + 1 + (one % STEPS);
        const to = from + (other % 500);
        assert.deepEqual(read(from, to), expected(from, to));
        const whole = expected(from, to).reduce((sum, [, held]) => sum + kind.amount(held), 0);
        const total = track.total(from, to);
        assert.ok(Math.abs(total - whole) <= 1e-9 * Math.abs(whole), `${total} for ${whole}`);

        track.forgetAfter(to);
        assert.deepEqual(read(newest - STEPS + 1, newest), expected(newest - STEPS + 1, Math.min(to, newest)));
        const last = track.last;
        assert.ok(last === null || last <= to);
        if (last !== null) assert.equal(track.add(last + 1, given[0]![1]), true);
        track.clear();
        assert.equal(bytes, 0, 'memory is counted as it is taken and given back');
      },
    ),
    { numRuns: 250 },
  );
}

test('a track that takes in another is as if all had been added to one, whichever ended first', () => {
  const steps = fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 900 });
  fc.assert(
    fc.property(steps, steps, fc.integer({ min: -1500, max: 1500 }), (earlier, own, apart) => {
      let bytes = 0;
      const made = () => new Track({ kind: gaugeKind, steps: STEPS, onBytes: (grown) => void (bytes += grown) });
      const filled = (gaps: readonly number[], from: number, level: number) => {
        const track = made();
        const held: [number, GaugeStep][] = [];
        let step = from;
        for (const gap of gaps) {
          held.push([(step += gap), { last: level, max: level }]);
          track.add(...held.at(-1)!);
        }
        return { track, held };
      };
      const [before, after] = [filled(earlier, START, 7), filled(own, START + apart, 3)];
      after.track.takeIn(before.track);
      const model = new Map(before.held);
      for (const [at, held] of after.held) model.set(at, model.has(at) ? { last: 3, max: 7 } : held);
      const newest = Math.max(0, ...model.keys());
      const found: [number, GaugeStep][] = [];
      after.track.each(newest - STEPS + 1, newest, (at, held) => found.push([at, { ...held }]));
      const expected = [...model].filter(([at]) => at > newest - STEPS).sort(([a], [b]) => a - b);
      assert.deepEqual(found, expected);
      assert.equal(before.track.first, null);
      if (newest > 0) assert.equal(after.track.add(newest + 1, { last: 1, max: 1 }), true);
      after.track.clear();
      assert.equal(bytes, 0);
    }),
    { numRuns: 200 },
  );
});

test('a track of a counter is a map from steps to sums', () => holds(counterKind, values.counter, naive.counter));
test('a track of a gauge is a map from steps to the last and the highest', () =>
  holds(gaugeKind, values.gauge, naive.gauge));
test('a track of a histogram is a map from steps to counts of buckets', () =>
  holds(histogramKind, values.histogram, naive.histogram));

test('a track that goes on for ever holds no more than its length and a chunk', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 200, maxLength: 400 }), (gaps) => {
      let bytes = 0;
      const track = new Track({ kind: counterKind, steps: 300, onBytes: (grown) => void (bytes += grown) });
      let step = START;
      let most = 0;
      for (let round = 0; round < 30; round++) {
        for (const gap of gaps) track.add((step += gap), 1);
        most = Math.max(most, bytes);
      }
      // Two chunks beyond, of which one is not full; a record is 3 B, twice that while it grows.
      assert.ok(most <= (300 + 2 * 240) * 6 + 6 * 300, `${most} B`);
      assert.ok((track.first ?? 0) > step - 300 - 2 * 4 * 240);
    }),
    { numRuns: 20 },
  );
});

test('a clock that leaps ten years ahead for a minute and returns costs no more than two chunks', () => {
  const track = new Track({ kind: counterKind, steps: 3600, onBytes: () => {} });
  for (let step = START; step < START + 3600; step++) track.add(step, 1);
  for (let second = 0; second < 60; second++) track.add(START + 3600 + 315_360_000 + second, 1);
  const now = START + 3660;
  assert.equal(track.add(now, 1), false, 'late for what is there');
  track.forgetAfter(now);
  assert.equal(track.add(now, 1), true);
  const left = track.total(START, now);
  assert.ok(left >= 3600 - 2 * 240, `${left} of 3600`);
});

test('a track that is to be shorter lets go of its oldest chunks, one by one, and never of what it promises then', () => {
  const track = new Track({ kind: counterKind, steps: 10_000, onBytes: () => {} });
  for (let step = START; step < START + 8000; step++) track.add(step, 3);
  const last = START + 7999;
  track.shorten(1);
  assert.equal(track.first, START);
  track.shorten(0.25);
  assert.equal(track.first, START + 240);
  for (let times = 0; times < 50; times++) track.shorten(0.25);
  assert.equal(track.total(last - 2499, last), 7500);
  assert.ok(track.first >= last - 2500 - 240);
});
