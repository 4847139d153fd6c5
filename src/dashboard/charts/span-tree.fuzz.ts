/** Rows and critical path of traces as they arrive: clocks apart, parents missing, circles, spans twice, in any order. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { criticalPath, mainRoot, timeSpent } from './critical-path.ts';
import { spanRows, type SpanTiming } from './span-tree.ts';

const NEAR = 1e-6;
const kinds = ['server', 'client', 'internal', 'consumer'] as const;

/** Anything that has the shape of a trace. */
const anyTrace = fc.array(
  fc.record({
    spanId: fc.integer({ min: 0, max: 30 }).map(String),
    parentId: fc.option(fc.integer({ min: 0, max: 35 }).map(String), { freq: 4 }),
    service: fc.constantFrom('gateway', 'shop', 'stock'),
    kind: fc.constantFrom(...kinds),
    status: fc.constantFrom('unset', 'ok', 'error'),
    startMs: fc.oneof(
      { weight: 20, arbitrary: fc.double({ min: 1e12, max: 1e12 + 1000, noNaN: true }) },
      fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, -1e300),
    ),
    durationMs: fc.oneof(
      { weight: 20, arbitrary: fc.double({ min: 0, max: 500, noNaN: true }) },
      fc.constantFrom(Number.NaN, -5, Number.POSITIVE_INFINITY),
    ),
  }),
  { maxLength: 40 },
);

test('every span has one row, below its parent where it has one, after it and before the next that is no deeper', () => {
  fc.assert(
    fc.property(anyTrace, (spans) => {
      const rows = spanRows(spans);
      const ids = new Set(spans.map(({ spanId }) => spanId));
      assert.equal(rows.length, ids.size);
      assert.equal(new Set(rows.map(({ span }) => span.spanId)).size, ids.size);
      for (const [at, { span, parent, depth, start, end, below, lost }] of rows.entries()) {
        assert.ok(Number.isFinite(start) && end >= start);
        const over = rows[parent];
        if (over === undefined) {
          assert.equal(depth, 0);
          const why = span.parentId === null ? null : ids.has(span.parentId) ? 'circle' : 'parent';
          assert.equal(lost, why);
        } else {
          assert.equal(span.parentId, over.span.spanId);
          assert.equal(depth, over.depth + 1);
          assert.ok(at > parent && at <= parent + over.below);
          assert.equal(lost, null);
        }
        for (let inner = at + 1; inner <= at + below; inner++) assert.ok(rows[inner]!.depth > depth);
        assert.ok((rows[at + below + 1]?.depth ?? 0) <= depth);
      }
    }),
    { numRuns: 500 },
  );
});

test('the critical path covers its root without gap or overlap, each part within its span', () => {
  fc.assert(
    fc.property(anyTrace, (spans) => {
      const rows = spanRows(spans);
      const parts = criticalPath(rows);
      const root = rows[mainRoot(rows)];
      if (root === undefined) return assert.equal(spans.length, 0);
      let at = root.start;
      for (const { row, start, end } of parts) {
        assert.equal(start, at);
        assert.ok(end > start);
        assert.ok(start >= rows[row]!.start && end <= rows[row]!.end, 'a part is outside its span');
        at = end;
      }
      assert.equal(at, root.end);
      const spent = timeSpent(rows, parts, ({ service }) => service).reduce((sum, { ms }) => sum + ms, 0);
      assert.ok(Math.abs(spent - (root.end - root.start)) <= NEAR * Math.max(1, spent));
    }),
    { numRuns: 500 },
  );
});

interface Call {
  readonly service: number;
  readonly gap: number;
  readonly work: number;
  readonly calls: readonly Call[];
}
/** Three calls deep at most. */
const call = [1, 2, 3].reduce<fc.Arbitrary<Call>>(
  (inner, depth) =>
    fc.record({
      service: fc.integer({ min: 0, max: 3 }),
      gap: fc.double({ min: 0.1, max: 10, noNaN: true }),
      work: fc.double({ min: 0.1, max: 10, noNaN: true }),
      calls: depth === 1 ? fc.constant([]) : fc.array(inner, { maxLength: 3 }),
    }),
  fc.constant({ service: 0, gap: 1, work: 1, calls: [] }),
);

