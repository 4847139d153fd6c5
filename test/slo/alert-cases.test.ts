/** Every way in which alerts are evaluated agrees with one list that was written by hand: the simulation, the backtest, the live evaluator, Prometheus. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { stringify } from 'yaml';
import { serverPath } from '../../scripts/servers.ts';
import { SimulatedClock } from '../../src/kernel/simulated-clock.ts';
import { alertsOn, createSloEvaluator, resolveSlos, type Slo } from '../../src/observe/index.ts';
import { createSeries } from '../../src/observe/series/series.ts';
import { replay } from '../../src/observe/slo/backtest/replay.ts';
import { sloId } from '../../src/observe/slo/objective.ts';
import { labelNames } from '../../src/observe/slo/rule-labels.ts';
import { ruleGroup } from '../../src/observe/slo/rules.ts';
import { stepS } from '../../src/observe/slo/scenarios.ts';
import { gatewaySeries, notation } from '../../src/observe/slo/test-series.ts';
import { testFile } from '../../src/observe/slo/unit-tests.ts';
import { type AlertCase, alertCases } from './alert-cases.ts';

const folder = mkdtempSync(join(tmpdir(), 'spillway-cases-'));
after(() => rmSync(folder, { recursive: true }));

const MINUTE_S = 60;
const gateway = { kind: 'availability', requests: { service: 'shop', route: null } } as const;

function sloOf({ failuresMin = 1 }: AlertCase): Slo {
  const slo = { name: 'up', objective: '99.9%', sli: { availability: {} }, alerts: { failuresMin } } as const;
  return resolveSlos({ service: 'shop', slos: [slo] }).slos!.slos[0]!;
}

for (const each of alertCases) {
  const slo = sloOf(each);
  const expected = each.moments.map(([, ...on]) => on);

  test(`simulated: ${each.name}`, () => {
    assert.equal(stepS(slo), MINUTE_S);
    const counters = gatewaySeries(gateway, each.steps, MINUTE_S);
    const found = each.moments.map(([minute]) =>
      alertsOn(slo, counters, { atS: minute * MINUTE_S }).map(({ burn }) => burn),
    );
    assert.deepEqual(found, expected);
  });

  test(`replayed: ${each.name}`, () => {
    // What a lost scrape did not see is in the next one.
    let missed = { good: 0, bad: 0 };
    const steps = each.steps.flatMap(({ good, bad, gap }, minute) => {
      missed = { good: missed.good + good, bad: missed.bad + bad };
      if (gap) return [];
      const step = { atS: minute * MINUTE_S, ...missed };
      missed = { good: 0, bad: 0 };
      return [step];
    });
    const histories = replay(slo, { steps });
    const found = each.moments.map(([minute]) =>
      histories
        .filter(({ firings }) =>
          firings.some(({ fromS, toS }) => fromS <= minute * MINUTE_S && (toS === null || minute * MINUTE_S < toS)),
        )
        .map(({ alert }) => alert.burn),
    );
    assert.deepEqual(found, expected);
  });

  test(`live: ${each.name}`, () => {
    const clock = new SimulatedClock();
    const evaluator = createSloEvaluator({ slos: [slo], series: createSeries({ clock }), clock });
    const on = each.steps.map(({ good, bad }) => {
      evaluator.count(sloId(slo), { bad, total: good + bad });
      const [status] = evaluator.evaluate();
      clock.pass(MINUTE_S * 1000);
      return status!.alerts.filter(({ state }) => state === 'firing').map(({ burn }) => burn);
    });
    assert.deepEqual(
      each.moments.map(([minute]) => on[minute]),
      expected,
    );
  });
}

test('Prometheus: the compiled rules, all of them', { timeout: 110_000 }, () => {
  const names = labelNames.spillway;
  const files = alertCases.map((each, at) => {
    const slo = sloOf(each);
    writeFileSync(join(folder, `${at}.rules.yaml`), stringify({ groups: [ruleGroup(slo, names)] }));
    const rule = {
      name: each.name,
      interval: '1m',
      input_series: gatewaySeries(gateway, each.steps, MINUTE_S).map(({ name, values }) => ({
        series: name,
        values: notation(values),
      })),
      promql_expr_test: each.moments.map(([minute, ...on]) => ({
        expr: 'count by (burn) (ALERTS{alertstate="firing"})',
        eval_time: `${minute}m`,
        exp_samples: on.map((burn) => ({ labels: `{burn="${burn}"}`, value: 1 })),
      })),
    };
    writeFileSync(join(folder, `${at}.test.yaml`), stringify(testFile(slo, `${at}.rules.yaml`, names, [rule])));
    return `${at}.test.yaml`;
  });
  const { status, stdout, stderr } = spawnSync(serverPath('prometheus'), ['test', 'rules', ...files], {
    cwd: folder,
    encoding: 'utf8',
  });
  assert.equal(status, 0, stdout + stderr);
});
