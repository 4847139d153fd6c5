/** What a page tells of endpoints one by one, and what is told of those that are not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { metricsInput } from '../../../test/metrics-input.ts';
import { cellLane } from '../../kernel/cells.ts';
import { systemClock } from '../../kernel/clock.ts';
import { atOnce } from '../../kernel/steps.ts';
import { NamedEndpoints } from '../control/named-endpoints.ts';
import { ENDPOINT_GAUGES, ENDPOINT_SLOTS } from '../slots.ts';
import { gatewayMetrics, type MetricsInput } from './metrics.ts';

test('an endpoint that has no series of its own any more brings the others all that no page has told of it, and nothing that one has', () => {
  const given = metricsInput(0);
  const named = new NamedEndpoints(given.healthChanges, systemClock);
  const page = (max: number): MetricsInput => ({ ...given, endpoints: atOnce(named.read(given.snapshot, max)) });
  const { cell } = given.snapshot.services[0]!.endpoints[0]!;
  const lane = cellLane(cell, ENDPOINT_SLOTS, 1);
  const count = (times: number): void => {
    for (let slot = ENDPOINT_GAUGES; slot < ENDPOINT_SLOTS; slot += 1) lane[slot]! += times;
  };
  /** By family and the labels that are not those of who counts it; of gauges none. */
  const counters = (input: MetricsInput): Map<string, number> => {
    const sums = new Map<string, number>();
    for (const family of gatewayMetrics(input)) {
      if (!/^spillway_(endpoint|upstream)_/.test(family.name) || family.type === 'gauge') continue;
      for (const sample of family.samples) {
        if (sample === null) continue;
        const { endpoint: _1, overflow: _2, ...labels } = sample.labels;
        const key = `${family.name} ${JSON.stringify(labels)}`;
        const values = 'buckets' in sample ? [...sample.buckets.map((each) => each.count), sample.sum] : [sample.value];
        values.forEach((value, at) => sums.set(`${key} ${at}`, (sums.get(`${key} ${at}`) ?? 0) + value));
      }
    }
    return sums;
  };
  const first = counters(page(1000));
  count(100);
  const before = counters(page(1000));
  count(7);
  const others = counters(page(0));
  count(1);
  const after = counters(page(0));
  assert.ok(before.size > 30);
  for (const key of before.keys()) {
    // To a thousandth of what is counted each time: sums of durations are fractions.
    const times = (now: Map<string, number>, base = 0): number => Math.round(1000 * (now.get(key)! - base));
    const each = times(before, first.get(key)) / 100;
    assert.deepEqual([times(others), times(after)], [7 * each, 8 * each], key);
  }
});

test('of each endpoint whose health has not changed, and each service that is not discovered, it is said that there is nothing', () => {
  const given = metricsInput();
  const nothing = given.snapshot.services.map(() => null);
  const families = gatewayMetrics({ ...given, healthChanges: () => [], discovery: nothing, breakers: nothing });
  const samples = (of: string) => [...families.find(({ name }) => name === of)!.samples];
  assert.deepEqual(
    samples('spillway_endpoint_health_changes_total'),
    given.endpoints.named.map(() => null),
  );
  for (const name of ['spillway_discovery_failing', 'spillway_breaker_state']) assert.deepEqual(samples(name), nothing);
});
