/** The real `@opentelemetry/api`: what is traced by it is part of our traces, through async code, nested in both ways. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as api from '@opentelemetry/api';
import { seededRandom } from '../../kernel/random.ts';
import { SimulatedClock } from '../../kernel/simulated-clock.ts';
import { currentContext, runInContext } from '../context/work-context.ts';
import type { SpanRecord } from '../trace/span-record.ts';
import { createTraces, type Traces } from '../trace/traces.ts';
import { registerOpenTelemetry } from './bridge.ts';

const WALL_MS = 1_800_000_000_000;
/** One that was got before stays with the traces of then. */
const tracer = (): api.Tracer => api.trace.getTracer('library', '1.2');

function setup(): {
  traces: Traces;
  kept: SpanRecord[];
  clock: SimulatedClock;
  named: (name: string) => SpanRecord;
} & Disposable {
  const kept: SpanRecord[] = [];
  const clock = new SimulatedClock(WALL_MS);
  const to = { add: (spans: readonly SpanRecord[]) => void kept.push(...spans) };
  const traces = createTraces({ service: 'shop', to, sample: 1, clock, random: seededRandom(3) });
  const registered = registerOpenTelemetry(api, traces);
  const named = (name: string): SpanRecord =>
    kept.find((span) => span.name === name) ?? assert.fail(`${name} is not kept`);
  return { traces, kept, clock, named, [Symbol.dispose]: () => registered[Symbol.dispose]() };
}

test('spans of theirs and ours are parents of each other, through await and callbacks', async () => {
  using given = setup();
  const { traces, named } = given;
  await traces.withSpan('ours', async () => {
    await Promise.resolve();
    await tracer().startActiveSpan('theirs', { kind: api.SpanKind.CLIENT }, async (theirs) => {
      assert.equal(api.trace.getActiveSpan(), theirs);
      await new Promise<void>((resolve) => setImmediate(resolve));
      assert.equal(api.trace.getActiveSpan(), theirs);
      await traces.withSpan('ours within', async (span) => {
        await Promise.resolve();
        assert.equal(api.trace.getActiveSpan()?.spanContext().spanId, span.spanId);
        tracer().startSpan('leaf').end();
      });
      theirs.end();
    });
  });
  assert.equal(named('theirs').parentId, named('ours').spanId);
  assert.equal(named('ours within').parentId, named('theirs').spanId);
  assert.equal(named('leaf').parentId, named('ours within').spanId);
  assert.equal(new Set(given.kept.map(({ traceId }) => traceId)).size, 1);
  assert.deepEqual([named('theirs').kind, named('theirs').attributes['otel.scope.name']], ['client', 'library']);
  assert.equal(api.trace.getActiveSpan(), undefined);
});

test('everything that can be said of a span', () => {
  using given = setup();
  const other = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: 1 };
  const span = tracer().startSpan('first name', { startTime: new Date(WALL_MS - 500), links: [{ context: other }] });
  assert.equal(span.isRecording(), true);
  span.setAttribute('text', 'a').setAttributes({ list: ['a', 1n as never, 'b'], none: undefined, yes: true });
  span
    .addEvent('plain')
    .addEvent('at', [1_800_000_000, 250_000_000])
    .addEvent('with', { n: 1 }, WALL_MS + 1);
  span.addLink({ context: other, attributes: { why: 'more' } }).updateName('last name');
  span.recordException(new TypeError('odd'));
  span.setStatus({ code: api.SpanStatusCode.ERROR, message: 'bad' });
  span.end([1_800_000_002, 0]);
  assert.equal(span.isRecording(), false);
  const record = given.named('last name');
  assert.deepEqual(record.attributes, { text: 'a', list: '["a","b"]', yes: true, 'otel.scope.name': 'library' });
  assert.deepEqual([record.startMs, record.durationMs], [WALL_MS - 500, 2500]);
  assert.deepEqual(record.events.map(({ name, timeMs }) => [name, timeMs - WALL_MS]), [['plain', 0], ['at', 250], ['with', 1], ['exception', 0]]); // prettier-ignore
  assert.deepEqual([record.status, record.statusMessage], ['error', 'bad']);
  assert.deepEqual(record.links.map(({ spanId, attributes }) => [spanId, attributes]), [[other.spanId, {}], [other.spanId, { why: 'more' }]]); // prettier-ignore
});

