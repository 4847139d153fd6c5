import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../../test/engine/manual-clock.ts';
import type { MetricRecord } from '../../observe/otlp/metric-record.ts';
import { ReceivedMetrics } from './received-metrics.ts';

const record = (name: string, attributes: Record<string, string>, value: number, instance = 'a'): MetricRecord => ({
  ...{ service: 'shop', instance, name, unit: '', help: '', type: 'gauge' },
  points: [{ attributes, startMs: 0, timeMs: 5, value }],
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
