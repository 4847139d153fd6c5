/** The clauses about threads for balancers that count: turns are the same in each, load is seen across them. */
import assert from 'node:assert/strict';
import { createLoadTable, createPickContext, Loads } from '../balance/index.ts';
import { seededRandom } from '../kernel/random.ts';
import type { BalancerSubject } from './balancer-subject.ts';
import { keysOf, places, sum } from './balancer-drive.ts';
import type { BalancerFactory } from './balancer-place.ts';
import { inThreads, THREADS } from './threads.ts';

/** Between threads that pick at the same moment, and for those who ask only two. By chance alone it would be over 100. */
const UNEVEN_MAX = 25;

export function clausesOfTurns(subject: BalancerSubject, create: BalancerFactory) {
  return {
    'the same start leads to the same turns in every thread': async () => {
      const options = { weights: [3, 1, 2], start: 5 };
      const keys = keysOf(seededRandom(7), 1000);
      const own = places(create(options), keys, createPickContext(3));
      for (const other of await inThreads(subject, options, { keys })) assert.deepEqual(other, own);
    },

    'at no time is an endpoint two picks from its share': () => {
      const weights = [5, 1, 1, 3];
      const balancer = create({ weights });
      const context = createPickContext(weights.length);
      const counts = weights.map(() => 0);
      for (let made = 1; made <= 100; made++) {
        counts[balancer.pick(context)]! += 1;
        for (const [index, weight] of weights.entries()) {
          const off = Math.abs(counts[index]! - (made * weight) / sum(weights));
          assert.ok(off < 2, `${off} after ${made} picks: ${counts.join(' ')}`);
        }
      }
    },
  };
}

export function clausesOfLoad(subject: BalancerSubject) {
  return {
    'what other threads have started counts: together they fill up whoever has less, and no count is lost':
      async () => {
        const weights = [1, 1, 1, 1, 1, 1];
        const table = createLoadTable(weights.length, THREADS + 1);
        const mine = new Loads(table, 0);
        for (let started = 0; started < 1000; started++) mine.started(0, 0);
        const keys = keysOf(seededRandom(7), 2500);
        await inThreads(subject, { weights }, { keys, table });
        const inFlight = weights.map((_, index) => mine.inFlight(index));
        assert.equal(sum(inFlight), 1000 + THREADS * keys.length);
        const uneven = Math.max(...inFlight) - Math.min(...inFlight);
        assert.ok(uneven <= UNEVEN_MAX, `in flight: ${inFlight.join(' ')}`);
      },
  };
}
