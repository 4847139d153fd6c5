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
import { type LeaseStore, WHOLE } from '../lease/store.ts';
import { type Clauses, type ContractCase, contractCases, type Deviations } from './contract.ts';
import { LeaseProcesses, patience } from './lease-processes.ts';

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
  /** A ttl that suits it: long beside a round trip, short for those who wait for its end. @defaultValue 600, or its least */
  readonly ttlMs?: number;
  /** Whether it can tell those who wait and those who observe. @defaultValue true */
  readonly notifies?: boolean;
  /** What its limits say. @defaultValue true */
  readonly shares?: boolean;
  /** @defaultValue true */
  readonly queue?: boolean;
  /** @defaultValue false */
  readonly ordered?: boolean;
  readonly deviations?: Deviations;
}

const TTL_MS = 600;
/** What nobody waits for the end of lasts so many ttls, so that a busy machine ends none of it. */
const LASTING_TTLS = 10;

/** The cases for a subject; what its limits say it cannot do is not asked of it. */
export function leaseStoreContract(subject: LeaseStoreSubject): ContractCase[] {
  const { notifies = true, shares = true, queue = true, ordered = false } = subject;
  const fresh =
    (run: (processes: LeaseProcesses) => Promise<void>, ttls = LASTING_TTLS): (() => Promise<void>) =>
    async () => {
      const under = await subject.open();
      try {
        const stores: LeaseStore[] = [];
        try {
          for (let process = 0; process < 3; process++) stores.push(await under.connect());
          const [{ limits }] = stores as [LeaseStore];
          const { shares: hasShares, queue: hasQueue, ordered: isOrdered } = limits;
          assert.deepEqual([hasShares, hasQueue, isOrdered], [shares, queue, ordered], 'the limits of the store');
          const ttlMs = Math.max(subject.ttlMs ?? TTL_MS, limits.ttlMsMin);
          await run(new LeaseProcesses(stores, Math.min(ttls * ttlMs, limits.ttlMsMax)));
        } finally {
          // Twice is as good as once.
          for (const store of [...stores, ...stores]) await store[Symbol.asyncDispose]();
        }
      } finally {
        await under.close?.();
      }
    };
  const ending = (run: (processes: LeaseProcesses) => Promise<void>) => fresh(run, 1);
  const clauses: Clauses = {
    'grants a key to one, whose token is greater than all before': fresh(checkExclusive),
    'grants to exactly one of many that ask at once': fresh(checkCrowd),
    'answers the same when it is asked again by who holds': fresh(checkAgain),
    'takes back nothing that another holds, however often it is asked': fresh(checkRelease),
    'keeps a lease for its ttl and then gives it to another, who waits': ending(checkExpiry),
    'keeps a lease that is renewed': ending(checkRenewal),
    'brings back nothing by a renewal': ending(checkNoReturn),
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
          'forgets the place of one who gives up, and of one who asks no more': ending(checkPlaces),
        }
      : {}),
    ...(ordered ? { 'grants what is asked together with the release before it': fresh(checkHandOver) } : {}),
    ...(queue && shares ? { 'lets no reader overtake a writer who waits': fresh(checkWriter) } : {}),
    ...(notifies ? { 'tells those who observe a key that its holder changed': fresh(checkObservers) } : {}),
  };
  return contractCases(subject.name, clauses, subject.deviations);
}

async function checkExclusive(processes: LeaseProcesses): Promise<void> {
  let last = 0n;
  for (let turn = 0; turn < 9; turn++) {
    const mine = processes.claim({ key: `key ${turn % 2}` });
    const token = await processes.granted(turn % 3, mine);
    assert.ok(token > last, `${token} after ${last}`);
    last = token;
    await processes.busy((turn + 1) % 3, processes.claim({ key: mine.key }));
    await processes.release(turn % 3, mine);
  }
}

async function checkCrowd(processes: LeaseProcesses): Promise<void> {
  for (let round = 0; round < 3; round++) {
    const crowd = Array.from({ length: 30 }, () => processes.claim());
    const answers = await Promise.all(crowd.map((claim, at) => processes.at(at % 3).try(claim, patience())));
    const holders = crowd.filter((_, at) => answers[at]!.granted);
    assert.ok(holders.length <= 1, `${holders.length} hold it`);
    // Where several servers have to agree, all may go away with nothing; then one that asks alone gets it.
    await Promise.all(crowd.map((claim, at) => processes.release(at % 3, claim)));
    const alone = processes.claim();
    await processes.granted(0, alone);
    await processes.release(0, alone);
  }
}

