/** What a span says once it has ended; in simulated time. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { caller, setup, WALL_MS } from '../../../test/observe/kept-spans.ts';
import { untouchable } from '../../../test/observe/untouchable.ts';
import { runInContext } from '../context/work-context.ts';
import type { SpanRecord } from './span-record.ts';

describe('a span', () => {
  test('says who, when, how long and what', () => {
    const { traces, clock, kept } = setup({ sample: 1 });
    const root = traces.startSpan('GET /cart', { kind: 'server', attributes: { items: 3 } });
    clock.pass(10);
    const child = traces.startSpan('SELECT', {
      kind: 'client',
      parent: root.context,
      links: [{ ...caller(0), attributes: {} }],
    });
    child.addEvent('retry', { attempt: 2 }).rename('SELECT cart');
    clock.pass(5);
    child.succeed().end();
    clock.pass(1);
    root.setAttribute('late', true).end();
    const [second, first] = kept as [SpanRecord, SpanRecord];
    assert.deepEqual(first, {
      traceId: root.traceId,
      spanId: root.spanId,
      parentId: null,
      state: '',
      name: 'GET /cart',
      kind: 'server',
      startMs: WALL_MS,
      durationMs: 16,
      status: 'unset',
      statusMessage: '',
      service: 'shop',
      attributes: { items: 3, late: true },
      events: [],
      links: [],
      dropped: { attributes: 0, events: 0, links: 0 },
    });
    assert.equal(second.parentId, root.spanId);
    assert.equal(second.startMs, WALL_MS + 10);
    assert.deepEqual(second.events, [{ timeMs: WALL_MS + 10, name: 'retry', attributes: { attempt: 2 } }]);
    assert.deepEqual([second.name, second.status, second.durationMs, second.links.length], ['SELECT cart', 'ok', 5, 1]);
  });

  test('once it has ended, nothing changes any more', () => {
    const { traces, clock, kept } = setup({ sample: 1 });
    const span = traces.startSpan('once');
    span.end();
    clock.pass(10);
    span
      .setAttribute('late', 1)
      .setAttributes({ later: 1 })
      .addEvent('late')
      .rename('other')
      .fail('late')
      .succeed()
      .end();
    assert.equal(kept.length, 1);
    assert.deepEqual(span.record(), kept[0]);
    assert.deepEqual([kept[0]?.name, kept[0]?.durationMs, kept[0]?.status], ['once', 0, 'unset']);
  });

  test('is bounded in number and length of what it holds, and counts the rest', () => {
    const { traces, kept } = setup({ sample: 1 });
    const links = Array.from({ length: 40 }, () => ({ ...caller(0), attributes: { long: 'x'.repeat(5000) } }));
    const span = traces.startSpan('n'.repeat(300), { links });
    for (let at = 0; at < 200; at += 1) span.setAttribute(`key${at}`, at).addEvent(`event${at}`);
    span.setAttribute('key0', 'y'.repeat(5000)).setAttribute('__proto__', 'dropped').fail('z'.repeat(5000)).end();
    const [record] = kept as [SpanRecord];
    assert.deepEqual(record.dropped, { attributes: 73, events: 72, links: 8 });
    assert.equal(Object.keys(record.attributes).length, 128);
    assert.deepEqual([record.name.length, record.statusMessage.length], [256, 4096]);
    assert.equal(String(record.attributes['key0']).length, 4096);
    assert.equal(String(record.links[0]?.attributes['long']).length, 4096);
  });

  test('an attribute may be called anything', () => {
    const { traces, kept } = setup({ sample: 1 });
    traces.startSpan('x', { attributes: JSON.parse('{"__proto__": 1, "constructor": 2}') }).end();
    assert.deepEqual(Object.entries(kept[0]!.attributes), [['__proto__', 1], ['constructor', 2]]); // prettier-ignore
  });

  test('of plain JavaScript may be called, and hold, anything: a name has its text, a bigint its digits, what is no value is counted', () => {
    const { traces, kept } = setup({ sample: 1 });
    const attributes = { term: 42n, seat: 'cron', none: undefined, list: [1] };
    traces.startSpan(42 as never, { attributes: attributes as never }).addLink({ ...caller(0), spanId: 'none', attributes: {} }).end(); // prettier-ignore
    const [record] = kept as [SpanRecord];
    assert.equal(record.name, '42');
    assert.deepEqual(record.attributes, { term: '42', seat: 'cron' });
    assert.deepEqual(record.dropped, { attributes: 2, events: 0, links: 1 });
  });

  test('throws at nothing that cannot be looked at, and keeps what is beside it', () => {
    const { traces, kept } = setup({ sample: 1 });
    const none = { nothing: untouchable({}), fn: untouchable(() => 0) } as never;
    const links = [untouchable({ ...caller(0), attributes: {} }), { ...caller(0), attributes: none }];
    for (const parent of [
      untouchable(setup({ sample: 1 }).traces.startSpan('other').context),
      { ...caller(0), trace: untouchable(caller(0)) } as never,
    ]) {
      // prettier-ignore
      const span = traces.startSpan('x', { attributes: untouchable({}), links, parent });
      runInContext(span.context, () => assert.equal(traces.current, span));
      span.setAttributes(none).setAttribute('is', 1).addLink(untouchable(links[1]!)).addEvent('e', untouchable({}));
      for (const thrown of [untouchable({}), untouchable(new Error('x')), untouchable(() => 0)]) {
        span.recordException(thrown).fail(thrown);
      }
      span.end();
    }
    traces.startSpan('y', { links: untouchable([]) }).end();
    runInContext(untouchable(caller(0) as never), () => assert.equal(traces.current, null));
    assert.deepEqual(kept.map(({ attributes, links: { length } }) => [attributes, length]), [[{ is: 1 }, 1], [{ is: 1 }, 1], [{}, 0]]); // prettier-ignore
  });

  test('a parent is what it was when the span began', () => {
    const { traces, kept } = setup({ sample: 1 });
    const looks: string[] = ['0'.repeat(31) + '1', 'none'];
    const trace = { ...caller(1), get traceId() { return looks.shift()!; } }; // prettier-ignore
    traces.startSpan('x', { parent: { trace, correlationId: 'a', baggage: new Map() } }).end();
    assert.equal(kept[0]?.traceId, '0'.repeat(31) + '1');
  });

  test('that fails tells of the error', () => {
    const { traces, kept } = setup({ sample: 0 });
    assert.throws(() => traces.withSpan('pay', () => assert.fail('no money')), /no money/);
    const [record] = kept as [SpanRecord];
    assert.deepEqual([record.status, record.statusMessage], ['error', 'no money']);
    assert.equal(record.events[0]?.name, 'exception');
    assert.equal(record.events[0]?.attributes['exception.type'], 'AssertionError');
    assert.match(String(record.events[0]?.attributes['exception.stacktrace']), /span\.test\.ts/);
  });

  test('nobody who sets the time of day makes a span longer, or a child begin before its parent', () => {
    const { traces, clock, kept } = setup({ sample: 1 });
    const root = traces.startSpan('root');
    clock.pass(5);
    clock.stepWall(-3_600_000);
    traces.startSpan('child', { parent: root.context }).end();
    root.end();
    assert.deepEqual(kept.map(({ startMs }) => startMs), [WALL_MS + 5, WALL_MS]); // prettier-ignore
    traces.startSpan('after').end();
    assert.equal(kept[2]?.startMs, WALL_MS + 5 - 3_600_000);
  });
});