/** A trace of calls one after another, true on one clock; each service's clock is then off by its offset. */
function callTrace(root: Call, offsets: readonly number[]): { spans: SpanTiming[]; truth: Map<string, number> } {
  const spans: SpanTiming[] = [];
  const truth = new Map<string, number>();
  const run = ({ service, gap, work, calls }: Call, parentId: string | null, caller: number, from: number): number => {
    const own = spans.length;
    const [client, server] = [`c${own}`, `s${own}`];
    const begin = from + gap;
    spans.length += 2;
    let now = begin + work;
    for (const next of calls) now = run(next, server, service, now);
    const end = now + work;
    truth.set(client, from).set(server, begin);
    const timing = (spanId: string, parent: string | null, kind: string, of: number, start: number, stop: number) => ({
      spanId, parentId: parent, kind, status: 'ok', service: `service ${of}`,
      startMs: 1e12 + start + offsets[of]!, durationMs: stop - start,
    }); // prettier-ignore
    spans[own] = timing(client, parentId, 'client', caller, from, end + gap);
    spans[own + 1] = timing(server, client, 'server', service, begin, end);
    return end + gap;
  };
  run(root, null, 0, 0);
  return { spans, truth };
}

test('clocks that are apart further than a call takes are set right where calls are even, and those that agree stay', () => {
  fc.assert(
    fc.property(
      call,
      fc.array(fc.constantFrom(0, -1e6, 1e6, -3.6e6), { minLength: 3, maxLength: 3 }),
      fc.boolean(),
      (root, others, reversed) => {
        const { spans, truth } = callTrace(root, [0, ...others]);
        const rows = spanRows(reversed ? spans.toReversed() : spans);
        // Zero is the earliest span of all clocks; the root tells where that is.
        const base = rows.find(({ span }) => span.spanId === 'c0')!.start;
        for (const { span, start, shiftMs } of rows) {
          assert.ok(Math.abs(start - base - truth.get(span.spanId)!) < 1e-2, `${span.spanId} at ${start - base}`);
          if (others.every((offset) => offset === 0)) assert.equal(shiftMs, 0);
        }
      },
    ),
  );
});

const span = (given: Partial<SpanTiming> & Pick<SpanTiming, 'spanId'>): SpanTiming => ({
  parentId: null, service: 'shop', kind: 'internal', status: 'ok', startMs: 0, durationMs: 0, ...given,
}); // prettier-ignore

test('a server that goes on after its caller gave up is not moved, and was not waited for', () => {
  const rows = spanRows([
    span({ spanId: 'a', service: 'gateway', kind: 'client', status: 'error', durationMs: 100 }),
    span({ spanId: 'b', parentId: 'a', kind: 'server', startMs: 10, durationMs: 500 }),
    span({ spanId: 'c', parentId: 'a', kind: 'server', startMs: 150, durationMs: 10 }),
  ]);
  assert.deepEqual(rows.map(({ start, shiftMs }) => [start, shiftMs]), [[0, 0], [10, 0], [150, 0]]); // prettier-ignore
  assert.deepEqual(criticalPath(rows), [{ row: 0, start: 0, end: 100 }]);
});

test('what is known of a clock holds for what its server called, not for another server of the same name', () => {
  const rows = spanRows([
    span({ spanId: 'a', service: 'gateway', kind: 'client', startMs: 1000, durationMs: 100 }),
    span({ spanId: 'b', parentId: 'a', kind: 'server', startMs: 510, durationMs: 80 }),
    span({ spanId: 'c', parentId: 'b', service: 'stock', kind: 'server', startMs: 1030, durationMs: 10 }),
    span({ spanId: 'd', parentId: 'c', kind: 'server', startMs: 532, durationMs: 5 }),
    span({ spanId: 'e', parentId: 'a', service: 'gateway', kind: 'client', startMs: 1050, durationMs: 20 }),
    span({ spanId: 'f', parentId: 'e', kind: 'server', startMs: 1052, durationMs: 10 }),
  ]);
  const found = rows.map(({ span: { spanId }, shiftMs }) => [spanId, shiftMs]);
  assert.deepEqual(found, [['a', 0], ['b', 500], ['c', 0], ['d', 500], ['e', 0], ['f', 0]]); // prettier-ignore
});

