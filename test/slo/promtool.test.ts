/**
 * What is compiled, given to the programs it is for: `promtool` evaluates the rules, `amtool` reads the routes. What the tests that come
 * with the rules expect is computed without Prometheus, so each of them is the one against the other.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { serverPath } from '../../scripts/servers.ts';
import { compileSlos, parseSlos, resolveSlos, type SloFile, type SloInput } from '../../src/observe/index.ts';
import type { GatewayIndicator } from '../../src/observe/slo/gateway-indicator.ts';
import { type LabelStyle, labelNames } from '../../src/observe/slo/rule-labels.ts';
import { ruleGroup } from '../../src/observe/slo/rules.ts';
import type { Step } from '../../src/observe/slo/scenarios.ts';
import { scenarioTest, testFile } from '../../src/observe/slo/unit-tests.ts';

const promtool = serverPath('prometheus');
const amtool = serverPath('alertmanager');
const root = mkdtempSync(join(tmpdir(), 'spillway-slo-'));
after(() => rmSync(root, { recursive: true }));

function read(input: SloInput): SloFile {
  const { slos, mistakes } = resolveSlos(input);
  assert.deepEqual(mistakes, []);
  return slos!;
}

function folderOf(slos: SloFile, labels: LabelStyle = 'spillway'): string {
  const folder = mkdtempSync(join(root, 'out-'));
  for (const { name, text } of compileSlos(slos, { labels })) writeFileSync(join(folder, name), text);
  return folder;
}

function run(program: string, folder: string, ...args: string[]): { readonly ok: boolean; readonly said: string } {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd: folder,
    encoding: 'utf8',
    timeout: 110_000,
  });
  if (error !== undefined) throw error;
  return { ok: status === 0, said: stdout + stderr };
}

function passes(program: string, folder: string, ...args: string[]): void {
  const { ok, said } = run(program, folder, ...args);
  assert.ok(ok, said);
}

const fast: SloInput['slos'][number] = { name: 'up', objective: '99.9%', sla: '99.5%', sli: { availability: {} } };

const every = read({
  service: 'shop',
  labels: { team: 'it\'s "web"' },
  slos: [
    fast,
    { name: 'quick', objective: '99%', window: '28d', sli: { latency: { under: '200ms', route: 'api' } } },
    { name: 'few', objective: '99%', sli: { availability: {} }, alerts: { failuresMin: 3 } },
    { name: 'orders', objective: '99.5%', sli: { events: { good: 'orders_total{ok="yes"}', total: 'orders_total' } } },
    { name: 'paid', objective: '99.5%', sli: { events: { bad: 'a', total: 'b' } }, alerts: { failuresMin: 5 } },
    { name: 'share', objective: '50%', window: '7d', sli: { ratio: { error: 'avg_over_time(failing[$window])' } } },
    { name: 'calm', objective: '99%', sli: { availability: {} }, alerts: { page: { enabled: false } } },
  ],
});

const folder = folderOf(every);

for (const [labels, made] of [
  ['spillway', folder],
  ['sloth', folderOf(every, 'sloth')],
] as const) {
  test(`rules and routes are well formed, with labels of ${labels}`, () => {
    const files = every.slos.map(({ name }) => `shop-${name}.rules.yaml`);
    const rules = run(promtool, made, 'check', 'rules', ...files);
    assert.ok(rules.ok, rules.said);
    assert.equal(rules.said.match(/SUCCESS: \d+ rules found/g)?.length, files.length, rules.said);
    passes(amtool, made, 'check-config', 'alertmanager.yaml');
  });
}

test('pages and tickets go their ways, and other alerts theirs', () => {
  const to = (...labels: string[]): string | undefined =>
    run(amtool, folder, 'config', 'routes', 'test', '--config.file=alertmanager.yaml', ...labels).said.split('\n')[0];
  assert.equal(to('slo_id=shop-up', 'severity=page'), 'page');
  assert.equal(to('slo_id=shop-up', 'severity=ticket'), 'ticket');
  assert.equal(to('severity=page'), 'default');
});

test('every expression of the dashboards is PromQL', () => {
  const expressions = ['shop.dashboard.json', 'slo-overview.dashboard.json'].flatMap((name) =>
    [...readFileSync(join(folder, name), 'utf8').matchAll(/"expr": (".*")/g)].map(
      ([, text = '']) => JSON.parse(text) as string,
    ),
  );
  assert.ok(expressions.length > 20);
  const rules = expressions.map((expr, at) => ({ record: `panel:${at}`, expr }));
  writeFileSync(join(folder, 'panels.yaml'), stringify({ groups: [{ name: 'panels', rules }] }));
  passes(promtool, folder, 'check', 'rules', 'panels.yaml');
});

for (const name of ['up', 'few', 'orders', 'paid', 'share']) {
  test(`the tests that come with an objective pass: ${name}`, () => {
    passes(promtool, folder, 'test', 'rules', `shop-${name}.test.yaml`);
  });
}

test('they fail for rules that are wrong', () => {
  const ratio = { ratio: { error: 'rate(x[$window])' } };
  const wrong = folderOf(read({ service: 'shop', slos: [{ ...fast, sli: ratio }] }));
  const [rules, tests] = ['shop-up.rules.yaml', 'shop-up.test.yaml'].map((file) => join(wrong, file));
  const right = readFileSync(rules!, 'utf8');
  const passesWith = (text: string): boolean => {
    writeFileSync(rules!, text);
    return run(promtool, wrong, 'test', 'rules', tests!).ok;
  };
  assert.equal(passesWith(right), true);
  assert.equal(passesWith(right.replaceAll('> 0.0144', '> 0.0288')), false, 'a threshold');
  assert.equal(passesWith(right.replaceAll('and ignoring', 'or ignoring')), false, 'both windows');
  assert.equal(passesWith(right.replaceAll('ratio_rate6h{', 'ratio_rate1h{')), false, 'a window');
});

test('in random services with random failures the rules fire when the simulation does', { timeout: 110_000 }, () => {
  const randomFolder = mkdtempSync(join(root, 'random-'));
  const names = labelNames.spillway;
  const stretch = fc.record({
    steps: fc.integer({ min: 1, max: 25 }),
    requests: fc.constantFrom(0, 1, 50, 2000),
    failing: fc.constantFrom(0, 0, 0.001, 0.01, 0.05, 0.3, 1),
    lost: fc.constantFrom(false, false, false, true),
    reset: fc.constantFrom(false, false, false, true),
  });
  const random = fc.record({
    objective: fc.constantFrom('80%', '95%', '99%', '99.5%', '99.9%', '99.95%', '99.99%'),
    window: fc.constantFrom('7d', '28d', '30d', '90d'),
    failuresMin: fc.constantFrom(1, 1, 2, 20),
    latency: fc.boolean(),
    stretches: fc.array(stretch, { minLength: 2, maxLength: 6 }),
  });
  const seed = Number(process.env['SLO_SEED'] ?? 20_260_131);
  let fired = 0;
  const files = fc
    .sample(random, { seed, numRuns: 36 })
    .map(({ objective, window, failuresMin, latency, stretches }, at) => {
      const requests = { service: 'shop', route: null };
      const gateway: GatewayIndicator = latency
        ? { kind: 'latency', requests, boundS: 0.2 }
        : { kind: 'availability', requests };
      const sli = latency ? { latency: { under: '200ms' as const } } : { availability: {} };
      const input = { name: `n${at}`, objective, window, sli, alerts: { failuresMin } } as SloInput['slos'][number];
      const slo = read({ service: 'shop', slos: [input] }).slos[0]!;
      const steps = stretches.flatMap(({ steps, requests, failing, lost, reset }) =>
        Array.from({ length: steps }, (_, step): Step => {
          const bad = Math.round(requests * failing);
          return { good: requests - bad, bad, gap: lost, reset: reset && step === 0 };
        }),
      );
      const made = scenarioTest({ slo, gateway, names, scenario: { name: `random ${at}`, steps } });
      if (made.promql_expr_test.some(({ exp_samples }) => exp_samples.length > 0)) fired++;
      const rules = `n${at}.rules.yaml`;
      writeFileSync(join(randomFolder, rules), stringify({ groups: [ruleGroup(slo, names)] }));
      writeFileSync(join(randomFolder, `n${at}.test.yaml`), stringify(testFile(slo, rules, names, [made])));
      return `n${at}.test.yaml`;
    });
  assert.ok(fired >= 8 && fired <= files.length - 4, `${fired} of ${files.length} fire: too one-sided to show much`);
  const { ok, said } = run(promtool, randomFolder, 'test', 'rules', ...files);
  assert.ok(ok, `seed ${seed}:\n${said}`);
});

test('an alert says in words that the budget is overdrawn, also of an outage behind a flood that a limit holds back', () => {
  const folder = folderOf(every);
  const counters = { '_total{code_class="2xx"': 0, '_total{code_class="4xx"': 60, '_limited_total{': 60, '_total{code_class="5xx"': 60, '_broken_total{': 0 };
  const input_series = Object.entries(counters).map(([name, each]) => ({
    series: `spillway_requests${name}${name.endsWith('{') ? '' : ', '}route="any", service="shop"}`,
    values: `0+${each}x120`,
  }));
  const asked = { eval_time: '2h', alertname: 'SloBudgetBurn', exp_alerts: [] };
  const tests = [{ interval: '1m', input_series, alert_rule_test: [asked] }];
  writeFileSync(join(folder, 'said.yaml'), stringify({ rule_files: ['shop-up.rules.yaml'], evaluation_interval: '1m', tests }));
  const { said } = run(promtool, folder, 'test', 'rules', 'said.yaml');
  assert.match(said, /100% failed in the last 1h.* The budget is overdrawn by 9\.99e\+04%\./);
  assert.doesNotMatch(said, /Left of the budget/);
}); // prettier-ignore

const slicesDocument = `apiVersion: openslo/v1
kind: SLO
metadata: { name: slices }
spec:
  service: shop
  timeWindow: [{ duration: 30d, isRolling: true }]
  budgetingMethod: Timeslices
  objectives: [{ target: 0.99, timeSliceTarget: 0.9, timeSliceWindow: 1m }]
  indicator:
    metadata: { name: up }
    spec:
      ratioMetric:
        counter: true
        bad: { metricSource: { type: Prometheus, spec: { query: bad } } }
        total: { metricSource: { type: Prometheus, spec: { query: total } } }
`;

test('of a budget of time slices each slice weighs the same, and none is one without traffic', () => {
  const folder = mkdtempSync(join(root, 'out-'));
  const { slos, mistakes } = parseSlos(slicesDocument, 'f.yaml');
  assert.deepEqual(mistakes, []);
  for (const { name, text } of compileSlos(slos!)) writeFileSync(join(folder, name), text);
  passes(promtool, folder, 'check', 'rules', 'shop-slices.rules.yaml');
  passes(promtool, folder, 'test', 'rules', 'shop-slices.test.yaml');
  // Each 15 s: ten minutes of one failure in a hundred, then two of five in ten, in a tenth of the traffic; then nothing.
  const values = (all: number, few: number): string => `0+${all}x40 ${all * 40 + few}+${few}x7 ${all * 40 + few * 8}+0x40`;
  const input_series = [{ series: 'bad', values: values(1, 5) }, { series: 'total', values: values(100, 10) }];
  const promql_expr_test = [{
    expr: 'round(slo:sli_error:ratio_rate1h, 0.01)', eval_time: '20m',
    exp_samples: [{ labels: '{slo_id="shop-slices", slo_name="slices", slo_service="shop", slo_window="1h"}', value: 0.17 }],
  }];
  const tests = [{ interval: '15s', input_series, promql_expr_test }];
  writeFileSync(join(folder, 'own.yaml'), stringify({ rule_files: ['shop-slices.rules.yaml'], evaluation_interval: '1m', tests }));
  passes(promtool, folder, 'test', 'rules', 'own.yaml');
}); // prettier-ignore

test('a time slice of which just enough was good is good, however its rates are rounded', () => {
  const folder = mkdtempSync(join(root, 'out-'));
  const { slos } = parseSlos(slicesDocument.replace('bad: {', 'good: {').replace('query: bad', 'query: good'), 'f.yaml');
  for (const { name, text } of compileSlos(slos!)) writeFileSync(join(folder, name), text);
  const input_series = [{ series: 'good', values: '0+63x80' }, { series: 'total', values: '0+70x80' }];
  const labels = '{slo_id="shop-slices", slo_name="slices", slo_service="shop", slo_window="5m"}';
  const promql_expr_test = [{ expr: 'slo:sli_error:ratio_rate5m', eval_time: '15m', exp_samples: [{ labels: `slo:sli_error:ratio_rate5m${labels}`, value: 0 }] }];
  writeFileSync(join(folder, 'own.yaml'), stringify({ rule_files: ['shop-slices.rules.yaml'], evaluation_interval: '1m', tests: [{ interval: '15s', input_series, promql_expr_test }] }));
  passes(promtool, folder, 'test', 'rules', 'own.yaml');
}); // prettier-ignore

test('a threshold is a share of the time that values were beyond it, and amounts are measured by their mean', () => {
  const of = (indicator: string, objectives: string): string =>
    `${slicesDocument.slice(0, slicesDocument.indexOf('      ratioMetric'))}      ${indicator}\n`.replace('Timeslices', 'Occurrences').replace(/objectives: .*/, `objectives: [${objectives}]`);
  const source = (query: string): string => `{ metricSource: { type: Prometheus, spec: { query: ${query} } } }`;
  const above = of(`thresholdMetric: ${source('age * (age / age)')}`, '{ displayName: fresh, op: lte, value: 60, target: 0.9 }, { displayName: newest, op: lt, value: 50, target: 0.5 }');
  const amounts = of(`ratioMetric: { counter: false, good: ${source('workers_well')}, total: ${source('sum(workers)')} }`, '{ target: 0.9 }');
  // Of two one is 70 from the tenth minute on; what the query makes of the third is no number.
  const input_series = [
    { series: 'age{of="a"}', values: '50x80' }, { series: 'age{of="b"}', values: '10x40 70x40' }, { series: 'age{of="c"}', values: '0x80' },
    // Those of the third zone are there for a minute of the last five, and weigh no more than that.
    { series: 'workers_well{zone="c"}', values: '_x55 8x3 stale' }, { series: 'workers{zone="c"}', values: '_x55 8x3 stale' },
    { series: 'workers_well', values: '4x20 3x60' }, { series: 'workers{zone="a"}', values: '3x80' }, { series: 'workers{zone="b"}', values: '1x80' },
  ];
  const shares = [['fresh', 0.5], ['newest', 1], ['', 0.18]] as const;
  for (const [name, value] of shares) {
    const folder = mkdtempSync(join(root, 'out-'));
    const { slos, mistakes } = parseSlos(name === '' ? amounts : above, 'f.yaml');
    assert.deepEqual(mistakes, []);
    for (const file of compileSlos(slos!)) writeFileSync(join(folder, file.name), file.text);
    const id = name === '' ? 'shop-slices' : `shop-slices-${name}`;
    passes(promtool, folder, 'check', 'rules', `${id}.rules.yaml`);
    passes(promtool, folder, 'test', 'rules', `${id}.test.yaml`);
    const expr = `round(sum without (slo_id, slo_name, slo_service, slo_window) (slo:sli_error:ratio_rate5m{slo_id="${id}"}), 0.01)`;
    const promql_expr_test = [{ expr, eval_time: '18m', exp_samples: [{ labels: '{}', value }] }];
    writeFileSync(join(folder, 'own.yaml'), stringify({ rule_files: [`${id}.rules.yaml`], evaluation_interval: '1m', tests: [{ interval: '15s', input_series, promql_expr_test }] }));
    passes(promtool, folder, 'test', 'rules', 'own.yaml');
  }
}); // prettier-ignore

