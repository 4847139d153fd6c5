/**
 * Budgets of a calendar by the rules that are compiled for them, in the engine of Prometheus (`promtool test rules`), and the same counters evaluated
 * live: at the turn of a period both begin anew, at the same moment, wherever the clocks of its zone are.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { stringify } from 'yaml';
import { serverPath } from '../../scripts/servers.ts';
import { SimulatedClock } from '../../src/kernel/simulated-clock.ts';
import { compileSlos, createSeries, createSloEvaluator, parseSlos, type SloFile } from '../../src/observe/index.ts';
import { type Calendar, periodAt } from '../../src/observe/slo/calendar.ts';
import { periodQueries } from '../../src/observe/slo/period-rules.ts';
import { promDuration } from '../../src/observe/slo/promql.ts';
import { labelNames } from '../../src/observe/slo/rule-labels.ts';
import { notation } from '../../src/observe/slo/test-series.ts';
import { scenarioTest } from '../../src/observe/slo/unit-tests.ts';
import { PrometheusServer } from '../servers/prometheus.ts';

const promtool = serverPath('prometheus');
const root = mkdtempSync(join(tmpdir(), 'spillway-calendar-'));
after(() => rmSync(root, { recursive: true }));

interface Given {
  readonly name?: string;
  readonly window: string;
  readonly indicator: string;
  readonly objective?: string;
  readonly method?: string;
}

function read({
  name = 'up',
  window,
  indicator,
  objective = '{ target: 0.99 }',
  method = 'Occurrences',
}: Given): SloFile {
  const { slos, mistakes } = parseSlos(
    `apiVersion: openslo/v1
kind: SLO
metadata: { name: ${name}, annotations: { spillway/sla: 95% } }
spec:
  service: shop
  timeWindow: [${window}]
  budgetingMethod: ${method}
  objectives: [${objective}]
  indicator: { spec: ${indicator} }
`,
    'up.yaml',
  );
  assert.deepEqual(mistakes, []);
  return slos!;
}

const source = (type: string, spec: string): string => `{ metricSource: { type: ${type}, spec: ${spec} } }`;
const ratio = (type: string, bad: string, total: string): string =>
  `{ ratioMetric: { counter: true, bad: ${source(type, bad)}, total: ${source(type, total)} } }`;
const ofGateway = ratio('Spillway', '{ count: failed }', '{ count: all }');
const ofCounters = ratio('Prometheus', '{ query: bad_total }', '{ query: all_total }');
const calendar = (duration: string, startTime: string, timeZone: string): string =>
  `{ duration: ${duration}, isRolling: false, calendar: { startTime: "${startTime}", timeZone: ${timeZone} } }`;

function passes(folder: string, ...args: string[]): void {
  const { status, stdout, stderr, error } = spawnSync(promtool, args, {
    cwd: folder,
    encoding: 'utf8',
    timeout: 110_000,
  });
  if (error !== undefined) throw error;
  assert.equal(status, 0, stdout + stderr);
}

test('rules of a calendar and their own tests pass', () => {
  const given = [
    [calendar('1M', '2026-01-01 00:00:00', 'UTC'), ofCounters],
    // It begins at five in the morning of the first day of the test.
    [calendar('1Q', '2026-01-01 00:00:00', 'America/New_York'), ofGateway],
    [calendar('1d', '2026-01-01 06:00:00', 'Europe/Berlin'), ofCounters],
    [calendar('1w', '2026-01-01 02:00:00', 'UTC'), ofCounters],
    [calendar('1Y', '2026-01-01 00:00:00', 'Asia/Kathmandu'), ofCounters],
  ] as const;
  const folder = mkdtempSync(join(root, 'out-'));
  for (const [nth, [window, indicator]] of given.entries()) {
    const slos = read({ name: `up${nth}`, window, indicator });
    for (const { name, text } of compileSlos(slos)) writeFileSync(join(folder, name), text);
  }
  const names = given.map((_, nth) => `shop-up${nth}`);
  passes(folder, 'check', 'rules', ...names.map((name) => `${name}.rules.yaml`));
  // Each has its own time to pass in.
  for (const name of names) passes(folder, 'test', 'rules', `${name}.test.yaml`);
});

test('of a period that began before the clocks of 1969 were changed tests expect no budget, since rules know one offset of then', () => {
  const steps = Array.from({ length: 20 }, () => ({ good: 99, bad: 1, gap: false, reset: false }));
  const expects = (start: string): boolean => {
    const [slo] = read({ window: calendar('1Q', start, 'America/New_York'), indicator: ofGateway }).slos;
    const gateway = { kind: 'availability', requests: { service: 'shop', route: null } } as const;
    const given = { slo: slo!, gateway, names: labelNames.spillway, scenario: { name: 'a leak', steps } };
    return JSON.stringify(scenarioTest(given)).includes('slo:period_error_budget_remaining');
  };
  assert.deepEqual(['2026-02-01 00:00:00', '2026-01-15 00:00:00'].map(expects), [true, false]);
}); // prettier-ignore

/** What the rules record at each of some moments, by its number, each of what those before it did. */
async function recordedAt(prometheus: PrometheusServer, periods: Calendar, atsS: readonly number[]) {
  const found = new Map<string, ReadonlyMap<string, number>>([['time()', new Map(atsS.map((atS, nth) => [String(nth), atS]))]]);
  for (const [name, expr] of periodQueries(periods, '{}')) {
    // A moment is a series here, so that all of them are one question.
    let query = expr.replace('vector(time()', '(time()');
    for (const [before, values] of found) {
      const vectors = [...values].map(([nth, value]) => `label_replace(vector(${value}), "nth", "${nth}", "", "")`);
      query = query.replaceAll(before === 'time()' ? before : `${before}{}`, `(${vectors.join(' or ')})`);
    }
    const samples = await prometheus.query(query, 0);
    found.set(name, new Map(samples.map(([{ nth }, value]) => [nth!, value])));
  }
  return found;
} // prettier-ignore

