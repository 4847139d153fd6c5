/** The ring of recent lines against a plain list that forgets from its front. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { levelNumbers, type LogLevel } from './levels.ts';
import { type LogQuery, type LogRecord, RecentLogs } from './recent.ts';

const levels = Object.keys(levelNumbers) as LogLevel[];
// The two words have the same hash.
const id = fc.constantFrom(
  '',
  'costarring',
  'liquid',
  '0af7651916cd43dd8448eb211c80319c',
  '4bf92f3577b34da6a3ce929d0e0e4736',
  'r-1',
  'ü"\n',
);
const record: fc.Arbitrary<LogRecord> = fc.record(
  {
    timeMs: fc.nat(),
    level: fc.constantFrom(...levels),
    message: fc.oneof(fc.constantFrom('Paid', 'no card', 'say "hi"\n', '€'), fc.string({ maxLength: 40 })),
    service: fc.constantFrom('shop', 'stock'),
    traceId: id,
    spanId: fc.constantFrom('', 'b7ad6b7169203331'),
    correlationId: id,
    // From a line to a third of the ring.
    attributes: fc.oneof(
      { weight: 5, arbitrary: fc.constant({}) },
      { weight: 5, arbitrary: fc.nat(4000).map((length) => ({ text: 'x'.repeat(length) })) },
      { weight: 1, arbitrary: fc.nat(40_000).map((length) => ({ text: '€'.repeat(length / 2) })) },
    ),
  },
  { noNullPrototype: true },
);
const query: fc.Arbitrary<LogQuery> = fc.record(
  {
    traceId: id,
    correlationId: id,
    level: fc.constantFrom(...levels),
    text: fc.constantFrom('', 'paid', 'CARD', '"hi"\n', '€', 'shop', 'nowhere to be found'),
    limit: fc.integer({ min: 1, max: 200 }),
  },
  { requiredKeys: [], noNullPrototype: true },
);

/** What a query finds in a list of all that ever was, newest first, of which the ring has the first `kept`. */
function expected(all: readonly LogRecord[], kept: number, asked: LogQuery): LogRecord[] {
  const { traceId = '', correlationId = '', level = 'trace', text = '', limit = 100 } = asked;
  const within = JSON.stringify(text).slice(1, -1).toLowerCase();
  return all
    .slice(0, kept)
    .filter(
      (one) =>
        (traceId === '' || one.traceId === traceId) &&
        (correlationId === '' || one.correlationId === correlationId) &&
        levelNumbers[one.level] >= levelNumbers[level] &&
        JSON.stringify(one).toLowerCase().includes(within),
    )
    .slice(0, limit);
}

const RING = 64 * 1024;
const sizeOf = (one: LogRecord): number => Buffer.byteLength(JSON.stringify(one));

test('finds the newest that fit, and as a list would', () =>
  fc.assert(
    fc.property(fc.array(fc.tuple(record, fc.nat(20), query), { maxLength: 120 }), (steps) => {
      const recent = new RecentLogs({ bytes: RING });
      const all: LogRecord[] = [];
      for (const [one, times, asked] of steps) {
        for (let time = 0; time <= times; time++) {
          const isKept = recent.add(one);
          assert.equal(isKept, sizeOf(one) + 18 <= RING / 2);
          if (isKept) all.unshift(one);
        }
        assert.deepEqual(recent.find(asked), expected(all, recent.size, asked));
      }
      // It forgets no sooner than it must: with the one before and what is unused at the end, the ring would be too full.
      const kept = all.slice(0, recent.size + 1).reduce((sum, one) => sum + sizeOf(one) + 18, 0);
      if (recent.size < all.length) assert.ok(kept > RING / 4, `${kept} bytes are all there is room for`);
    }),
    { numRuns: 60 },
  ));

test('what cannot be kept is refused, and what is there stays', () => {
  const recent = new RecentLogs({ bytes: '64kb' });
  const [one] = fc.sample(record, { seed: 1, numRuns: 1 }) as [LogRecord];
  assert.equal(recent.add({ ...one, attributes: {} }), true);
  assert.equal(recent.add({ ...one, attributes: { big: 10n } }), false);
  assert.equal(recent.add({ ...one, message: 'x'.repeat(RING) }), false);
  assert.equal(recent.add(undefined as unknown as LogRecord), false);
  assert.deepEqual(recent.find(), [{ ...one, attributes: {} }]);
  for (const bytes of [0, 63 * 1024, 1.5, '2tb', 'much'])
    assert.throws(() => new RecentLogs({ bytes }), /from 64kb to 1gb/);
  assert.throws(() => recent.find({ limit: 0 }), /from 1 to 10000/);
  assert.throws(() => recent.find({ level: 'loud' as LogLevel }), /level is loud/);
  assert.throws(() => recent.find({ trace: 'x' } as LogQuery), /no option “trace”.*Did you mean traceId/);
});
