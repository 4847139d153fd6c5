/** Any course of spans: a trace is kept whole or not at all, each is counted once, what waits is within its bounds, and nothing is left behind. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seededRandom } from '../../kernel/random.ts';
import { SimulatedClock } from '../../kernel/simulated-clock.ts';
import { decodeTraces, encodeTraces, encodeTracesJson } from '../otlp/traces.ts';
import type { WorkContext } from '../context/work-context.ts';
import type { Span } from './span.ts';
import type { SpanRecord } from './span-record.ts';
import { createTraces } from './traces.ts';

const SLOW_MS = 100;
const UNDECIDED_MAX = 4;
const BYTES_MAX = 9000;

type Step =
  | { readonly act: 'root' }
  | { readonly act: 'flush' }
  | { readonly act: 'child' | 'end' | 'fail' | 'fill'; readonly of: number }
  | { readonly act: 'pass'; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ act: fc.constantFrom('child', 'end', 'fail', 'fill'), of: fc.nat(30) }) },
  { weight: 4, arbitrary: fc.record({ act: fc.constant('end' as const), of: fc.nat(30) }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constantFrom('root', 'root', 'root', 'flush') }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('pass' as const), ms: fc.constantFrom(1, 60, 100, 5000) }) },
) as fc.Arbitrary<Step>;

interface Known {
  readonly span: Span;
  readonly root: Known | null;
  ended: boolean;
  failed: boolean;
}

test('a trace is kept whole or not at all, and counted once', () => {
  const seen = { sampled: 0, error: 0, slow: 0, dropped: 0, cutShort: 0 };
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), fc.constantFrom(0, 0.3, 1), (steps, sample) => {
      const clock = new SimulatedClock();
      const kept: SpanRecord[] = [];
      const traces = createTraces({
        service: 'shop',
        to: { add: (spans) => void kept.push(...spans) },
        sample,
        slow: SLOW_MS,
        patience: '2s',
        tailPerSecond: 1000,
        undecidedMax: UNDECIDED_MAX,
        undecidedBytes: BYTES_MAX,
        clock,
        random: seededRandom(steps.length),
      });
      const all: Known[] = [];
      const begin = (parent: Known | null): void => {
        const span = traces.startSpan(`span ${all.length}`, { parent: parent?.span.context ?? null });
        all.push({ span, root: parent === null ? null : (parent.root ?? parent), ended: false, failed: false });
      };
      for (const one of steps) {
        if (one.act === 'root') begin(null);
        else if (one.act === 'flush') traces.flush();
        else if (one.act === 'pass') clock.pass(one.ms);
        else {
          const known = all[one.of % Math.max(1, all.length)];
          if (known === undefined) continue;
          if (one.act === 'child') begin(known);
          else if (one.act === 'fill') {
            begin(known);
            const child = all.at(-1)!;
            child.span.setAttribute('body', 'x'.repeat(2000)).end();
            child.ended = true;
          } else if (one.act === 'fail') {
            known.span.fail('on purpose');
            known.failed ||= !known.ended;
          } else {
            known.span.end();
            known.ended = true;
          }
        }
        assert.ok(traces.undecided.traces <= UNDECIDED_MAX && traces.undecided.bytes <= BYTES_MAX);
      }
      traces.flush();
      assert.deepEqual(traces.undecided, { traces: 0, bytes: 0 });
      clock.pass(1000);
      assert.equal(clock.timers, 0);

      const { sampled, error, slow, dropped, cutShort, spansKept } = traces.counts;
      const roots = all.filter(({ root }) => root === null);
      assert.equal(sampled + error + slow + dropped, roots.length);
      assert.equal(spansKept, kept.length);
      for (const root of roots) {
        const ended = all.filter((known) => (known === root || known.root === root) && known.ended);
        const ids = kept.filter(({ traceId }) => traceId === root.span.traceId).map(({ spanId }) => spanId);
        assert.equal(new Set(ids).size, ids.length);
        if (ids.length > 0) assert.deepEqual(ids.toSorted(), ended.map(({ span }) => span.spanId).toSorted()); // prettier-ignore
        const isKept = ids.length > 0 || ended.length === 0;
        if (sample === 1) assert.ok(isKept, 'the head has said yes');
        // Unless it had to be decided before it was over.
        if (root.ended && cutShort === 0 && (root.failed || root.span.durationMs >= SLOW_MS)) assert.ok(isKept);
      }
      for (const name of ['sampled', 'error', 'slow', 'dropped', 'cutShort'] as const)
        seen[name] += traces.counts[name];
    }),
    { numRuns: 400 },
  );
  for (const [name, count] of Object.entries(seen)) assert.ok(count > 0, `none was ${name}`);
});

/** What plain JavaScript may pass, whatever the types say. */
const anything = fc.oneof(
  fc.anything({ withBigInt: true, withDate: true, withNullPrototype: true, withTypedArray: true }),
  fc.constantFrom<unknown>(Symbol('s'), () => 0, NaN, -Infinity, 2n ** 80n),
  fc.constant(
    Object.defineProperty({}, 'message', {
      get(): never {
        throw new Error('not to be looked at');
      },
    }),
  ),
);

/** Contexts that somebody made by hand, right but for one part or two. */
const parents = fc
  .tuple(fc.dictionary(fc.constantFrom('traceId', 'spanId', 'flags', 'state'), anything, { maxKeys: 2 }), anything)
  .map(([wrong, correlationId]) => {
    const trace = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), flags: 1, state: '', ...wrong };
    return { trace, correlationId, baggage: new Map() } as unknown as WorkContext;
  });

test('whatever plain JavaScript passes, no method throws, and what is kept can be sent and shown', () => {
  fc.assert(
    fc.property(fc.array(anything, { minLength: 15, maxLength: 15 }), parents, (given, parent) => {
      const kept: SpanRecord[] = [];
      const to = { add: (spans: readonly SpanRecord[]) => void kept.push(...spans) };
      const traces = createTraces({ service: 'shop', to, sample: 1, clock: new SimulatedClock() });
      const [
        name,
        key,
        value,
        event,
        eventValue,
        why,
        thrown,
        traceId,
        spanId,
        startMs,
        atMs,
        endMs,
        kind,
        links,
        link,
      ] = given as never[];
      traces
        .startSpan(name!, { attributes: { value: value! }, startMs: startMs!, kind: kind!, links: links!, parent })
        .setAttribute(key!, value!)
        .setAttributes(value!)
        .addEvent(event!, { value: eventValue! }, atMs)
        .addLink(link!)
        .addLink({ traceId: traceId!, spanId: spanId!, attributes: eventValue! })
        .recordException(thrown)
        .fail(why)
        .rename(event!)
        .end(endMs);
      const [record] = kept;
      assert.equal(kept.length, 1);
      assert.ok(Number.isFinite(record!.startMs) && record!.durationMs >= 0 && record!.durationMs < Infinity);
      assert.equal(traces.counts.sinkErrors, 0);
      assert.deepEqual(structuredClone(record), record);
      JSON.stringify(record);
      for (const { spans } of [decodeTraces(encodeTraces(kept)), decodeTraces(encodeTracesJson(kept))]) {
        assert.deepEqual([spans.length, spans[0]!.spanId, spans[0]!.name], [1, record!.spanId, record!.name.toWellFormed()]); // prettier-ignore
      }
    }),
    { numRuns: 300 },
  );
});
