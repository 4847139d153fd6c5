/** Exemplars as they are pushed, again and again, against a naive list of all that ever came. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { MetricRecord } from '../../observe/otlp/metric-record.ts';
import type { Attributes } from '../../observe/trace/span-record.ts';
import { ReceivedExemplars } from './received-exemplars.ts';

interface Told {
  readonly number: number;
  readonly value?: number;
  readonly timeMs?: number;
  readonly spanId?: string;
}

const traceIdOf = (number: number): string => number.toString(16).padStart(32, '0');

function record(told: readonly Told[], given: Partial<MetricRecord> = {}, attributes: Attributes = {}): MetricRecord {
  const exemplars = told.map(({ number, value = 0.25, timeMs = 1000 + number, spanId = '' }) => {
    return { traceId: traceIdOf(number), spanId, value, timeMs };
  });
  const value = { count: 1, sum: 1, bounds: [], counts: [1], exemplars };
  return {
    ...{ service: 'shop', instance: 'a', name: 'http.server.request.duration', unit: 's', help: '', type: 'histogram' },
    points: [{ attributes, startMs: 0, timeMs: 77, value }],
    ...given,
  };
}

function kept(...records: readonly MetricRecord[]) {
  const exemplars = new ReceivedExemplars();
  for (const each of records) exemplars.add(each);
  return exemplars.all;
}

const MAX = 40;

test('each is kept once however often it is told, at most so many, those that were new last', () => {
  const push = fc.record({ from: fc.nat(90), count: fc.integer({ min: 1, max: 60 }) });
  fc.assert(
    fc.property(fc.array(push, { maxLength: 12 }), (pushes) => {
      const exemplars = new ReceivedExemplars(MAX);
      const all: number[] = [];
      for (const { from, count } of pushes) {
        const numbers = Array.from({ length: count }, (_, at) => from + at + 1);
        exemplars.add(record(numbers.map((number) => ({ number }))));
        // What went may come again, and is new then.
        for (const number of numbers) if (!all.slice(-MAX).includes(number)) all.push(number);
      }
      const found = exemplars.all.map(({ traceId }) => Number.parseInt(traceId, 16));
      assert.deepEqual(found.toSorted((a, b) => a - b), all.slice(-MAX).toSorted((a, b) => a - b));
    }),
  ); // prettier-ignore
});

test('in milliseconds whatever the unit, with the words of the request, red if it failed', () => {
  const words = { 'http.request.method': 'GET', 'http.route': '/cart' };
  const spelled = { http_request_method: 'GET', http_route: '/cart' };
  assert.deepEqual(kept(record([{ number: 1 }], {}, { ...words, 'http.response.status_code': 200 })), [
    { traceId: traceIdOf(1), spanId: '', name: 'GET /cart', by: 'shop', atMs: 1001, durationMs: 250, failed: false },
  ]);
  const [old] = kept(record([{ number: 1, value: 30, timeMs: 0 }], { name: 'http.server.duration', unit: 'ms' }));
  assert.deepEqual([old!.durationMs, old!.name, old!.atMs], [30, 'http.server.duration', 77]);
  const failed = (attributes: Attributes): boolean => kept(record([{ number: 1 }], {}, attributes))[0]!.failed;
  assert.equal(failed({ ...spelled, http_response_status_code: 503 }), true);
  assert.equal(failed({ ...spelled, http_response_status_code: '404', error_type: '404' }), false);
  assert.equal(failed({ 'rpc.method': 'Pay', 'error.type': 'timeout' }), true);
});

test('what is no duration of an answered request, no trace, no number or in the name of the gateway is not kept', () => {
  const none = [
    record([{ number: 1 }], { name: 'http.client.request.duration' }),
    record([{ number: 1 }], { name: 'db.client.operation.duration' }),
    record([{ number: 1 }], { name: 'http.server.request.body.size', unit: 'By' }),
    record([{ number: 1 }], { unit: 'constructor' }),
    record([{ number: 1 }], { service: 'gateway' }),
    record([{ number: 1 }], { type: 'gauge' }),
    record([{ number: 0 }]),
    record([{ number: 1, value: -1 }]),
    record([{ number: 1, value: Number.NaN }]),
    record([{ number: 1, value: Number.POSITIVE_INFINITY }]),
    record([], { points: [{ attributes: {}, startMs: 0, timeMs: 1, value: 7 }] }),
  ];
  assert.deepEqual(kept(...none), []);
  const [long] = kept(record([{ number: 1 }], {}, { 'http.route': 'x'.repeat(10_000) }));
  assert.ok(long!.name.length <= 256);
});

test('what is no span id is not kept, however long, nor a duration that no axis can show', () => {
  const ids = ['00f067aa0ba902b7', 'f'.repeat(2 ** 20), '<b>', ''];
  const told = ids.map((spanId, at) => ({ number: at + 1, spanId }));
  assert.deepEqual(
    kept(record(told)).map(({ spanId }) => spanId),
    ['00f067aa0ba902b7', '', '', ''],
  );
  const values = [86_400, 86_401, 1e300, Number.MAX_VALUE, Number.MIN_VALUE, 1e-12, 0];
  assert.deepEqual(
    kept(record(values.map((value, at) => ({ number: at + 1, value })))).map(({ durationMs }) => durationMs),
    [86_400_000, 0, 0, 0],
  );
});
