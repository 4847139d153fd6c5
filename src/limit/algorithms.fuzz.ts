/**
 * Every algorithm against a model that anybody can check, in integers of any length. Whatever is asked at whatever time, both answer
 * alike; who waits as told is granted, and not a microsecond sooner; many takes at once are so many takes one after another.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type Algorithm, type Ask, createOutcome } from './algorithm.ts';
import { concurrency } from './concurrency.ts';
import { fixedWindow } from './fixed-window.ts';
import { gcra } from './gcra.ts';
import { slidingLog } from './sliding-log.ts';
import { slidingWindow } from './sliding-window.ts';
import { tokenBucket } from './token-bucket.ts';

const START_US = 1_790_000_000_000_000;

/** What an algorithm means, with no thought of cost. */
interface Model {
  fits(nowUs: number, cost: number): boolean;
  add(nowUs: number, cost: number, holder: number): void;
  giveBack(nowUs: number, amount: number): void;
  release?(nowUs: number, holder: number): boolean;
  renew?(nowUs: number, holder: number): boolean;
}

interface Case {
  readonly algorithm: Algorithm;
  readonly model: Model;
}

/** A debt of tokens of `perUs` parts, of which `tokens` come back each microsecond. */
function bucketModel(capacity: number, tokens: number, perUs: number): Model {
  let owed = 0n;
  let atUs = START_US;
  const token = BigInt(perUs);
  const owedAt = (nowUs: number): bigint => {
    const left = owed - BigInt(nowUs - atUs) * BigInt(tokens);
    return left > 0n ? left : 0n;
  };
  return {
    fits: (nowUs, cost) => owedAt(nowUs) + BigInt(cost) * token <= BigInt(capacity) * token,
    add(nowUs, cost) {
      owed = owedAt(nowUs) + BigInt(cost) * token;
      atUs = nowUs;
    },
    giveBack(nowUs, amount) {
      const left = owedAt(nowUs) - BigInt(amount) * token;
      owed = left > 0n ? left : 0n;
      atUs = nowUs;
    },
  };
}

/** What was taken in each window; the window before counts by `overlaps`. */
function windowModel(limit: number, windowUs: number, overlaps: boolean): Model {
  const taken = new Map<number, number>();
  const length = BigInt(windowUs);
  const of = (index: number): bigint => BigInt(taken.get(index) ?? 0);
  const indexOf = (nowUs: number): number => Math.floor(nowUs / windowUs);
  const set = (index: number, by: number): void => void taken.set(index, Math.max(0, (taken.get(index) ?? 0) + by));
  return {
    fits(nowUs, cost) {
      const index = indexOf(nowUs);
      const left = length - BigInt(nowUs - index * windowUs);
      const before = overlaps ? of(index - 1) * left : 0n;
      return before + (of(index) + BigInt(cost)) * length <= BigInt(limit) * length;
    },
    add: (nowUs, cost) => set(indexOf(nowUs), cost),
    giveBack(nowUs, amount) {
      const index = indexOf(nowUs);
      const ofThis = Math.min(amount, taken.get(index) ?? 0);
      set(index, -ofThis);
      if (overlaps) set(index - 1, ofThis - amount);
    },
  };
}

/** Every take by itself, with its end. */
function listModel(limit: number, forUs: number): Model {
  let held: { endUs: number; readonly holder: number }[] = [];
  const inside = (nowUs: number) => held.filter(({ endUs }) => endUs > nowUs);
  return {
    fits: (nowUs, cost) => inside(nowUs).length + cost <= limit,
    add(nowUs, cost, holder) {
      for (let each = 0; each < cost; each++) held.push({ endUs: nowUs + forUs, holder });
    },
    giveBack(nowUs, amount) {
      const left = inside(nowUs);
      held = left.slice(0, Math.max(0, left.length - amount));
    },
    release(nowUs, holder) {
      const found = inside(nowUs).some((each) => each.holder === holder);
      held = inside(nowUs).filter((each) => each.holder !== holder);
      return found;
    },
    renew(nowUs, holder) {
      const own = inside(nowUs).filter((each) => each.holder === holder);
      for (const each of own) each.endUs = nowUs + forUs;
      return own.length > 0;
    },
  };
}

const limit = fc.integer({ min: 1, max: 12 });
/** Lengths that divide nothing evenly, and some that people use. */
const perMs = fc.oneof(
  fc.constantFrom(0.007, 1, 1000, 60_000),
  fc.integer({ min: 1, max: 5000 }).map((us) => us / 1000),
);

