/**
 * What every store of leases does, whatever it is made of: the promises of `LeaseStore`, on the real thing. Run it against your own:
 *
 *     import { test } from 'node:test';
 *     import { leaseStoreContract } from 'spillway/testing';
 *
 *     for (const { name, run } of leaseStoreContract({ name: 'mine', open: openMine })) test(name, run);
 *
 * Time is real. What is asserted of it is what a machine that stands still for a moment cannot break: that nothing is given away too early, and
 * that what is due comes at all.
 */
import assert from 'node:assert/strict';
import { type Claim, type LeaseStore, WHOLE } from '../lease/store.ts';
import { type Clauses, type ContractCase, contractCases, type Deviations } from './contract.ts';

export interface LeaseStoresUnderTest {
  /** One more store on the same servers, as another process would open it. The contract disposes of it. */
  readonly connect: () => LeaseStore | Promise<LeaseStore>;
  readonly close?: () => void | Promise<void>;
}

export interface LeaseStoreSubject {
  /** Shown with each case. */
  readonly name: string;
  /** Servers with nothing in them. */
  readonly open: () => LeaseStoresUnderTest | Promise<LeaseStoresUnderTest>;
  /** A ttl that suits it: long beside a round trip, short for those who wait for the test. @defaultValue 600, or its least */
  readonly ttlMs?: number;
  /** Whether it can tell those who wait and those who observe. @defaultValue true */
  readonly notifies?: boolean;
  /** What its limits say. @defaultValue true */
  readonly shares?: boolean;
  /** @defaultValue true */
  readonly queue?: boolean;
  readonly deviations?: Deviations;
}

const TTL_MS = 600;
/** Longer than anything here takes on a busy machine. */
const PATIENCE_MS = 30_000;

let claims = 0;

/** What the clauses do with stores; `at(n)` is the store of the nth process. */
class Bench {
  readonly stores: readonly LeaseStore[];
  readonly ttlMs: number;

  constructor(stores: readonly LeaseStore[], ttlMs: number) {
    this.stores = stores;
    this.ttlMs = ttlMs;
  }

  at(process: number): LeaseStore {
    return this.stores[process]!;
  }

  claim(change: Partial<Claim> = {}): Claim {
    claims += 1;
    const id = claims.toString(16).padStart(32, '0');
    return {
      key: 'payment:42',
      id,
      holder: `holder ${claims}`,
      share: WHOLE,
      of: WHOLE,
      ttlMs: this.ttlMs,
      queue: false,
      ...change,
    };
  }

  async granted(process: number, claim: Claim): Promise<bigint> {
    const answer = await this.at(process).try(claim, patience());
    assert.ok(answer.granted, `${claim.holder} should be granted “${claim.key}”`);
    return answer.token;
  }

  async busy(process: number, claim: Claim): Promise<number> {
    const answer = await this.at(process).try(claim, patience());
    assert.ok(!answer.granted, `${claim.holder} should be told that “${claim.key}” is busy`);
    assert.ok(answer.againMs > 0, `againMs is ${answer.againMs}`);
    return answer.againMs;
  }

  release(process: number, claim: Claim): Promise<void> {
    return this.at(process).release(claim, patience());
  }

  async renew(process: number, claim: Claim): Promise<boolean> {
    return (await this.at(process).renew(claim, patience())).held;
  }

  /** Asks until it is granted, when it is told to or `againMs` is over; answers when that was asked. */
  async wait(process: number, claim: Claim): Promise<{ readonly token: bigint; readonly askedMs: number }> {
    const { clock } = this.at(process);
    let wake = (): void => {};
    const unwatch = this.at(process).watch(claim.key, claim, () => wake());
    try {
      for (;;) {
        const woken = new Promise<void>((resolve) => (wake = resolve));
        const askedMs = clock.nowMs();
        const answer = await this.at(process).try(claim, patience());
        if (answer.granted) return { token: answer.token, askedMs };
        const timer = Promise.withResolvers<void>();
        const { clear } = clock.after(Math.min(answer.againMs, PATIENCE_MS), timer.resolve, { ref: true });
        await Promise.race([woken, timer.promise]);
        clear();
      }
    } finally {
      unwatch();
    }
  }
}

function patience(): { readonly signal: AbortSignal } {
  return { signal: AbortSignal.timeout(PATIENCE_MS) };
}

