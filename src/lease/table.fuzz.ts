import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type Claim, WHOLE } from './store.ts';
import {
  blockerOf,
  hasRoom,
  type KeyRows,
  live,
  nextOf,
  nextToken,
  noRows,
  releaseClaim,
  renewClaim,
  tryClaim,
} from './table.ts';

/** What happened, and nothing else: who holds and who waits is told from it anew each time. */
interface Happened {
  readonly verb: 'try' | 'renew' | 'release';
  readonly claim: Claim;
  readonly atMs: number;
  /** Of a claim that was granted by it. */
  readonly token: bigint | null;
}

interface Standing {
  readonly claim: Claim;
  /** Null if it waits. */
  readonly token: bigint | null;
  /** When it came to hold, or to wait. */
  readonly since: number;
  readonly untilMs: number;
}

/** What one claim has after all that happened to it. */
function standing(history: readonly Happened[], id: string, nowMs: number): Standing | null {
  let now: Standing | null = null;
  for (const [since, happened] of history.entries()) {
    if (happened.claim.id === id) now = after(alive(now, happened.atMs), happened, since);
  }
  return alive(now, nowMs);
}

function alive(standing: Standing | null, nowMs: number): Standing | null {
  return standing !== null && standing.untilMs > nowMs ? standing : null;
}

function after(before: Standing | null, { verb, claim, atMs, token }: Happened, since: number): Standing | null {
  const untilMs = atMs + claim.ttlMs;
  const isKept = before !== null && (before.token !== null || (verb === 'try' && token === null));
  if (verb === 'release') return null;
  if (isKept) return { ...before, untilMs };
  return verb === 'try' && (token !== null || claim.queue) ? { claim, token, since, untilMs } : before;
}

function all(history: readonly Happened[], claims: readonly Claim[], nowMs: number): Standing[] {
  return claims
    .flatMap(({ id }) => standing(history, id, nowMs) ?? [])
    .toSorted((one, other) => one.since - other.since);
}

const TTL_MS = 100;
const ids = ['a', 'b', 'c', 'd', 'e', 'f'];

const crowd = fc
  .record({
    of: fc.constantFrom(1, 2, 3, WHOLE),
    shares: fc.array(fc.constantFrom(1, 2, WHOLE), { minLength: 6, maxLength: 6 }),
    queues: fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
    ttls: fc.array(fc.constantFrom(TTL_MS, 30), { minLength: 6, maxLength: 6 }),
  })
  .map(({ of, shares, queues, ttls }) =>
    ids.map((id, at): Claim => ({
      key: 'k',
      id,
      holder: `holder ${id}`,
      share: Math.min(shares[at]!, of),
      of,
      ttlMs: ttls[at]!,
      queue: queues[at]!,
    })),
  );

const step = fc.record({
  verb: fc.constantFrom('try', 'try', 'try', 'renew', 'release' as const),
  who: fc.nat(ids.length - 1),
  // To the very end of a ttl, and to just before it.
  passedMs: fc.oneof(fc.constantFrom(0, 0, 1, 29, 30, TTL_MS - 1, TTL_MS), fc.nat(40)),
});

const options = { numRuns: 3000 };

