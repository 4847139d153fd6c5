/** The store against a list of all spans that were ever added, from which everything is worked out anew each time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { SpanRecord } from './span-record.ts';
import { span } from '../../../test/observe/spans.ts';
import { createTraceStore, type TraceQuery } from './store.ts';

const BYTES = 2 ** 16;
const SLOW_MS = 100;

const anySpan = fc
  .record({
    traceId: fc.nat(40).map((id) => id.toString(16).padStart(32, '0')),
    spanId: fc.nat(30).map((id) => id.toString(16).padStart(16, '0')),
    parentId: fc.constantFrom(null, 'p'),
    name: fc.constantFrom('GET /cart', 'pay', 'SELECT'),
    startMs: fc.nat(1000),
    durationMs: fc.oneof({ weight: 9, arbitrary: fc.nat(99) }, { weight: 1, arbitrary: fc.nat(1000) }),
    status: fc.oneof(
      { weight: 9, arbitrary: fc.constant('unset' as const) },
      { weight: 1, arbitrary: fc.constant('error' as const) },
    ),
    service: fc.constantFrom('shop', 'till'),
    attributes: fc.record({
      'http.route': fc.constantFrom('/cart', '/pay'),
      body: fc.nat(600).map((n) => 'Böx'.repeat(n)),
    }),
  })
  .map((fields) => span(fields as Parameters<typeof span>[0]));
const query = fc.record(
  {
    service: fc.constantFrom('shop', 'till', 'other'),
    route: fc.constantFrom('/cart', '/pay'),
    status: fc.constantFrom('ok', 'error'),
    minMs: fc.nat(200),
    maxMs: fc.nat(200),
    text: fc.constantFrom('SELECT', 'select', 'böx', 'nowhere'),
    order: fc.constantFrom('newest', 'slowest'),
    limit: fc.nat(5),
  },
  { requiredKeys: [], noNullPrototype: true },
) as fc.Arbitrary<TraceQuery>;

/** What the store says that it has, looked at by other means than its own. */
class Model {
  readonly all = new Map<string, Map<string, SpanRecord>>();

  add(spans: readonly SpanRecord[]): void {
    for (const one of spans) {
      const trace = this.all.get(one.traceId) ?? new Map<string, SpanRecord>();
      this.all.set(one.traceId, trace);
      if (!trace.has(one.spanId)) trace.set(one.spanId, one);
    }
  }

  static first(spans: readonly SpanRecord[]): SpanRecord {
    const roots = spans.filter(({ parentId }) => parentId === null);
    return (roots.length > 0 ? roots : [...spans]).reduce((a, b) => (b.startMs < a.startMs ? b : a));
  }

  static isNotable(spans: readonly SpanRecord[]): boolean {
    return spans.some(({ status }) => status === 'error') || Model.first(spans).durationMs >= SLOW_MS;
  }

  static isWanted(spans: readonly SpanRecord[], { service, route, status, minMs, maxMs, text }: TraceQuery): boolean {
    const { durationMs } = Model.first(spans);
    const failed = spans.some((one) => one.status === 'error');
    return (
      (service === undefined || spans.some((one) => one.service === service)) &&
      (route === undefined || spans.some((one) => one.attributes['http.route'] === route)) &&
      (status === undefined || failed === (status === 'error')) &&
      durationMs >= (minMs ?? 0) &&
      durationMs <= (maxMs ?? Infinity) &&
      (text === undefined || JSON.stringify(spans).toLowerCase().includes(text.toLowerCase()))
    );
  }
}

test('what is found is what a search of everything that is kept finds, in its order; and the bytes hold', () => {
  let evicted = 0;
  let outlived = 0;
  fc.assert(
    fc.property(fc.array(fc.array(anySpan, { maxLength: 12 }), { maxLength: 12 }), query, (batches, asked) => {
      const store = createTraceStore({ memoryBytes: BYTES, slow: SLOW_MS });
      const model = new Model();
      for (const batch of batches) {
        store.add(batch);
        model.add(batch);
        assert.ok(store.bytes <= BYTES, `${store.bytes} bytes`);
      }
      const kept = store.find({ limit: Infinity }).traces.map(({ traceId }) => store.trace(traceId)!);
      assert.equal(kept.length, store.size);
      const anew = createTraceStore({ memoryBytes: BYTES, slow: SLOW_MS });
      for (const { spans } of kept) anew.add(spans);
      assert.equal(store.bytes, anew.bytes);
      for (const { traceId, spans, dropped } of kept) {
        // A trace that came back after it had gone has only what came since.
        const known = model.all.get(traceId)!;
        for (const one of spans) assert.ok([...known.values(), ...batches.flat()].includes(one));
        if (store.evicted === 0 && dropped === 0) assert.equal(spans.length, known.size);
        assert.deepEqual(spans.map(({ startMs }) => startMs), spans.map(({ startMs }) => startMs).toSorted((a, b) => a - b)); // prettier-ignore
      }
      const expected = kept
        .filter(({ spans }) => Model.isWanted(spans, asked))
        .map(({ traceId, spans }) => ({ traceId, first: Model.first(spans) }))
        .toSorted((a, b) => (asked.order === 'slowest' ? b.first.durationMs - a.first.durationMs : b.first.startMs - a.first.startMs)); // prettier-ignore
      const { traces, more } = store.find(asked);
      assert.equal(traces.length + more, expected.length);
      assert.deepEqual(traces.map(({ startMs, durationMs }) => (asked.order === 'slowest' ? durationMs : startMs)), expected.slice(0, asked.limit ?? 50).map(({ first }) => (asked.order === 'slowest' ? first.durationMs : first.startMs))); // prettier-ignore
      if (store.evicted > 0) {
        evicted += 1;
        outlived += kept.some(({ spans }) => Model.isNotable(spans)) ? 1 : 0;
      }
    }),
  );
  assert.ok(evicted > 0 && outlived > 0, `${evicted} were full, ${outlived} had kept something notable`);
});
