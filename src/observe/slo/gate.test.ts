/** What may be deployed while budgets run low, and what always may. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatGate, type GateStanding, judgeGate, type Pass } from './gate.ts';
import { budgetLevel, defaultPolicy } from './policy.ts';

const standing = (id: string, share: number, policy = defaultPolicy): GateStanding => {
  return { id, policy, level: budgetLevel(policy, share), budget: { share, minutesLeft: share * 43.2 } };
};

test('it is open until a budget is spent', () => {
  for (const [share, open, level] of [
    ...([[1, true, 'ok']] as const),
    ...([[0.4, true, 'warn']] as const),
    ...([[0.0001, true, 'review']] as const),
    ...([[0, false, 'freeze']] as const),
    ...([[-2, false, 'freeze']] as const),
  ]) {
    const verdict = judgeGate([standing('shop-up', share), standing('shop-quick', 0.9)]);
    assert.deepEqual([verdict.open, verdict.level], [open, level], String(share));
  }
  assert.equal(judgeGate([]).open, true);
});

test('an objective that never freezes shuts nothing', () => {
  assert.equal(judgeGate([standing('shop-up', -1, { ...defaultPolicy, freeze: null })]).open, true);
});

test('every reason is told, the worst first, in words and numbers', () => {
  const verdict = judgeGate([standing('a', 0.3), standing('b', -0.5), standing('c', 1), standing('d', 0)]);
  assert.deepEqual(
    verdict.reasons.map(({ text }) => text),
    [
      'b is frozen: 50% of its budget (21.6 min) is spent beyond all; it does from 0% left on down.',
      'd is frozen: its budget is spent; it does from 0% left on down.',
      'a warns: 30% of its budget (13 min) is left; it does from 50% left on down.',
    ],
  );
  assert.doesNotMatch(formatGate(verdict), /a warns/, 'what does not shut it is not told as what does');
});

test('rollbacks, security fixes and what somebody answers for pass, and it is said', () => {
  const frozen = [standing('shop-up', -1)];
  for (const kind of ['rollback', 'security-fix', 'override'] as const) {
    const verdict = judgeGate(frozen, { kind, text: 'why', by: 'ana' });
    assert.deepEqual([verdict.open, verdict.pass], [true, kind]);
    assert.match(formatGate(verdict), new RegExp(`^Let through \\(${kind}\\) although shop-up is frozen`));
    // What was not needed is not said to have been used.
    assert.equal(judgeGate([standing('shop-up', 1)], { kind, text: 'why', by: 'ana' }).pass, null);
  }
});

test('a pass never shuts it, and one more objective never opens it', () => {
  const any = fc.record({ id: fc.string(), share: fc.double({ min: -5, max: 1, noNaN: true }) });
  const pass = fc.constantFrom<Pass | null>(null, { kind: 'override', text: 'x', by: 'ana' });
  fc.assert(
    fc.property(fc.array(any), any, pass, (some, more, given) => {
      const standings = some.map(({ id, share }) => standing(id, share));
      const before = judgeGate(standings, given);
      const after = judgeGate([...standings, standing(more.id, more.share)], given);
      assert.ok(before.open || !after.open);
      assert.ok(given === null || after.open);
      assert.equal(after.open, after.pass !== null || !after.reasons.some(({ level }) => level === 'freeze'));
    }),
  );
});
