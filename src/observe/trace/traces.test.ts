/** Spans, what is kept of them and what is not; in simulated time. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { caller, setup } from '../../../test/observe/kept-spans.ts';
import { SAMPLED, type TraceContext } from '../context/trace-context.ts';
import { currentContext, runInContext, type WorkContext } from '../context/work-context.ts';
import { isInShare } from './sampling.ts';
import type { Span } from './span.ts';
import type { SpanRecord } from './span-record.ts';
import { createTraces } from './traces.ts';

const from = (
  trace: TraceContext,
): { parent: { trace: TraceContext; correlationId: string; baggage: Map<string, string> } } => ({
  parent: { trace, correlationId: 'req-1', baggage: new Map([['k', 'v']]) },
});

describe('within async code', () => {
  test('withSpan is the parent of what is begun in it, and gives back what it was given', async () => {
    const { traces, kept } = setup({ sample: 1 });
    const result = await traces.withSpan('outer', async (outer) => {
      assert.equal(traces.current, outer);
      await Promise.resolve();
      const inner = await Promise.all(
        [1, 2].map((at) => traces.withSpan(`inner ${at}`, { kind: 'client' }, async () => at)),
      );
      assert.equal(currentContext()?.correlationId, outer.traceId);
      return inner;
    });
    assert.deepEqual(result, [1, 2]);
    assert.equal(traces.current, null);
    assert.deepEqual(kept.map(({ name }) => name), ['inner 1', 'inner 2', 'outer']); // prettier-ignore
    assert.ok(kept.slice(0, 2).every(({ parentId }) => parentId === kept[2]!.spanId));
  });

  test('a rejection is the span’s failure and goes on', async () => {
    const { traces, kept } = setup({ sample: 0 });
    await assert.rejects(
      traces.withSpan('later', async () => assert.fail('no')),
      /no/,
    );
    assert.equal(kept[0]?.status, 'error');
  });

  test('using ends it, and null begins another trace', () => {
    const { traces, kept } = setup({ sample: 1 });
    traces.withSpan('outer', (outer) => {
      using other = traces.startSpan('other', { parent: null });
      assert.notEqual(other.traceId, outer.traceId);
    });
    assert.deepEqual(kept.map(({ name }) => name), ['other', 'outer']); // prettier-ignore
  });

  test('a caller’s trace is gone on with, its baggage and id are carried', () => {
    const { traces, kept } = setup();
    const span = traces.startSpan('GET /', from(caller(SAMPLED)));
    assert.equal(span.context.correlationId, 'req-1');
    assert.equal(span.context.baggage.get('k'), 'v');
    runInContext(span.context, () => traces.startSpan('child').end());
    span.end();
    assert.deepEqual(kept.map(({ traceId, state }) => [traceId, state]), [[caller(0).traceId, 'congo=1'], [caller(0).traceId, 'congo=1']]); // prettier-ignore
    assert.equal(kept[1]?.parentId, caller(0).spanId);
  });
});

test('work that begins again within itself does not keep what came before', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (const sample of [0, 1]) {
    const { traces } = setup({ sample });
    const spans: WeakRef<Span>[] = [];
    let context: WorkContext | null = null;
    const again = (): void => {
      const span = traces.startSpan('poll', { parent: context });
      spans.push(new WeakRef(span));
      context = span.context;
      span.end();
    };
    for (let round = 0; round < 10; round += 1) again();
    // A reference that was looked at lasts until the end of its turn.
    await turn();
    collect();
    assert.deepEqual(spans.slice(0, 8).map((span) => span.deref()), new Array(8).fill(undefined)); // prettier-ignore
    assert.equal((context as WorkContext | null)?.trace, spans[9]?.deref());
  }
});

describe('the head', () => {
  test('keeps its share by trace id, all of a trace or nothing', () => {
    const { traces, kept } = setup({ sample: 0.25, tail: false });
    for (let at = 0; at < 4000; at += 1) traces.withSpan('root', () => traces.startSpan('child').end());
    const ids = new Set(kept.map(({ traceId }) => traceId));
    assert.equal(kept.length, 2 * ids.size);
    assert.ok(ids.size > 850 && ids.size < 1150, `${ids.size} of 4000`);
    assert.equal(traces.counts.sampled + traces.counts.dropped, 4000);
    // Another service with a greater share keeps these too: ids decide, not draws.
    assert.ok([...ids].every((traceId) => isInShare(traceId, 0.5) && isInShare(traceId, 1)));
    assert.ok([...ids].some((traceId) => !isInShare(traceId, 0.1)) && !isInShare('f'.repeat(32), 0));
  });

  test('believes the caller both ways', () => {
    for (const [flags, sample, expected] of [
      [SAMPLED, 0, 1],
      [0, 1, 0],
    ] as const) {
      // prettier-ignore
      const { traces, kept } = setup({ sample });
      const span = traces.startSpan('x', from(caller(flags)));
      assert.equal(span.flags & SAMPLED, flags);
      span.end();
      assert.equal(kept.length, expected);
    }
  });

  test('without the tail, a span of a trace that is not kept records nothing', () => {
    const { traces, kept } = setup({ sample: 0, tail: false });
    const span = traces.startSpan('x');
    assert.equal(span.isRecording, false);
    span.setAttribute('a', 1).addEvent('b').fail('c').end();
    assert.deepEqual([kept.length, traces.undecided.traces, traces.counts.dropped], [0, 0, 1]);
  });
});

describe('the tail', () => {
  test('keeps whole what failed anywhere, and says why', () => {
    const { traces, kept, batches } = setup({ sample: 0 });
    traces.withSpan('root', () => {
      traces.startSpan('fine').end();
      traces.startSpan('bad').fail('closed').end();
    });
    assert.deepEqual(batches, [3]);
    assert.deepEqual(kept.map(({ name }) => name), ['fine', 'bad', 'root']); // prettier-ignore
    assert.equal(kept[2]?.attributes['spillway.kept'], 'error');
    assert.equal(kept[1]?.attributes['spillway.kept'], undefined);
    assert.equal(traces.counts.error, 1);
  });

  test('keeps what was slow, from the very moment on, and drops what was not', () => {
    const { traces, clock, kept } = setup({ sample: 0, slow: '200ms' });
    for (const ms of [199, 200]) {
      const span = traces.startSpan(`${ms} ms`);
      clock.pass(ms);
      span.end();
    }
    assert.deepEqual(kept.map(({ name }) => name), ['200 ms']); // prettier-ignore
    assert.equal(kept[0]?.attributes['spillway.kept'], 'slow');
    assert.deepEqual([traces.counts.slow, traces.counts.dropped], [1, 1]);
  });

  test('spans that end after the trace was decided follow it', () => {
    const { traces, kept } = setup({ sample: 0 });
    for (const fails of [true, false]) {
      const root = traces.startSpan('root');
      const late = traces.startSpan('late', { parent: root.context });
      if (fails) root.fail();
      root.end();
      late.end();
    }
    assert.deepEqual(kept.map(({ name }) => name), ['root', 'late']); // prettier-ignore
  });

  test('keeps no more of it than a second may have', () => {
    const { traces, clock, kept } = setup({ sample: 0, tailPerSecond: 3 });
    const fail = (): void => traces.startSpan('x').fail().end();
    for (let at = 0; at < 10; at += 1) fail();
    assert.deepEqual([kept.length, traces.counts.overBudget], [3, 7]);
    clock.pass(1000);
    for (let at = 0; at < 10; at += 1) fail();
    assert.equal(kept.length, 6);
  });

  test('a span that says it begins tomorrow, or began yesterday, has the same patience and holds up nobody’s', () => {
    const { traces, clock } = setup({ sample: 0, patience: '10s' });
    traces.startSpan('tomorrow', { parent: null, startMs: clock.nowMs() + 86_400_000 });
    traces.startSpan('yesterday', { parent: null, startMs: clock.nowMs() - 86_400_000 });
    traces.startSpan('now', { parent: null });
    clock.pass(9000);
    assert.deepEqual([traces.undecided.traces, traces.counts.cutShort], [3, 0]);
    clock.pass(2000);
    assert.deepEqual([traces.undecided.traces, traces.counts.cutShort], [0, 3]);
    assert.equal(clock.timers, 0);
  });

  test('waits no longer than its patience; an open span is slow by then', () => {
    const { traces, clock, kept } = setup({ sample: 0, patience: '10s' });
    const root = traces.startSpan('stream');
    traces.startSpan('first message', { parent: root.context }).end();
    assert.equal(clock.timers, 1);
    clock.pass(9000);
    assert.equal(traces.undecided.traces, 1);
    clock.pass(2000);
    assert.deepEqual(kept.map(({ name }) => name), ['first message']); // prettier-ignore
    assert.deepEqual([traces.undecided.traces, traces.undecided.bytes, clock.timers], [0, 0, 0]);
    root.end();
    assert.equal(kept[1]?.name, 'stream');
    assert.equal(traces.counts.cutShort, 1);
  });

  test('holds so many traces and bytes, and decides the oldest of more', () => {
    const { traces } = setup({ sample: 0, undecidedMax: 5 });
    const spans = Array.from({ length: 8 }, () => traces.startSpan('open', { parent: null }));
    assert.deepEqual([traces.undecided.traces, traces.counts.cutShort, traces.counts.dropped], [5, 3, 3]);
    for (const span of spans) span.end();
    assert.deepEqual([traces.undecided.traces, traces.counts.dropped], [0, 8]);

    const heavy = setup({ sample: 0, undecidedBytes: 100_000 });
    const roots = Array.from({ length: 50 }, () => heavy.traces.startSpan('root', { parent: null }));
    for (const { context } of roots) {
      heavy.traces.startSpan('child', { parent: context, attributes: { body: 'x'.repeat(4000) } }).end();
      assert.ok(heavy.traces.undecided.bytes <= 100_000);
    }
    assert.ok(heavy.traces.counts.cutShort > 30);
    heavy.traces.flush();
    assert.deepEqual(heavy.traces.undecided, { traces: 0, bytes: 0 });
  });

  test('if the oldest is not enough, more of them go', () => {
    const { traces } = setup({ sample: 0, undecidedBytes: 20_000 });
    for (const [sizes, left] of [
      [[1], 1],
      [[4000, 4000], 2],
      [[4000], 1],
    ] as const) {
      // prettier-ignore
      const { context } = traces.startSpan('root', { parent: null });
      for (const size of sizes) {
        traces.startSpan('child', { parent: context, attributes: { body: 'x'.repeat(size) } }).end();
      }
      assert.equal(traces.undecided.traces, left);
      assert.ok(traces.undecided.bytes <= 20_000);
    }
  });

  test('flush keeps what is known to have failed', () => {
    const { traces, kept } = setup({ sample: 0 });
    const root = traces.startSpan('open');
    traces.startSpan('bad', { parent: root.context }).fail().end();
    traces[Symbol.dispose]();
    assert.deepEqual(kept.map(({ name }) => name), ['bad']); // prettier-ignore
  });
});

test('a sink that throws is counted, and the others get theirs', () => {
  const kept: SpanRecord[] = [];
  const to = [{ add: () => assert.fail('full') }, { add: (spans: readonly SpanRecord[]) => void kept.push(...spans) }];
  const { traces } = setup({ sample: 1, to });
  traces.startSpan('x').end();
  assert.deepEqual([kept.length, traces.counts.sinkErrors], [1, 1]);
});

test('spans of two collections do not mix: one is the other’s caller', () => {
  const ours = setup({ sample: 1 });
  const theirs = setup({ sample: 0 });
  const root = ours.traces.startSpan('ours');
  theirs.traces.startSpan('theirs', { parent: root.context }).end();
  root.end();
  assert.deepEqual([ours.kept.length, theirs.kept.length], [1, 1]);
  assert.equal(theirs.kept[0]?.parentId, root.spanId);
});

test('options that mean nothing are refused', () => {
  const to = { add: () => undefined };
  for (const [options, message] of [
    [{ to }, /service/],
    [{ service: 'x', to, sample: 2 }, /sample is 2/],
    [{ service: 'x', to, sample: NaN }, /sample is NaN/],
    [{ service: 'x', to, slow: 'soon' }, /slow/],
    [{ service: 'x', to, sampel: 1 }, /Did you mean sample/],
  ] as const) {
    assert.throws(() => createTraces(options as never), { code: 'OPTIONS_INVALID', message });
  }
});
