import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Standing, StandingChanges } from './standing.ts';

const nothing = { seats: [], breakers: [], slos: [], stores: [] };

/** What is said of one state after the other. */
function said(...states: readonly object[]): string[][] {
  const changes = new StandingChanges();
  return states.map((state) =>
    changes
      .look({ ...nothing, ...(state as Partial<Standing>) })
      .map(({ kind, tone, what }) => `${kind} ${tone}: ${what}`),
  );
}

test('who leads is told when it is first known and when it changes, and not when nobody tells any more', () => {
  const seat = (holder: string | null, term: number | null) => ({ seats: [{ seat: 'cron', holder, term }] });
  assert.deepEqual(
    said(seat(null, null), seat('ann', 3), seat('ann', 3), seat(null, null), seat('bob', 4), nothing, seat('bob', 4)),
    [
      [],
      ['leader plain: ann leads cron, in term 3.'],
      [],
      ['leader bad: Nobody leads cron.'],
      ['leader plain: bob leads cron, in term 4.'],
      [],
      ['leader plain: bob leads cron, in term 4.'],
    ],
  );
});

test('an objective that burns is told, when it burns otherwise too, and when it no longer does', () => {
  const slo = (...alerts: readonly object[]) => ({ slos: [{ id: 'shop', alerts }] });
  const page = { severity: 'page', burn: 14.4, state: 'firing' };
  const ticket = { severity: 'ticket', burn: 1, state: 'firing' };
  assert.deepEqual(said(slo({ ...page, state: 'pending' }), slo(page, ticket), slo(page), slo(ticket), slo()), [
    [],
    ['slo bad: shop spends its error budget more than 14.4 times too fast.'],
    [],
    ['slo bad: shop spends its error budget faster than it may.'],
    ['slo good: No alert of shop fires any more.'],
  ]);
});

test('a store that does not answer is told once, however many workers it fails, and when it answers again', () => {
  const store = (downFor: number) => ({ stores: [{ name: 'redis:6379', downFor }] });
  assert.deepEqual(said(store(0), store(1), store(2), store(0)), [
    [],
    ['store bad: The store redis:6379 does not answer.'],
    [],
    ['store good: The store redis:6379 answers again.'],
  ]);
});

test('a breaker of a service is told when it opens and when it is something else, each process by itself', () => {
  const row = (phase: string, instance = 'a:1') => ({ breaker: 'bank', service: 'shop', instance, phase });
  const breakers = (...rows: readonly object[]) => ({ breakers: rows });
  assert.deepEqual(
    said(
      breakers(row('closed')),
      breakers(row('open'), row('closed', '')),
      breakers(row('open'), row('open', '')),
      breakers(row('half-open'), row('open', '')),
      breakers(row('closed')),
      breakers(row('closed')),
    ),
    [
      [],
      ['breaker bad: Breaker bank of shop in a:1 is open.'],
      ['breaker bad: Breaker bank of shop is open.'],
      ['breaker plain: Breaker bank of shop in a:1 is half-open.'],
      ['breaker good: Breaker bank of shop in a:1 is closed.'],
      [],
    ],
  );
});

test('of very many breakers some are told', () => {
  const breakers = Array.from({ length: 1000 }, (_, at) => ({
    breaker: `b${at}`,
    service: 's',
    instance: '',
    phase: 'open',
  }));
  const [first, second] = said({ breakers }, { breakers: breakers.toReversed() });
  assert.equal(first!.length, 100);
  // Each push puts them in another order.
  assert.deepEqual(second, []);
});

test('of very many seats some are told', () => {
  const seats = Array.from({ length: 1000 }, (_, at) => ({ seat: `s${at}`, holder: 'ann', term: 1 }));
  assert.equal(said({ seats })[0]!.length, 100);
});
