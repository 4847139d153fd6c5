/**
 * Tests for the compiled rules, as `promtool test rules` runs them. Pure and deterministic.
 *
 * For the gateway's own indicators the counters of each scenario are fed and the rules compute everything. For queries of a user,
 * whose series nobody knows here, the recorded shares are fed and the alerts are tested. What is expected comes from
 * `simulate.ts`. Moments are asked for just before and after each change, and only where the windows of Prometheus 2 (closed on
 * the left) and 3 (open) agree, so that both pass.
 */
import { alertWindowsS, type BurnAlert, burnAlerts, firingAlerts } from './burn-alerts.ts';
import { periodAt } from './calendar.ts';
import { type Indicator, sloId, type Slo } from './objective.ts';
import { isKnownInTests } from './period-rules.ts';
import { promDuration, quoted } from './promql.ts';
import { idLabels, type LabelNames } from './rule-labels.ts';
import { failuresRecord, ruleGroup, shareRecord } from './rules.ts';
import { type Scenario, scenariosOf, stepS } from './scenarios.ts';
import { alertsForSure, periodLeft, type SloCounter } from './simulate.ts';
import { gatewaySeries, notation, seriesName } from './test-series.ts';

interface ExpressionTest {
  readonly expr: string;
  readonly eval_time: string;
  readonly exp_samples: readonly { readonly labels: string; readonly value: number }[];
}

export interface RuleTest {
  readonly name: string;
  readonly interval: string;
  readonly input_series: readonly { readonly series: string; readonly values: string }[];
  readonly promql_expr_test: readonly ExpressionTest[];
}

export interface TestFile {
  readonly rule_files: readonly string[];
  readonly evaluation_interval: string;
  readonly group_eval_order: readonly string[];
  readonly tests: readonly RuleTest[];
}

/** One file for each objective, since each has its own step. */
export function unitTests(slo: Slo, rulesFile: string, names: LabelNames): TestFile {
  const { indicator } = slo;
  const knows = indicator.kind === 'events' && indicator.gateway !== null;
  const tests = knows ? fedCounters(slo, indicator.gateway, names) : [fedShares(slo, names)];
  return testFile(slo, rulesFile, names, tests);
}

export function testFile(slo: Slo, rulesFile: string, names: LabelNames, tests: readonly RuleTest[]): TestFile {
  return {
    rule_files: [rulesFile],
    evaluation_interval: promDuration(stepS(slo)),
    group_eval_order: [ruleGroup(slo, names).name],
    tests,
  };
}

type Gateway = NonNullable<Extract<Indicator, { kind: 'events' }>['gateway']>;

function fedCounters(slo: Slo, gateway: Gateway, names: LabelNames): readonly RuleTest[] {
  return scenariosOf(slo).map((scenario) => scenarioTest({ slo, gateway, names, scenario }));
}

export interface ScenarioTest {
  readonly slo: Slo;
  readonly gateway: Gateway;
  readonly names: LabelNames;
  readonly scenario: Scenario;
}

/** What a gateway that goes through a scenario shows, and which alerts are on then. */
export function scenarioTest({ slo, gateway, names, scenario }: ScenarioTest): RuleTest {
  const step = stepS(slo);
  const counters = gatewaySeries(gateway, scenario.steps, step);
  const states = scenario.steps.map((_, at) => {
    const on = alertsForSure(slo, counters, at * step);
    return on === null ? null : key(on);
  });
  return {
    name: `${sloId(slo)}: ${scenario.name}`,
    interval: promDuration(step),
    input_series: counters.map((counter) => ({ series: counter.name, values: notation(counter.values) })),
    promql_expr_test: [
      ...moments(states).map(({ at, state }) => expectation(slo, at * step, state, names)),
      ...budgetExpectation(slo, counters, (scenario.steps.length - 1) * step, names),
    ],
  };
}

