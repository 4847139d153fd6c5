import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ManualClock } from '../../../test/engine/manual-clock.ts';
import type { MetricRecord } from '../../observe/otlp/metric-record.ts';
import { ReceivedMetrics } from './received-metrics.ts';

// WHY five parameters: a table of short lines reads better than objects would.
const record = (
  name: string,
  attributes: Record<string, string>,
  value: number,
  instance = 'a',
  timeMs = 5,
): MetricRecord => ({
  ...{ service: 'shop', instance, name, unit: '', help: '', type: 'gauge' },
  points: [{ attributes, startMs: 0, timeMs, value }],
});

test('the last value of each series, whatever the order of its labels, by the beginning of its name', () => {
  const metrics = new ReceivedMetrics(new ManualClock());
  metrics.add([record('seat_term', { seat: 'cron', holder: 'a' }, 1), record('lock_held', {}, 3)]);
  metrics.add([record('seat_term', { holder: 'a', seat: 'cron' }, 2)]);
  metrics.add([record('seat_term', { holder: 'a', seat: 'cron' }, 7, 'b')]);
  const { series, more } = metrics.find('seat_');
  assert.deepEqual(
    series.map(({ instance, value }) => [instance, value]),
    [
      ['a', 2],
      ['b', 7],
    ],
  );
  assert.deepEqual([metrics.find('').series.length, metrics.find('x').series.length, more], [3, 0, 0]);
});

test('what comes late is not taken for newer; a time that was wrong is forgotten', () => {
  const clock = new ManualClock();
  const metrics = new ReceivedMetrics(clock);
  const value = (): unknown => metrics.find('a').series[0]?.value;
  metrics.add([record('a', {}, 2, 'a', 2000)]);
  metrics.add([record('a', {}, 1, 'a', 1000)]);
  assert.equal(value(), 2);
  metrics.add([record('a', {}, 3, 'a', 2000)]);
  assert.equal(value(), 3);
  clock.pass(300_000);
  metrics.add([record('a', {}, 1, 'a', 1000)]);
  assert.equal(value(), 3);
  clock.pass(300_000);
  metrics.add([record('a', {}, 1, 'a', 1000)]);
  assert.equal(value(), 1);
});

test('of a counter, what it was half a minute to a minute ago', () => {
  const clock = new ManualClock();
  const metrics = new ReceivedMetrics(clock);
  const tell = (name: string, value: number, startMs = -3_600_000, instance = 'a'): unknown => {
    const timeMs = clock.nowMs();
    const told = record(name, {}, value, instance, timeMs);
    metrics.add([{ ...told, type: 'counter', points: [{ ...told.points[0]!, startMs }] }]);
    return metrics.find('').series.find((series) => series.name === name && series.instance === instance)?.was;
  };
  assert.equal(tell('a', 100), null, 'an old process that is heard first');
  clock.pass(10_000);
  assert.equal(tell('a', 110), 100);
  assert.equal(tell('new', 5), 0, 'of a process that is known');
  assert.equal(tell('young', 7, clock.nowMs() - 1000, 'b'), 0);
  const was: unknown[] = [];
  for (let value = 120; value <= 190; value += 10) {
    clock.pass(10_000);
    was.push(tell('a', value));
  }
  // At 10 s a step, three to five steps ago.
  assert.deepEqual(was, [100, 100, 110, 110, 110, 140, 140, 140]);
  clock.pass(10_000);
  assert.equal(tell('a', 3), 0, 'it began anew');
  clock.pass(61_000);
  assert.deepEqual(metrics.find('a').series.map(({ value, was: before }) => [value, before]), [[3, 3]]); // prettier-ignore
  metrics.add([record('gauge', {}, 1)]);
  assert.equal('was' in metrics.find('gauge').series[0]!, false);
});

test('of a histogram, how many and how much', () => {
  const metrics = new ReceivedMetrics(new ManualClock());
  const value = { count: 3, sum: 7, bounds: [1], counts: [1, 2], exemplars: [] };
  metrics.add([
    { ...record('h', {}, 0), type: 'histogram', points: [{ attributes: {}, startMs: 0, timeMs: 1, value }] },
  ]);
  const [series] = metrics.find('').series;
  assert.deepEqual([series?.value, series?.count, series?.sum], [null, 3, 7]);
});

test('who says nothing for long is not shown, and there are never too many', () => {
  const clock = new ManualClock();
  const metrics = new ReceivedMetrics(clock);
  metrics.add([record('old', {}, 1)]);
  clock.pass(500_000);
  metrics.add([record('new', {}, 1)]);
  clock.pass(100_000);
  assert.deepEqual(
    metrics.find('').series.map(({ name }) => name),
    ['new'],
  );
  for (let n = 0; n < 12_000; n++) metrics.add([record('many', { n: String(n) }, n)]);
  const { series, more } = metrics.find('many');
  assert.equal(series.length + more, 10_000);
  assert.equal(metrics.find('new').series.length, 0);
});

test('long names and labels take no more memory than there is, and keep nothing longer alive', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const metrics = new ReceivedMetrics(new ManualClock());
  const used = (): number => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = used();
  for (let n = 0; n < 1000; n++) {
    const labels = Array.from(
      { length: 64 },
      (_, at) => [`${at}${'l'.repeat(240)}`, `${n}${'v'.repeat(4000)}`] as const,
    );
    metrics.add([record('many', Object.fromEntries(labels), n)]);
  }
  const { series } = metrics.find('many');
  assert.ok(series.length > 100 && series.length < 1000, `${series.length} are kept`);
  assert.equal(Object.values(series[0]!.labels)[0]!.length, 256);
  const taken = (used() - before) / 2 ** 20;
  assert.ok(taken < 48, `${taken} MiB`);
  assert.equal(metrics.find('').series.at(-1)?.value, 999);
});