/** The cases for a subject; what its limits say it cannot do is not asked of it. */
export function leaseStoreContract(subject: LeaseStoreSubject): ContractCase[] {
  const { notifies = true, shares = true, queue = true } = subject;
  const fresh =
    (run: (bench: Bench) => Promise<void>): (() => Promise<void>) =>
    async () => {
      const under = await subject.open();
      try {
        const stores: LeaseStore[] = [];
        try {
          for (let process = 0; process < 3; process++) stores.push(await under.connect());
          const [{ limits }] = stores as [LeaseStore];
          assert.deepEqual([limits.shares, limits.queue], [shares, queue], 'the limits of the store');
          await run(new Bench(stores, Math.max(subject.ttlMs ?? TTL_MS, limits.ttlMsMin)));
        } finally {
          // Twice is as good as once.
          for (const store of [...stores, ...stores]) await store[Symbol.asyncDispose]();
        }
      } finally {
        await under.close?.();
      }
    };
  const clauses: Clauses = {
    'grants a key to one, whose token is greater than all before': fresh(checkExclusive),
    'grants to exactly one of many that ask at once': fresh(checkCrowd),
    'answers the same when it is asked again by who holds': fresh(checkAgain),
    'takes back nothing that another holds, however often it is asked': fresh(checkRelease),
    'keeps a lease for its ttl and then gives it to another, who waits': fresh(checkExpiry),
    'keeps a lease that is renewed': fresh(checkRenewal),
    'brings back nothing by a renewal': fresh(checkNoReturn),
    'keeps keys apart, whatever is in them': fresh(checkNames),
    'says who holds': fresh(checkRead),
    'lets whoever waits have it after it is given back': fresh(checkWait),
    ...(shares
      ? {
          'lets many read or one write': fresh(checkReaders),
          'grants as many permits as there are': fresh(checkPermits),
        }
      : {}),
    ...(queue
      ? {
          'serves those who wait in the order of their coming, and nobody before them': fresh(checkOrder),
          'forgets the place of one who gives up, and of one who asks no more': fresh(checkPlaces),
        }
      : {}),
    ...(queue && shares ? { 'lets no reader overtake a writer who waits': fresh(checkWriter) } : {}),
    ...(notifies ? { 'tells those who observe a key that its holder changed': fresh(checkObservers) } : {}),
  };
  return contractCases(subject.name, clauses, subject.deviations);
}

async function checkExclusive(bench: Bench): Promise<void> {
  let last = 0n;
  for (let turn = 0; turn < 9; turn++) {
    const mine = bench.claim({ key: `key ${turn % 2}` });
    const token = await bench.granted(turn % 3, mine);
    assert.ok(token > last, `${token} after ${last}`);
    last = token;
    await bench.busy((turn + 1) % 3, bench.claim({ key: mine.key }));
    await bench.release(turn % 3, mine);
  }
}

async function checkCrowd(bench: Bench): Promise<void> {
  for (let round = 0; round < 3; round++) {
    const crowd = Array.from({ length: 30 }, () => bench.claim());
    const answers = await Promise.all(crowd.map((claim, at) => bench.at(at % 3).try(claim, patience())));
    const holders = crowd.filter((_, at) => answers[at]!.granted);
    assert.ok(holders.length <= 1, `${holders.length} hold it`);
    // Where several servers have to agree, all may go away with nothing; then one that asks alone gets it.
    await Promise.all(crowd.map((claim, at) => bench.release(at % 3, claim)));
    const alone = bench.claim();
    await bench.granted(0, alone);
    await bench.release(0, alone);
  }
}

async function checkAgain(bench: Bench): Promise<void> {
  const mine = bench.claim();
  const token = await bench.granted(0, mine);
  assert.equal(await bench.granted(0, mine), token);
  await bench.release(0, mine);
  const next = bench.claim();
  assert.ok((await bench.granted(1, next)) > token, 'held once, given back once');
}

async function checkRelease(bench: Bench): Promise<void> {
  const [mine, other] = [bench.claim(), bench.claim()];
  await bench.granted(0, mine);
  await bench.release(1, other);
  await bench.busy(1, other);
  await bench.release(0, mine);
  await bench.release(0, mine);
  await bench.granted(1, other);
  await bench.release(0, mine);
  assert.equal(await bench.renew(0, mine), false);
  await bench.busy(2, bench.claim());
  assert.equal(await bench.renew(1, other), true);
}

