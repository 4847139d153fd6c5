/** What stays of traces, what goes, and what a list shows. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { span as anySpan } from '../../../test/observe/spans.ts';
import { decodeTraces, encodeTraces } from '../otlp/traces.ts';
import type { SpanRecord } from './span-record.ts';
import { createTraceStore, type TraceStore } from './store.ts';

const KB = 1024;
const id = (number: number): string => number.toString(16).padStart(32, '0');

/** About two kilobytes. */
const span = (trace: number, fields: Partial<SpanRecord> = {}): SpanRecord =>
  anySpan({
    traceId: id(trace),
    spanId: '1'.repeat(16),
    startMs: trace,
    attributes: { 'http.route': '/cart/{id}', padding: 'x'.repeat(650) },
    ...fields,
  });

const has = (store: TraceStore, trace: number): boolean => store.trace(id(trace)) !== null;

test('of ordinary traces the oldest go; what failed or was slow stays', () => {
  const store = createTraceStore({ memoryBytes: 64 * KB });
  store.add([span(1, { status: 'error' }), span(2, { durationMs: 1000 }), span(3, { durationMs: 999 })]);
  for (let trace = 10; trace < 100; trace += 1) store.add([span(trace)]);
  assert.deepEqual([has(store, 1), has(store, 2), has(store, 3), has(store, 10), has(store, 99)], [true, true, false, false, true]); // prettier-ignore
  assert.ok(store.bytes <= 64 * KB && store.bytes > 60 * KB);
  assert.equal(store.size + store.evicted, 93);
});

test('an outage does not take all of it', () => {
  const store = createTraceStore({ memoryBytes: 64 * KB });
  for (let trace = 0; trace < 200; trace += 1)
    store.add([span(trace, { status: trace % 2 === 0 ? 'error' : 'unset' })]);
  const { traces } = store.find({ status: 'ok', limit: 1000 });
  assert.ok(traces.length >= 6, `${traces.length} ordinary ones`);
  assert.ok(store.find({ status: 'error' }).traces.length > 2 * traces.length);
});

test('a trace that fails late is one of those that stay', () => {
  const store = createTraceStore({ memoryBytes: 64 * KB });
  store.add([span(1)]);
  store.add([span(1, { spanId: '2'.repeat(16), parentId: '1'.repeat(16), status: 'error' })]);
  for (let trace = 10; trace < 100; trace += 1) store.add([span(trace)]);
  assert.equal(store.trace(id(1))?.spans.length, 2);
});

test('one trace takes at most an eighth, what comes twice is there once', () => {
  const store = createTraceStore({ memoryBytes: 64 * KB });
  const spans = Array.from({ length: 10 }, (_, at) => span(1, { spanId: String(at).repeat(16) }));
  store.add(spans);
  store.add(spans.slice(0, 2));
  const kept = store.trace(id(1))!;
  assert.equal(kept.spans.length, 4);
  assert.equal(kept.dropped, 6);
  store.add([span(2, { attributes: { body: 'x'.repeat(10 * KB) } })]);
  assert.equal(store.trace(id(2)), null);
});

test('a trace is of each service that has a span in it, and of one that the gateway asked', () => {
  const store = createTraceStore();
  store.add([
    span(1, { service: 'gateway', attributes: { 'spillway.service': 'search' } }),
    span(2, { service: 'shop' }),
  ]);
  const of = (service: string): number => store.find({ service }).traces.length;
  assert.deepEqual([of('search'), of('shop'), of('gateway'), of('stock')], [1, 1, 1, 0]);
});

test('a list says what a trace was, from all services', () => {
  const store = createTraceStore();
  const root = span(1, { name: 'GET', service: 'gateway', attributes: { 'spillway.kept': 'error' }, durationMs: 30, startMs: 100 }); // prettier-ignore
  const child = span(1, {
    spanId: '2'.repeat(16),
    parentId: root.spanId,
    startMs: 99,
    status: 'error',
    durationMs: 20,
  });
  store.add([child, root]);
  assert.deepEqual(store.find({}), {
    traces: [
      {
        traceId: id(1),
        service: 'gateway',
        name: 'GET',
        route: '/cart/{id}',
        startMs: 100,
        durationMs: 30,
        status: 'error',
        spans: 2,
        errors: 1,
        services: ['gateway', 'shop'],
        kept: 'error',
      },
    ],
    more: 0,
  });
  assert.deepEqual(store.trace(id(1))?.spans, [child, root]);
});

test('options that mean nothing are refused', () => {
  assert.throws(() => createTraceStore({ memoryBytes: '1kb' }), {
    code: 'OPTIONS_INVALID',
    message: /memoryBytes is 1kb/,
  });
  assert.throws(() => createTraceStore({ slow: 'soon' }), { code: 'OPTIONS_INVALID', message: /slow/ });
});

test('of a text that was cut the rest is not kept in memory', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const store = createTraceStore();
  const used = (): number => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = used();
  for (let trace = 1; trace <= 64; trace += 1) {
    const text = 'x'.repeat(2 ** 20);
    const bytes = encodeTraces([span(trace, { name: text, statusMessage: text, attributes: { text, [text]: 1 } })]);
    store.add(decodeTraces(bytes).spans);
  }
  assert.equal(store.size, 64);
  const taken = (used() - before) / 2 ** 20;
  assert.ok(taken < 16, `${taken} MiB`);
});

test('long names of attributes count', () => {
  const store = createTraceStore({ memoryBytes: 64 * KB });
  const names = Array.from({ length: 100 }, (_, at) => [`${at}${'n'.repeat(250)}`, 1] as const);
  for (let trace = 0; trace < 20; trace += 1) store.add([span(trace, { attributes: Object.fromEntries(names.slice(0, 10)) })]); // prettier-ignore
  assert.ok(store.size < 13, `${store.size} of some 6 KB`);
});
