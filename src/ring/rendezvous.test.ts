import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createRendezvous, logarithm } from './rendezvous.ts';

test('the logarithm is right to eleven places and falls with its argument over the whole range of draws', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 32 - 2 }), (draw) => {
      const exact = Math.log((draw + 0.5) / 2 ** 32);
      assert.ok(Math.abs(logarithm(draw) - exact) < 1e-11, `${draw}`);
      // The smallest step of a draw is larger than the error: the order of equal weights is kept.
      assert.ok(logarithm(draw) < logarithm(draw + 1), `${draw}`);
    }),
    { examples: [[0], [2 ** 32 - 2], [2 ** 31], [2 ** 31 - 1], [Math.floor(2 ** 32 / Math.SQRT2)]], numRuns: 2000 },
  );
});

test('equal weights of any size place keys alike, with the logarithm and without', () => {
  const names = ['a', 'b', 'c', 'd', 'e'];
  const [one, seven, nearly] = [1, 7, 1 + 1e-15].map((weight, kind) =>
    createRendezvous(
      names.map((name, index) => ({ name, weight: kind === 2 && index === 0 ? weight : Math.round(weight) })),
    ),
  );
  for (let key = 0; key < 500; key++) {
    assert.equal(seven!.get(`${key}`), one!.get(`${key}`));
    assert.equal(nearly!.get(`${key}`), one!.get(`${key}`));
  }
});
