/** What a frozen budget keeps from being put in force, what passes, and what is written down of that; asked as the admin API does. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adminBackend } from '../../../test/admin-backend.ts';
import type { LedgerFact } from '../../observe/slo/ledger/entry.ts';
import type { Slo } from '../../observe/slo/objective.ts';
import type { SloStatus } from '../../observe/slo/live/status.ts';
import { budgetLevel, defaultPolicy } from '../../observe/slo/policy.ts';
import type { ApiAnswer } from '../admin/answers.ts';
import { apiPaths } from '../admin/api.ts';
import { BudgetGate } from './budget-gate.ts';
import type { GatewayEvent } from './events.ts';

function status(service: string, share: number): SloStatus {
  const budget = { minutes: 43.2, minutesLeft: share * 43.2, events: 1000, eventsLeft: share * 1000, share };
  return {
    id: `${service}-up`,
    service,
    ...{ policy: defaultPolicy, good: 1000, bad: 1, sinceMs: 0, atMs: 30 * 86_400_000, period: null },
    level: budgetLevel(defaultPolicy, share),
    budget,
  } as SloStatus;
}

function gateOf(statuses: readonly SloStatus[] | null, objectives: readonly Slo[] = []) {
  const events: GatewayEvent[] = [];
  const facts: LedgerFact[] = [];
  const record = async (fact: LedgerFact) => void facts.push(fact);
  const gate = new BudgetGate({
    ...{ objectives: () => objectives, statuses: () => statuses, record },
    onEvent: (event) => events.push(event),
  });
  return { gate, events, facts };
}

test('without objectives nothing is refused, and nobody is told that it is open', () => {
  for (const statuses of [null, []]) assert.equal(gateOf(statuses).gate.verdict(null), null);
  assert.equal(gateOf([status('shop', -1)]).gate.verdict('search'), null);
});

test('refused with the reason and what passes; open again with the budget', async () => {
  const frozen = gateOf([status('shop', -0.5), status('search', 1)]);
  assert.match(
    String(await frozen.gate.refusal(null)),
    /^shop-up is frozen: its budget is overdrawn by 50% .* Rollbacks pass; a security fix passes with --sec/,
  );
  assert.equal(frozen.gate.verdict('search')!.open, true);
  assert.equal(await gateOf([status('shop', 0.01)]).gate.refusal(null), null);
  assert.equal(await gateOf(null).gate.refusal(null), null);
});

test('a pass that was needed is audited and in the ledger; one that was not, and a rollback, are not', async () => {
  const frozen = gateOf([status('shop', -0.5)]);
  assert.equal(await frozen.gate.refusal({ kind: 'override', text: 'the fix itself', by: 'ana' }), null);
  assert.deepEqual(frozen.facts, [{ kind: 'passed', pass: 'override', text: 'the fix itself', by: 'ana' }]);
  const [event] = frozen.events;
  assert.ok(event?.kind === 'audit' && event.by === 'ana' && event.action === 'override: the fix itself');
  assert.match(event.outcome, /^Let through \(override\) although: shop-up is frozen/);
  assert.equal(await frozen.gate.refusal({ kind: 'rollback', text: '', by: '' }), null);
  assert.equal(frozen.facts.length, 1);
  const well = gateOf([status('shop', 1)]);
  assert.equal(await well.gate.refusal({ kind: 'security-fix', text: 'CVE-2026-1', by: 'ana' }), null);
  assert.deepEqual([well.facts, well.events], [[], []]);
});

async function ask(gate: BudgetGate, path: string, query = '', body = ''): Promise<ApiAnswer> {
  const { whole } = adminBackend({
    budgets: { gate, view: () => ({ spendings: [], entries: [] }), note: async () => '' },
  });
  const request = { method: 'GET', names: [], query: new URLSearchParams(query), body: Buffer.from(body), headers: {} };
  return apiPaths[path]!.answer(whole, request);
}

test('GET /api/slo/gate: 200, 409 with the reasons, or 404 where nothing is known', async () => {
  const { gate } = gateOf([status('shop', -0.5), status('search', 0.3)]);
  const shut = await ask(gate, '/api/slo/gate');
  assert.ok(shut.kind === 'problem' && shut.problem.status === 409);
  const { code, open, level, reasons } = shut.problem.members as Record<string, unknown>;
  assert.deepEqual([code, open, level, (reasons as unknown[]).length], ['BUDGET_FROZEN', false, 'freeze', 2]);
  const warned = await ask(gate, '/api/slo/gate', 'service=search');
  assert.ok(warned.kind === 'answer' && warned.status === 200 && typeof warned.body === 'string');
  assert.equal((JSON.parse(warned.body) as { level: string }).level, 'warn');
  const unknown = await ask(gate, '/api/slo/gate', 'service=x');
  assert.ok(unknown.kind === 'problem' && unknown.problem.status === 404);
  assert.match(unknown.problem.detail, /no objective of "x"/);
});

const fresh = { service: 'shop', name: 'up', policy: defaultPolicy } as Slo;

test('before the first round, and with too little known: no yes for who asks, and no change is refused', async () => {
  const young = { ...status('shop', -0.5), level: 'review', sinceMs: 30 * 86_400_000 - 60_000 } as const;
  for (const { gate, facts } of [gateOf(null, [fresh]), gateOf([], [fresh]), gateOf([young], [fresh])]) {
    const answer = await ask(gate, '/api/slo/gate', 'service=shop');
    assert.ok(answer.kind === 'problem' && answer.problem.status === 503);
    const { code, open, unknown } = answer.problem.members as Record<string, unknown>;
    assert.deepEqual([code, open, (unknown as unknown[]).length], ['BUDGET_UNKNOWN', false, 1]);
    assert.match(answer.problem.detail, /^It is not known what is left of the budget of shop-up: /);
    const pass = { kind: 'override', text: 'a first deploy', by: 'ci' } as const;
    assert.equal(await gate.refusal(null), null);
    assert.equal(await gate.refusal(pass), null);
    assert.deepEqual(facts, [], 'no pass was needed');
    assert.ok((await ask(gate, '/api/slo/pass', '', '{"override": "a first deploy"}')).kind === 'answer');
    assert.equal(facts.length, 1);
  }
  const other = { ...fresh, service: 'search' };
  assert.equal(gateOf([status('shop', 1)], [fresh, other]).gate.verdict(null)!.open, false, 'one that a reload added');
  assert.equal(gateOf([status('shop', 1)], [fresh, other]).gate.verdict('shop')!.open, true);
});

test('POST /api/slo/pass: opens it and is written down; what cannot be understood is refused', async () => {
  const { gate, facts } = gateOf([status('shop', -0.5)]);
  const passed = await ask(gate, '/api/slo/pass', '', '{"securityFix": "CVE-2026-1", "by": "ci"}');
  assert.ok(passed.kind === 'answer' && passed.status === 200);
  assert.deepEqual(facts, [{ kind: 'passed', pass: 'security-fix', text: 'CVE-2026-1', by: 'ci' }]);
  for (const [body, said] of [
    ['', /must be JSON/],
    ['{}', /must be JSON/],
    ['{"override": "a", "securityFix": "b"}', /either override or securityFix/],
    ['{"override": "a\\nb"}', /override must be a text of one line/],
    ['{"override": 5}', /override must be a text/],
    ['{"overide": "x"}', /no key "overide"/],
  ] as const) {
    const answer = await ask(gate, '/api/slo/pass', '', body);
    assert.ok(answer.kind === 'problem' && answer.problem.status === 400);
    assert.match(answer.problem.detail, said);
  }
  assert.equal(facts.length, 1);
});

test('only who may write may have a pass written down', () => {
  assert.deepEqual([apiPaths['/api/slo/gate']!.role, apiPaths['/api/slo/pass']!.role], ['read', 'write']);
});