async function checkAgain(processes: LeaseProcesses): Promise<void> {
  const mine = processes.claim();
  const token = await processes.granted(0, mine);
  assert.equal(await processes.granted(0, mine), token);
  await processes.release(0, mine);
  const next = processes.claim();
  assert.ok((await processes.granted(1, next)) > token, 'held once, given back once');
}

async function checkRelease(processes: LeaseProcesses): Promise<void> {
  const [mine, other] = [processes.claim(), processes.claim()];
  await processes.granted(0, mine);
  await processes.release(1, other);
  await processes.busy(1, other);
  await processes.release(0, mine);
  await processes.release(0, mine);
  await processes.granted(1, other);
  await processes.release(0, mine);
  assert.equal(await processes.renew(0, mine), false);
  await processes.busy(2, processes.claim());
  assert.equal(await processes.renew(1, other), true);
}

async function checkExpiry(processes: LeaseProcesses): Promise<void> {
  const { fromMs } = await processes.held(0, processes.claim());
  const { clock } = processes.at(1);
  const next = processes.claim({ queue: processes.at(1).limits.queue });
  await processes.wait(1, next);
  const heldMs = clock.nowMs() - fromMs;
  assert.ok(heldMs >= processes.ttlMs, `given away after ${heldMs} ms of ${processes.ttlMs}`);
}

async function checkRenewal(processes: LeaseProcesses): Promise<void> {
  const mine = processes.claim();
  const { clock } = processes.at(0);
  const untilMs = clock.nowMs() + processes.ttlMs * 2.5;
  let { fromMs } = await processes.held(0, mine);
  while (clock.nowMs() < untilMs) {
    await new Promise<void>((resolve) => clock.after(processes.ttlMs / 6, resolve, { ref: true }));
    const renewedMs = await processes.renewed(0, mine);
    const gapMs = clock.nowMs() - fromMs;
    // On a machine that stood still for longer than the ttl, it is rightly lost.
    if (renewedMs === null && gapMs > processes.ttlMs) return;
    assert.ok(renewedMs !== null, `lost ${gapMs} ms after it was renewed`);
    fromMs = renewedMs;
    const other = await processes.at(1).try(processes.claim(), patience());
    assert.ok(!other.granted || clock.nowMs() - fromMs > processes.ttlMs);
  }
}

async function checkNoReturn(processes: LeaseProcesses): Promise<void> {
  const mine = processes.claim();
  await processes.granted(0, mine);
  const next = processes.claim({ queue: processes.at(1).limits.queue });
  await processes.wait(1, next);
  assert.equal(await processes.renew(0, mine), false, 'another holds it');
  await processes.release(1, next);
  assert.equal(await processes.renew(0, mine), false, 'nobody holds it');
  assert.equal(await processes.renew(1, next), false, 'it was given back');
  await processes.granted(2, processes.claim());
}

async function checkNames(processes: LeaseProcesses): Promise<void> {
  const { keyBytesMax } = processes.at(0).limits;
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
  const held = names.map((key) => processes.claim({ key }));
  for (const claim of held) tokens.add(await processes.granted(0, claim));
  assert.equal(tokens.size, names.length);
  for (const claim of held) await processes.release(0, claim);
  for (const key of names) {
    const claim = processes.claim({ key });
    await processes.granted(1, claim);
    await processes.release(1, claim);
  }
}

async function checkRead(processes: LeaseProcesses): Promise<void> {
  assert.deepEqual(await processes.at(1).read('payment:42', patience()), []);
  const mine = processes.claim({ holder: 'web-1:4711 “é”\n' });
  const token = await processes.granted(0, mine);
  assert.deepEqual(await processes.at(1).read(mine.key, patience()), [{ holder: mine.holder, token, share: WHOLE }]);
  assert.deepEqual(await processes.at(1).read('payment:43', patience()), []);
  await processes.release(0, mine);
  assert.deepEqual(await processes.at(1).read(mine.key, patience()), []);
}

async function checkWait(processes: LeaseProcesses): Promise<void> {
  const { queue } = processes.at(0).limits;
  let last = 0n;
  const turn = async (at: number): Promise<void> => {
    const mine = processes.claim({ queue });
    const { token } = await processes.wait(at % 3, mine);
    assert.ok(token > last, `${token} after ${last}: two held it, or a token went back`);
    last = token;
    await processes.release(at % 3, mine);
  };
  await Promise.all(Array.from({ length: 12 }, (_, at) => turn(at)));
}

