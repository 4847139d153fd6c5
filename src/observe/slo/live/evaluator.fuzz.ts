/**
 * Live evaluation against what Prometheus' rate makes of the same counters, sampled at the same moments: shares, and the alerts that are on, those
 * left out that are not proven yet because the service is young, with counters that begin anew and scrapes that are lost. What Prometheus itself says: test/slo/live-prometheus.test.ts.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { SimulatedClock } from '../../../kernel/simulated-clock.ts';
import { createSeries } from '../../series/series.ts';
import type { BurnAlert } from '../burn-alerts.ts';
import { resolveSlos } from '../load.ts';
import { errorBudget } from '../objective.ts';
import type { CounterSample } from '../prometheus-rate.ts';
import { alertsForSure, failureShare, type SloCounter } from '../simulate.ts';
import type { SloInput } from '../slo-schema.ts';
import { createSloEvaluator } from './evaluator.ts';

/** A sample each so often; windows are whole multiples of it. */
const SCRAPE_S = 10;

const stretch = fc.record({
  samples: fc.integer({ min: 1, max: 300 }),
  requests: fc.constantFrom(0, 1, 50, 2000),
  failing: fc.constantFrom(0, 0, 0.001, 0.01, 0.05, 0.3, 1),
  lost: fc.constantFrom(false, false, false, false, true),
  reset: fc.constantFrom(false, false, false, true),
});

const scenario = fc.record({
  objective: fc.constantFrom('90%', '99%', '99.5%', '99.9%', '99.95%'),
  failuresMin: fc.constantFrom(1, 1, 2, 20),
  stretches: fc.array(stretch, { minLength: 3, maxLength: 12 }),
});

test('the same counters give the same shares and the same alerts as by PromQL', () => {
  let [fired, waited] = [0, 0];
  fc.assert(
    fc.property(scenario, ({ objective, failuresMin, stretches }) => {
      const input = { name: 'up', objective, window: '7d', sli: { availability: {} }, alerts: { failuresMin } };
      const slo = resolveSlos({ service: 'shop', slos: [input as SloInput['slos'][number]] }).slos!.slos[0]!;
      // Samples are in the last second of a step of ten, so that windows begin where a step does.
      const clock = new SimulatedClock(1_800_000_009_000);
      const evaluator = createSloEvaluator({ slos: [slo], series: createSeries({ clock }), clock });
      const [all, bad]: [CounterSample[], CounterSample[]] = [[], []];
      const counters: readonly SloCounter[] = [
        { samples: all, bad: 0, total: 1 },
        { samples: bad, bad: 1, total: 0 },
      ];
      const value = { all: 0, bad: 0 };
      const seen = { all: 0, bad: 0 };
      const counted = { all: 0, bad: 0 };
      const sampled = new Set<number>();
      let gapEndS = 0;
      const sample = (): void => {
        const atS = clock.wallMs() / 1000;
        all.push({ atS, value: value.all });
        bad.push({ atS, value: value.bad });
        sampled.add(atS);
        // As whoever reads counters does: what is less than before began at zero.
        const grown = (what: 'all' | 'bad'): number =>
          value[what] < seen[what] ? value[what] : value[what] - seen[what];
        counted.all += grown('all');
        counted.bad += grown('bad');
        evaluator.count('shop-up', { total: grown('all'), bad: grown('bad') });
        Object.assign(seen, value);
      };
      sample();
      const startS = clock.wallMs() / 1000;
      for (const { samples, requests, failing, lost, reset } of stretches) {
        if (reset) Object.assign(value, { all: 0, bad: 0 });
        for (let count = 0; count < samples; count++) {
          clock.pass(SCRAPE_S * 1000);
          value.all += requests;
          value.bad += Math.round(requests * failing);
          if (lost) gapEndS = clock.wallMs() / 1000;
          else sample();
        }
        // Prometheus does not see a counter that begins anew and overtakes itself while it is not looked at.
        if (lost || (reset && gapEndS >= clock.wallMs() / 1000 - samples * SCRAPE_S)) continue;
        const atS = clock.wallMs() / 1000;
        const [before] = evaluator.statuses;
        const [status] = evaluator.evaluate();
        const isWhole = (windowS: number): boolean => atS - windowS <= startS || sampled.has(atS - windowS);
        const windows = status!.burn.filter(({ windowS }) => isWhole(windowS));
        for (const { windowS, value: burn } of windows) {
          const share = failureShare(counters, windowS, { atS });
          const live = burn === null ? null : burn * (1 - slo.objective);
          if (share === null || live === null) assert.equal(live, share, `${windowS} s`);
          else assert.ok(Math.abs(live - share) < 1e-9, `${windowS} s: ${live} live, ${share} by PromQL`);
        }
        if (windows.length < status!.burn.length) continue;
        const sure = alertsForSure(slo, counters, atS);
        if (sure === null) continue;
        const knownS = status!.sinceMs === null ? 0 : atS + 1 - status!.sinceMs / 1000;
        // Beyond what the rules ask, of a window that is not wholly known: all that was ever counted is in it.
        const isProven = ({ burn, longS, threshold }: BurnAlert): boolean =>
          before?.alerts.some((alert) => alert.burn === burn && alert.state === 'firing') === true ||
          knownS >= longS ||
          (knownS >= 3600 && errorBudget(slo) * counted.all >= 1) ||
          (counted.bad >= 10 && counted.bad >= counted.all / 2) ||
          counted.bad / (counted.all * (longS / knownS)) > threshold;
        const expected = sure.filter(isProven).map(({ burn }) => burn);
        const on = status!.alerts.filter(({ state }) => state === 'firing').map(({ burn }) => burn);
        if (on.length > 0) fired++;
        waited += sure.length - expected.length;
        assert.deepEqual(on, expected);
      }
    }),
    { numRuns: 100 },
  );
  assert.ok(fired > 20, `${fired} times an alert was on: too few to show much`);
  assert.ok(waited > 5, `${waited} times an alert waited`);
});
