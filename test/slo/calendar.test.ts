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
import { notation } from '../../src/observe/slo/test-series.ts';
import { PrometheusServer } from '../servers/prometheus.ts';

const promtool = serverPath('prometheus');
const root = mkdtempSync(join(tmpdir(), 'spillway-calendar-'));
after(() => rmSync(root, { recursive: true }));

interface Given {
  readonly window: string;
  readonly indicator: string;
  readonly objective?: string;
  readonly method?: string;
}

function read({ window, indicator, objective = '{ target: 0.99 }', method = 'Occurrences' }: Given): SloFile {
  const { slos, mistakes } = parseSlos(
    `apiVersion: openslo/v1
kind: SLO
metadata: { name: up, annotations: { spillway/sla: 95% } }
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

function folderOf(slos: SloFile): string {
  const folder = mkdtempSync(join(root, 'out-'));
  for (const { name, text } of compileSlos(slos)) writeFileSync(join(folder, name), text);
  return folder;
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
  for (const [window, indicator] of given) {
    const folder = folderOf(read({ window, indicator }));
    passes(folder, 'check', 'rules', 'shop-up.rules.yaml');
    passes(folder, 'test', 'rules', 'shop-up.test.yaml');
  }
});

/** What the rules record at a moment, each of what those before it did. */
async function recordedAt(prometheus: PrometheusServer, periods: Calendar, atS: number): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const [name, expr] of periodQueries(periods, '{}')) {
    let query = expr;
    for (const [before, value] of found) query = query.replaceAll(`${before}{}`, `vector(${value})`);
    const [sample] = await prometheus.query(query, atS);
    found.set(name, sample?.[1] ?? Number.NaN);
  }
  return found;
}

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
  for (const [every, start, zone] of given) {
    const { calendar: periods } = read({ window: calendar(every, start, zone), indicator: ofCounters }).slos[0]!;
    const firstS = Date.UTC(2026, 0, 1) / 1000;
    for (let nth = 0; nth < 12; nth++) {
      const anyS = firstS + Math.floor((nth * 61.77 * 86_400 * 59) % (3650 * 86_400));
      const { fromMs, toMs } = periodAt(periods!, anyS * 1000);
      // The last second of one and the first of the next are where it is wrong if it ever is.
      for (const atS of [anyS, fromMs / 1000, toMs / 1000 - 1]) {
        const found = await recordedAt(prometheus, periods!, atS);
        const [startS, lengthS] = [found.get('slo:period_start:seconds'), found.get('slo:period_length:seconds')];
        assert.deepEqual([startS, lengthS], [fromMs / 1000, (toMs - fromMs) / 1000], `${every} of ${start} ${zone} at ${new Date(atS * 1000).toISOString()}`);
      }
    }
  }
}); // prettier-ignore

const STEP_S = 60;
const HOURS = 9;
/** A leak all the time, from the third hour on an outage of ten minutes, and one of twenty from a quarter before the turn on. */
const TURN_S = 5 * 3600;
const counts = Array.from({ length: (HOURS * 3600) / STEP_S }, (_, step) => {
  const atS = (step + 1) * STEP_S;
  const isOut = (atS > 10_800 && atS <= 11_400) || (atS > TURN_S - 900 && atS <= TURN_S + 300);
  const total = 100 + (step % 7) * 10;
  return { total, bad: isOut ? total / 2 : 1 };
});
const sums = (what: 'total' | 'bad'): number[] => counts.reduce((all, each) => [...all, all.at(-1)! + each[what]], [0]);

for (const [every, kind] of [['1d', 'by events'], ['1M', 'by events'], ['1d', 'by the mean of shares']] as const) {
  test(`what is left of a budget of ${every} is the same live and by rules, before and after the turn, ${kind}`, () => {
    // In New York a day begins at five in the morning, and so does 1970 there.
    const window = calendar(every, '2026-01-01 00:00:00', 'America/New_York');
    const live = read({ window, indicator: ofGateway });
    const isMean = kind !== 'by events';
    const share = '{ ratioMetric: { rawType: failure, raw: ' + source('Prometheus', "{ query: 'sum(rate(bad_total[$window])) / sum(rate(all_total[$window]))' }") + ' } }';
    const folder = folderOf(read({ window, indicator: isMean ? share : ofCounters }));
    const clock = new SimulatedClock(0);
    const evaluator = createSloEvaluator({ slos: live.slos, series: createSeries({ clock }), clock });
    const asked = new Map([1, 2.9, 3.3, 4.5, 4.7, 5.5, 6, 8.9].map((hours) => [hours * 3600, 0]));
    let [turned, before] = [0, 0];
    const promql_expr_test: object[] = [];
    for (const [step, { total, bad }] of counts.entries()) {
      clock.pass(STEP_S * 1000);
      evaluator.count('shop-up', { total, bad });
      const [status] = evaluator.evaluate();
      const { share: left } = status!.budget;
      const atS = (step + 1) * STEP_S;
      if (atS === TURN_S - STEP_S) before = left;
      if (atS === TURN_S) turned = left;
      if (!asked.has(atS)) continue;
      assert.equal(status!.period!.fromMs, atS < TURN_S ? every === '1d' ? -68_400_000 : Date.UTC(1969, 11, 1, 5) : TURN_S * 1000);
      // What the first five minutes of a period look back over was before it: of ten percent that failed half, by rules.
      const slack = 0.01 + Math.abs(1 - left) * 0.02 + (atS > TURN_S ? 0.5 * 300 / (every === '1d' ? 86_400 : 31 * 86_400) / 0.01 : 0) + (isMean ? 0.1 * Math.abs(1 - left) : 0);
      const rule = 'slo:period_error_budget_remaining:ratio{slo_id="shop-up"}';
      promql_expr_test.push({
        expr: `count(abs(${rule} - (${left})) < ${slack})`,
        eval_time: promDuration(atS),
        exp_samples: [{ labels: '{}', value: 1 }],
      });
    }
    assert.equal(promql_expr_test.length, asked.size);
    assert.ok(turned > before + 0.05, `${before} is left before the turn, ${turned} after it`);
    const input_series = [
      { series: 'bad_total', values: notation(sums('bad')) },
      { series: 'all_total', values: notation(sums('total')) },
    ];
    const tests = [{ interval: promDuration(STEP_S), input_series, promql_expr_test }];
    writeFileSync(join(folder, 'own.yaml'), stringify({ rule_files: ['shop-up.rules.yaml'], evaluation_interval: '1m', tests }));
    passes(folder, 'test', 'rules', 'own.yaml');
  });
} // prettier-ignore