async function checkExpiry(bench: Bench): Promise<void> {
  const mine = bench.claim();
  const sentMs = bench.at(0).clock.nowMs();
  await bench.granted(0, mine);
  const { clock } = bench.at(1);
  const next = bench.claim({ queue: bench.at(1).limits.queue });
  await bench.wait(1, next);
  const heldMs = clock.nowMs() - sentMs;
  assert.ok(heldMs >= bench.ttlMs, `given away after ${heldMs} ms of ${bench.ttlMs}`);
}

async function checkRenewal(bench: Bench): Promise<void> {
  const mine = bench.claim();
  const { clock } = bench.at(0);
  let sentMs = clock.nowMs();
  const untilMs = sentMs + bench.ttlMs * 2.5;
  await bench.granted(0, mine);
  while (clock.nowMs() < untilMs) {
    await new Promise<void>((resolve) => clock.after(bench.ttlMs / 6, resolve, { ref: true }));
    const beforeMs = clock.nowMs();
    const isHeld = await bench.renew(0, mine);
    const gapMs = clock.nowMs() - sentMs;
    // On a machine that stood still for longer than the ttl, it is rightly lost.
    if (!isHeld && gapMs > bench.ttlMs) return;
    assert.ok(isHeld, `lost ${gapMs} ms after it was renewed`);
    sentMs = beforeMs;
    const other = await bench.at(1).try(bench.claim(), patience());
    assert.ok(!other.granted || clock.nowMs() - sentMs > bench.ttlMs);
  }
}

async function checkNoReturn(bench: Bench): Promise<void> {
  const mine = bench.claim();
  await bench.granted(0, mine);
  const next = bench.claim({ queue: bench.at(1).limits.queue });
  await bench.wait(1, next);
  assert.equal(await bench.renew(0, mine), false, 'another holds it');
  await bench.release(1, next);
  assert.equal(await bench.renew(0, mine), false, 'nobody holds it');
  assert.equal(await bench.renew(1, next), false, 'it was given back');
  await bench.granted(2, bench.claim());
}

async function checkNames(bench: Bench): Promise<void> {
  const { keyBytesMax } = bench.at(0).limits;
  const longest = 'k'.repeat(keyBytesMax);
  const names = [
    'a',
    'A',
    'a ',
    'a/b',
    'a/b/',
    '/',
    '.',
    '..',
    'a:b',
    'a{b}',
    '{b}',
    '%',
    '%41',
    'ключ',
    '🔒',
    '\n',
    '\0',
    "'; --",
    '"',
    '\\',
    longest.slice(1),
    longest,
  ];
  const tokens = new Set<bigint>();
  const held = names.map((key) => bench.claim({ key }));
  for (const claim of held) tokens.add(await bench.granted(0, claim));
  assert.equal(tokens.size, names.length);
  for (const claim of held) await bench.release(0, claim);
  for (const key of names) {
    const claim = bench.claim({ key });
    await bench.granted(1, claim);
    await bench.release(1, claim);
  }
}

async function checkRead(bench: Bench): Promise<void> {
  assert.deepEqual(await bench.at(1).read('payment:42', patience()), []);
  const mine = bench.claim({ holder: 'web-1:4711 “é”\n' });
  const token = await bench.granted(0, mine);
  assert.deepEqual(await bench.at(1).read(mine.key, patience()), [{ holder: mine.holder, token, share: WHOLE }]);
  assert.deepEqual(await bench.at(1).read('payment:43', patience()), []);
  await bench.release(0, mine);
  assert.deepEqual(await bench.at(1).read(mine.key, patience()), []);
}

async function checkWait(bench: Bench): Promise<void> {
  const { queue } = bench.at(0).limits;
  let last = 0n;
  const turn = async (at: number): Promise<void> => {
    const mine = bench.claim({ queue });
    const { token } = await bench.wait(at % 3, mine);
    assert.ok(token > last, `${token} after ${last}: two held it, or a token went back`);
    last = token;
    await bench.release(at % 3, mine);
  };
  await Promise.all(Array.from({ length: 12 }, (_, at) => turn(at)));
}