test('it is as a list of all that happened says', () => {
  fc.assert(
    fc.property(crowd, fc.array(step, { maxLength: 60, size: 'max' }), (claims, steps) => {
      const history: Happened[] = [];
      let rows: KeyRows = noRows;
      let nowMs = 1_000_000;
      let last = 0n;
      for (const { verb, who, passedMs } of steps) {
        nowMs += passedMs;
        const claim = claims[who]!;
        const before = all(history, claims, nowMs);
        const held = before.filter(({ token }) => token !== null);
        const places = before.filter(({ token }) => token === null);
        const mine = held.find((one) => one.claim === claim);
        let token: bigint | null = null;
        if (verb === 'try') {
          const sum = held.reduce((shares, one) => shares + one.claim.share, claim.share);
          const isFirst = places.length === 0 || places[0]!.claim === claim;
          const verdict = tryClaim(rows, claim, nowMs, last + 1n);
          assert.equal(verdict.granted, mine !== undefined || (isFirst && sum <= claim.of), 'granted');
          if (verdict.granted) {
            assert.equal(verdict.token, mine?.token ?? last + 1n);
            ({ token } = verdict);
            if (token > last) last = token;
          } else {
            const endsMs = isFirst ? Math.min(...held.map(({ untilMs }) => untilMs)) - nowMs : Infinity;
            assert.equal(verdict.againMs, claim.queue ? Math.min(endsMs, claim.ttlMs / 3) : endsMs);
          }
          ({ rows } = verdict);
        } else if (verb === 'renew') {
          const renewed = renewClaim(rows, claim, nowMs);
          assert.equal(renewed !== null, mine !== undefined, 'renewed');
          rows = renewed ?? rows;
        } else rows = releaseClaim(rows, claim, nowMs);
        history.push({ verb, claim, atMs: nowMs, token });
        check(rows, all(history, claims, nowMs), nowMs);
      }
    }),
    options,
  );
});

function check(rows: KeyRows, expected: readonly Standing[], nowMs: number): void {
  const { held, queue } = live(rows, nowMs);
  const holders = expected.filter(({ token }) => token !== null);
  const places = expected.filter(({ token }) => token === null);
  const seen = ({ id, untilMs }: { readonly id: string; readonly untilMs: number }): string => `${id} until ${untilMs}`;
  const told = ({ claim, untilMs }: Standing): string => `${claim.id} until ${untilMs}`;
  assert.deepEqual(held.map(seen), holders.map(told), 'holders');
  assert.deepEqual(queue.map(seen), places.map(told), 'places');
  assert.ok(held.reduce((shares, { share }) => shares + share, 0) <= (holders[0]?.claim.of ?? WHOLE), 'shares');
  // Whoever is next would be granted, and of those who wait nobody else.
  const next = nextOf({ held, queue });
  for (const { claim } of places) {
    assert.equal(tryClaim(rows, claim, nowMs, 99n).granted, claim.id === next, `${claim.id}, and next is ${next}`);
  }
}

test('while its blocker is there a claim has no room, and without one each of those before it alone leaves some', () => {
  const row = fc.record({ share: fc.integer({ min: 1, max: 5 }) });
  fc.assert(
    fc.property(fc.array(row), fc.integer({ min: 1, max: 5 }), fc.nat(3), (before, share, more) => {
      const of = share + more;
      const blocker = blockerOf(before, share, of);
      const behind = blocker === undefined ? before : before.slice(before.lastIndexOf(blocker) + 1);
      assert.ok(blocker === undefined || !hasRoom([blocker], share, of));
      for (const each of behind) assert.ok(hasRoom([each], share, of));
    }),
    options,
  );
});

test('a token is greater than the one before, whatever the clock does', () => {
  const clock = fc.array(fc.oneof(fc.double({ min: 0, max: 4e12, noNaN: true }), fc.nat(9)), { maxLength: 30 });
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 62n }), clock, (first, readings) => {
      let last = first;
      for (const wallMs of readings) {
        const token = nextToken(last, wallMs);
        assert.ok(token > last);
        assert.ok(token === last + 1n || token === BigInt(Math.floor(wallMs * 1000)), 'no further than it has to');
        last = token;
      }
    }),
    options,
  );
});

test('who forgot the last token gives a greater one, if the clock has gone on by more than was given', () => {
  fc.assert(
    fc.property(fc.double({ min: 1e12, max: 4e12, noNaN: true }), fc.integer({ min: 1, max: 50 }), (wallMs, given) => {
      let last = 0n;
      for (let grant = 0; grant < given; grant++) last = nextToken(last, wallMs);
      // A token a microsecond is as many as a server can give.
      assert.ok(nextToken(0n, wallMs + (given + 1) / 1000) > last);
    }),
    options,
  );
});
