/**
 * That a store decides as the algorithms do, to the microsecond: random questions about several limits and keys, at random moments,
 * with limits that change and a clock that steps back, are put to the store and to the reference, and all outcomes are the same.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as fc from 'fast-check';

import {
  concurrency,
  fixedWindow,
  gcra,
  type Algorithm,
  type Outcome,
  type Question,
  type Store,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from '../../src/limit/index.ts';
import { driverOf } from '../../src/testing/limit-driver.ts';
import { hasLeases } from '../../src/limit/store.ts';
import { ReferenceStore } from './reference-store.ts';

/** In 2096, so that nothing ends by the real clock; and the arithmetic holds that far. */
const START_US = 4_000_000_000_000_000;

export interface StoreUnderTest {
  readonly store: Store;
  /** Whether it keeps no key longer than it says something by the limit that wrote it. */
  readonly forgets: boolean;
}

const limit = fc.integer({ min: 1, max: 12 });
const wide = fc.oneof({ weight: 4, arbitrary: limit }, { weight: 1, arbitrary: fc.constantFrom(1_000_003, 1e9) });
const perMs = fc.oneof(
  fc.constantFrom(0.007, 1, 1000, 86_400_000),
  fc.integer({ min: 1, max: 5000 }).map((us) => us / 1000),
);
const rate = fc.oneof(
  fc.constantFrom(0.1, 3, 1e6),
  fc.integer({ min: 1, max: 9e9 }).map((n) => n / 1e6),
);

/** Two forms of each, as before and after a change. */
const algorithms: readonly fc.Arbitrary<readonly [Algorithm, Algorithm]>[] = [
  fc
    .tuple(limit, rate, limit, rate)
    .map(([a, b, c, d]) => [
      tokenBucket({ capacity: a, refillPerSecond: b }),
      tokenBucket({ capacity: c, refillPerSecond: d }),
    ]),
  fc
    .tuple(limit, perMs, limit)
    .map(([a, b, c]) => [gcra({ limit: a, per: b, burst: c }), gcra({ limit: c, per: b, burst: a })]),
  fc
    .tuple(wide, perMs, wide, perMs)
    .map(([a, b, c, d]) => [fixedWindow({ limit: a, per: b }), fixedWindow({ limit: c, per: d })]),
  fc
    .tuple(wide, perMs, wide, perMs)
    .map(([a, b, c, d]) => [slidingWindow({ limit: a, per: b }), slidingWindow({ limit: c, per: d })]),
  fc
    .tuple(limit, perMs, perMs)
    .map(([a, b, c]) => [slidingLog({ limit: a, per: b }), slidingLog({ limit: a, per: c })]),
  fc
    .tuple(limit, perMs, perMs)
    .map(([a, b, c]) => [concurrency({ limit: a, lease: b }), concurrency({ limit: a, lease: c })]),
];

const key = fc.constantFrom('ann', 'bob', 'é \u{1f600} "{', 'x'.repeat(300));

const part = fc.record({
  which: fc.nat(algorithms.length - 1),
  changed: fc.oneof(
    { weight: 5, arbitrary: fc.constant(0 as const) },
    { weight: 1, arbitrary: fc.constant(1 as const) },
  ),
  key,
  cost: fc.oneof(
    { weight: 9, arbitrary: fc.nat(14) },
    { weight: 1, arbitrary: fc.constantFrom(333_333, 999_999_999, 2 ** 53, 1e300) },
  ),
  times: fc.oneof({ weight: 3, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.nat(5) }),
  holder: fc.integer({ min: 1, max: 4 }).map((n) => 2 ** 52 + n * 100),
});

const question = fc.record({
  verb: fc.oneof(
    { weight: 8, arbitrary: fc.constant('take' as const) },
    { weight: 3, arbitrary: fc.constantFrom('peek' as const, 'back' as const) },
    { weight: 1, arbitrary: fc.constantFrom('again' as const, 'reset' as const) },
  ),
  parts: fc.oneof(
    { weight: 4, arbitrary: fc.array(part, { minLength: 1, maxLength: 1 }) },
    { weight: 1, arbitrary: fc.uniqueArray(part, { minLength: 2, maxLength: 4, selector: ({ which }) => which }) },
  ),
});

/** Takes that differ in nothing but their keys, and keys that may be the same: a store may answer them by a shorter way. */
const alike: fc.Arbitrary<Drawn[]> = fc
  .tuple(part, fc.array(key, { minLength: 2, maxLength: 4 }))
  .map(([one, keys]) => keys.map((of) => ({ verb: 'take' as const, parts: [{ ...one, key: of }] })));

