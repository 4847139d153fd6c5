import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { SimulatedClock } from '../kernel/simulated-clock.ts';
import { createSlidingFilter, openSlidingFilter } from './sliding.ts';

type Step =
  | { readonly is: 'add'; readonly key: number }
  | { readonly is: 'pass'; readonly ms: number }
  | { readonly is: 'store'; readonly ms: number };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({ is: fc.constant('add' as const), key: fc.nat(30) }),
    fc.record({ is: fc.constant('pass' as const), ms: fc.oneof(fc.nat(400), fc.nat(5000)) }),
    fc.record({ is: fc.constant('store' as const), ms: fc.nat(600) }),
  ),
  { maxLength: 120, size: 'max' },
);

test('a key is found for the window after it was last added, and gone a generation later', () => {
  fc.assert(
    fc.property(steps, fc.integer({ min: 2, max: 7 }), (all, generations) => {
      const clock = new SimulatedClock();
      const window = 1000;
      // So low a rate that what is found, is there.
      const options = { capacity: 1000, falsePositiveRate: 0.000_01, window, generations, clock };
      let filter = createSlidingFilter(options);
      const addedMs = new Map<number, number>();
      for (const step of all) {
        if (step.is === 'pass') clock.pass(step.ms);
        if (step.is === 'store') {
          const bytes = filter.toBytes();
          clock.pass(step.ms);
          filter = openSlidingFilter(bytes, { clock });
        }
        if (step.is === 'add') {
          filter.add(`${step.key}`);
          addedMs.set(step.key, clock.nowMs());
        }
        for (const [key, ms] of addedMs) {
          const ageMs = clock.nowMs() - ms;
          if (ageMs <= window) assert.ok(filter.has(`${key}`), `${key} is missing after ${ageMs} ms`);
          const goneMs = window + window / (generations - 1);
          if (ageMs >= goneMs + 0.01) assert.ok(!filter.has(`${key}`), `${key} is there after ${ageMs} ms`);
        }
      }
    }),
    { numRuns: 300 },
  );
});

test('a key is there at the last moment of its window, whatever fractions of a millisecond generations take', () => {
  for (let window = 1; window <= 40; window++) {
    for (let generations = 2; generations <= 16; generations++) {
      const clock = new SimulatedClock();
      const filter = createSlidingFilter({ capacity: 100, falsePositiveRate: 0.000_01, window, generations, clock });
      for (let ms = 0; ms < 5 * window; ms++, clock.pass(1)) {
        filter.add(`${ms}`);
        if (ms >= window) assert.ok(filter.has(`${ms - window}`), `${window} ms, ${generations} generations, at ${ms}`);
      }
    }
  }
});

test('adding says whether the key was remembered, and it is remembered anew', () => {
  const clock = new SimulatedClock();
  const filter = createSlidingFilter({ capacity: 100, window: '10s', clock });
  assert.equal(filter.add('a'), true);
  for (let times = 0; times < 5; times++) {
    clock.pass(8000);
    assert.equal(filter.add('a'), false);
  }
  clock.pass(13_000);
  assert.equal(filter.add('a'), true);
});

test('with as many keys a window as it was made for, the rate is the one asked for', () => {
  const clock = new SimulatedClock();
  const filter = createSlidingFilter({ capacity: 40_000, falsePositiveRate: 0.01, window: '1m', clock });
  for (let index = 0; index < 120_000; index++) {
    filter.add(`key ${index}`);
    clock.pass(60_000 / 40_000);
  }
  const { falsePositiveRate, overCapacity, count } = filter.report();
  assert.equal(overCapacity, false);
  assert.ok(count >= 40_000 && count <= 51_000, String(count));
  assert.ok(falsePositiveRate.now <= 0.0101, String(falsePositiveRate.now));
  assert.ok(falsePositiveRate.atCapacity <= 0.01);
  let wrong = 0;
  for (let index = 0; index < 100_000; index++) if (filter.has(`absent ${index}`)) wrong++;
  assert.ok(Math.abs(wrong / 100_000 / falsePositiveRate.now - 1) < 0.2, `${wrong} of 100000`);
});

test('what is opened from memory is a filter of its own', () => {
  const clock = new SimulatedClock();
  const filter = createSlidingFilter({ capacity: 100, window: '10s', clock });
  filter.add('a');
  const other = openSlidingFilter(filter.memory, { clock });
  clock.pass(3000);
  filter.add('b');
  assert.deepEqual([other.has('a'), other.has('b'), filter.has('b')], [true, false, true]);
});

test('a burst that overfills a generation is said', () => {
  const filter = createSlidingFilter({ capacity: 1000, window: '1m', clock: new SimulatedClock() });
  filter.addMany(Array.from({ length: 1000 }, (_, index) => `${index}`));
  const { overCapacity, falsePositiveRate } = filter.report();
  assert.equal(overCapacity, true);
  assert.ok(falsePositiveRate.now > 0.01);
});

test('a wall clock that is set does not change what is remembered, nor does one that was set back while it was stored', () => {
  const clock = new SimulatedClock();
  const filter = createSlidingFilter({ capacity: 100, window: '10s', clock });
  filter.add('a');
  clock.stepWall(3_600_000);
  assert.ok(filter.has('a'));
  const bytes = filter.toBytes();
  assert.ok(openSlidingFilter(bytes, { clock }).has('a'));
  clock.stepWall(-7_200_000);
  const opened = openSlidingFilter(bytes, { clock });
  assert.ok(opened.has('a'));
  clock.pass(9000);
  assert.ok(opened.has('a'));
  clock.pass(4000);
  assert.ok(!opened.has('a'));
});

test('memory that is stored after the wall clock was set is as old as it is', () => {
  const clock = new SimulatedClock();
  const filter = createSlidingFilter({ capacity: 100, window: '10s', clock });
  clock.stepWall(3_600_000);
  filter.add('a');
  assert.ok(openSlidingFilter(filter.memory, { clock }).has('a'));
});

test('options that mean nothing are refused', () => {
  for (const window of [0, -1, 1.5, Number.NaN, '10', '400d', Number.POSITIVE_INFINITY]) {
    assert.throws(() => createSlidingFilter({ capacity: 1, window: window as number }), {
      code: 'OPTIONS_INVALID',
      message: /window is/,
    });
  }
  const bytes = createSlidingFilter({ capacity: 1, window: 1000 }).toBytes();
  assert.throws(() => openSlidingFilter(bytes, { clocks: null } as object), { message: /mean clock/ });
  for (const generations of [1, 17, 2.5]) {
    assert.throws(() => createSlidingFilter({ capacity: 1, window: 1000, generations }), /generations is/);
  }
});
