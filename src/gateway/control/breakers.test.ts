import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCell } from '../../kernel/cells.ts';
import { seededRandom } from '../../kernel/random.ts';
import { SimulatedClock } from '../../kernel/simulated-clock.ts';
import type { BreakerPolicy } from '../../resilience/breaker-policy.ts';
import { NO_PASS, publishedPhase, ServiceBreaker } from '../breakers/service-breaker.ts';
import { BREAKER_SLOTS } from '../slots.ts';
import type { BreakerPlan } from '../snapshot.ts';
import { Breakers } from './breakers.ts';

const policy: BreakerPolicy = {
  windowMs: 10_000,
  callsMin: 4,
  failureRatio: 0.5,
  slow: { overMs: 100, ratio: 0.75 },
  failuresInRow: null,
  openMs: 5000,
  openMaxMs: 5000,
  trialCalls: 2,
  trialMs: 30_000,
};

function planOf(given: Partial<BreakerPolicy> = {}, cell = createCell(3, BREAKER_SLOTS)): BreakerPlan {
  return { policy: { ...policy, ...given }, cell };
}

function watched(breaker: BreakerPlan) {
  const clock = new SimulatedClock();
  const told: string[] = [];
  const breakers = new Breakers({
    clock,
    random: seededRandom(1),
    onEvent: (event) => {
      if (event.kind === 'breaker') told.push(`${event.service} ${event.phase}: ${event.reason}`);
    },
  });
  breakers.update([{ name: 'shop', breaker }]);
  const [one, two] = [1, 2].map((lane) => new ServiceBreaker(breaker, lane)) as [ServiceBreaker, ServiceBreaker];
  /** So many attempts, in turn at both workers. */
  const attempts = (count: number, failed: boolean, tookMs = 5): void => {
    for (let at = 0; at < count; at++) {
      const worker = at % 2 === 0 ? one : two;
      worker.end(worker.ask(), failed, tookMs);
    }
  };
  return { breakers, clock, told, one, two, attempts, phase: () => publishedPhase(breaker.cell) };
}

test('what all workers count together opens it; a trial of all workers together closes it', () => {
  const { breakers, clock, told, one, two, attempts } = watched(planOf());
  attempts(2, false);
  attempts(2, true);
  clock.pass(50);
  assert.equal(one.ask(), NO_PASS);
  assert.equal(two.isClosed, false);
  assert.equal(one.retryAfterS(clock.nowMs()), 5);
  clock.pass(5000);
  const [first, second] = [one.ask(), two.ask()];
  assert.equal(one.ask(), NO_PASS);
  one.end(first, false, 5);
  two.end(second, false, 5);
  clock.pass(50);
  assert.ok(one.isClosed && two.isClosed);
  assert.deepEqual(told, [
    'shop open: 50 % of 4 calls failed',
    'shop half-open: on trial with 2 calls',
    'shop closed: 2 of 2 trial calls succeeded',
  ]);
  assert.deepEqual(Object.fromEntries(breakers.known('shop')!.transitions), { open: 1, 'half-open': 1, closed: 1 });
  // What the trial counted is not in the new window.
  attempts(3, true);
  clock.pass(50);
  assert.ok(one.isClosed);
});

test('slow attempts open it, and what began before counts neither in the trial nor after it', () => {
  const { clock, one, two, attempts, phase } = watched(planOf());
  const old = Array.from({ length: 12 }, () => one.ask());
  attempts(4, false, 100);
  clock.pass(50);
  assert.equal(phase(), 'open');
  for (const pass of old.splice(0, 4)) one.end(pass, true, 10_000);
  clock.pass(5000);
  for (const pass of old.splice(0, 2)) one.end(pass, true, 10_000);
  clock.pass(50);
  assert.equal(phase(), 'half-open');
  for (const worker of [one, two]) worker.end(worker.ask(), false, 5);
  clock.pass(50);
  for (const pass of old) one.end(pass, true, 10_000);
  clock.pass(50);
  assert.equal(phase(), 'closed');
});

test('a permit that is given back is another’s, and one of a worker that died is given back when its time is over', () => {
  const { clock, one, two, attempts, phase } = watched(planOf());
  attempts(4, true);
  clock.pass(5050);
  const abandoned = one.ask();
  two.giveBack(two.ask());
  const good = two.ask();
  assert.notEqual(good, NO_PASS);
  assert.equal(two.ask(), NO_PASS);
  two.end(good, false, 5);
  clock.pass(29_900);
  assert.equal(two.ask(), NO_PASS);
  clock.pass(200);
  two.end(two.ask(), false, 5);
  clock.pass(50);
  assert.equal(phase(), 'closed');
  one.end(abandoned, true, 5);
  clock.pass(50);
  assert.equal(phase(), 'closed');
});