test('a budget is one, whatever labels its objective had before', () => {
  const labelled = (team: string): SloFile =>
    read({
      service: 'shop',
      labels: { team },
      slos: [
        { name: 'paid', objective: '90%', window: '7d', sli: { events: { bad: 'a', total: 'b' } } },
        { name: 'share', objective: '50%', window: '7d', sli: { ratio: { error: 'a_share' } } },
      ],
    });
  const folder = folderOf(labelled('new'));
  const files = ['paid', 'share'].map((name) => `shop-${name}.rules.yaml`);
  // What was recorded before, by the rules as they were then, for an hour.
  const before = labelled('old').slos.flatMap((slo) =>
    ruleGroup(slo, labelNames.spillway).rules.flatMap((rule) => {
      if (!('record' in rule) || !/:(rate|ratio_rate)2m$/.test(rule.record)) return [];
      const labels = Object.entries(rule.labels).map(([name, value]) => `${name}="${value}"`);
      return [{ series: `${rule.record}{${labels.join(', ')}}`, values: `${/total/.test(rule.record) ? 4 : 0.4}x60 stale` }];
    }),
  );
  assert.equal(before.length, 4);
  const input_series = [
    ...before,
    { series: 'a', values: '_x65 0+24x60' },
    { series: 'b', values: '_x65 0+240x60' },
    { series: 'a_share', values: '_x65 0.4x60' },
  ];
  const left = (name: string, share: number) => ({
    expr: `abs(sum without (slo_id, slo_name, slo_service, team) (slo:period_error_budget_remaining:ratio{slo_id="shop-${name}"}) - ${share}) < bool 0.001`,
    eval_time: '2h',
    exp_samples: [{ labels: '{}', value: 1 }],
  });
  const promql_expr_test = [left('paid', 0), left('share', 0.2)];
  writeFileSync(join(folder, 'own.yaml'), stringify({ rule_files: files, evaluation_interval: '1m', tests: [{ interval: '1m', input_series, promql_expr_test }] }));
  passes(promtool, folder, 'test', 'rules', 'own.yaml');
}); // prettier-ignore
