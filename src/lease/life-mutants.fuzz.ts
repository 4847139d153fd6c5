import assert from 'node:assert/strict';
import { test } from 'node:test';
import { honest, type Rules } from '../../test/lease/simulated-rules.ts';
import { Broken, simulate } from '../../test/lease/simulation.ts';
import { driftMs } from './instant.ts';
import { countedFrom } from './session-time.ts';
import { releaseClaim, renewClaim, tryClaim } from './table.ts';

const SEEDS = 1000;

interface Mutant {
  readonly rules: Partial<Rules>;
  /** How it shows, among others. */
  readonly shows: RegExp;
}

/** What is over is not forgotten before somebody else takes it. */
const renewExpired: Rules['renewClaim'] = (rows, { id, ttlMs }, nowMs) => {
  const at = rows.held.findIndex((row) => row.id === id);
  return at < 0 ? null : { ...rows, held: rows.held.with(at, { ...rows.held[at]!, untilMs: nowMs + ttlMs }) };
};

/** As `SET` without `XX` would. */
const resurrect: Rules['renewClaim'] = (rows, claim, nowMs) => {
  const { id, holder, share, ttlMs } = claim;
  const row = { id, holder, share, token: 1n, untilMs: nowMs + ttlMs };
  return renewClaim(rows, claim, nowMs) ?? { ...rows, held: [...rows.held, row] };
};

/** As `DEL` without comparing would. */
const releaseAnybody: Rules['releaseClaim'] = (rows, claim, nowMs) => ({
  ...releaseClaim(rows, claim, nowMs),
  held: [],
});

/** Whoever asks again goes to the end of the queue. */
const toTheEnd: Rules['tryClaim'] = (rows, claim, nowMs, token) => {
  const verdict = tryClaim(rows, claim, nowMs, token);
  if (verdict.granted) return verdict;
  const mine = verdict.rows.queue.filter(({ id }) => id === claim.id);
  const others = verdict.rows.queue.filter(({ id }) => id !== claim.id);
  return { ...verdict, rows: { ...verdict.rows, queue: [...others, ...mine] } };
};

/** Whoever comes when there is room is served. */
const overtake: Rules['tryClaim'] = (rows, claim, nowMs, token) => {
  const alone = tryClaim({ ...rows, queue: [] }, claim, nowMs, token);
  if (!alone.granted) return tryClaim(rows, claim, nowMs, token);
  return { ...alone, rows: { ...alone.rows, queue: rows.queue.filter(({ id }) => id !== claim.id) } };
};

/** What is given out twice. */
const twice = /hold it at once|there is no room for it/;

const mutants: Readonly<Record<string, Mutant>> = {
  'a server that renews what is over': { rules: { renewClaim: renewExpired }, shows: /is renewed, and it was over/ },
  'a server whose renewal resurrects': { rules: { renewClaim: resurrect }, shows: /is renewed, and it was over/ },
  'a server that releases without comparing': { rules: { releaseClaim: releaseAnybody }, shows: twice },
  'a server that gives one token again': {
    rules: { nextToken: (last) => (last === 0n ? 1n : last) },
    shows: /the token/,
  },
  'a server that counts tokens and forgets how far': { rules: { nextToken: (last) => last + 1n }, shows: /the token/ },
  'a server whose tokens are its clock': {
    rules: { nextToken: (_, wallMs) => BigInt(Math.floor(wallMs * 1000)) },
    shows: /the token/,
  },
  'a server that puts at the end whoever asks again': { rules: { tryClaim: toTheEnd }, shows: /overtakes/ },
  'a server that serves whoever comes at the right moment': { rules: { tryClaim: overtake }, shows: /overtakes/ },
  'a client that counts from the answer': {
    rules: { since: (_, answered, { ttlMs, lastsMs }) => countedFrom(answered, ttlMs, lastsMs) },
    shows: twice,
  },
  'a client that counts all of its ttl where the server gives less': {
    rules: { since: (asked) => asked },
    shows: twice,
  },
  'a client that trusts clocks to run alike': {
    // What is left of this ttl after what is taken off for drift is the whole.
    rules: { believed: (claim) => ({ ...claim, ttlMs: (claim.ttlMs + driftMs(0)) / (1 - (driftMs(1) - driftMs(0))) }) },
    shows: twice,
  },
  'a client that only has a monotonic clock': {
    rules: { read: ({ now: { nowMs } }) => ({ nowMs, wallMs: nowMs }) },
    shows: twice,
  },
  'a client that only has a wall clock': {
    rules: { read: ({ now: { wallMs } }) => ({ nowMs: wallMs, wallMs }) },
    shows: twice,
  },
  'a client that is deaf to what comes late': { rules: { heedsLate: false }, shows: /was left behind/ },
};

/** What breaks in the first seeds, and where first. */
function broken(rules: Rules): { readonly seed: number; readonly how: ReadonlySet<string> } {
  let first = Number.POSITIVE_INFINITY;
  const how = new Set<string>();
  for (let seed = 0; seed < SEEDS; seed++) {
    try {
      simulate(seed, rules);
    } catch (error) {
      if (!(error instanceof Broken)) throw error;
      first = Math.min(first, seed);
      how.add(error.message);
    }
  }
  return { seed: first, how };
}

for (const [name, { rules, shows }] of Object.entries(mutants)) {
  test(`${name} is found out within ${SEEDS} histories`, (t) => {
    const { seed, how } = broken({ ...honest, ...rules });
    assert.ok(how.size > 0, 'no promise was broken');
    assert.ok(
      [...how].some((message) => shows.test(message)),
      [...how].slice(0, 9).join('\n'),
    );
    t.diagnostic(`first in seed ${seed}; ${how.size} of ${SEEDS}`);
  });
}