const cases: Readonly<Record<string, fc.Arbitrary<Case>>> = {
  'token bucket': fc
    .record({
      limit,
      rate: fc.oneof(
        fc.constantFrom(0.1, 3, 1e6),
        fc.integer({ min: 1, max: 9e9 }).map((n) => n / 1e6),
      ),
    })
    .map(({ limit, rate }) => ({
      algorithm: tokenBucket({ capacity: limit, refillPerSecond: rate }),
      model: bucketModel(limit, Math.round(rate * 1e6), 1e12),
    })),
  gcra: fc.record({ limit, perMs, burst: limit }).map(({ limit, perMs, burst }) => ({
    algorithm: gcra({ limit, per: perMs, burst }),
    model: bucketModel(burst, limit, Math.round(perMs * 1000)),
  })),
  'fixed window': fc.record({ limit, perMs }).map(({ limit, perMs }) => ({
    algorithm: fixedWindow({ limit, per: perMs }),
    model: windowModel(limit, Math.round(perMs * 1000), false),
  })),
  'sliding window': fc.record({ limit, perMs }).map(({ limit, perMs }) => ({
    algorithm: slidingWindow({ limit, per: perMs }),
    model: windowModel(limit, Math.round(perMs * 1000), true),
  })),
  'sliding log': fc.record({ limit, perMs }).map(({ limit, perMs }) => ({
    algorithm: slidingLog({ limit, per: perMs }),
    model: listModel(limit, Math.round(perMs * 1000)),
  })),
  concurrency: fc.record({ limit, perMs }).map(({ limit, perMs }) => ({
    algorithm: concurrency({ limit, lease: perMs }),
    model: listModel(limit, Math.round(perMs * 1000)),
  })),
};

const step = fc.record({
  verb: fc.oneof(
    { weight: 6, arbitrary: fc.constant('take' as const) },
    fc.constantFrom('back' as const, 'again' as const),
  ),
  /** A share of the time for the whole limit, or a fixed number of microseconds. */
  pass: fc.oneof(fc.constant(0), fc.nat(5), fc.double({ min: 0, max: 2.5, noNaN: true })),
  cost: fc.nat(14),
  times: fc.oneof({ weight: 3, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.nat(5) }),
  holder: fc.integer({ min: 1, max: 4 }),
});

const out = createOutcome();
const other = createOutcome();
const AT = 2;

/** What `peek` answers at another moment, on a copy. */
function peekAt(algorithm: Algorithm, state: Float64Array, ask: Ask) {
  algorithm.peek(state.slice(), AT, ask, other);
  return other;
}

/** That what it says of a state is true, at this moment and at the moments that it names. */
function checkPromises(algorithm: Algorithm, state: Float64Array, ask: Ask, model: Model): void {
  const { nowUs } = ask;
  const { remaining, resetAfterUs } = out;
  assert.ok(model.fits(nowUs, remaining) && !model.fits(nowUs, remaining + 1), `${remaining} remain`);
  assert.equal(algorithm.idle(state.slice(), AT, nowUs + resetAfterUs), true, `idle after ${resetAfterUs} µs`);
  if (resetAfterUs > 0) assert.equal(algorithm.idle(state.slice(), AT, nowUs + resetAfterUs - 1), false);
  if (out.granted === ask.times) {
    assert.equal(out.retryAfterUs, 0);
    return;
  }
  if (ask.cost > algorithm.limit) {
    assert.equal(out.retryAfterUs, Number.POSITIVE_INFINITY);
    return;
  }
  const dueUs = nowUs + out.retryAfterUs;
  assert.ok(model.fits(dueUs, ask.cost) && !model.fits(dueUs - 1, ask.cost), `due after ${out.retryAfterUs} µs`);
  const early = peekAt(algorithm, state, { ...ask, nowUs: dueUs - 1, times: 1 });
  assert.deepEqual([early.granted, early.retryAfterUs], [0, 1]);
  assert.equal(peekAt(algorithm, state, { ...ask, nowUs: dueUs, times: 1 }).granted, 1);
}