test('Prometheus knows the periods of ten years to the second, but for those that begin while clocks change', { timeout: 110_000 }, async () => {
  await using prometheus = await PrometheusServer.start('127.0.0.1:1');
  const given = [
    ['1M', '2026-01-01 00:00:00', 'UTC'],
    ['1M', '2020-01-21 12:30:00', 'America/New_York'],
    ['1Q', '2019-11-28 23:59:59', 'Europe/Berlin'],
    ['1d', '2026-05-05 04:00:00', 'Australia/Lord_Howe'],
    ['2w', '2031-01-01 00:00:00', 'America/New_York'],
    ['1Y', '2026-03-01 00:00:00', 'Asia/Kathmandu'],
    ['5M', '2026-02-28 06:00:00', 'Europe/London'],
  ] as const;
  for (const [every, begin, zone] of given) {
    const { calendar: periods } = read({ window: calendar(every, begin, zone), indicator: ofCounters }).slos[0]!;
    const firstS = Date.UTC(2026, 0, 1) / 1000;
    const wanted = Array.from({ length: 6 }, (_, nth) => {
      const anyS = firstS + Math.floor((nth * 123.54 * 86_400 * 59) % (3650 * 86_400));
      const { fromMs, toMs } = periodAt(periods!, anyS * 1000);
      // The last second of one and the first of the next are where it is wrong if it ever is.
      return [anyS, fromMs / 1000, toMs / 1000 - 1].map((atS) => ({ atS, startS: fromMs / 1000, lengthS: (toMs - fromMs) / 1000 }));
    }).flat();
    const found = await recordedAt(prometheus, periods!, wanted.map(({ atS }) => atS));
    for (const [nth, { atS, startS, lengthS }] of wanted.entries()) {
      const [start, length] = ['slo:period_start:seconds', 'slo:period_length:seconds'].map((name) => found.get(name)!.get(String(nth)));
      assert.deepEqual([start, length], [startS, lengthS], `${every} of ${begin} ${zone} at ${new Date(atS * 1000).toISOString()}`);
    }
  }
}); // prettier-ignore