test('a server that ended a moment after its caller was waited for, as long as the caller was there', () => {
  const rows = spanRows([
    span({ spanId: 'a', service: 'gateway', kind: 'client', durationMs: 100 }),
    span({ spanId: 'b', parentId: 'a', kind: 'server', startMs: 2, durationMs: 100 }),
  ]);
  assert.deepEqual(criticalPath(rows), [
    { row: 0, start: 0, end: 2 },
    { row: 1, start: 2, end: 100 },
  ]);
});

test('a short one at the end of a long one, by a hundredth of which it is late, was waited for too', () => {
  const path = (late: number): number[] =>
    criticalPath(
      spanRows([
        span({ spanId: 'a', service: 'gateway', kind: 'client', durationMs: 256 }),
        span({ spanId: 'b', parentId: 'a', kind: 'server', startMs: 254, durationMs: 2 + late }),
      ]),
    ).map(({ row }) => row);
  assert.deepEqual([path(0.9), path(3)], [[0, 1], [0]]);
});

test('the trace is about what has no parent, and only without that about the longest that lost its own', () => {
  const [a, b, c] = [
    span({ spanId: 'a', parentId: 'x', durationMs: 5 }),
    span({ spanId: 'b', parentId: 'x', durationMs: 900 }),
    span({ spanId: 'c', durationMs: 10 }),
  ];
  const about = (...spans: SpanTiming[]): string => {
    const rows = spanRows(spans);
    return rows[mainRoot(rows)]!.span.spanId;
  };
  assert.deepEqual([about(a, b, c), about(c, b), about(a, b)], ['c', 'c', 'b']);
  assert.equal(mainRoot([]), -1);
});

test('of calls side by side the one that ended last was waited for, and before it the last that had ended by then', () => {
  const rows = spanRows([
    span({ spanId: 'a', durationMs: 100 }),
    span({ spanId: 'b', parentId: 'a', startMs: 5, durationMs: 20 }),
    span({ spanId: 'c', parentId: 'a', startMs: 10, durationMs: 25 }),
    span({ spanId: 'd', parentId: 'a', startMs: 30, durationMs: 60 }),
    span({ spanId: 'e', parentId: 'd', startMs: 40, durationMs: 45 }),
  ]);
  const path = criticalPath(rows).map(({ row, start, end }) => [rows[row]!.span.spanId, start, end]);
  assert.deepEqual(path, [
    ['a', 0, 5], ['b', 5, 25], ['a', 25, 30], ['d', 30, 40], ['e', 40, 85], ['d', 85, 90], ['a', 90, 100],
  ]); // prettier-ignore
});

test('ten thousand spans, in one chain, in one fan, and in circles', () => {
  const many = Array.from({ length: 10_000 }, (_, at) => at);
  const chain = many.map((at) =>
    span({
      spanId: `${at}`,
      parentId: at === 0 ? null : `${at - 1}`,
      service: `s${at % 5000}`,
      startMs: at,
      durationMs: 20_000 - 2 * at,
    }),
  );
  assert.equal(spanRows(chain.toReversed()).at(-1)!.depth, 9999);
  assert.equal(criticalPath(spanRows(chain)).length, 19_999);
  const fan = many.map((at) =>
    span({ spanId: `${at}`, parentId: at === 0 ? null : '0', startMs: at, durationMs: at === 0 ? 20_000 : 1 }),
  );
  assert.equal(spanRows(fan)[0]!.below, 9999);
  assert.equal(criticalPath(spanRows(fan)).length, 10_001);
  const circles = many.map((at) =>
    span({ spanId: `${at}`, parentId: `${at - (at % 100) + ((at + 1) % 100)}`, startMs: at }),
  );
  assert.equal(spanRows(circles).filter(({ lost }) => lost === 'circle').length, 100);
});