test('a permit whose attempt takes too long is another’s, and its end is then nobody’s', () => {
  const { clock, told, one, two, attempts, phase } = watched(planOf({ trialCalls: 1 }));
  attempts(4, true);
  clock.pass(5050);
  // One that is given back and taken anew all the time is no silence, though there is always one out.
  let pass = one.ask();
  for (let time = 0; time < 40; time++) {
    clock.pass(1000);
    assert.equal(two.ask(), NO_PASS);
    one.giveBack(pass);
    pass = one.ask();
  }
  clock.pass(30_050);
  const other = two.ask();
  assert.notEqual(other, NO_PASS);
  one.end(pass, true, 70_000);
  one.giveBack(pass);
  assert.equal(one.ask(), NO_PASS, 'there is one permit, and the other has it');
  clock.pass(50);
  assert.equal(phase(), 'half-open');
  two.end(other, false, 5);
  clock.pass(50);
  assert.equal(phase(), 'closed');
  assert.equal(told.length, 3, 'going on without a permit is no change');
});

test('so many failures in a row open it, of all workers together, however few attempts there are', () => {
  const { clock, told, one, two, attempts, phase } = watched(planOf({ callsMin: 1000, failuresInRow: 3 }));
  attempts(2, true);
  one.end(one.ask(), false, 5);
  attempts(2, true);
  clock.pass(50);
  assert.equal(phase(), 'closed');
  const old = one.ask();
  two.end(two.ask(), true, 5);
  // A good one behind a row that is full undoes nothing, also if both come before control looks.
  two.end(two.ask(), false, 5);
  clock.pass(50);
  assert.equal(phase(), 'open');
  assert.equal(told.at(-1), 'shop open: 3 calls in a row failed');
  clock.pass(5000);
  for (const worker of [one, two]) worker.end(worker.ask(), false, 5);
  clock.pass(50);
  assert.equal(phase(), 'closed');
  // What began in another state is in no row of this one.
  one.end(old, true, 5);
  attempts(2, true);
  clock.pass(50);
  assert.equal(phase(), 'closed');
  attempts(1, true);
  clock.pass(50);
  assert.equal(phase(), 'open');
});

test('a reload keeps what is known, and the first of two configs says by what it goes', () => {
  const plan = planOf();
  const { breakers, clock, told, attempts, phase } = watched(plan);
  attempts(4, true);
  clock.pass(50);
  const stricter = planOf({ openMs: 1, openMaxMs: 1, callsMin: 1 }, plan.cell);
  breakers.update([
    { name: 'shop', breaker: plan },
    { name: 'shop', breaker: stricter },
    { name: 'other', breaker: null },
  ]);
  assert.equal(breakers.known('shop')!.phase, 'open');
  assert.equal(breakers.known('other'), null);
  clock.pass(4900);
  assert.equal(phase(), 'open');
  assert.equal(told.length, 1);
});

test('a row of before is none where no row was counted for a while', () => {
  const plan = planOf({ callsMin: 1000, failuresInRow: 5 });
  const { breakers, clock, attempts, phase } = watched(plan);
  const goBy = (failuresInRow: number | null): void =>
    breakers.update([{ name: 'shop', breaker: planOf({ callsMin: 1000, failuresInRow }, plan.cell) }]);
  attempts(4, true);
  goBy(null);
  attempts(2, false);
  goBy(4);
  clock.pass(50);
  assert.equal(phase(), 'closed');
  attempts(3, true);
  goBy(3);
  clock.pass(50);
  assert.equal(phase(), 'open', 'from one length to another it goes on');
});

test('of two configs the first also says how many calls a trial has, to whoever goes by the other', () => {
  const plan = planOf();
  const { breakers, clock, attempts, phase } = watched(plan);
  const others = [1, 3].map((trialCalls) => planOf({ trialCalls }, plan.cell));
  breakers.update([plan, ...others].map((breaker) => ({ name: 'shop', breaker })));
  attempts(4, true);
  clock.pass(5050);
  const [fewer, more] = others.map((other) => new ServiceBreaker(other, 1)) as [ServiceBreaker, ServiceBreaker];
  const passes = [fewer.ask(), fewer.ask()];
  assert.equal(more.ask(), NO_PASS);
  for (const pass of passes) fewer.end(pass, false, 5);
  clock.pass(50);
  assert.equal(phase(), 'closed');
});

test('a breaker that comes back to a cell that was left open begins closed, as it is said to be', () => {
  const plan = planOf();
  const { breakers, clock, one, attempts, phase } = watched(plan);
  attempts(4, true);
  clock.pass(50);
  assert.equal(phase(), 'open');
  breakers.update([]);
  breakers.update([{ name: 'shop', breaker: plan }]);
  assert.equal(breakers.known('shop')!.phase, 'closed');
  assert.equal(phase(), 'closed');
  assert.notEqual(one.ask(), NO_PASS);
});

test('without a breaker there is no timer', () => {
  const { breakers, clock } = watched(planOf());
  assert.equal(clock.timers, 1);
  breakers.update([{ name: 'shop', breaker: null }]);
  assert.equal(clock.timers, 0);
  assert.equal(breakers.known('shop'), null);
});
