import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isOut, type Sharing, sharesOf } from './traffic.ts';

const row = fc.record({
  service: fc.constantFrom('a', 'b'),
  weight: fc.nat(5),
  health: fc.constantFrom('up', 'down', 'ejected', 'trial', 'unknown'),
  drain: fc.constantFrom(null, 'draining'),
  perSecond: fc.oneof(fc.constant(null), fc.nat(100)),
}) as fc.Arbitrary<Sharing>;

test('shares of a service add up to one, and are each a part', () => {
  fc.assert(
    fc.property(fc.array(row), (rows) => {
      const shares = sharesOf(rows);
      for (const service of ['a', 'b']) {
        const own = shares.filter((_, at) => rows[at]!.service === service);
        for (const part of ['share', 'fair'] as const) {
          const known = own.map((each) => each[part]).filter((value) => value !== null);
          assert.ok(known.every((value) => value >= 0 && value <= 1));
          if (known.length > 0) assert.ok(Math.abs(known.reduce((sum, value) => sum + value, 0) - 1) < 1e-9);
        }
      }
      shares.forEach(({ fair, share }, at) => {
        if (isOut(rows[at]!)) assert.equal(fair, null);
        if (rows[at]!.perSecond === null) assert.equal(share, null);
      });
    }),
  );
});
