/** The gateway's indicators against what the gateway shows: names, labels and bounds. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { durationBuckets } from '../../gateway/durations.ts';
import { metricNames } from '../../gateway/admin/metric-names.ts';
import { counterParts, type GatewayIndicator, gatewayQueries, nearestBound } from './gateway-indicator.ts';
import { latencyBoundsMs, latencyBoundsS } from './latency-bounds.ts';

const requests = { service: 'shop', route: 'api' };
const indicators: readonly GatewayIndicator[] = [
  { kind: 'availability', requests },
  { kind: 'latency', requests, boundS: 0.2 },
];

test('the gateway counts each bound exactly, and shows all of them', () => {
  for (const [at, boundMs] of latencyBoundsMs.entries()) {
    assert.ok(durationBuckets.bounds.includes(boundMs), `${boundMs} ms is no bound`);
    assert.equal(String(latencyBoundsS[at]), String(Number(`${boundMs}e-3`)), 'the same text in rules and on the page');
  }
});

test('the metrics exist, with these labels', () => {
  for (const { metric, labels } of indicators.flatMap(counterParts)) {
    const family = metric.replace(/_(bucket|count)$/, '');
    const known = metricNames[family as keyof typeof metricNames];
    assert.ok(known !== undefined, family);
    const allowed = [...known.labels, ...(known.type === 'histogram' ? ['le'] : [])];
    for (const label of Object.keys(labels)) assert.ok(allowed.includes(label), `${family} has no ${label}`);
  }
});

test('a threshold that people promise is counted by exactly, another by the nearest bound within 5 %, and between them none is', () => {
  const promised = [5, 10, 20, 25, 50, 75, 100, 150, 200, 250, 300, 500, 750, 1000, 2000, 2500, 5000, 10_000];
  for (const ms of promised) assert.deepEqual(nearestBound(ms / 1000), { boundS: ms / 1000 });
  assert.deepEqual(nearestBound(0.21), { boundS: 0.2 });
  assert.deepEqual(nearestBound(0.29), { boundS: 0.3 });
  assert.deepEqual(nearestBound(0.22), { below: 0.2, above: 0.25 });
  assert.deepEqual(nearestBound(0.00001), { below: null, above: 0.0001 });
  assert.deepEqual(nearestBound(90), { below: 60, above: null });
});

test('a whole bound is found however a scraper has written it down', () => {
  const { bad } = gatewayQueries({ kind: 'latency', requests, boundS: 1 });
  const [, regex = ''] = /le=~"([^"]*)"/.exec(bad) ?? [];
  const pattern = new RegExp(`^(?:${regex.replaceAll('\\\\', '\\')})$`);
  assert.deepEqual(
    ['1', '1.0', '10', '1.5', '100'].map((text) => pattern.test(text)),
    [true, true, false, false, false],
  );
  assert.match(gatewayQueries({ kind: 'latency', requests, boundS: 0.2 }).bad, /le="0\.2"/);
});