/** Every alert on its own way up, from the slowest to the fastest, then the end of each as its short window clears. */
function fedShares(slo: Slo, names: LabelNames): RuleTest {
  const step = stepS(slo);
  const alerts = firingAlerts(slo);
  const thresholds = burnAlerts(slo)
    .map(({ threshold }) => Math.min(threshold, 1))
    .toReversed();
  // A little above each threshold, so that one that is a little wrong is seen.
  const shares = [
    (thresholds[0] ?? 0) * 0.95,
    ...thresholds.map((low, at) => Math.min(low * 1.05, (low + (thresholds[at + 1] ?? 1)) / 2)),
  ];
  const windows = alertWindowsS(slo);
  // First all windows see a share, then the short ones, from the shortest on, see none.
  const phases = [
    ...shares.map((share) => windows.map(() => share)),
    ...windows.map((_, cleared) => windows.map((__, at) => (at <= cleared ? 0 : (shares.at(-1) ?? 0)))),
  ];
  const shareAt = (phase: number, seconds: number): number => phases[phase]?.[windows.indexOf(seconds)] ?? 0;
  const labels = { ...slo.labels, ...idLabels(slo, names) };
  const { failuresMin } = slo.alerts;
  const failures = failuresMin > 1 ? alerts.map(({ longS }) => failuresRecord(longS)) : [];
  return {
    name: `${sloId(slo)}: each alert comes with its share of failures, and goes with its short window`,
    interval: promDuration(step),
    input_series: [
      ...windows.map((seconds, at) => ({
        series: seriesName(shareRecord(seconds), { ...labels, [names.window]: promDuration(seconds) }),
        values: phases.map((phase) => `${phase[at]}x${STEPS_A_PHASE - 1}`).join(' '),
      })),
      ...failures.map((record) => ({
        series: seriesName(record, labels),
        values: `${failuresMin}x${phases.length * STEPS_A_PHASE}`,
      })),
    ],
    promql_expr_test: phases.map((_, phase) => {
      const on = alerts.filter(({ longS, shortS, threshold }) =>
        [longS, shortS].every((seconds) => shareAt(phase, seconds) > threshold),
      );
      return expectation(slo, (phase * STEPS_A_PHASE + STEPS_A_PHASE - 1) * step, key(on), names);
    }),
  };
}

/** Of a calendar, what is left at a moment: as much as both kinds of windows leave in doubt. */
function budgetExpectation(
  slo: Slo,
  counters: readonly SloCounter[],
  atS: number,
  names: LabelNames,
): readonly ExpressionTest[] {
  const { calendar } = slo;
  if (calendar === null || !isKnownInTests(calendar, periodAt(calendar, atS * 1000))) return [];
  const [closed, open] = [false, true].map((leftOpen) => periodLeft(slo, counters, { atS, leftOpen }, stepS(slo)));
  if (closed === null || closed === undefined || open === null || open === undefined) return [];
  const slack = Math.abs(closed - open) + 1e-6 * Math.max(1, Math.abs(closed));
  const left = `slo:period_error_budget_remaining:ratio{${names.id}=${quoted(sloId(slo))}}`;
  const expr = `count(abs(${left} - (${closed})) <= ${slack})`;
  return [{ expr, eval_time: promDuration(atS), exp_samples: [{ labels: '{}', value: 1 }] }];
}

const STEPS_A_PHASE = 4;

/** The alerts that are on, as one text. */
function key(alerts: readonly BurnAlert[]): string {
  return alerts.map(({ burn }) => burn).join(' ');
}

/** The last moment before each change, the first after it, and the end. */
function moments(states: readonly (string | null)[]): readonly { readonly at: number; readonly state: string }[] {
  const known = states.flatMap((state, at) => (state === null ? [] : [{ at, state }]));
  return known.filter(({ state }, index) => {
    const [before, after] = [known[index - 1], known[index + 1]];
    return after === undefined || after.state !== state || (before !== undefined && before.state !== state);
  });
}

function expectation(slo: Slo, atS: number, state: string, names: LabelNames): ExpressionTest {
  const on = `ALERTS{alertname=${quoted(slo.alerts.name)}, alertstate="firing", ${names.id}=${quoted(sloId(slo))}}`;
  return {
    expr: `count by (burn) (${on})`,
    eval_time: promDuration(atS),
    exp_samples: state
      .split(' ')
      .filter((burn) => burn !== '')
      .map((burn) => ({ labels: `{burn=${quoted(burn)}}`, value: 1 })),
  };
}
