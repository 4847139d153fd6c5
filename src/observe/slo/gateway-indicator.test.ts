/** The gateway's indicators against what the gateway shows: names, labels and bounds. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bucketUpperMs, BUCKETS } from '../../gateway/slots.ts';
import { metricNames } from '../../gateway/admin/metric-names.ts';
import { counterParts, type GatewayIndicator, latencyBoundsS, nearestBound } from './gateway-indicator.ts';

const requests = { service: 'shop', route: 'api' };
const indicators: readonly GatewayIndicator[] = [
  { kind: 'availability', requests },
  { kind: 'latency', requests, boundS: 0.196608 },
];

test('bounds are those of the histogram that is scraped, digit for digit', () => {
  const shown = Array.from({ length: BUCKETS - 1 }, (_, bucket) => bucket).filter((bucket) => bucket % 2 === 0);
  assert.deepEqual(
    latencyBoundsS.map(String),
    shown.map((bucket) => String(bucketUpperMs(bucket) / 1000)),
  );
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

test('a threshold stands for the nearest bound within 5 %, and between them for none', () => {
  assert.deepEqual(nearestBound(0.2), { boundS: 0.196608 });
  assert.deepEqual(nearestBound(0.25), { boundS: 0.262144 });
  assert.deepEqual(nearestBound(1), { boundS: 1.048576 });
  assert.deepEqual(nearestBound(0.15), { below: 0.131072, above: 0.196608 });
  assert.deepEqual(nearestBound(0.00001), { below: null, above: 0.000064 });
});
