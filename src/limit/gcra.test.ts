import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type Ask, createOutcome } from './algorithm.ts';
import { gcra } from './gcra.ts';
import { tokenBucket } from './token-bucket.ts';

const START_US = 1_790_000_000_000_000;

const ask = (nowUs: number, cost: number): Ask => ({ nowUs, cost, times: 1, holder: 0 });

test('it decides as the formula of ITU-T I.371 does, with fractions of any length', () => {
  const step = fc.record({
    afterUs: fc.oneof(fc.nat(5), fc.nat(2e6), fc.nat(1e10)),
    cost: fc.integer({ min: 1, max: 5 }),
  });
  const parameters = fc.record({
    limit: fc.integer({ min: 1, max: 1000 }),
    per: fc.oneof(fc.constantFrom(1, 1000, 60_000, 86_400_000, 366 * 86_400_000), fc.integer({ min: 1, max: 1e9 })),
    burst: fc.integer({ min: 1, max: 20 }),
  });
  fc.assert(
    fc.property(parameters, fc.array(step, { maxLength: 50 }), ({ limit, per, burst }, steps) => {
      const algorithm = gcra({ limit, per, burst });
      const state = new Float64Array(3);
      const out = createOutcome();
      // In units of 1/limit µs, so that the emission interval is a whole number.
      const interval = BigInt(per) * 1000n;
      let arrival = 0n;
      let nowUs = START_US;
      for (const { afterUs, cost } of steps) {
        nowUs += afterUs;
        const now = BigInt(nowUs) * BigInt(limit);
        const next = (arrival > now ? arrival : now) + BigInt(cost) * interval;
        const conforms = next - now <= BigInt(burst) * interval;
        if (conforms) arrival = next;
        algorithm.take(state, 0, ask(nowUs, cost), out);
        assert.equal(out.granted === 1, conforms);
        if (conforms || cost > burst) continue;
        const early = next - BigInt(burst) * interval - now;
        assert.equal(BigInt(out.retryAfterUs), (early + BigInt(limit) - 1n) / BigInt(limit));
      }
    }),
    { numRuns: 1000 },
  );
});

test('the same rate as a token bucket is the same numbers', () => {
  assert.deepEqual(
    gcra({ limit: 600, per: '1m', burst: 5 }).parameters,
    tokenBucket({ capacity: 5, refillPerSecond: 10 }).parameters,
  );
});

test('mistakes are named', () => {
  const refused = (options: object, message: RegExp): void => {
    assert.throws(() => gcra(options as never), { code: 'OPTIONS_INVALID', message });
  };
  refused({ limit: 0, per: '1s' }, /gcra: limit is 0/);
  refused({ limit: 1, per: '1' }, /gcra: per is “1”; expected a duration/);
  refused({ limit: 1, per: 0 }, /gcra: per is 0/);
  refused({ limit: 1, per: Number.NaN }, /gcra: per is NaN/);
  refused({ limit: 1, per: '400d' }, /gcra: per is 400d/);
  refused({ limit: 1, per: 0.0001 }, /gcra: per is 0\.0001/);
  refused({ limit: 1, per: '1s', burst: 0 }, /gcra: burst is 0/);
  refused({ limit: 1, per: '1s', bursts: 3 }, /Did you mean burst/);
  refused({ limit: 999_999_937, per: '366d' }, /cannot be counted exactly/);
});
