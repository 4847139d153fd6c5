/** Sessions are no longer than a hand-over has time for, and leases are over before them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ZookeeperSession } from '../drivers/zookeeper/session.ts';
import { remainingMs } from './instant.ts';
import { countedFrom, sessionMsMax, ttlMsFor } from './session-time.ts';
import { lastsMs, sinceFor, ZookeeperTime } from './zookeeper-time.ts';

const late = fc.integer({ min: 0, max: 90_000 });
const session = fc.integer({ min: 1, max: 3_000_000 });

test('a ttl that is said to be long enough for a session is, and no shorter one', () => {
  fc.assert(
    fc.property(session, late, (sessionMs, lateMs) => {
      const ttlMs = ttlMsFor(sessionMs, lateMs);
      assert.ok(sessionMsMax(ttlMs, lateMs) >= sessionMs);
      assert.ok(sessionMsMax(ttlMs - 1, lateMs) < sessionMs);
    }),
  );
});

test('what is over sooner than its ttl is over by then, by both clocks', () => {
  const since = { nowMs: 1000, wallMs: 1_800_000_000_000 };
  assert.deepEqual(countedFrom(since, 900, 900), since);
  assert.deepEqual(countedFrom(since, 900, 1000), since, 'never later');
  const from = countedFrom(since, 900, 600);
  assert.deepEqual(from, { nowMs: 700, wallMs: 1_799_999_999_700 });
  const left = (nowMs: number, wallMs: number): number => remainingMs(from, 900, { nowMs, wallMs });
  assert.ok(left(1580, since.wallMs + 580) > 0);
  assert.ok(left(1600, since.wallMs) <= 0);
  assert.ok(left(1000, since.wallMs + 600) <= 0);
});

test('the longest ttl that a refusal names is one that the same servers take, and no longer one is', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 50, max: 60_000 }),
      fc.double({ min: 2.1, max: 40, noNaN: true }),
      (tickMs, ticks) => {
        const time = new ZookeeperTime(tickMs);
        const longestMs = Math.ceil(ticks * tickMs);
        const ask = (ttlMs: number): void =>
          time.check(sessionOf(Math.min(longestMs, time.timeoutMsFor(ttlMs))), ttlMs);
        let namedMs = 0;
        const names = ({ message }: Error): boolean =>
          (namedMs = Number(/expected at most (\d+) ms/.exec(message)?.[1])) > 0;
        assert.throws(() => ask(60 * tickMs + 600), names);
        const ttlMs = namedMs;
        assert.ok(ttlMs >= time.limits.ttlMsMin, `${ttlMs} ms is below the shortest`);
        ask(ttlMs);
        assert.throws(() => ask(ttlMs + 1), names);
      },
    ),
  );
});

/** One that was heard of at 0, at both clocks, and is alone at a server that tells nobody of heartbeats. */
function sessionOf(timeoutMs: number): ZookeeperSession {
  return { timeoutMs, countsFrom: () => ({ nowMs: 0, wallMs: 0 }) } as unknown as ZookeeperSession;
}

test('in ZooKeeper a session and the ticks after it fit in a ttl and a third, and a sixth more than the lease in the session', () => {
  const tick = fc.integer({ min: 50, max: 60_000 });
  let whole = 0;
  let shorter = 0;
  fc.assert(
    fc.property(tick, fc.double({ min: 1, max: 12, noNaN: true }), (tickMs, times) => {
      const time = new ZookeeperTime(tickMs);
      const ttlMs = Math.ceil(time.limits.ttlMsMin * times);
      const timeoutMs = time.timeoutMsFor(ttlMs);
      const granted = sessionOf(timeoutMs);
      time.check(granted, ttlMs);
      assert.ok(Number.isInteger(timeoutMs) && timeoutMs >= 2 * tickMs, `${timeoutMs} ms is below two ticks`);
      assert.ok(timeoutMs + 1.5 * tickMs < (ttlMs * 4) / 3, 'a dead holder keeps it for too long');
      const lasts = lastsMs(granted, ttlMs);
      assert.ok(lasts <= ttlMs && lasts * (7 / 6) <= timeoutMs + 1e-6);
      assert.ok(remainingMs(sinceFor(granted, ttlMs)!, ttlMs, { nowMs: lasts, wallMs: lasts }) <= 0);
      // Six more, as a timeout is whole milliseconds.
      if (ttlMs >= 9 * tickMs + 606) assert.equal(lasts, ttlMs);
      if (lasts === ttlMs) whole += 1;
      else shorter += 1;
    }),
    { numRuns: 1000 },
  );
  assert.ok(whole > 100 && shorter > 100, `${whole} whole, ${shorter} shorter`);
});

test('a session of ZooKeeper that is shorter or longer than was asked for is refused with what to do', () => {
  const time = new ZookeeperTime(2000);
  assert.equal(time.limits.ttlMsMin, 5325);
  assert.equal(time.timeoutMsFor(15_000), 16_900);
  const refused = (timeoutMs: number, ttlMs: number, message: RegExp): void => {
    const refusal = { code: 'OPTIONS_INVALID', message };
    assert.throws(() => time.check(sessionOf(timeoutMs), ttlMs), refusal);
  };
  refused(40_000, 60_000, /at most 40000 ms: expected at most 34285 ms, or a larger maxSessionTimeout/);
  refused(12_000, 10_000, /at least 12000 ms, and up to 3000 ms more: expected at least 11325 ms, or a smaller minSes/);
  time.check(sessionOf(12_000), 11_325);
});
