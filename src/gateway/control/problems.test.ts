import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SloStatus } from '../../observe/slo/live/status.ts';
import type { GatewayState } from './gateway-state.ts';
import { problemsOf } from './problems.ts';

const well = {
  phase: 'running',
  services: [],
  workers: [{ lane: 0, phase: 'serving', lastLoss: null }],
  limits: [],
  stores: [],
  canary: null,
  pendingRestart: [],
  kept: null,
  reloads: { lastReason: null, lastAt: null },
};
const endpoint = (address: string, given: object = {}) => ({
  ...{ address, health: 'up', reason: 'status 200', since: null, drain: null },
  ...given,
});
const down = (address: string, since = '2026-01-01T00:00:00.000Z') =>
  endpoint(address, { health: 'down', reason: 'connection refused', since });
const service = (endpoints: readonly object[], given: object = {}) => ({
  services: [{ name: 'shop', failOpen: false, breaker: null, discovery: null, endpoints, ...given }],
});

const said = (given: object): string[] =>
  problemsOf({ ...well, ...given } as unknown as GatewayState, []).map(({ severity, what }) => `${severity}: ${what}`);

test('nothing is said of a gateway that is well, nor of what somebody wants so', () => {
  assert.deepEqual(said({}), []);
  assert.deepEqual(said(service([endpoint('a:1'), endpoint('b:1', { drain: { phase: 'drained' } })])), []);
  assert.deepEqual(said(service([endpoint('a:1', { health: 'unknown' })])), []);
});

test('an endpoint that is out is named with its reason, and a service with none is a fault and comes first', () => {
  assert.deepEqual(said(service([endpoint('a:1'), down('b:1')])), [
    'warning: b:1 of shop is down: connection refused.',
  ]);
  assert.deepEqual(said(service([down('a:1')])), [
    'fault: No endpoint of shop takes requests.',
    'warning: a:1 of shop is down: connection refused.',
  ]);
  assert.deepEqual(said(service([])), ['fault: shop has no endpoint: its requests are refused.']);
  assert.deepEqual(
    said(service([down('a:1'), endpoint('b:1')], { failOpen: true }))[0],
    'fault: shop has too few healthy endpoints (1 of 2), so all are used.',
  );
});

test('a breaker that is not closed is said first, with its reason; one that is, is not', () => {
  const breaker = { reason: '60 % of 20 calls failed', since: '2026-01-01T00:00:00.000Z' };
  const of = (phase: string): object => service([endpoint('a:1')], { breaker: { ...breaker, phase } });
  assert.deepEqual(said(of('closed')), []);
  assert.deepEqual(said(of('open')), [
    'fault: The breaker of shop is open, so its requests are refused: 60 % of 20 calls failed.',
  ]);
  assert.deepEqual(said(of('half-open')), [
    'warning: shop is tried again with a few requests; its breaker refuses the others.',
  ]);
});

test('of many that are out, some are named and the others counted, since the first of them', () => {
  const many = Array.from({ length: 500 }, (_, at) =>
    down(`10.0.0.1:${at}`, `2026-01-01T00:00:00.${String(999 - at).padStart(3, '0')}Z`),
  );
  const all = problemsOf({ ...well, ...service([endpoint('z:1'), ...many]) } as unknown as GatewayState, []);
  assert.equal(all.length, 4);
  assert.equal(all[3]!.what, '497 more endpoints of shop are out.');
  assert.equal(all[3]!.since, '2026-01-01T00:00:00.500Z');
  assert.equal(all[0]!.link, '#/balancer?service=shop');
});

test('workers, stores, sources and configs that fail are said with what is known', () => {
  const lost = { lane: 1, phase: 'waiting', lastLoss: 'out of memory' };
  assert.deepEqual(said({ workers: [...well.workers, lost] }), [
    'warning: Worker 1 was lost and is about to be replaced: out of memory.',
  ]);
  assert.match(said({ workers: [lost] })[0]!, /^fault: /);
  const limits = [{ name: 'api', store: { name: 'redis://a' } }];
  assert.deepEqual(said({ limits, stores: [{ name: 'redis://a', downFor: 2 }] }), [
    'warning: The store redis://a does not answer; it counts api.',
  ]);
  const discovery = { source: 'dns a', problem: 'no answer', answeredAt: null };
  assert.deepEqual(said(service([endpoint('a:1')], { discovery })), [
    'warning: The endpoints of shop cannot be learnt from dns a: no answer.',
  ]);
  assert.match(
    said({ reloads: { lastReason: 'It has 2 mistakes.', lastAt: null } })[0]!,
    /goes on: It has 2 mistakes\.$/,
  );
  assert.match(said({ canary: { phase: 'rolled-back', reason: 'slow' } })[0]!, /taken back: slow\.$/);
  assert.match(said({ pendingRestart: ['workers: 2 → 4'] })[0]!, /new process can give: workers: 2 → 4\.$/);
  assert.match(said({ phase: 'draining' })[0]!, /^fault: The gateway is ending/);
});

test('a name from a config is part of a link as text', () => {
  const [first] = problemsOf({ ...well, ...service([], { name: 'a&b"><script>' }) } as unknown as GatewayState, []);
  assert.equal(first!.link, '#/balancer?service=a%26b%22%3E%3Cscript%3E');
});

test('an objective that burns is said, a page as a fault, and so is one whose budget is spent', () => {
  const alert = (severity: string, burn: number, state = 'firing') => ({ severity, burn, state, sinceMs: 60_000 });
  const status = (given: object): SloStatus =>
    ({ id: 'shop-availability', budget: { share: 0.4 }, alerts: [], ...given }) as never;
  const of = (given: object) => problemsOf(well as unknown as GatewayState, [status(given)]);
  assert.deepEqual(of({}), []);
  assert.deepEqual(of({ alerts: [alert('page', 14.4, 'pending'), alert('page', 6, 'resolved')] }), []);
  assert.deepEqual(of({ alerts: [alert('page', 14.4), alert('ticket', 3)] }), [
    {
      severity: 'fault',
      what: 'shop-availability spends its error budget more than 14.4 times too fast.',
      link: '#/slo?id=shop-availability',
      since: '1970-01-01T00:01:00.000Z',
    },
  ]);
  assert.equal(of({ alerts: [alert('ticket', 1)] })[0]!.severity, 'warning');
  assert.equal(of({ budget: { share: -0.5 } })[0]!.what, 'The error budget of shop-availability is spent.');
});

test('files that cannot be read are said, and damage is not: nobody can take it away', () => {
  const kept = { folder: '/data', unread: 0, damagedFiles: 2, damagedBytes: 700, lost: 0 };
  assert.deepEqual(said({ kept }), []);
  assert.deepEqual(said({ kept: { ...kept, unread: 1 } }), [
    'warning: 1 file in /data cannot be read: charts and budgets lack what is only there.',
  ]);
});
