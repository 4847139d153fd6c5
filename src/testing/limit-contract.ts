/**
 * What every store of rate limits does, whatever it is made of. Run it against your own:
 *
 *     import { test } from 'node:test';
 *     import { limitStoreContract } from 'spillway/testing';
 *
 *     for (const { name, run } of limitStoreContract({ name: 'mine', open: openMine })) test(name, run);
 *
 * A store under test is given the time, so that a case asks at the microsecond that it means, and the same happens each time.
 * Everything is replayed from fixed seeds.
 */
import assert from 'node:assert/strict';
import { type Random, seededRandom } from '../kernel/random.ts';
import {
  type Algorithm,
  allOf,
  concurrency,
  createLimiter,
  fixedWindow,
  gcra,
  slidingLog,
  slidingWindow,
  type Store,
  tokenBucket,
} from '../limit/index.ts';
import { type Clauses, type ContractCase, contractCases, type Deviations } from './contract.ts';
import { type AskedPart, type Driver, driverOf, modelDriver, type Verb } from './limit-driver.ts';
import { limitVectors, VECTORS_START_US } from './limit-vectors.ts';

export interface StoreUnderTest {
  readonly store: Store;
  /** Sets the store's clock on by so many microseconds. */
  readonly pass: (us: number) => void | Promise<void>;
  readonly close?: () => void | Promise<void>;
}

export interface LimitStoreSubject {
  /** Shown with each case. */
  readonly name: string;
  /**
   * A store with nothing in it, whose clock stands at `startUs` (microseconds since the Unix epoch) and does not move by itself. It is
   * used with algorithms of up to 40 numbers a key.
   */
  readonly open: (startUs: number) => StoreUnderTest | Promise<StoreUnderTest>;
  /** How many random histories, each of 40 questions, are compared with the model. @defaultValue 200 */
  readonly histories?: number;
  readonly deviations?: Deviations;
}

/** The cases for a subject. */
export function limitStoreContract(subject: LimitStoreSubject): ContractCase[] {
  const fresh =
    (run: (under: StoreUnderTest) => Promise<void>): (() => Promise<void>) =>
    async () => {
      const under = await subject.open(VECTORS_START_US);
      try {
        await run(under);
      } finally {
        await under.close?.();
      }
    };
  const histories = subject.histories ?? 200;
  const clauses: Clauses = {
    'answers the test vectors to the microsecond': async () => {
      for (const vector of limitVectors) await fresh((under) => checkVector(under, vector))();
    },
    'answers any history of questions as the model does': async () => {
      for (let seed = 1; seed <= histories; seed++) await fresh((under) => checkHistory(under, seed))();
    },
    'takes from several limits together or from none': fresh(checkAllOrNone),
    'admits exactly the limit to a thousand callers at once': fresh(checkCrowd),
    'keeps the counters of a limit that is changed': fresh(checkChange),
    'keeps keys and names apart, whatever is in them': fresh(checkIdentity),
  };
  return contractCases(subject.name, clauses, subject.deviations);
}

async function checkVector(
  { store, pass }: StoreUnderTest,
  { algorithm: make, steps }: (typeof limitVectors)[number],
): Promise<void> {
  const algorithm = make();
  const drive = driverOf(store);
  for (const [index, [afterUs, verb, cost, times, holder, answer]] of steps.entries()) {
    await pass(afterUs);
    const [out] = await drive(verb, { name: 'vector', algorithm, key: 'key', cost, times, holder });
    const { granted, remaining, retryAfterUs, resetAfterUs } = out!;
    const seen = [granted, remaining, retryAfterUs, resetAfterUs].slice(0, answer.length);
    assert.deepEqual(seen, answer, `${algorithm.kind}, step ${index + 1}: ${verb} ${times} × ${cost}`);
  }
}

function pick<T>(random: Random, some: readonly T[]): T {
  return some[Math.floor(random.unit() * some.length)]!;
}

/** One of each kind, and each kind with limits that come back while a history lasts. */
const makers: readonly (() => Algorithm)[] = [
  () => tokenBucket({ capacity: 10, refillPerSecond: 3.3 }),
  () => gcra({ limit: 7, per: '3s', burst: 4 }),
  () => fixedWindow({ limit: 6, per: '2s' }),
  () => slidingWindow({ limit: 9, per: '1s' }),
  () => slidingLog({ limit: 8, per: '2s' }),
  () => concurrency({ limit: 5, lease: '1s' }),
];

const QUESTIONS = 40;

/** A random history, of the store and of the model. */
async function checkHistory({ store, pass }: StoreUnderTest, seed: number): Promise<void> {
  const random = seededRandom(seed);
  let nowUs = VECTORS_START_US;
  const drive = driverOf(store);
  const model = modelDriver(() => nowUs);
  const algorithms = makers.map((make) => make());
  const told: string[] = [];
  for (let question = 0; question < QUESTIONS; question++) {
    const afterUs = Math.floor(pick(random, [0, 0, 1, 1000, 333_333, 4_000_000]) * random.unit() * 1.5);
    nowUs += afterUs;
    await pass(afterUs);
    const index = Math.floor(random.unit() * algorithms.length);
    const algorithm = algorithms[index]!;
    const verbs: readonly Verb[] =
      algorithm.kind === 'concurrency'
        ? ['take', 'take', 'take', 'peek', 'release', 'renew', 'reset']
        : ['take', 'take', 'take', 'take', 'peek', 'refund', 'reset'];
    const verb = pick(random, verbs);
    const part: AskedPart = {
      name: `limit-${index}`,
      algorithm,
      key: pick(random, ['ann', 'bob']),
      cost: Math.floor(random.unit() * 12),
      times: pick(random, [1, 1, 1, 4]),
      holder: algorithm.kind === 'concurrency' ? pick(random, [1000, 2000, 3000]) : 0,
    };
    told.push(`+${afterUs} µs ${algorithm.kind} ${verb} ${part.key} ${part.times} × ${part.cost} by ${part.holder}`);
    const [seen, expected] = [await drive(verb, part), await model(verb, part)];
    if (verb === 'refund' || verb === 'reset') continue;
    const of = (outcomes: typeof seen) =>
      verb === 'take' || verb === 'peek' ? { ...outcomes[0]! } : { granted: outcomes[0]!.granted };
    assert.deepEqual(of(seen), of(expected), `seed ${seed}:\n${told.join('\n')}`);
  }
}

