/** What may be deployed while budgets run low, and what always may. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatGate, type GateStanding, judgeGate, newStanding, type Pass, standing as evaluated } from './gate.ts';
import { budgetLevel, defaultPolicy } from './policy.ts';

const standing = (id: string, share: number, policy = defaultPolicy): GateStanding => {
  return { id, policy, level: budgetLevel(policy, share), budget: { share, minutesLeft: share * 43.2 }, unknown: null };
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
      'b is frozen: its budget is overdrawn by 50% (21.6 min); it does from 0% left on down.',
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
    assert.match(formatGate(verdict), new RegExp(`^Let through \\(${kind}\\) although: shop-up is frozen`));
    // What was not needed is not said to have been used.
    assert.equal(judgeGate([standing('shop-up', 1)], { kind, text: 'why', by: 'ana' }).pass, null);
  }
});

/** Of a gateway that has counted `good` and `bad` for so long. */
const counted = (good: number, bad: number, knownMs: number | null, policy = defaultPolicy): GateStanding => {
  const share = good + bad === 0 ? 1 : 1 - bad / (good + bad) / 0.001;
  const budget = { share, minutesLeft: share * 43.2 };
  const level = budgetLevel(policy, share, { knownMs: knownMs ?? 0, events: 0.001 * (good + bad) });
  return evaluated({
    id: 'shop-up',
    policy,
    level,
    budget,
    good,
    bad,
    sinceMs: knownMs && 1e9 - knownMs,
    atMs: 1e9,
    period: null,
  });
};

test('what is not known is neither yes nor frozen, whatever share seems to be left', () => {
  for (const [known, why] of [
    [
      counted(0, 0, null),
      /^It is not known what is left of the budget of shop-up: nothing was counted in its window\.$/,
    ],
    [counted(0, 0, 86_400_000), /nothing was counted in its window/],
    [counted(100, 0, 90_000), /1\.5m of its window is known, and it takes 1h|90s of its window is known/],
    [counted(99, 1, 90_000), /of its window is known, and it takes 1h/],
    [counted(99, 1, -90_000), /0ms of its window is known/],
    [newStanding('shop-up', defaultPolicy), /nothing was counted yet/],
  ] as const) {
    const verdict = judgeGate([known, standing('shop-quick', 0.9)]);
    assert.deepEqual([verdict.open, verdict.level === 'freeze', verdict.unknown.length], [false, false, 1]);
    assert.match(formatGate(verdict), why);
    const passed = judgeGate([known], { kind: 'override', text: 'why', by: 'ana' });
    assert.deepEqual([passed.open, passed.pass], [true, 'override']);
    assert.match(formatGate(passed), /^Let through \(override\) although: It is not known/);
    // What is frozen is known to be shut.
    assert.equal(judgeGate([known, standing('shop-quick', -1)]).level, 'freeze');
  }
});

test('what is known for long enough is judged, and one that never freezes need not be known', () => {
  assert.deepEqual(
    [counted(998, 2, 3_600_000), counted(99, 1, 3_600_000), counted(100, 0, 3_600_000)].map(
      (each) => judgeGate([each]).level,
    ),
    [...['freeze', 'review', 'ok']],
  );
  assert.equal(judgeGate([counted(100, 0, 3_600_000)]).open, true);
  assert.equal(judgeGate([counted(99, 1, 3_600_000)]).open, true, 'one failure of a hundred is known, and no reason');
  assert.equal(judgeGate([counted(998, 2, 0, { ...defaultPolicy, historyMs: 0 })]).level, 'freeze');
  const never = { ...defaultPolicy, freeze: null };
  assert.equal(judgeGate([counted(0, 0, null, never), newStanding('shop-quick', never)]).open, true);
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
