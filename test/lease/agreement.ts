/**
 * Random questions to a store on a real server, whose clock the test sets, beside table.ts: each answer is the same, and who is told to ask
 * again is who table.ts names.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import type { Claim, LeaseStore } from '../../src/lease/index.ts';
import { WHOLE } from '../../src/lease/store.ts';
import { type KeyRows, live, nextOf, noRows, releaseClaim, renewClaim, tryClaim } from '../../src/lease/table.ts';
import { patience } from '../../src/testing/lease-processes.ts';

export interface StoreUnderQuestion {
  readonly store: LeaseStore;
  /** The claims that were told to ask again since the last time; missing for a store that tells nobody. */
  readonly told?: () => Promise<readonly string[]>;
  /** Looks at what the server keeps: something of each of these keys; of none, if all has been given back. */
  readonly look?: (keys: readonly string[], isAllBack: boolean) => Promise<void>;
  readonly close: () => PromiseLike<void>;
}

export interface Agreement {
  /** What the store counts in. */
  readonly unitUs: 1 | 1000;
  /** Whether tokens are the clock's microseconds, or one more than the last; else only their order is known. */
  readonly tokensOfClock?: boolean;
  /** Whether each is told once and no more; else too often does no harm. */
  readonly tellsOnce?: boolean;
  /** Between what the store's answer in ms may lie, of the µs that table.ts says. @defaultValue it is the same */
  readonly againMs?: (claim: Claim, us: number) => readonly [number, number];
  /** Whether the server's clock may be set back too. */
  readonly clockGoesBack?: boolean;
  readonly open: (nowUs: () => number) => Promise<StoreUnderQuestion>;
}

/** Longer than any run takes of a server's own time, by which keys may end. */
const TTL_MS = 600_000;
const TTL_US = TTL_MS * 1000;
const START_US = 1_800_000_000_000_000;

/** Writers, readers, permits, and who wants two of three. */
const claims = fc.array(
  fc.record({
    key: fc.constantFrom('a', 'a', 'b'),
    share: fc.constantFrom(1, 2, WHOLE),
    of: fc.constantFrom(3, WHOLE),
    ttlMs: fc.constantFrom(TTL_MS, 2 * TTL_MS, 3.0005 * TTL_MS),
    holder: fc.string({ maxLength: 40, unit: 'grapheme' }),
  }),
  { minLength: 2, maxLength: 9 },
);

const step = fc.record({
  verb: fc.constantFrom('try' as const, 'try' as const, 'try' as const, 'renew' as const, 'release' as const),
  who: fc.nat(8),
  queue: fc.boolean(),
  // Also to the very end of a ttl, and to right before it.
  passUs: fc.oneof(
    { weight: 3, arbitrary: fc.constant(0) },
    fc.integer({ min: 1, max: 1000 }),
    fc.integer({ min: 0, max: 2 * TTL_US }),
    fc.constantFrom(TTL_US, TTL_US - 1, TTL_US - 1000, 2 * TTL_US),
    fc.integer({ min: -1_000_000, max: 0 }),
  ),
});

type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

let runs = 0;

export function agreesWithTable(name: string, agreement: Agreement): void {
  test(`${name}: answers every random question as table.ts does`, async () => {
    await fc.assert(
      fc.asyncProperty(claims, fc.array(step, { minLength: 1, maxLength: 60 }), async (given, steps) => {
        runs += 1;
        const all = given.map(({ key, share, of, ...rest }, at): Claim => {
          const id = (runs * 16 + at).toString(16).padStart(32, '0');
          return { key: `${key} ${runs}`, id, share: Math.min(share, of), of, ...rest, queue: false };
        });
        const model = new Model(agreement);
        const under = await agreement.open(() => model.nowUs);
        try {
          for (const { who, queue, ...asked } of steps) {
            await model.ask(under, { ...all[who % all.length]!, queue }, asked);
          }
          for (const claim of all) await model.ask(under, claim, { verb: 'release', passUs: 0 });
          await under.look?.([], true);
        } finally {
          await under.close();
        }
      }),
      { numRuns: 150 },
    );
  });
}

/** What table.ts says; its time is in microseconds, which are exact. */
class Model {
  nowUs = START_US;
  readonly #agreement: Agreement;
  /** As they were after the last question. */
  readonly #rows = new Map<string, KeyRows>();
  /** The claims that a store may still have a row of, be it over. */
  readonly #unreturned = new Set<string>();
  /** By those of the model, which only counts them, unless the store's are known. */
  readonly #tokens = new Map<bigint, bigint>();
  #last = 0n;
  #lastOfStore = 0n;
  #endedUs = 0;