async function checkReaders(bench: Bench): Promise<void> {
  const [one, two, writer] = [bench.claim({ share: 1 }), bench.claim({ share: 1 }), bench.claim()];
  const first = await bench.granted(0, one);
  assert.ok((await bench.granted(1, two)) > first);
  await bench.busy(2, writer);
  await bench.release(0, one);
  await bench.busy(2, writer);
  await bench.release(1, two);
  await bench.granted(2, writer);
  await bench.busy(0, bench.claim({ share: 1 }));
  await bench.release(2, writer);
}

async function checkPermits(bench: Bench): Promise<void> {
  const permits = Array.from({ length: 12 }, () => bench.claim({ share: 1, of: 3 }));
  const answers = await Promise.all(permits.map((claim, at) => bench.at(at % 3).try(claim, patience())));
  const [holder, ...others] = permits.filter((_, at) => answers[at]!.granted);
  assert.equal(others.length + 1, 3);
  await bench.busy(0, bench.claim());
  await bench.release(permits.indexOf(holder!) % 3, holder!);
  await bench.busy(1, bench.claim({ share: 2, of: 3 }));
  await bench.granted(2, bench.claim({ share: 1, of: 3 }));
  await bench.busy(1, bench.claim({ share: 1, of: 3 }));
}

async function checkOrder(bench: Bench): Promise<void> {
  // Long, so that nobody’s place is forgotten on a busy machine.
  const ttlMs = Math.min(bench.ttlMs * 10, bench.at(0).limits.ttlMsMax);
  const holder = bench.claim({ ttlMs });
  await bench.granted(0, holder);
  const served: string[] = [];
  const waits: Promise<unknown>[] = [];
  const inLine = [1, 2, 0, 2, 1].map((process) => ({ process, claim: bench.claim({ queue: true, ttlMs }) }));
  for (const { process, claim } of inLine) {
    await bench.busy(process, claim);
    const turn = bench.wait(process, claim).then(async () => {
      served.push(claim.id);
      await bench.busy(0, bench.claim({ ttlMs }));
      await bench.release(process, claim);
    });
    waits.push(turn);
  }
  await bench.release(0, holder);
  await bench.busy(0, bench.claim({ ttlMs }));
  await Promise.all(waits);
  assert.deepEqual(
    served,
    inLine.map(({ claim }) => claim.id),
  );
}

async function checkPlaces(bench: Bench): Promise<void> {
  const holder = bench.claim();
  await bench.granted(0, holder);
  const [leaves, dies] = [bench.claim({ queue: true }), bench.claim({ queue: true })];
  await bench.busy(1, leaves);
  await bench.busy(2, dies);
  await bench.release(1, leaves);
  await bench.release(0, holder);
  // It holds the first place still, and does not come.
  await bench.wait(0, bench.claim({ queue: true }));
}

async function checkWriter(bench: Bench): Promise<void> {
  const ttlMs = Math.min(bench.ttlMs * 10, bench.at(0).limits.ttlMsMax);
  const [reader, writer] = [bench.claim({ share: 1, ttlMs }), bench.claim({ queue: true, ttlMs })];
  await bench.granted(0, reader);
  await bench.busy(1, writer);
  await bench.busy(2, bench.claim({ share: 1, ttlMs }));
  const late = [bench.claim({ share: 1, queue: true, ttlMs }), bench.claim({ share: 1, queue: true, ttlMs })];
  for (const claim of late) await bench.busy(2, claim);
  await bench.release(0, reader);
  const { token } = await bench.wait(1, writer);
  await bench.release(1, writer);
  const both = await Promise.all(late.map((claim) => bench.wait(2, claim)));
  for (const after of both) assert.ok(after.token > token);
}

async function checkObservers(bench: Bench): Promise<void> {
  let changed = Promise.withResolvers<void>();
  const unwatch = bench.at(2).watch('payment:42', null, () => changed.resolve());
  const mine = bench.claim();
  /** Observers look whenever they are told; some tellings are about what they know already. */
  const until = async (count: number): Promise<void> => {
    while ((await bench.at(2).read('payment:42', patience())).length !== count) {
      await changed.promise;
      changed = Promise.withResolvers();
    }
  };
  await until(0);
  await bench.granted(0, mine);
  await until(1);
  await bench.release(0, mine);
  await until(0);
  unwatch();
  unwatch();
}
