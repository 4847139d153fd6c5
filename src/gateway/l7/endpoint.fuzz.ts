/**
 * The line for a connection against what is said of it: any order of requests, answers, losses, departures, drains and reloads
 * keeps the limits, serves in order, gives a fresh connection to whoever must have one, and counts right.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { steps, World } from '../../../test/engine/endpoint-world.ts';

test('whatever happens to an endpoint, its line is served in order, within the limits, and counted right', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const world = new World();
      for (const step of all) world.take(step);
      // Once all is said and done, nobody is left behind.
      for (let turns = 0; world.requests.length > 0 && turns < 1000; turns += 1) {
        world.take({ kind: 'opened', which: 0 });
        world.take({ kind: 'answered', which: 0 });
        world.take({ kind: 'lost', which: turns });
        world.forgetFailed();
      }
      assert.equal(world.requests.length, 0);
    }),
    { numRuns: 300 },
  );
});
