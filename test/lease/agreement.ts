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
  readonly close: () => PromiseLike<void>;
}

type Step =
  | { readonly verb: 'try' | 'renew' | 'release'; readonly claim: number; readonly queue: boolean }
  | { readonly verb: 'pass'; readonly ms: number };

const TTL_MS = 1000;
const START_MS = 1_800_000_000_000;

/** Of two keys: writers, readers, permits, and who wants two of three. */
const kinds = [
  { key: 'a', share: WHOLE, of: WHOLE },
  { key: 'a', share: 1, of: WHOLE },
  { key: 'a', share: 1, of: WHOLE },
  { key: 'a', share: WHOLE, of: WHOLE },
  { key: 'a', share: 1, of: WHOLE },
  { key: 'b', share: 1, of: 3 },
  { key: 'b', share: 1, of: 3 },
  { key: 'b', share: 2, of: 3 },
  { key: 'b', share: 1, of: 3 },
];

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      verb: fc.constantFrom('try' as const, 'try' as const, 'renew' as const, 'release' as const),
      claim: fc.nat(kinds.length - 1),
      queue: fc.boolean(),
    }),
  },
  // Also to the very end of a ttl.
  {
    weight: 1,
    arbitrary: fc.record({ verb: fc.constant('pass' as const), ms: fc.constantFrom(1, 250, 500, 999, 1000) }),
  },
);

let histories = 0;

export function agreesWithTable(name: string, open: (nowMs: () => number) => Promise<StoreUnderQuestion>): void {
  test(`${name}: answers every random question as table.ts does`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60 }), async (steps) => {
        let nowMs = START_MS;
        const under = await open(() => nowMs);
        try {
          const model = new Model(under);
          for (const each of steps) {
            if (each.verb === 'pass') nowMs += each.ms;
            else await model.ask(each, nowMs);
          }
        } finally {
          await under.close();
        }
      }),
      { numRuns: 120 },
    );
  });
}

class Model {
  readonly #under: StoreUnderQuestion;
  readonly #rows = new Map<string, KeyRows>();
  readonly #tokens = new Map<bigint, bigint>();
  readonly #history = (histories += 1);
  #named = 0n;
  #last = 0n;

  constructor(under: StoreUnderQuestion) {
    this.#under = under;
  }

  async ask(
    { verb, claim: at, queue }: { verb: 'try' | 'renew' | 'release'; claim: number; queue: boolean },
    nowMs: number,
  ): Promise<void> {
    const { store } = this.#under;
    const { key, share, of } = kinds[at]!;
    const id = `${this.#history.toString(16)}${at.toString(16).padStart(2, '0')}`.padStart(32, '0');
    const claim: Claim = { key, id, holder: `holder ${at}`, share, of, ttlMs: TTL_MS, queue };
    const before = live(this.#rows.get(key) ?? noRows, nowMs);
    let changed = false;
    let after = before;
    if (verb === 'try') {
      // Tokens are compared by their order: the model counts them.
      const verdict = tryClaim(before, claim, nowMs, this.#named + 1n);
      after = verdict.rows;
      const answer = await store.try(claim, patience());
      assert.equal(answer.granted, verdict.granted);
      if (!verdict.granted) assert.equal(!answer.granted && answer.againMs, verdict.againMs);
      else if (answer.granted) {
        changed = verdict.token > this.#named;
        if (changed) this.#grant(verdict.token, answer.token);
        assert.equal(this.#tokens.get(verdict.token), answer.token);
      }
    } else if (verb === 'renew') {
      const renewed = renewClaim(before, claim, nowMs);
      assert.deepEqual(await store.renew(claim, patience()), { held: renewed !== null });
      after = renewed ?? before;
    } else {
      after = releaseClaim(before, claim, nowMs);
      await store.release(claim, patience());
      changed = after.held.length + after.queue.length < before.held.length + before.queue.length;
    }
    this.#rows.set(key, after);
    await this.#checkTold(after, changed);
    const held = after.held.map((row) => ({
      holder: row.holder,
      token: this.#tokens.get(row.token)!,
      share: row.share,
    }));
    assert.deepEqual(await store.read(key, patience()), held);
  }

  #grant(named: bigint, token: bigint): void {
    assert.ok(token > this.#last, `${token} after ${this.#last}`);
    this.#named = named;
    this.#last = token;
    this.#tokens.set(named, token);
  }

  async #checkTold(rows: KeyRows, changed: boolean): Promise<void> {
    const told = await this.#under.told?.();
    if (told === undefined) return;
    const next = nextOf(rows);
    // Once too often does no harm.
    for (const id of told) assert.equal(id, next);
    if (changed && next !== null) assert.ok(told.includes(next), 'the next was not told');
  }
}