const STEP_S = 60;
const MINUTES = 400;
/** A leak all the time, from the third hour on an outage of ten minutes, and one of twenty from a quarter before the turn on. */
const TURN_S = 5 * 3600;
const counts = Array.from({ length: MINUTES }, (_, step) => {
  const atS = (step + 1) * STEP_S;
  const isOut = (atS > 10_800 && atS <= 11_400) || (atS > TURN_S - 900 && atS <= TURN_S + 300);
  const total = 100 + (step % 7) * 10;
  return { total, bad: isOut ? total / 2 : 1 };
});
const sums = (what: 'total' | 'bad'): number[] => counts.reduce((all, each) => [...all, all.at(-1)! + each[what]], [0]);
const askedS = [60, 174, 198, 270, 282, 330, 360, 398].map((minutes) => minutes * 60);

test('what is left of a budget is the same live and by rules, before and after the turn, by events and by the mean of shares', () => {
  const share = '{ ratioMetric: { rawType: failure, raw: ' + source('Prometheus', "{ query: 'sum(rate(bad_total[$window])) / sum(rate(all_total[$window]))' }") + ' } }';
  const folder = mkdtempSync(join(root, 'out-'));
  const promql_expr_test: object[] = [];
  for (const [name, every, indicator] of [['day', '1d', ofCounters], ['month', '1M', ofCounters], ['mean', '1d', share]] as const) {
    // In New York a day begins at five in the morning, and so does 1970 there.
    const window = calendar(every, '2026-01-01 00:00:00', 'America/New_York');
    const isMean = indicator === share;
    for (const file of compileSlos(read({ name, window, indicator }))) writeFileSync(join(folder, file.name), file.text);
    const clock = new SimulatedClock(0);
    const { slos } = read({ name, window, indicator: ofGateway });
    const evaluator = createSloEvaluator({ slos, series: createSeries({ clock }), clock });
    let [turned, before, asked] = [0, 0, 0];
    for (const [step, { total, bad }] of counts.entries()) {
      clock.pass(STEP_S * 1000);
      evaluator.count(`shop-${name}`, { total, bad });
      const [status] = evaluator.evaluate();
      const { share: left } = status!.budget;
      const atS = (step + 1) * STEP_S;
      if (atS === TURN_S - STEP_S) before = left;
      if (atS === TURN_S) turned = left;
      if (!askedS.includes(atS)) continue;
      asked++;
      assert.equal(status!.period!.fromMs, atS < TURN_S ? every === '1d' ? -68_400_000 : Date.UTC(1969, 11, 1, 5) : TURN_S * 1000);
      // What the first five minutes of a period look back over was before it: of ten percent that failed half, by rules.
      const slack = 0.01 + Math.abs(1 - left) * 0.02 + (atS > TURN_S ? 0.5 * 300 / (every === '1d' ? 86_400 : 31 * 86_400) / 0.01 : 0) + (isMean ? 0.1 * Math.abs(1 - left) : 0);
      const rule = `slo:period_error_budget_remaining:ratio{slo_id="shop-${name}"}`;
      promql_expr_test.push({
        expr: `count(abs(${rule} - (${left})) < ${slack})`,
        eval_time: promDuration(atS),
        exp_samples: [{ labels: '{}', value: 1 }],
      });
    }
    assert.equal(asked, askedS.length);
    assert.ok(turned > before + 0.05, `${before} is left before the turn, ${turned} after it`);
  }
  const input_series = [
    { series: 'bad_total', values: notation(sums('bad')) },
    { series: 'all_total', values: notation(sums('total')) },
  ];
  const tests = [{ interval: promDuration(STEP_S), input_series, promql_expr_test }];
  const rule_files = ['day', 'month', 'mean'].map((name) => `shop-${name}.rules.yaml`);
  writeFileSync(join(folder, 'own.yaml'), stringify({ rule_files, evaluation_interval: '2m', tests }));
  passes(folder, 'test', 'rules', 'own.yaml');
}); // prettier-ignore
