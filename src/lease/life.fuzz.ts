import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simulate } from '../../test/lease/simulation.ts';

// About 0.5 ms of CPU a seed.
const SEEDS = 50_000;

test(`in ${SEEDS} histories of messages, losses, pauses and drift no promise is broken`, () => {
  let grants = 0;
  let damages = 0;
  let refusals = 0;
  for (let seed = 0; seed < SEEDS; seed++) {
    const seen = simulate(seed);
    grants += seen.grants;
    damages += seen.damages;
    refusals += seen.refusals;
  }
  assert.ok(grants > 5 * SEEDS, `${grants} grants: little happens in these histories`);
  assert.ok(damages > SEEDS / 10, `${damages} writes came too late: the faults do not bite`);
  assert.ok(refusals > SEEDS / 10, `${refusals} writes were refused: the fence has nothing to do`);
});
