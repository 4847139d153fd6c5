import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpillwayError } from '../kernel/errors.ts';
import { seededRandom } from '../kernel/random.ts';
import type { Instant } from './instant.ts';
import { type Effect, LeaseLife, type Question } from './life.ts';
import { WHOLE } from './store.ts';

const claim = { key: 'k', id: '1', holder: 'me', share: WHOLE, of: WHOLE, ttlMs: 3000, queue: true };
const reset = new SpillwayError('STORE_UNAVAILABLE', 'connection reset', { retryable: true });
const granted = { granted: true, token: 7n } as const;

function at(ms: number): Instant {
  return { nowMs: ms, wallMs: ms };
}

function begun(timeoutMs = 1000): { readonly life: LeaseLife; readonly first: Question } {
  const life = new LeaseLife({ claim, waitMs: 60_000, timeoutMs, random: seededRandom(1) });
  return { life, first: asked(life.start(at(0))) };
}

function asked(effects: readonly Effect[]): Question {
  const [question] = effects.flatMap((effect) => (effect.kind === 'ask' ? [effect.question] : []));
  assert.ok(question !== undefined, `asks nothing: ${effects.map(({ kind }) => kind).join(', ')}`);
  return question;
}

test('a wake that comes while it asks is not lost', () => {
  const { life, first } = begun();
  assert.deepEqual(life.wake(at(5)), []);
  assert.equal(asked(life.tried(first, { granted: false, againMs: 1000 }, at(10))).verb, 'try');
});

test('what is granted when half of its time is gone is given back', () => {
  const { life, first } = begun(5000);
  const effects = life.tried(first, granted, at(1501));
  assert.deepEqual(effects[0], { kind: 'late', tookMs: 1501 });
  assert.equal(asked(effects).verb, 'release');
});

test('a release that fails is asked for again until it is done', () => {
  const { life, first } = begun();
  life.tried(first, granted, at(10));
  const release = asked(life.leave(at(100)));
  assert.deepEqual(life.failed(release, reset, at(110)), [{ kind: 'told', done: false }]);
  const again = asked(life.time(at(life.dueMs)));
  assert.equal(again.verb, 'release');
  assert.deepEqual(life.released(again), [{ kind: 'told', done: true }]);
  assert.equal(life.state, 'over');
});

test('a release that was given up does not count when its answer comes', () => {
  const { life, first } = begun(100);
  life.tried(first, granted, at(10));
  const older = asked(life.leave(at(100)));
  life.time(at(200));
  const newer = asked(life.time(at(life.dueMs)));
  assert.deepEqual(life.released(older), []);
  assert.equal(life.state, 'leaving', 'it may have been done before something was granted late');
  life.released(newer);
  assert.equal(life.state, 'over');
});

test('a release that always fails ends with the time of the lease', () => {
  const { life, first } = begun();
  life.tried(first, granted, at(10));
  let question = asked(life.leave(at(100)));
  let nowMs = 100;
  life.failed(question, reset, at(nowMs));
  while (life.state !== 'over') {
    nowMs = life.dueMs;
    question = asked(life.time(at(nowMs)));
    life.failed(question, reset, at(nowMs));
  }
  assert.ok(nowMs > 2000 && nowMs <= 3000, `${nowMs}`);
});

test('a renewal that was given up and granted after all is good for a third of the ttl', () => {
  const { life, first } = begun(100);
  life.tried(first, granted, at(0));
  const renewal = asked(life.time(at(1000)));
  life.time(at(1100));
  assert.ok(life.dueMs < 1200, 'it would be repeated soon');
  life.renewed(renewal, { held: true }, at(1101));
  assert.equal(life.dueMs, 2000);
});

test('a lease that counts from before is renewed when a third of what is left of it has passed, and not at once', () => {
  const { life, first } = begun();
  life.tried(first, { ...granted, since: at(-1500) }, at(0));
  assert.equal(life.dueMs, 500);
  life.renewed(asked(life.time(at(500))), { held: true, since: at(-400) }, at(510));
  assert.equal(life.dueMs, 500 + 2100 / 3);
});

test('of a lease that counts from before, two renewals may fail by silence too', () => {
  const { life, first } = begun(2000);
  life.tried(first, { ...granted, since: at(-1500) }, at(0));
  const opened: number[] = [];
  for (let nowMs = life.dueMs; life.state === 'held'; nowMs = life.dueMs) {
    if (life.time(at(nowMs)).some(({ kind }) => kind === 'ask')) opened.push(nowMs);
  }
  assert.equal(opened.length, 2, opened.join());
  assert.ok(opened[1]! <= 1100, 'the second is asked when a third is over');
});

test('what has expired is brought back by no answer', () => {
  const { life, first } = begun();
  life.tried(first, granted, at(0));
  const renewal = asked(life.time(at(1000)));
  const effects = life.renewed(renewal, { held: true }, at(2968));
  assert.deepEqual(effects, [{ kind: 'lost', why: 'expired', cause: null }]);
  assert.equal(life.remainingMs(at(2968)), 0);
});

test('an older answer does not shorten what a newer one gave', () => {
  const { life, first } = begun(100);
  life.tried(first, granted, at(0));
  const older = asked(life.time(at(1000)));
  life.time(at(1100));
  const newer = asked(life.time(at(life.dueMs)));
  life.renewed(newer, { held: true }, at(1200));
  const leftMs = life.remainingMs(at(1300));
  life.renewed(older, { held: true }, at(1300));
  assert.equal(life.remainingMs(at(1300)), leftMs);
});