async function checkReaders(processes: LeaseProcesses): Promise<void> {
  const [one, two, writer] = [processes.claim({ share: 1 }), processes.claim({ share: 1 }), processes.claim()];
  const first = await processes.granted(0, one);
  assert.ok((await processes.granted(1, two)) > first);
  await processes.busy(2, writer);
  await processes.release(0, one);
  await processes.busy(2, writer);
  await processes.release(1, two);
  await processes.granted(2, writer);
  await processes.busy(0, processes.claim({ share: 1 }));
  await processes.release(2, writer);
}

async function checkPermits(processes: LeaseProcesses): Promise<void> {
  const permits = Array.from({ length: 12 }, () => processes.claim({ share: 1, of: 3 }));
  const answers = await Promise.all(permits.map((claim, at) => processes.at(at % 3).try(claim, patience())));
  const [holder, ...others] = permits.filter((_, at) => answers[at]!.granted);
  assert.equal(others.length + 1, 3);
  await processes.busy(0, processes.claim());
  await processes.release(permits.indexOf(holder!) % 3, holder!);
  await processes.busy(1, processes.claim({ share: 2, of: 3 }));
  await processes.granted(2, processes.claim({ share: 1, of: 3 }));
  await processes.busy(1, processes.claim({ share: 1, of: 3 }));
}

async function checkHandOver(processes: LeaseProcesses): Promise<void> {
  // A server may not know yet how to release, and be told by the first.
  const first = processes.claim();
  await processes.granted(0, first);
  await processes.release(0, first);
  let holder = processes.claim();
  await processes.granted(0, holder);
  for (let turn = 0; turn < 50; turn++) {
    const next = processes.claim({ queue: turn % 2 === 0 });
    await Promise.all([processes.release(0, holder), processes.granted(0, next)]);
    holder = next;
  }
}

async function checkOrder(processes: LeaseProcesses): Promise<void> {
  const holder = processes.claim();
  await processes.granted(0, holder);
  const served: string[] = [];
  const waits: Promise<unknown>[] = [];
  const inLine = [1, 2, 0, 2, 1].map((process) => ({ process, claim: processes.claim({ queue: true }) }));
  for (const { process, claim } of inLine) {
    await processes.busy(process, claim);
    const turn = processes.wait(process, claim).then(async () => {
      served.push(claim.id);
      await processes.busy(0, processes.claim());
      await processes.release(process, claim);
    });
    waits.push(turn);
  }
  await processes.release(0, holder);
  await processes.busy(0, processes.claim());
  await Promise.all(waits);
  assert.deepEqual(
    served,
    inLine.map(({ claim }) => claim.id),
  );
}

async function checkPlaces(processes: LeaseProcesses): Promise<void> {
  const holder = processes.claim({ ttlMs: LASTING_TTLS * processes.ttlMs });
  await processes.granted(0, holder);
  const [leaves, dies] = [processes.claim({ queue: true }), processes.claim({ queue: true })];
  await processes.busy(1, leaves);
  await processes.busy(2, dies);
  await processes.release(1, leaves);
  await processes.release(0, holder);
  // It holds the first place still, and does not come.
  await processes.wait(0, processes.claim({ queue: true }));
}

async function checkWriter(processes: LeaseProcesses): Promise<void> {
  const [reader, writer] = [processes.claim({ share: 1 }), processes.claim({ queue: true })];
  await processes.granted(0, reader);
  await processes.busy(1, writer);
  await processes.busy(2, processes.claim({ share: 1 }));
  const late = [processes.claim({ share: 1, queue: true }), processes.claim({ share: 1, queue: true })];
  for (const claim of late) await processes.busy(2, claim);
  await processes.release(0, reader);
  const { token } = await processes.wait(1, writer);
  await processes.release(1, writer);
  const both = await Promise.all(late.map((claim) => processes.wait(2, claim)));
  for (const after of both) assert.ok(after.token > token);
}

async function checkObservers(processes: LeaseProcesses): Promise<void> {
  let changed = Promise.withResolvers<void>();
  const unwatch = processes.at(2).watch('payment:42', null, () => changed.resolve());
  const mine = processes.claim();
  /** Observers look whenever they are told; some tellings are about what they know already. */
  const until = async (count: number): Promise<void> => {
    while ((await processes.at(2).read('payment:42', patience())).length !== count) {
      await changed.promise;
      changed = Promise.withResolvers();
    }
  };
  await until(0);
  await processes.granted(0, mine);
  await until(1);
  await processes.release(0, mine);
  await until(0);
  unwatch();
  unwatch();
}
