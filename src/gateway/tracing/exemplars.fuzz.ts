/** Exemplars against what is wanted of them, said of all spans at once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { span } from '../../../test/observe/spans.ts';
import type { SpanKind } from '../../observe/trace/span-record.ts';
import { type Exemplar, EXEMPLARS_MAX, exemplarsOf } from './exemplars.ts';

const anySpan = fc
  .record({
    service: fc.constantFrom('gateway', 'gateway', 'gateway', 'shop'),
    kind: fc.constantFrom<SpanKind[]>('server', 'server', 'server', 'client'),
    // Few places, so that many are in one.
    startMs: fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 1, max: 12 }).map((at) => at * 999) }, fc.constant(Number.NaN)),
    durationMs: fc.oneof({ weight: 9, arbitrary: fc.double({ min: 64, max: 255, noNaN: true }) }, fc.constant(0)),
    status: fc.constantFrom('unset' as const, 'error' as const),
    attributes: fc.constantFrom<Record<string, string>[]>({}, { 'spillway.service': 'shop' }, { 'spillway.service': 'search' }),
  })
  .map((fields) => span({ traceId: 't', spanId: 's', ...fields })); // prettier-ignore

test('each is a request of the service in the time asked for; each place has one, that failed if any did, and else the longest', () => {
  fc.assert(
    fc.property(fc.array(anySpan, { maxLength: 100, size: 'max' }), fc.constantFrom('shop', undefined), (spans, service) => {
      const [fromMs, toMs, stepMs] = [2000, 9000, 500];
      const found = exemplarsOf(spans, { ...(service !== undefined && { service }), fromMs, toMs, stepMs });
      const counted = spans.filter(
        ({ attributes, durationMs, kind, service: of, startMs }) =>
          of === 'gateway' &&
          kind === 'server' &&
          (service === undefined ? 'spillway.service' in attributes : attributes['spillway.service'] === service) &&
          startMs + durationMs >= fromMs &&
          startMs + durationMs < toMs,
      );
      const placeOf = (atMs: number, durationMs: number) => `${Math.floor(atMs / stepMs)} ${Math.floor(Math.log2(durationMs))}`;
      const places = Map.groupBy(counted, ({ startMs, durationMs }) => placeOf(startMs + durationMs, durationMs));
      assert.equal(found.length, places.size);
      for (const { atMs, durationMs, failed } of found) {
        const members = places.get(placeOf(atMs, durationMs))!;
        const errors = members.filter(({ status }) => status === 'error');
        assert.equal(failed, errors.length > 0);
        const among = failed ? errors : members;
        assert.equal(durationMs, Math.max(...among.map((one) => one.durationMs)));
      }
      assert.deepEqual(found.map(({ atMs }) => atMs), found.map(({ atMs }) => atMs).toSorted((one, other) => one - other));
    }),
  ); // prettier-ignore
});

test('of too many places the newest are told', () => {
  const spans = Array.from({ length: EXEMPLARS_MAX + 5 }, (_, at) =>
    span({ traceId: 't', spanId: 's', service: 'gateway', startMs: at * 1000, attributes: { 'spillway.service': 'shop' } }),
  ); // prettier-ignore
  const found = exemplarsOf(spans, { fromMs: 0, toMs: 1e9, stepMs: 1000 });
  assert.equal(found.length, EXEMPLARS_MAX);
  assert.equal(found.at(-1)!.atMs, (EXEMPLARS_MAX + 4) * 1000 + 5);
});

test('of what services tell there is one for each trace that the gateway told none of, by their own names', () => {
  const told = (number: number, fields: Partial<Exemplar> = {}): Exemplar => ({
    ...{ traceId: `${number}`, spanId: '', name: 'GET /cart', by: 'shop', atMs: 1000 * number, durationMs: 70 },
    ...{ failed: false, ...fields },
  });
  const spans = [
    span({ traceId: '1', spanId: 's', service: 'gateway', startMs: 1000, attributes: { 'spillway.service': 'shop' } }),
  ];
  const pushed = [told(1), told(2), told(2, { durationMs: 90 }), told(3, { by: 'search' }), told(99)];
  const found = (service?: string): string[] => {
    const query = { ...(service !== undefined && { service }), fromMs: 0, toMs: 10_000, stepMs: 500 };
    return exemplarsOf(spans, query, pushed).map(({ by, durationMs, traceId }) => `${traceId} ${by} ${durationMs}`);
  };
  assert.deepEqual(found(), ['1 gateway 5', '2 shop 90', '3 search 70']);
  assert.deepEqual(found('shop'), ['1 gateway 5', '2 shop 90']);
  assert.deepEqual(found('search'), ['3 search 70']);
});
