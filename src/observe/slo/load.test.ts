/** Objectives as people write them: three forms that mean the same, and what is said of mistakes. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { formatMistake } from '../../reading/mistakes.ts';
import { loadSlos, parseSlos, resolveSlos } from './load.ts';
import { openSlo } from '../../../test/slo/open-slo.ts';

const DAY_MS = 86_400_000;
const lines = (text: string): string[] => parseSlos(text, 'f.yaml').mistakes.map(formatMistake);
const one = (body: string): string => `service: shop\nslos:\n  - name: a\n    sli: { availability: {} }\n${body}`;
const says = (text: string, pattern: RegExp): void => {
  const all = lines(text);
  assert.ok(
    all.some((line) => pattern.test(line)),
    `${String(pattern)} is not in:\n${all.join('\n')}`,
  );
};

const sloth = `version: prometheus/v1
service: shop
labels: { team: web }
slos:
  - name: orders
    objective: 99.9
    description: Orders arrive.
    sli:
      events:
        error_query: sum(rate(orders_total{ok="no"}[{{.window}}]))
        total_query: sum(rate(orders_total[{{ .window }}]))
    alerting: { name: OrdersFail, page_alert: { labels: { tier: one } }, ticket_alert: { disable: true } }
`;

const short = `service: shop
labels: { team: web }
slos:
  - name: orders
    description: Orders arrive.
    objective: 99.9%
    sli: { events: { bad: 'orders_total{ok="no"}', total: orders_total } }
`;

test('the short form, Sloth and OpenSLO mean the same', () => {
  const [fromShort, fromSloth, fromOpenSlo] = [short, sloth, openSlo].map((text) => {
    const { slos, mistakes } = parseSlos(text, 'f.yaml');
    assert.deepEqual(mistakes, []);
    return slos!.slos[0]!;
  });
  assert.equal(fromShort!.windowMs, 30 * DAY_MS);
  assert.deepEqual({ ...fromSloth, alerts: null }, { ...fromShort, alerts: null });
  assert.deepEqual(fromOpenSlo, { ...fromShort, windowMs: 28 * DAY_MS, sla: 0.995 });
  assert.equal(fromSloth!.alerts.name, 'OrdersFail');
  assert.deepEqual(fromSloth!.alerts.page.labels, { tier: 'one' });
  assert.equal(fromSloth!.alerts.ticket.enabled, false);
  assert.equal(fromShort!.objective, 0.999);
});

test('a counter becomes its rate, good events become bad ones', () => {
  const { slos } = parseSlos(short.replace('bad:', 'good:'), 'f.yaml');
  assert.deepEqual(slos!.slos[0]!.indicator, {
    kind: 'events',
    bad: '(sum(rate(orders_total[$window]))) - (sum(rate(orders_total{ok="no"}[$window])))',
    total: 'sum(rate(orders_total[$window]))',
    gateway: null,
  });
});

test('indicators of the gateway need no PromQL, in OpenSLO neither', () => {
  const source = (spec: string): string => `{ metricSource: { type: Spillway, spec: ${spec} } }`;
  const document = (indicator: string, objective: string): string =>
    `apiVersion: openslo/v1\nkind: SLO\nmetadata: { name: a }\nspec:\n  service: shop\n  timeWindow: [{ duration: 30d }]\n` +
    `  objectives: [${objective}]\n  indicator: { spec: ${indicator} }\n`;
  const indicatorOf = (text: string) => {
    const { slos, mistakes } = parseSlos(text, 'f.yaml');
    assert.deepEqual(mistakes, []);
    return slos!.slos[0]!.indicator;
  };
  const ratio = `{ ratioMetric: { counter: true, bad: ${source('{ count: failed }')}, total: ${source('{ count: all }')} } }`;
  assert.deepEqual(indicatorOf(document(ratio, '{ targetPercent: 99.9 }')), indicatorOf(one('    objective: 99.9%\n')));
  const latency = indicatorOf(
    document(`{ thresholdMetric: ${source('{}')} }`, '{ target: 0.99, op: lte, value: 0.2 }'),
  );
  assert.deepEqual(latency.kind === 'events' ? latency.gateway : null, {
    kind: 'latency',
    requests: { service: 'shop', route: null },
    boundS: 0.2,
  });
});

test('an objective of 100 % or 0 %, a window of 0 and an unknown key are refused, each in its place', () => {
  says(one('    objective: 100%\n'), /^f\.yaml:5:16: .*Found "100%", expected a percentage above 0% and below 100%/);
  says(one('    objective: 0%\n'), /^f\.yaml:5:16: .*Found "0%"/);
  says(one('    objective: 99.9\n'), /Found 99\.9, .*Did you mean 99\.9%\?$/);
  says(
    one('    objective: 99%\n    window: 0d\n'),
    /^f\.yaml:6:13: .*Found "0d", expected a whole number of days from 7d to 90d/,
  );
  says(one('    objective: 99%\n    window: 36h\n'), /whole number of days/);
  says(one('    objective: 99%\n    windw: 30d\n'), /^f\.yaml:6:5: unknown key "windw" .*Did you mean window\?$/);
  says(sloth.replace('99.9', '100'), /^f\.yaml:6:16: .*below 100%/);
  says(openSlo.replace('0.999', '99.9'), /^f\.yaml:10:26: .*below 100%/);
  says(openSlo.replace('4w', '0d'), /^f\.yaml:8:28: .*Found "0d"/);
  says(one(''), /objective is missing/);
  says('', /file is empty/);
});

test('an SLA must be looser than the SLO', () => {
  says(
    one('    objective: 99.9%\n    sla: 99.95%\n'),
    /^f\.yaml:6:10: the SLA is not looser.*Found 99\.95%, expected less than.*99\.9%/,
  );
  says(one('    objective: 99.9%\n    sla: 99.9%\n'), /not looser/);
  assert.deepEqual(lines(one('    objective: 99.9%\n    sla: 99.8%\n')), []);
});

test('what is measured must be one thing, and look back over the window', () => {
  const sli = (text: string): string => one('    objective: 99%\n').replace('{ availability: {} }', text);
  says(sli('{}'), /^f\.yaml:4:10: what is measured is not clear. Found nothing/);
  says(sli('{ availability: {}, ratio: { error: "x[$window]" } }'), /Found availability and ratio/);
  says(sli('{ events: { total: x } }'), /either bad or good events.*Found neither/);
  says(sli('{ events: { bad: "rate(x[5m])", total: x } }'), /Found "rate\(x\[5m\]\)", expected a counter such as/);
  says(sli('{ latency: { under: 220ms } }'), /^f\.yaml:4:30: .*Found 220ms, .*200ms or 250ms/);
  says(sloth.replace(/events:\n.*\n.*\n/, 'plugin: { id: x }\n'), /plugins of Sloth are programs/);
  says(openSlo.replace('indicatorRef: orders', 'indicatorRef: order'), /no SLI "order".*Did you mean orders\?/);
  says(openSlo.replace('kind: SLI', 'kind: SLJ'), /^f\.yaml:13:7: .*Did you mean SLI\?/);
  says(openSlo.replace('openslo/v1', 'openslo/v1alpha'), /expected openslo\/v1/);
  says(sloth.replace('prometheus/v1', 'prometheus/v2'), /expected prometheus\/v1/);
});

test('names are unique, and labels do not take those of rules', () => {
  const twice = short + short.slice(short.indexOf('  - name'));
  says(twice, /^f\.yaml:8:11: two objectives have the same name; the other is in line 4/);
  says(one('    objective: 99%\n    labels: { severity: high }\n'), /^f\.yaml:6:15: the label severity/);
  says(one('    objective: 99%\n    labels: { "a-b": high }\n'), /label name of letters/);
  says(one('    objective: 99%\n    alerts: { failuresMin: 0 }\n'), /whole number from 1/);
});

const policy = `---
apiVersion: openslo/v1
kind: AlertPolicy
metadata: { name: fast }
spec: { conditions: [{ conditionRef: burns }], notificationTargets: [{ targetRef: team }] }
---
apiVersion: openslo/v1
kind: AlertCondition
metadata: { name: burns }
spec: { severity: page, condition: { kind: burnrate, op: lte, threshold: 2, lookbackWindow: 1h, alertAfter: 5m } }
---
apiVersion: openslo/v1
kind: AlertNotificationTarget
metadata: { name: team }
spec: { target: email }
`;

test('of alert policies of OpenSLO the severity is used, and what they refer to must be there', () => {
  const alerting = (use: string, documents = policy): string =>
    openSlo.replace('objectives:', `alertPolicies: ${use}\n  objectives:`) + documents;
  const { slos, mistakes } = parseSlos(alerting('[fast]'), 'f.yaml');
  const { page, ticket } = slos!.slos[0]!.alerts;
  assert.deepEqual([page.enabled, ticket.enabled], [true, false]);
  assert.match(formatMistake(mistakes[0]!), /^f\.yaml:10:3: warning: alerts come at four burn rates/);
  const both = parseSlos(alerting('[fast, { spec: { conditions: [{ spec: { severity: ticket, condition: { kind: burnrate, threshold: 1, lookbackWindow: 3d } } }] } }]'), 'f.yaml');
  assert.deepEqual([both.slos!.slos[0]!.alerts.page.enabled, both.slos!.slos[0]!.alerts.ticket.enabled], [true, true]);
  says(alerting('[fats]'), /^f\.yaml:10:19: there is no AlertPolicy "fats" in this file.*Did you mean fast\?/);
  says(alerting('[fast]', policy.replace('conditionRef: burns', 'conditionRef: burn')), /no AlertCondition "burn"/);
  says(alerting('[fast]', policy.replace('targetRef: team', 'targetRef: tea')), /no AlertNotificationTarget "tea"/);
  says(alerting('[fast]', policy.replace('threshold: 2, ', '')), /threshold/);
  says(alerting('[fast]', policy.replace('burnrate', 'level')), /^f\.yaml:30:44: .*expected one of: burnrate/);
}); // prettier-ignore

test('a metric of OpenSLO may say what it is by its data source, which must be Prometheus', () => {
  const source = (type: string): string =>
    `---\napiVersion: openslo/v1\nkind: DataSource\nmetadata: { name: here }\nspec: { type: ${type}, connectionDetails: { url: x } }\n`;
  const referring = openSlo.replaceAll('type: Prometheus,', 'metricSourceRef: here,');
  const { slos } = parseSlos(referring + source('Prometheus'), 'f.yaml');
  assert.deepEqual(slos!.slos, parseSlos(openSlo, 'f.yaml').slos!.slos);
  says(referring, /^f\.yaml:18:45: there is no DataSource "here" in this file, and no type beside it/);
  says(referring + source('Datadog'), /only Prometheus is asked. Found "Datadog"/);
});

test('a budget of time slices is a share of slices, and refused where slices do not fit', () => {
  const slices = (method: string, more: string): string =>
    openSlo.replace('Occurrences', method).replace('target: 0.999', `target: 0.999${more}`);
  const errorOf = (text: string): string => {
    const { indicator } = parseSlos(text, 'f.yaml').slos!.slos[0]!;
    return indicator.kind === 'ratio' ? indicator.error : '';
  };
  const share = '((sum(rate(orders_total{ok="no"}[1m]))) or 0 * (sum(rate(orders_total[1m])))) / ((sum(rate(orders_total[1m]))) > 0)';
  assert.equal(errorOf(slices('Timeslices', ', timeSliceTarget: 0.95, timeSliceWindow: 1m')), `avg_over_time(((${share}) > bool 0.050000001)[$window:1m])`);
  assert.equal(errorOf(slices('RatioTimeslices', ', timeSliceWindow: 1m')), `avg_over_time((${share})[$window:1m])`);
  says(slices('Timeslices', ', timeSliceWindow: 1m'), /^f\.yaml:10:16: Timeslices need timeSliceTarget/);
  says(slices('Timeslices', ', timeSliceTarget: 0.95'), /Timeslices need timeSliceWindow/);
  says(slices('RatioTimeslices', ', timeSliceTarget: 0.95, timeSliceWindow: 1m'), /timeSliceTarget of an objective is for Timeslices. Found RatioTimeslices/);
  says(slices('Occurrences', ', timeSliceWindow: 1m'), /timeSliceWindow of an objective is for time slices/);
  says(slices('Timeslices', ', timeSliceTarget: 0.95, timeSliceWindow: 10m'), /^f\.yaml:10:\d+: a slice is longer than the shortest window .*Found 10m, expected at most 4m40s/);
  says(slices('Timeslices', ', timeSliceTarget: 95, timeSliceWindow: 1m'), /timeSliceTarget/);
}); // prettier-ignore

const raw = (how: string, query: string): string =>
  `${openSlo.slice(0, openSlo.indexOf('  ratioMetric:'))}  ratioMetric: { ${how}, raw: { metricSource: { type: Prometheus, spec: { query: '${query}' } } } }\n`;

test('a share that is a metric by itself is its mean, and of what must be said', () => {
  const errorOf = (text: string): string => {
    const { indicator } = parseSlos(text, 'f.yaml').slos!.slos[0]!;
    return indicator.kind === 'ratio' ? indicator.error : '';
  };
  assert.equal(errorOf(raw('rawType: failure', 'stale')), 'avg(avg_over_time(stale[$window]))');
  assert.equal(errorOf(raw('rawType: success', 'fresh')), '1 - (avg(avg_over_time(fresh[$window])))');
  assert.equal(errorOf(one('    objective: 99%\n').replace('availability: {}', 'ratio: { error: stale }')), 'avg(avg_over_time(stale[$window]))');
  says(raw('counter: true', 'stale'), /a share is not clear\. Found raw and no rawType/);
  says(openSlo.replace('counter: true', 'rawType: failure'), /Found bad, total and rawType: failure/);
}); // prettier-ignore

test('a comment in a query ends with its line', () => {
  const { slos } = parseSlos(raw('rawType: success', 'avg_over_time(fresh[$window]) # of all'), 'f.yaml');
  assert.deepEqual(slos!.slos[0]!.indicator, {
    kind: 'ratio',
    error: '1 - (avg_over_time(fresh[$window]) # of all\n)',
  });
});

test('what OpenSLO leaves out, or writes in another way, is read', () => {
  const with_ = (use: string): string => openSlo.replace('objectives:', `alertPolicies:${use}\n  objectives:`);
  assert.deepEqual(parseSlos(with_(''), 'f.yaml').slos!.slos, parseSlos(openSlo, 'f.yaml').slos!.slos);
  const documents = policy.replace('kind: burnrate, ', '');
  const named = parseSlos(with_(' [fast]') + documents, 'f.yaml').slos!.slos;
  assert.deepEqual(parseSlos(`${with_(' [{ alertPolicyRef: fast }]')}${documents}`, 'f.yaml').slos!.slos, named);
  says(with_(' [{ kind: AlertPolicy }]') + policy, /a policy is not clear. Found neither, expected either alertPolicyRef or spec/);
  const sliced = (window: string): string => openSlo.replace('Occurrences', 'RatioTimeslices').replace('target: 0.999', `target: 0.999, timeSliceWindow: ${window}`);
  assert.deepEqual(parseSlos(sliced('2'), 'f.yaml').slos!.slos, parseSlos(sliced('2m'), 'f.yaml').slos!.slos);
  says(sliced('45.5s'), /Found "45\.5s", expected whole seconds from 30s to 1h/);
}); // prettier-ignore

test('what is there twice or says two things is refused, in OpenSLO', () => {
  const indicator = openSlo.slice(openSlo.indexOf('---'));
  says(openSlo + indicator, /two documents of kind SLI have the same name; the other is in line 14/);
  const source = '---\napiVersion: openslo/v1\nkind: DataSource\nmetadata: { name: here }\nspec: { type: Datadog }\n';
  says(openSlo.replaceAll('type: Prometheus,', 'type: Prometheus, metricSourceRef: here,') + source, /only Prometheus is asked. Found "Datadog"/);
  const of = (which: string, count: string): string => `{ metricSource: { type: Spillway, spec: { count: ${count}, route: ${which} } } }`;
  const spillway = `${openSlo.slice(0, openSlo.indexOf('    bad:'))}    bad: ${of('a', 'failed')}\n    total: ${of('b', 'all')}\n`;
  says(spillway, /of the gateway, what failed is counted, and all of the same/);
  says(openSlo.replace('team: web', `team: ${'x'.repeat(10_240)}`), /labels\.team is not valid.*at most 1000 characters/);
  says(openSlo.replace('target: 0.999', 'target: 0.99999999999'), /Found 0\.99999999999, expected a percentage above 0% and below 100%/);
}); // prettier-ignore

test('nothing is suggested that would be refused in its turn', () => {
  for (const window of ['0', '"0"', '5 days', '1M']) {
    const { mistakes } = parseSlos(short.replace('objective:', `window: ${window}\n    objective:`), 'f.yaml');
    assert.match(formatMistake(mistakes[0]!), /expected a whole number of days from 7d to 90d, such as 30d\.$/, window);
  }
  says(short.replace('objective:', 'window: 30 days\n    objective:'), /Did you mean 30d\?$/);
  says(one('    objective: 99%\n').replace('availability: {}', 'latency: { under: "0" }'), /under is not valid\. Found "0", expected [^?]*$/);
}); // prettier-ignore

test('a module is read as well, with the places of its mistakes', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-slo-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const write = (objective: string): string => {
    const file = join(folder, `${objective}.slo.ts`);
    const slo = `{ name: 'a', objective: '${objective}%', sli: { availability: {} } }`;
    writeFileSync(
      file,
      `import { defineSlo } from 'spillway/observe';\n\nexport default defineSlo({\n  service: 'shop',\n  slos: [${slo}],\n});\n`,
    );
    return file;
  };
  const { slos, mistakes } = await loadSlos(write('99.9'));
  assert.deepEqual(mistakes, []);
  assert.deepEqual(
    slos!.slos,
    resolveSlos({ service: 'shop', slos: [{ name: 'a', objective: '99.9%', sli: { availability: {} } }] }).slos!.slos,
  );
  const wrong = await loadSlos(write('100'));
  assert.match(formatMistake(wrong.mistakes[0]!), /\.slo\.ts:5:34: slos\[0\]\.objective is not valid/);
  await assert.rejects(loadSlos(join(folder, 'none.yaml')), { code: 'CONFIG_NOT_FOUND' });
});

test('whatever a file holds, it is read or refused with places, and never throws', () => {
  const leaf = fc.oneof(fc.string(), fc.double(), fc.constant(null), fc.boolean());
  const key = fc.constantFrom(
    'service',
    'slos',
    'name',
    'objective',
    'sli',
    'kind',
    'apiVersion',
    'version',
    'spec',
    'metadata',
    'x',
  );
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      leaf,
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(key, tie('value')),
    ),
  }));
  fc.assert(
    fc.property(value, (any) => {
      const { slos, mistakes } = parseSlos(stringify(any), 'f.yaml');
      assert.ok(slos !== null || mistakes.length > 0);
      for (const { line, column } of mistakes) assert.ok(line >= 1 && column >= 1);
    }),
  );
});
