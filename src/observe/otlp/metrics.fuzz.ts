/** Whatever is sent as metrics: records within their bounds come out, or `OTLP_INVALID`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { SpillwayError } from '../../kernel/errors.ts';
import { createMetrics } from '../metrics/metrics.ts';
import { decodeMetrics, encodeMetrics } from './metrics.ts';
import { metricsRequest } from './metric-messages.ts';

const source = { service: 'shop', instance: '', resource: {}, startMs: 1 };

/** Bytes of a real request, some of them changed, and cut somewhere. */
function damaged(bytes: Uint8Array): fc.Arbitrary<Uint8Array> {
  const change = fc.tuple(fc.nat(bytes.length - 1), fc.nat(255));
  return fc.tuple(fc.array(change, { maxLength: 8 }), fc.nat(bytes.length)).map(([changes, length]) => {
    const copy = Uint8Array.from(bytes);
    for (const [at, byte] of changes) copy[at] = byte;
    return length < 3 ? copy.subarray(0, length) : copy;
  });
}

async function request(): Promise<Uint8Array> {
  const metrics = createMetrics();
  metrics
    .counter({ name: 'a_total', help: 'A.', labels: ['x'] })
    .bind({ x: 'y' })
    .add(3);
  const seconds = metrics.histogram({ name: 'b_seconds', help: 'B.' }).bind();
  for (const value of [0, 0.001, 1, 1e9]) seconds.observe(value, '4bf92f3577b34da6a3ce929d0e0e4736');
  const batches = [];
  for await (const batch of metrics.collect()) batches.push(batch);
  return encodeMetrics(batches, source);
}

function only(decode: () => void): void {
  try {
    decode();
  } catch (error) {
    assert.ok(error instanceof SpillwayError && error.code === 'OTLP_INVALID', String(error));
  }
}

function checkMetrics(bytes: Uint8Array): void {
  only(() => {
    for (const { name, points } of decodeMetrics(bytes).metrics) {
      assert.ok(name.length > 0 && name.length <= 256);
      for (const { value } of points) {
        if (typeof value === 'number') assert.ok(Number.isFinite(value));
        else {
          assert.equal(value.counts.length, value.bounds.length + 1);
          for (const [at, bound] of value.bounds.entries()) {
            assert.ok(Number.isFinite(bound) && bound > (value.bounds[at - 1] ?? -Infinity));
          }
          assert.equal(
            value.count,
            value.counts.reduce((sum, count) => sum + count, 0),
          );
        }
      }
    }
  });
}

test('bytes that are damaged, or none of ours', async () => {
  const whole = await request();
  fc.assert(fc.property(fc.oneof(damaged(whole), fc.uint8Array({ maxLength: 200 })), checkMetrics), { numRuns: 3000 });
});

test('messages that are well-formed and make no sense', () => {
  const point = fc.record(
    {
      asDouble: fc.double(),
      count: fc.nat(),
      sum: fc.double(),
      scale: fc.integer({ min: -30, max: 30 }),
      zeroCount: fc.nat(),
      zeroThreshold: fc.double(),
      explicitBounds: fc.array(fc.double(), { maxLength: 5 }),
      bucketCounts: fc.array(fc.nat(), { maxLength: 6 }),
      positive: fc.record({ offset: fc.integer(), bucketCounts: fc.array(fc.nat(), { maxLength: 5 }) }),
      flags: fc.nat(3),
    },
    { requiredKeys: [] },
  );
  const data = fc.record({ dataPoints: fc.array(point, { maxLength: 3 }), aggregationTemporality: fc.nat(3) });
  const kind = fc.constantFrom('gauge', 'sum', 'histogram', 'exponentialHistogram');
  const metric = fc.tuple(fc.string({ maxLength: 5 }), kind, data).map(([name, of, body]) => ({ name, [of]: body }));
  fc.assert(
    fc.property(fc.array(metric, { maxLength: 4 }), (metrics) => {
      checkMetrics(metricsRequest.encode({ resourceMetrics: [{ scopeMetrics: [{ metrics }] }] }));
    }),
    { numRuns: 1000 },
  );
});