  constructor(agreement: Agreement) {
    this.#agreement = agreement;
  }

  async ask(under: StoreUnderQuestion, claim: Claim, { verb, passUs }: Pick<Step, 'verb' | 'passUs'>): Promise<void> {
    const { store } = under;
    const { key, id } = claim;
    this.#pass(passUs);
    const given = this.#rows.get(key) ?? noRows;
    const before = live(given, this.nowUs);
    const inUs = { ...claim, ttlMs: claim.ttlMs * 1000 };
    let changed = false;
    let after = before;
    if (verb === 'try') {
      const token = this.#nextToken();
      const verdict = tryClaim(before, inUs, this.nowUs, token);
      after = verdict.rows;
      const answer = await store.try(claim, patience());
      assert.equal(answer.granted, verdict.granted);
      if (!verdict.granted) this.#checkAgain(claim, verdict.againMs, answer.granted ? -1 : answer.againMs);
      else if (answer.granted) {
        changed = verdict.token === token;
        if (changed) this.#grant(token, answer.token);
        assert.equal(answer.token, this.#tokens.get(verdict.token));
      }
    } else if (verb === 'renew') {
      const renewed = renewClaim(before, inUs, this.nowUs);
      assert.deepEqual(await store.renew(claim, patience()), { held: renewed !== null });
      after = renewed ?? before;
    } else {
      after = releaseClaim(before, claim, this.nowUs);
      await store.release(claim, patience());
      changed = has(before, id);
    }
    this.#rows.set(key, after);
    if (has(after, id)) this.#unreturned.add(id);
    // Whoever gives back what was over already may tell the next all the same.
    const mayTell = verb === 'release' && this.#unreturned.delete(id);
    await this.#checkTold(under, nextOf(after), { mustTell: changed, mayTell });
    const held = after.held.map(({ holder, token, share }) => ({ holder, token: this.#tokens.get(token)!, share }));
    assert.deepEqual(await store.read(key, patience()), held);
    await under.look?.(this.#keysInUse(), false);
  }

  #pass(us: number): void {
    const { unitUs, clockGoesBack = false } = this.#agreement;
    const passedUs = clockGoesBack ? us : Math.max(0, us);
    // Behind an end that was reached no clock is set back here: a row that nothing has removed would be there again, and is not in the model.
    this.nowUs = Math.max(this.nowUs + Math.round(passedUs / unitUs) * unitUs, this.#endedUs);
    for (const { held, queue } of this.#rows.values()) {
      for (const { untilMs } of [...held, ...queue]) {
        if (untilMs <= this.nowUs) this.#endedUs = Math.max(this.#endedUs, untilMs);
      }
    }
  }

  #nextToken(): bigint {
    const byClock = this.#agreement.tokensOfClock === true ? BigInt(this.nowUs) : 0n;
    return byClock > this.#last ? byClock : this.#last + 1n;
  }

  #grant(token: bigint, ofStore: bigint): void {
    if (this.#agreement.tokensOfClock === true) assert.equal(ofStore, token);
    assert.ok(ofStore > this.#lastOfStore, `${ofStore} after ${this.#lastOfStore}`);
    this.#last = token;
    this.#lastOfStore = ofStore;
    this.#tokens.set(token, ofStore);
  }

  #checkAgain(claim: Claim, modelUs: number, againMs: number): void {
    const [least, most] = this.#agreement.againMs?.(claim, modelUs) ?? [modelUs / 1000, modelUs / 1000];
    assert.ok(againMs >= least && againMs <= most, `again in ${againMs} ms, not in ${least} to ${most}`);
  }

  async #checkTold(
    { told }: StoreUnderQuestion,
    next: string | null,
    { mustTell, mayTell }: { readonly mustTell: boolean; readonly mayTell: boolean },
  ): Promise<void> {
    if (told === undefined) return;
    const ids = await told();
    for (const id of ids) assert.equal(id, next, 'who was told has no turn');
    if (mustTell && next !== null) assert.ok(ids.length > 0, 'the next was not told');
    if (this.#agreement.tellsOnce === true) assert.ok(ids.length <= (mustTell || mayTell ? 1 : 0), 'told too often');
  }

  #keysInUse(): readonly string[] {
    return [...this.#rows].flatMap(([key, { held, queue }]) => (held.length + queue.length > 0 ? key : []));
  }
}

function has({ held, queue }: KeyRows, id: string): boolean {
  return [...held, ...queue].some((row) => row.id === id);
}