async function checkAllOrNone({ store, pass }: StoreUnderTest): Promise<void> {
  const random = seededRandom(42);
  let nowUs = VECTORS_START_US;
  const [drive, model]: [Driver, Driver] = [driverOf(store), modelDriver(() => nowUs)];
  const algorithms = makers.map((make) => make());
  for (let question = 0; question < 300; question++) {
    const afterUs = Math.floor(random.unit() * 400_000);
    nowUs += afterUs;
    await pass(afterUs);
    const parts = algorithms
      .map((algorithm, index) => ({
        name: `limit-${index}`,
        algorithm,
        key: pick(random, ['ann', 'bob']),
        cost: 1 + Math.floor(random.unit() * 3),
        times: 1,
        holder: algorithm.kind === 'concurrency' ? 1000 + question : 0,
      }))
      .filter(() => random.unit() < 0.5);
    if (parts.length < 2) continue;
    const [seen, expected] = [await drive('take', ...parts), await model('take', ...parts)];
    assert.deepEqual(
      seen.map((out) => ({ ...out })),
      expected.map((out) => ({ ...out })),
      `question ${question}`,
    );
  }
}

async function checkCrowd({ store, pass }: StoreUnderTest): Promise<void> {
  const algorithm = fixedWindow({ limit: 100, per: '1d' });
  const one = createLimiter({ name: 'one', algorithm, store });
  const two = createLimiter({ name: 'two', algorithm: tokenBucket({ capacity: 100, refillPerSecond: 1 }), store });
  const both = allOf(one, two);
  for (let run = 0; run < 100; run++) {
    await pass(1_000);
    const single = await Promise.all(Array.from({ length: 1000 }, () => one.take(`run ${run}`)));
    assert.equal(single.filter(({ allowed }) => allowed).length, 100, `run ${run}`);
  }
  const together = await Promise.all(Array.from({ length: 1000 }, () => both.take('together')));
  assert.equal(together.filter(({ allowed }) => allowed).length, 100);
  assert.deepEqual([(await one.peek('together')).remaining, (await two.peek('together')).remaining], [0, 0]);
}

async function checkChange({ store }: StoreUnderTest): Promise<void> {
  const drive = driverOf(store);
  const ask = async (verb: Verb, algorithm: Algorithm, cost: number): Promise<number[]> => {
    const [out] = await drive(verb, { name: 'changed', algorithm, key: 'key', cost, times: 1, holder: 0 });
    return [out!.granted, out!.remaining];
  };
  assert.deepEqual(await ask('take', tokenBucket({ capacity: 10, refillPerSecond: 3 }), 4), [1, 6]);
  assert.deepEqual(await ask('peek', tokenBucket({ capacity: 20, refillPerSecond: 7 }), 1), [1, 16]);
  assert.deepEqual(await ask('take', gcra({ limit: 1, per: '3s', burst: 5 }), 2), [0, 1]);
  assert.deepEqual(await ask('take', tokenBucket({ capacity: 2, refillPerSecond: 1 }), 1), [0, 0]);
  assert.deepEqual(await ask('take', fixedWindow({ limit: 5, per: '1m' }), 3), [1, 2]);
  assert.deepEqual(await ask('take', fixedWindow({ limit: 9, per: '1m' }), 3), [1, 3]);
  assert.deepEqual(await ask('take', fixedWindow({ limit: 4, per: '1m' }), 1), [0, 0]);
  assert.deepEqual(await ask('peek', tokenBucket({ capacity: 10, refillPerSecond: 3 }), 1), [1, 6]);
}

async function checkIdentity({ store }: StoreUnderTest): Promise<void> {
  const drive = driverOf(store);
  const algorithm = fixedWindow({ limit: 1, per: '1d' });
  const keys = [
    'a',
    'A',
    'a ',
    'a:b',
    'a\0b',
    '{a}',
    '{a}b',
    '%s',
    '*',
    'é',
    'e\u0301',
    '😀',
    '\ud83d',
    '\ud83e',
    '__proto__',
  ];
  const names = ['x', 'x.y', 'X', 'constructor'];
  keys.push('k'.repeat(5000), `${'k'.repeat(5000)}2`, 'key\r\nSET', "'; drop table");
  const ask = async (name: string, key: string) =>
    (await drive('take', { name, algorithm, key, cost: 1, times: 1, holder: 0 }))[0]!.granted;
  for (const name of names)
    for (const key of keys) assert.equal(await ask(name, key), 1, JSON.stringify([name, key.slice(0, 20)]));
  for (const name of names)
    for (const key of keys) assert.equal(await ask(name, key), 0, JSON.stringify([name, key.slice(0, 20)]));
}
