/** A replay against live evaluation of the same steps, gaps and counters that begin anew after them included: the alert is on at the same moments. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SimulatedClock } from '../../../kernel/simulated-clock.ts';
import { createSeries } from '../../series/series.ts';
import { createSloEvaluator } from '../live/evaluator.ts';
import { resolveSlos } from '../load.ts';
import { beginningsOf, type RecordedStep } from './recording.ts';
import { replay } from './replay.ts';

const STEP_S = 60;
/** The long window of the page. */
const HOUR_S = 3600;

const stretch = fc.record({
  steps: fc.integer({ min: 1, max: 30 }),
  requests: fc.constantFrom(0, 1, 600),
  failing: fc.constantFrom(0, 0, 0.01, 0.1, 1),
  lost: fc.constantFrom(false, false, true),
});

test('the page is on in a replay when it is on live', () => {
  let fired = 0;
  const input = { name: 'up', objective: '99.9%', sli: { availability: {} } } as const;
  const slo = resolveSlos({ service: 'shop', slos: [input] }).slos!.slos[0]!;
  fc.assert(
    fc.property(fc.array(stretch, { minLength: 2, maxLength: 12 }), (stretches) => {
      const clock = new SimulatedClock(1_800_000_000_000);
      const evaluator = createSloEvaluator({ slos: [slo], series: createSeries({ clock }), clock });
      const steps: RecordedStep[] = [];
      const live: { readonly atS: number; readonly isOn: boolean; readonly sinceS: number }[] = [];
      let [total, bad] = [0, 0];
      // A recording does not say when the service began: of a young one, live alerts wait for more.
      const before = { steps: HOUR_S / STEP_S, requests: 1, failing: 0, lost: false };
      for (const each of [before, ...stretches]) {
        for (let count = 0; count < each.steps; count += 1) {
          clock.pass(STEP_S * 1000);
          const atS = clock.wallMs() / 1000;
          total += each.requests;
          bad += Math.round(each.requests * each.failing);
          if (!each.lost) {
            evaluator.count('shop-up', { total, bad });
            steps.push({ atS, good: total - bad, bad });
            [total, bad] = [0, 0];
          }
          const [status] = evaluator.evaluate();
          const isOn = status!.alerts[0]!.state === 'firing';
          live.push({ atS, isOn, sinceS: atS - (steps.at(-1)?.atS ?? atS) });
        }
      }
      const usual = steps.every(({ atS }, at) => at === 0 || beginningsOf(steps)[at] === atS - STEP_S);
      const [history] = replay(slo, { steps });
      const { firings, alert } = history!;
      for (const { atS, isOn, sinceS } of live) {
        // Within a gap a replay knows only that a window is empty; after the last step, nothing.
        const isKnown = sinceS === 0 || (usual && sinceS >= alert.shortS && atS <= steps.at(-1)!.atS);
        if (!isKnown) continue;
        if (isOn) fired += 1;
        const replayed = firings.some(({ fromS, toS }) => fromS <= atS && (toS === null || atS < toS));
        assert.equal(replayed, isOn, `at ${atS}`);
      }
    }),
    { numRuns: 100 },
  );
  assert.ok(fired > 100, `${fired} times it was on: too few to show much`);
});