test('a root is one, also within another', () => {
  using given = setup();
  given.traces.withSpan('ours', () => tracer().startSpan('root', { root: true }).end());
  assert.equal(given.named('root').parentId, null);
  assert.notEqual(given.named('root').traceId, given.named('ours').traceId);
});

test('what their contexts hold goes along, also through a span of ours; baggage is the same', () => {
  using given = setup();
  const key = api.createContextKey('theirs');
  const baggage = api.propagation.createBaggage({ user: { value: 'alice' } });
  const context = api.propagation.setBaggage(api.context.active().setValue(key, 42), baggage);
  api.context.with(context, () => {
    given.traces.withSpan('ours', () => {
      assert.equal(api.context.active().getValue(key), 42);
      assert.equal(currentContext()?.baggage.get('user'), 'alice');
    });
  });
  const work = { trace: null, correlationId: 'id', baggage: new Map([['user', 'bob']]) };
  runInContext(work, () => {
    assert.equal(api.propagation.getActiveBaggage()?.getEntry('user')?.value, 'bob');
    tracer().startActiveSpan('theirs', (span) => {
      assert.equal(currentContext()?.correlationId, 'id');
      assert.equal(currentContext()?.baggage.get('user'), 'bob');
      span.end();
    });
  });
});

test('a bound function runs where it was bound, with its own this', () => {
  using given = setup();
  const self = { n: 1 };
  const bound = given.traces.withSpan('ours', () =>
    api.context.bind(api.context.active(), function of(this: typeof self, more: number) {
      return [this.n + more, api.trace.getActiveSpan()?.spanContext().traceId];
    }),
  );
  assert.deepEqual(bound.call(self, 2), [3, given.named('ours').traceId]);
});

test('their propagation reads and writes our fields', () => {
  using given = setup();
  const headers = {
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    tracestate: 'congo=1',
    baggage: 'user=alice',
    'x-request-id': 'req-1',
  };
  const context = api.propagation.extract(api.ROOT_CONTEXT, headers);
  const sent: Record<string, string> = {};
  api.context.with(context, () => {
    assert.equal(currentContext()?.correlationId, 'req-1');
    tracer().startActiveSpan('GET /', (span) => {
      api.propagation.inject(api.context.active(), sent);
      assert.equal(span.spanContext().traceState?.get('congo'), '1');
      span.end();
    });
  });
  const { traceId, spanId, parentId } = given.named('GET /');
  assert.deepEqual([traceId, parentId], ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331']);
  assert.deepEqual(sent, { ...headers, traceparent: `00-${traceId}-${spanId}-01` });
});

test('an active span of another process is their parent, and stays the same one', () => {
  using given = setup();
  const trace = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', flags: 1, state: '' };
  runInContext({ trace, correlationId: 'id', baggage: new Map() }, () => {
    assert.equal(api.trace.getActiveSpan()?.spanContext().isRemote, true);
    tracer().startSpan('child').end();
  });
  assert.equal(given.named('child').parentId, trace.spanId);
});

test('whoever suppresses tracing makes no spans', () => {
  using given = setup();
  const suppressed = api.context.active().setValue(Symbol.for('OpenTelemetry SDK Context Key SUPPRESS_TRACING'), true);
  const span = tracer().startSpan('quiet', {}, suppressed);
  assert.equal(span.isRecording(), false);
  span.end();
  assert.deepEqual(given.kept, []);
});

test('it is registered once, taken back, and registered again', () => {
  {
    using given = setup();
    assert.throws(() => registerOpenTelemetry(api, given.traces), {
      code: 'OPTIONS_INVALID',
      message: /tracer provider/,
    });
  }
  tracer().startSpan('nowhere').end();
  using again = setup();
  api.trace.getTracer('other').startSpan('here').end();
  assert.equal(again.kept.length, 1);
});

test('within a span that is not traced, what is traced begins a trace, and nobody is sent ids of zeros', () => {
  using given = setup();
  const { traces, named } = given;
  const none = api.trace.setSpan(api.ROOT_CONTEXT, api.trace.wrapSpanContext(api.INVALID_SPAN_CONTEXT));
  api.context.with(none, () => {
    const fields: Record<string, string> = {};
    api.propagation.inject(api.context.active(), fields);
    assert.equal(fields['traceparent'], undefined);
    traces.withSpan('ours', () => undefined);
    tracer().startSpan('theirs').end();
  });
  for (const name of ['ours', 'theirs']) {
    assert.match(named(name).traceId, /[1-9a-f]/);
    assert.equal(named(name).parentId, null);
  }
});
