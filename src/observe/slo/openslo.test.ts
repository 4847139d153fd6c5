/** What OpenSLO has and the other forms do not: several objectives in one, calendars, thresholds, amounts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatMistake } from '../../reading/mistakes.ts';
import { parseSlos } from './load.ts';
import { openSlo } from '../../../test/slo/open-slo.ts';

const DAY_MS = 86_400_000;

function says(text: string, pattern: RegExp): void {
  const all = parseSlos(text, 'f.yaml').mistakes.map(formatMistake).join('\n');
  assert.match(all, new RegExp(pattern.source, `${pattern.flags}m`));
}

test('each objective of an SLO is one of its own, by a name that its place in the list has no part in', () => {
  const of = (...objectives: string[]) => openSlo.replace('[{ target: 0.999 }]', `[${objectives.join(', ')}]`);
  const named = (text: string): (string | number | null)[][] => {
    const { slos, mistakes } = parseSlos(text, 'f.yaml');
    assert.deepEqual(mistakes, []);
    return slos!.slos.map(({ name, objective, description }) => [name, objective, description]);
  };
  const good = '{ displayName: Good Enough!, target: 0.99 }';
  const most = '{ targetPercent: 99.9 }';
  const expected = [['orders-good-enough', 0.99, 'Good Enough!: Orders arrive.'], ['orders-99.9', 0.999, 'Orders arrive.']];
  const without = (text: string): string => text.replace(/, annotations: .*99.5% }/, '');
  assert.deepEqual(named(without(of(good, most))), expected);
  assert.deepEqual(named(without(of(most, good))), expected.toReversed());
  assert.deepEqual(named(without(of(good))), [['orders', ...expected[0]!.slice(1)]]);
  says(of('{ displayName: a b, target: 0.999 }', '{ displayName: A B, target: 0.9999 }'), /^f\.yaml:10:\d+: two objectives have the same name; the other is in line 10\. Found "orders-a-b"/);
  says(of('{ target: 0.999 }', '{ target: 0.999 }'), /two objectives have the same name.*Found "orders-99\.9"/);
  says(of('{ target: 0.999 }', '{ target: 0.99 }'), /^f\.yaml:3:\d+: the SLA is not looser than the SLO.*less than the objective of 99%/);
  const reserved = parseSlos(of('{ target: 0.999 }', '{ target: 0.9999 }').replace('team:', 'severity:'), 'f.yaml');
  assert.deepEqual(reserved.mistakes.map(({ message }) => message), ['the label severity is one that rules and alerts have already']);
  says(of('{ target: 0.999 }', '{ displayName: b }'), /^f\.yaml:10:\d+: an objective has either target/);
  says(of('{ target: 0.999, indicatorRef: orders }', '{ target: 0.9999 }'), /^f\.yaml:10:\d+: indicatorRef of an objective is for composites/);
  const within = (value: number, target: number): string => `{ op: lte, value: ${value}, target: ${target} }`;
  const latency = `${without(of(within(0.2, 0.99), within(0.5, 0.999))).split('  ratioMetric')[0]}  thresholdMetric: { metricSource: { type: Spillway, spec: {} } }\n`;
  const { slos } = parseSlos(latency, 'f.yaml');
  assert.deepEqual(slos!.slos.map(({ name, indicator }) => [name, indicator.kind === 'events' && indicator.gateway?.kind === 'latency' ? indicator.gateway.boundS : null]), [['orders-0.2-99', 0.2], ['orders-0.5-99.9', 0.5]]);
  const { slos: great } = parseSlos(latency.replace(' type: Spillway, spec: {} ', ' type: Prometheus, spec: { query: lag } ').replace('0.5', '1e21'), 'f.yaml');
  assert.deepEqual(great!.slos.map(({ name }) => name), ['orders-0.2-99', 'orders-1e21-99.9']);
  says(latency.replace('value: 0.5', 'value: 0.22'), /^f\.yaml:10:\d+: the gateway does not count by this threshold/);
}); // prettier-ignore

const rolls = '{ duration: 4w, isRolling: true }';

test('a window rolls for days, weeks, months or quarters, or is a period of a calendar; without one it is 30 days', () => {
  const windowOf = (window: string) => {
    const { slos, mistakes } = parseSlos(openSlo.replace(rolls, window), 'f.yaml');
    assert.deepEqual(mistakes, [], window);
    const { windowMs, calendar } = slos!.slos[0]!;
    return [windowMs / DAY_MS, calendar];
  };
  assert.deepEqual(['{ duration: 1M }', '{ duration: 1Q, isRolling: true }', '{ duration: 2w }'].map(windowOf), [[30, null], [90, null], [14, null]]);
  assert.deepEqual(parseSlos(openSlo.replace(`  timeWindow: [${rolls}]\n`, ''), 'f.yaml').slos!.slos[0]!.windowMs, 30 * DAY_MS);
  const start = 'startTime: 2026-01-21 12:30:00, timeZone: America/New_York';
  const shared = { startMs: Date.UTC(2026, 0, 21, 12, 30), timeZone: 'America/New_York' };
  const of = (every: string, more = 'isRolling: false, ') => windowOf(`{ duration: ${every}, ${more}calendar: { ${start} } }`);
  assert.deepEqual(of('1M'), [30, { every: '1M', unit: 'month', count: 1, ...shared }]);
  assert.deepEqual(of('1M', ''), of('1M'));
  assert.deepEqual(of('2Q'), [180, { every: '2Q', unit: 'month', count: 6, ...shared }]);
  assert.deepEqual(of('2w'), [14, { every: '2w', unit: 'day', count: 14, ...shared }]);
  const wrong = (window: string, pattern: RegExp): void => says(openSlo.replace(rolls, window), pattern);
  wrong('{ duration: 1Y }', /^f\.yaml:8:28: the duration of a rolling window is not valid\. Found "1Y", expected a whole number of days from 7d to 90d/);
  wrong('{ duration: 30d, isRolling: false }', /^f\.yaml:8:\d+: a window that does not roll begins by a calendar, expected calendar|^f\.yaml:8:\d+: a window that does not roll begins by a calendar/);
  wrong(`{ duration: 1M, isRolling: true, calendar: { ${start} } }`, /^f\.yaml:8:\d+: a window that rolls has no calendar/);
  for (const every of ['0d', '12h', '2Y', '400d', '1x']) wrong(`{ duration: ${every}, calendar: { ${start} } }`, /the duration of a calendar window is not valid\. Found .*such as 1M, 1w or 1Q\.$/);
  wrong(`{ duration: 1M, calendar: { ${start.replace('-21 ', '-31 ')} } }`, /^f\.yaml:8:\d+: not every month has the day of this startTime\. Found "2026-01-31 12:30:00"/);
  for (const time of ['2026-02-30 00:00:00', '2026-01-01', '2026-01-01 24:00:00', 'soon']) wrong(`{ duration: 1w, calendar: { startTime: ${time}, timeZone: UTC } }`, /startTime is not valid\. Found/);
  wrong(`{ duration: 1M, calendar: { ${start.replace('New_York', 'New_Yrok')} } }`, /there is no such time zone\. Found "America\/New_Yrok".*Did you mean America\/New_York\?$/);
  wrong('{ duration: 1M, calendar: { startTime: 2026-01-01 00:00:00 } }', /timeZone is missing/);
}); // prettier-ignore

test('a threshold over a metric of Prometheus is a share of time, for each objective its own', () => {
  const of = (objectives: string, query = 'stock_age_seconds', method = 'Occurrences'): string =>
    `${openSlo.slice(0, openSlo.indexOf('  ratioMetric:'))}  thresholdMetric: { metricSource: { type: Prometheus, spec: { query: '${query}' } } }\n`
      .replace('[{ target: 0.999 }]', objectives).replace('Occurrences', method).replace(/, annotations: .*99.5% }/, '');
  const errorsOf = (text: string): string[] => {
    const { slos, mistakes } = parseSlos(text, 'f.yaml');
    assert.deepEqual(mistakes, []);
    return slos!.slos.map(({ indicator }) => (indicator.kind === 'ratio' ? indicator.error : ''));
  };
  const share = (beyond: string): string => `avg_over_time((avg(((stock_age_seconds) >= -Inf) ${beyond}))[$window:30s])`;
  assert.deepEqual(errorsOf(of('[{ op: lte, value: 60, target: 0.9 }, { op: lt, value: 300, target: 0.99 }]')), [share('> bool 60'), share('>= bool 300')]);
  assert.deepEqual(errorsOf(of('[{ op: gte, value: 2, target: 0.9 }, { op: gt, value: -1, target: 0.99 }]')), [share('< bool 2'), share('<= bool -1')]);
  const sliced = errorsOf(of('[{ op: lte, value: 60, target: 0.9, timeSliceTarget: 0.5, timeSliceWindow: 2m }]', undefined, 'Timeslices'));
  assert.deepEqual(sliced, [`avg_over_time(((${share('> bool 60').replace('$window', '2m')}) > bool 0.500000001)[$window:2m])`]);
  says(of('[{ target: 0.9, value: 1 }]'), /^f\.yaml:10:\d+: the objective of orders does not say what is good/);
  says(of('[{ op: lte, value: 60, target: 0.9 }]', 'x[$window]'), /^f\.yaml:16:\d+: a threshold is for a value of each moment.*Found "x\[\$window\]"/);
  says(of('[{ op: lte, value: 60, target: 0.9 }]').replace('type: Prometheus', 'type: Datadog'), /type is not valid|only Prometheus is asked/);
}); // prettier-ignore

test('what goes up and down is measured by its mean, and not by how it grows', () => {
  const amounts = (good: string): string => openSlo.replace('counter: true', 'counter: false').replace(/bad: .*/, `good: { metricSource: { type: Prometheus, spec: { query: '${good}' } } }`);
  const indicatorOf = (good: string) => parseSlos(amounts(good), 'f.yaml').slos!.slos[0]!.indicator;
  const total = 'avg_over_time((sum(orders_total))[$window:30s])';
  assert.deepEqual(indicatorOf('up{job="a"}'), { kind: 'events', bad: `(${total}) - (avg_over_time((sum(up{job="a"}))[$window:30s]))`, total, gateway: null });
  assert.deepEqual(indicatorOf('sum(up == 1)'), { kind: 'events', bad: `(${total}) - (avg_over_time((sum(up == 1))[$window:30s]))`, total, gateway: null });
  says(openSlo.replace("'orders_total{ok=\"no\"}'", "'rate(orders_total[5m])'"), /^f\.yaml:18:\d+: .*query is not valid\. Found "rate\(orders_total\[5m\]\)", expected a counter such as/);
}); // prettier-ignore