const tick = fc.record({
  passUs: fc.oneof(
    { weight: 8, arbitrary: fc.oneof(fc.nat(5), fc.nat(5000), fc.nat(5_000_000)) },
    { weight: 1, arbitrary: fc.integer({ min: -4_000_000, max: -1 }) },
  ),
  questions: fc.oneof(
    { weight: 4, arbitrary: fc.array(question, { minLength: 1, maxLength: 5 }) },
    { weight: 1, arbitrary: alike },
  ),
});

type Drawn = typeof question extends fc.Arbitrary<infer Q> ? Q : never;

function questionOf({ verb, parts }: Drawn, drawn: readonly (readonly [Algorithm, Algorithm])[]): Question {
  const [first, ...others] = parts.map(({ which, changed, key, cost, times, holder }) => ({
    name: `limit-${which}`,
    algorithm: drawn[which]![changed],
    key,
    cost,
    times: parts.length > 1 ? 1 : times,
    holder,
  }));
  const leases = hasLeases(first!.algorithm);
  if (verb === 'back') return { verb: leases ? 'release' : 'refund', parts: [first!] };
  if (verb === 'again') return { verb: leases ? 'renew' : 'peek', parts: [first!] };
  return { verb, parts: [first!, ...others] };
}

/** `open`: a store that knows nothing, with that clock. */
export function agrees(
  name: string,
  open: (nowUs: () => number) => StoreUnderTest | Promise<StoreUnderTest>,
  numRuns: number,
): void {
  outlastsWhoLooks(name, open);
  seesTheTakeBefore(name, open);
  test(`${name}: the same questions at the same moments have the same answers as in memory`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.tuple(...algorithms), fc.array(tick, { maxLength: 12 }), async (drawn, ticks) => {
        let nowUs = START_US;
        const { store, forgets } = await open(() => nowUs);
        const reference = new ReferenceStore(forgets);
        for (const { passUs, questions } of ticks) {
          nowUs += passUs;
          const asked = questions.map((each) => questionOf(each, drawn));
          assert.deepEqual(await answersOf(store, asked), reference.decide(asked, nowUs));
        }
      }),
      { numRuns },
    );
  });
}

/** After a live change of a limit, two versions of it may ask in one call. */
function outlastsWhoLooks(name: string, open: (nowUs: () => number) => StoreUnderTest | Promise<StoreUnderTest>): void {
  test(`${name}: a key lasts as long as the limit says that wrote it, not one that only looked`, async () => {
    let nowUs = START_US;
    const { store } = await open(() => nowUs);
    const by = (algorithm: Algorithm): Question['parts'] => [
      { name: 'limit', algorithm, key: 'ann', cost: 1, times: 1, holder: 1 },
    ];
    const day = by(fixedWindow({ limit: 10, per: '1d' }));
    const instant = by(fixedWindow({ limit: 10, per: '1ms' }));
    await answersOf(store, [
      { verb: 'take', parts: day },
      { verb: 'peek', parts: instant },
    ]);
    nowUs += 1_000_000;
    const [[outcome] = []] = await answersOf(store, [{ verb: 'take', parts: day }]);
    assert.equal(outcome?.remaining, 8);
  });
}

/** Questions that differ in nothing may go to the store by a shorter way, but only if their keys differ. */
function seesTheTakeBefore(
  name: string,
  open: (nowUs: () => number) => StoreUnderTest | Promise<StoreUnderTest>,
): void {
  test(`${name}: of equal takes of one key in one call, each sees those before it`, async () => {
    const { store } = await open(() => START_US);
    const algorithm = fixedWindow({ limit: 2, per: '1d' });
    const take: Question = {
      verb: 'take',
      parts: [{ name: 'limit', algorithm, key: 'ann', cost: 1, times: 1, holder: 0 }],
    };
    const answers = await answersOf(store, [take, take, take]);
    assert.deepEqual(
      answers.map(([outcome]) => outcome?.granted),
      [1, 1, 0],
    );
  });
}

async function answersOf(store: Store, questions: readonly Question[]): Promise<readonly (readonly Outcome[])[]> {
  if (!store.local) return store.ask(questions, { signal: new AbortController().signal });
  const drive = driverOf(store);
  return Promise.all(questions.map(({ verb, parts }) => drive(verb, ...parts)));
}
