/** Traces against each other: what is lost or told twice would make a comparison lie. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { criticalPath } from './critical-path.ts';
import { spanRows } from './span-tree.ts';
import { compareTraces, diffSentence, type NamedSpan, type TimedTrace } from './trace-diff.ts';

const anyTrace = fc
  .array(
    fc.record({
      spanId: fc.integer({ min: 0, max: 30 }).map(String),
      parentId: fc.option(fc.integer({ min: 0, max: 35 }).map(String), { freq: 6 }),
      service: fc.constantFrom('gateway', 'shop'),
      name: fc.constantFrom('GET /', 'SELECT', 'a", "b'),
      kind: fc.constant('internal'),
      status: fc.constantFrom('unset', 'error'),
      startMs: fc.nat(1000),
      durationMs: fc.nat(500),
    }),
    { maxLength: 40 },
  )
  .map(timed);

function timed(spans: readonly NamedSpan[]): TimedTrace<NamedSpan> {
  const rows = spanRows(spans);
  return { rows, path: criticalPath(rows) };
}

const near = (one: number, other: number): boolean => Math.abs(one - other) < 1e-6;

test('differences of places add up to that of the traces, every span is in one place, and what differs most is first', () => {
  fc.assert(
    fc.property(anyTrace, anyTrace, (here, there) => {
      const { hereMs, places, thereMs } = compareTraces(here, there);
      const sum = (of: (place: (typeof places)[number]) => number): number =>
        places.reduce((all, place) => all + of(place), 0);
      assert.ok(near(sum((place) => place.here.ms - place.there.ms), hereMs - thereMs));
      assert.equal(sum((place) => place.here.spans), here.rows.length);
      assert.equal(sum((place) => place.there.spans), there.rows.length);
      const failed = here.rows.filter(({ span }) => span.status === 'error').length;
      assert.equal(sum((place) => place.here.failed), failed);
      const apart = places.map((place) => Math.abs(place.here.ms - place.there.ms));
      assert.deepEqual(apart, apart.toSorted((one, other) => other - one));
      assert.equal(new Set(places.map(({ id }) => id)).size, places.length);
    }),
    { numRuns: 500 },
  );
}); // prettier-ignore

test('a trace beside itself has no difference, and the other way round all signs are the other', () => {
  fc.assert(
    fc.property(anyTrace, anyTrace, (one, other) => {
      assert.ok(compareTraces(one, one).places.every(({ here, there }) => here.ms === there.ms && here.spans === there.spans));
      const told = ({ places }: ReturnType<typeof compareTraces>, back: boolean): string[] =>
        places.map(({ service, name, under, here, there }) => JSON.stringify([service, name, under, ...(back ? [there, here] : [here, there])])).toSorted();
      assert.deepEqual(told(compareTraces(one, other), false), told(compareTraces(other, one), true));
    }),
  );
}); // prettier-ignore

const span = (spanId: string, parentId: string | null, name: string, at: readonly [start: number, end: number]) => ({
  ...{ spanId, parentId, name, service: parentId === null ? 'gateway' : 'shop', kind: 'internal', status: 'unset' },
  ...{ startMs: at[0], durationMs: at[1] - at[0] },
});
const plain = (text: string): string => text.replaceAll('\u00a0', ' ');

test('a sentence says where most of the difference is', () => {
  const fast = timed([span('1', null, 'GET /', [0, 10]), span('2', '1', 'SELECT', [2, 8])]);
  const slow = timed([span('1', null, 'GET /', [0, 120]), span('2', '1', 'SELECT', [2, 108]), span('3', '1', 'charge', [108, 111])]);
  const said = (one: TimedTrace<NamedSpan>, other: TimedTrace<NamedSpan>): string => plain(diffSentence(compareTraces(one, other)));
  assert.equal(said(slow, fast), '120 ms, the other 10.0 ms: 110 ms longer. Most of it is shop: SELECT, 100 ms longer.');
  assert.equal(said(fast, slow), '10.0 ms, the other 120 ms: 110 ms shorter. Most of it is shop: SELECT, 100 ms shorter.');
  assert.equal(said(fast, fast), '10.0 ms, the other 10.0 ms: as long.');
  const once = timed([span('1', null, 'GET /', [0, 20]), span('2', '1', 'charge', [2, 18])]);
  assert.equal(said(once, timed([span('1', null, 'GET /', [0, 4])])), '20.0 ms, the other 4.00 ms: 16.0 ms longer. Most of it is shop: charge, 16.0 ms longer, which the other has not.');
  assert.equal(said(timed([]), fast), '0, the other 10.0 ms: 10.0 ms shorter. Most of it is shop: SELECT, 6.00 ms shorter, which is only in the other.');
}); // prettier-ignore
