/** Whatever replies come, a question keeps its last good answer and is asked again within its bounds. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { DnsRecord } from '../../../drivers/dns/message.ts';
import { seededRandom } from '../../../kernel/random.ts';
import { newQuestion, replied, type QuestionState, type Reply } from './dns-question.ts';

const record = (octet: number): DnsRecord => ({ name: 'a.b', ttlS: 1, type: 'A', address: `10.0.0.${octet}` });
const reply: fc.Arbitrary<Reply> = fc.oneof(
  fc
    .tuple(fc.integer({ min: 0, max: 255 }), fc.nat(100_000_000))
    .map(([octet, ttlMs]): Reply => ({ kind: 'records', records: [record(octet)], ttlMs })),
  fc.boolean().map((exists): Reply => ({ kind: 'none', exists })),
  fc.constant<Reply>({ kind: 'failure', reason: 'SERVFAIL' }),
);
const bounds = fc.tuple(fc.integer({ min: 100, max: 10_000 }), fc.nat(1_000_000)).map(([minMs, more]) => ({
  minMs,
  maxMs: minMs + more,
}));

test('the answer is the last that was one; the next question is neither too soon nor too late', () => {
  fc.assert(
    fc.property(bounds, fc.array(reply, { maxLength: 80 }), fc.integer(), ({ minMs, maxMs }, replies, seed) => {
      const random = seededRandom(seed);
      let state: QuestionState = newQuestion(0);
      let nowMs = 0;
      let expected: readonly DnsRecord[] | null = null;
      for (const each of replies) {
        nowMs = state.dueMs;
        state = replied(state, each, { minMs, maxMs }, { nowMs, random });
        if (each.kind !== 'failure') expected = each.kind === 'records' ? each.records : [];
        assert.deepEqual(state.records, expected);
        assert.equal(state.failure, each.kind === 'failure' ? each.reason : null);
        const pauseMs = state.dueMs - nowMs;
        assert.ok(pauseMs >= minMs - 1e-6 && pauseMs <= maxMs + 1e-6, `${pauseMs} in ${minMs} to ${maxMs}`);
        if (each.kind === 'records' && each.ttlMs >= minMs && each.ttlMs * 1.1 <= maxMs) {
          assert.ok(pauseMs >= each.ttlMs - 1e-6 && pauseMs <= each.ttlMs * 1.1 + 1e-6, 'by its TTL');
        }
      }
    }),
  );
});

test('pauses after misses double up to half a minute, and one answer ends that', () => {
  const random = { int32: () => 0, unit: () => 1 };
  const policy = { minMs: 1000, maxMs: 300_000 };
  let state = newQuestion(0);
  const pauses: number[] = [];
  for (let miss = 0; miss < 7; miss++) {
    const nowMs = state.dueMs;
    state = replied(state, { kind: 'failure', reason: 'x' }, policy, { nowMs, random });
    pauses.push(state.dueMs - nowMs);
  }
  assert.deepEqual(pauses, [2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  state = replied(state, { kind: 'records', records: [record(1)], ttlMs: 5000 }, policy, { nowMs: 0, random });
  assert.equal(state.dueMs, 5500);
  state = replied(state, { kind: 'none', exists: false }, policy, { nowMs: 0, random });
  assert.deepEqual([state.dueMs, state.isMissing, state.records], [2000, true, []]);
});