for (const [name, each] of Object.entries(cases)) {
  test(`${name}: any takes, refunds and waits are decided as the model decides them`, () => {
    fc.assert(
      fc.property(each, fc.array(step, { maxLength: 40 }), ({ algorithm, model }, steps) => {
        const state = new Float64Array(AT + algorithm.width);
        let nowUs = START_US;
        for (const { verb, pass, cost, times, holder } of steps) {
          nowUs += Number.isInteger(pass) ? pass : Math.floor(pass * algorithm.windowMs * 1000);
          const ask: Ask = { nowUs, cost, times, holder: holder * 100 };
          const before = state.slice();
          if (verb !== 'take') {
            if (algorithm.kind !== 'concurrency') {
              algorithm.refund(state, AT, ask);
              model.giveBack(nowUs, cost);
            } else if (verb === 'back') {
              assert.equal(algorithm.release(state, AT, ask), model.release!(nowUs, ask.holder));
            } else {
              assert.equal(algorithm.renew(state, AT, ask), model.renew!(nowUs, ask.holder));
            }
            algorithm.peek(state, AT, { ...ask, cost: 0, times: 1 }, out);
            checkPromises(algorithm, state, { ...ask, cost: 0, times: 1 }, model);
            continue;
          }
          algorithm.take(state, AT, ask, out);
          let granted = 0;
          for (; granted < times && model.fits(nowUs, cost); granted++) model.add(nowUs, cost, ask.holder + granted);
          assert.equal(out.granted, granted);
          checkPromises(algorithm, state, ask, model);
          if (granted === 0) assert.deepEqual(state, before, 'what is refused writes nothing');
          // One after another is the same.
          const apart = before.slice();
          for (let take = 0; take < times; take++) {
            algorithm.take(apart, AT, { ...ask, times: 1, holder: ask.holder + take }, other);
          }
          assert.deepEqual(apart, state);
          assert.deepEqual([...state.subarray(0, AT)], [0, 0], 'nothing outside its numbers is written');
          assert.ok(state.every((number) => Number.isSafeInteger(number) && number >= 0));
        }
      }),
      { numRuns: 600 },
    );
  });

  test(`R4: ${name}: a clock that steps back freezes no key for longer than it could have been frozen anyway`, () => {
    fc.assert(
      fc.property(each, fc.integer({ min: 1, max: 1e13 }), fc.nat(12), ({ algorithm }, backUs, cost) => {
        const state = new Float64Array(AT + algorithm.width);
        const ask: Ask = { nowUs: START_US, cost: algorithm.limit, times: 1, holder: 1 };
        algorithm.take(state, AT, ask, out);
        const nowUs = START_US - backUs;
        algorithm.peek(state, AT, { ...ask, nowUs, cost: Math.min(cost, algorithm.limit) }, out);
        // Two windows for the counter of windows, which counts one of them in the next.
        const longestUs = Math.ceil(algorithm.windowMs * 1000) * 2;
        assert.ok(out.retryAfterUs <= longestUs && out.resetAfterUs <= longestUs);
        assert.equal(peekAt(algorithm, state, { ...ask, nowUs: nowUs + out.resetAfterUs }).granted, 1);
      }),
      { numRuns: 300 },
    );
  });

  test(`${name}: a share of it limits to that share, and at least to one`, () => {
    fc.assert(
      fc.property(each, fc.double({ min: 0.01, max: 1, noNaN: true }), ({ algorithm }, ratio) => {
        const part = algorithm.share(ratio);
        assert.equal(part.kind, algorithm.kind);
        assert.equal(part.limit, Math.max(1, Math.floor(algorithm.limit * ratio)));
        const state = new Float64Array(AT + part.width);
        part.take(state, AT, { nowUs: START_US, cost: 1, times: 100, holder: 1 }, out);
        assert.equal(out.granted, part.limit);
      }),
    );
  });
}

test('a million steps of every algorithm leave whole numbers', () => {
  for (const algorithm of [
    tokenBucket({ capacity: 10, refillPerSecond: 333_333.333333 }),
    gcra({ limit: 3, per: '7d', burst: 2 }),
    fixedWindow({ limit: 7, per: 0.013 }),
    slidingWindow({ limit: 7, per: 0.013 }),
    slidingLog({ limit: 7, per: 0.013 }),
    concurrency({ limit: 3, lease: 0.013 }),
  ]) {
    const state = new Float64Array(algorithm.width);
    const ask: Ask = { nowUs: START_US, cost: 1, times: 1, holder: 7 };
    for (let step = 0; step < 1e6; step++) {
      ask.nowUs += 1 + (step % 5);
      algorithm.take(state, 0, ask, out);
    }
    assert.ok(
      state.every((number) => Number.isSafeInteger(number)),
      algorithm.kind,
    );
  }
});
