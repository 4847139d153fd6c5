import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type Ask, createOutcome } from './algorithm.ts';
import { tokenBucket } from './token-bucket.ts';

const START_US = 1_790_000_000_000_000;

function ask(nowUs: number, cost: number, times = 1): Ask {
  return { nowUs, cost, times, holder: 0 };
}

const TOKEN = 10n ** 12n;

/** The same in integers of any length: millionths of a token a second are parts of 10^12 a microsecond. */
class Model {
  #owed = 0n;
  #atUs = START_US;

  readonly #full: bigint;
  readonly #perUs: bigint;

  constructor(capacity: number, millionths: number) {
    this.#full = BigInt(capacity) * TOKEN;
    this.#perUs = BigInt(millionths);
  }

  #pass(nowUs: number): void {
    this.#owed -= BigInt(nowUs - this.#atUs) * this.#perUs;
    if (this.#owed < 0n) this.#owed = 0n;
    this.#atUs = nowUs;
  }

  take(nowUs: number, cost: number): boolean {
    this.#pass(nowUs);
    const price = BigInt(cost) * TOKEN;
    if (this.#owed + price > this.#full) return false;
    this.#owed += price;
    return true;
  }

  refund(nowUs: number, amount: number): void {
    this.#pass(nowUs);
    this.#owed -= BigInt(amount) * TOKEN;
    if (this.#owed < 0n) this.#owed = 0n;
  }

  remaining(): number {
    return Number((this.#full - this.#owed) / TOKEN);
  }
}

const rate = fc.oneof(
  fc.constantFrom(1e-6, 0.1, 0.3, 1, 3, 7, 1e6),
  fc.integer({ min: 1, max: 5e7 }).map((millionths) => millionths / 1e6),
);

test('any takes and refunds at any times are decided as with unlimited precision', () => {
  const step = fc.record({
    afterUs: fc.oneof(fc.nat(3), fc.nat(3e6), fc.nat(1e11)),
    cost: fc.nat(12),
    back: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10 }),
      rate,
      fc.array(step, { maxLength: 60 }),
      (capacity, perSecond, steps) => {
        const algorithm = tokenBucket({ capacity, refillPerSecond: perSecond });
        const model = new Model(capacity, Math.round(perSecond * 1e6));
        const state = new Float64Array(5);
        const out = createOutcome();
        let nowUs = START_US;
        for (const { afterUs, cost, back } of steps) {
          nowUs += afterUs;
          if (back) {
            algorithm.refund(state, 1, ask(nowUs, cost));
            model.refund(nowUs, Math.min(cost, capacity));
          } else {
            algorithm.take(state, 1, ask(nowUs, cost), out);
            assert.equal(out.granted === 1, model.take(nowUs, cost));
            assert.equal(out.remaining, model.remaining());
          }
        }
      },
    ),
    { numRuns: 1000 },
  );
});

test('R8: ten million small steps are one large step: nothing is rounded', () => {
  // A third of a token, as nearly as six decimals can say it.
  const algorithm = tokenBucket({ capacity: 1_000, refillPerSecond: 333_333.333333 });
  const state = new Float64Array(3);
  const out = createOutcome();
  algorithm.take(state, 0, ask(START_US, 1_000), out);
  let taken = 0;
  for (let step = 1; step <= 10_000_000; step++) {
    algorithm.take(state, 0, ask(START_US + step, 1), out);
    taken += out.granted;
  }
  assert.equal(taken, 3_333_333);
  algorithm.peek(state, 0, ask(START_US + 1e7, 1), out);
  // A third of a token has come back, and two more take a millionth of a millionth longer than two microseconds.
  assert.deepEqual([out.granted, out.remaining, out.retryAfterUs], [0, 0, 3]);
});

test('R8: one in a million seconds, and a million a second, are exact', () => {
  const out = createOutcome();
  const state = new Float64Array(3);
  const slow = tokenBucket({ capacity: 1, refillPerSecond: 1e-6 });
  slow.take(state, 0, ask(START_US, 1), out);
  slow.take(state, 0, ask(START_US + 1e12 - 1, 1), out);
  assert.deepEqual([out.granted, out.retryAfterUs], [0, 1]);
  slow.take(state, 0, ask(START_US + 1e12, 1), out);
  assert.equal(out.granted, 1);
  const fast = tokenBucket({ capacity: 1, refillPerSecond: 1e6 });
  state.fill(0);
  for (let us = 0; us < 1000; us++) {
    fast.take(state, 0, ask(START_US + us, 1), out);
    assert.equal(out.granted, 1);
    fast.take(state, 0, ask(START_US + us, 1), out);
    assert.deepEqual([out.granted, out.retryAfterUs], [0, 1]);
  }
});

test('a rate or a capacity that cannot be counted exactly is refused, and what is not a number', () => {
  const bad: readonly (readonly [capacity: unknown, refillPerSecond: unknown, message: RegExp])[] = [
    [0, 1, /capacity is 0; expected an integer from 1/],
    [-1, 1, /capacity is -1/],
    [1.5, 1, /capacity is 1\.5/],
    [Number.NaN, 1, /capacity is NaN/],
    [Number.POSITIVE_INFINITY, 1, /capacity is Infinity/],
    [1e10, 1, /capacity is 10000000000/],
    ['5', 1, /capacity is 5/],
    [1, 0, /refillPerSecond is 0/],
    [1, -1, /refillPerSecond is -1/],
    [1, Number.NaN, /refillPerSecond is NaN/],
    [1, 1e-7, /refillPerSecond/],
    [1, 1 / 3, /one in three seconds is gcra/],
    [1, undefined, /refillPerSecond is undefined/],
    [1e9, 0.000001, /cannot be counted exactly/],
  ];
  for (const [capacity, refillPerSecond, message] of bad) {
    const options = { capacity, refillPerSecond } as Parameters<typeof tokenBucket>[0];
    assert.throws(() => tokenBucket(options), { code: 'OPTIONS_INVALID', message });
  }
  const misspelt = { capacity: 1, refilPerSecond: 1 } as unknown as Parameters<typeof tokenBucket>[0];
  assert.throws(() => tokenBucket(misspelt), { message: /no option “refilPerSecond”.*Did you mean refillPerSecond\?/ });
});
