import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';
import { seededRandom } from '../kernel/random.ts';
import { SimulatedClock } from '../kernel/simulated-clock.ts';
import { createCache, memoryCache } from './index.ts';

type Step =
  | { readonly do: 'ask' | 'write and delete' | 'write and set' | 'write and clear' }
  | { readonly do: 'answer' | 'fail' | 'give up'; readonly nth: number }
  | { readonly do: 'wait'; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Step>({ do: 'ask' }) },
  fc.record({ do: fc.constantFrom('write and delete', 'write and set', 'write and clear') }),
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('answer', 'fail', 'give up'), nth: fc.nat(5) }) },
  fc.record({ do: fc.constant('wait'), ms: fc.integer({ min: 1, max: 90 }) }),
) as fc.Arbitrary<Step>;

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

interface Running {
  readonly version: number;
  /** How often somebody had written when it began. */
  readonly epoch: number;
  readonly signal: AbortSignal;
  readonly answer: PromiseWithResolvers<number>;
}

test('any interleaving of loads, writes, failures, callers that leave, and time: nobody is given what was outdated when he asked, and one load runs at a time', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 60, size: 'max' }),
      fc.boolean(),
      fc.integer(),
      async (steps, crowded, seed) => {
        const clock = new SimulatedClock();
        const cache = createCache<number>({
          name: 'c',
          ttl: 100,
          stale: { whileRevalidate: 50, ifError: 200 },
          deadline: 80,
          memory: memoryCache({ entriesMax: crowded ? 1 : 100 }),
          clock,
          random: seededRandom(seed),
        });
        let truth = 0;
        let epoch = 0;
        let running: Running[] = [];
        const callers: { readonly asked: Promise<void>; readonly leave: AbortController }[] = [];
        const ask = (): void => {
          const atLeast = truth;
          const leave = new AbortController();
          const load = async ({ signal }: { signal: AbortSignal }): Promise<number> => {
            const answer = Promise.withResolvers<number>();
            running.push({ version: truth, epoch, signal, answer });
            const kept = running.filter((each) => each.epoch === epoch && !each.signal.aborted);
            assert.equal(kept.length, 1, 'one load at a time');
            return answer.promise;
          };
          const heard = (value: number): void => assert.ok(value >= atLeast, `${value} is older than ${atLeast}`);
          const asked = cache.get('k', load, { signal: leave.signal }).then(heard, (error: unknown) => {
            if (error instanceof assert.AssertionError) throw error;
          });
          asked.catch(() => {});
          callers.push({ asked, leave });
        };
        for (const each of steps) {
          if (each.do === 'ask') ask();
          else if (each.do === 'wait') clock.pass(each.ms);
          else if (each.do === 'give up') callers[each.nth]?.leave.abort();
          else if (each.do === 'answer' || each.do === 'fail') {
            const [one] = running.splice(each.nth, 1);
            if (each.do === 'answer') one?.answer.resolve(one.version);
            else one?.answer.reject(new Error('no database'));
          } else {
            truth += 1;
            epoch += 1;
            if (each.do === 'write and set') await cache.set('k', truth);
            else if (each.do === 'write and delete') await cache.delete('k');
            else await cache.clear();
          }
          if (crowded && each.do === 'wait') await cache.set('other', 0);
          await turn();
          const peeked = cache.peek('k');
          if (peeked !== undefined) assert.equal(peeked, truth);
        }
        for (const { answer, version } of running) answer.resolve(version);
        running = [];
        await Promise.all(callers.map(({ asked }) => asked));
        const { loads, refreshesFailed, evictions, ...results } = cache.counts;
        const answered = Object.values(results).reduce((sum, count) => sum + count, 0);
        assert.equal(answered, callers.length, 'each request is counted once');
        assert.ok(loads >= refreshesFailed && evictions >= 0);
        assert.equal(clock.timers, 0);
      },
    ),
  );
});
