/**
 * What elections do on every store of leases, on the real thing: one leader, terms that grow, observers that see it, a seat that is handed over.
 * A store that keeps `leaseStoreContract` is expected to keep this; it is what `spillway/elect` makes of those promises. Run it against your own:
 *
 *     import { test } from 'node:test';
 *     import { electionContract } from 'spillway/testing';
 *
 *     for (const { name, run } of electionContract({ name: 'mine', open: openMine })) test(name, run);
 *
 * Time is real, and nothing is asserted of it that a machine which stands still for a moment could break.
 */
import assert from 'node:assert/strict';
import { createElections, type Elections, type Leadership } from '../elect/index.ts';
import type { LeaseStore } from '../lease/store.ts';
import { type Clauses, type ContractCase, contractCases, type Deviations } from './contract.ts';
import type { LeaseStoresUnderTest } from './lease-contract.ts';
import { LeaseProcesses, patience } from './lease-processes.ts';

export interface ElectionSubject {
  /** Shown with each case. */
  readonly name: string;
  /** Servers with nothing in them. */
  readonly open: () => LeaseStoresUnderTest | Promise<LeaseStoresUnderTest>;
  /** A ttl that suits it: long beside a round trip, short for those who wait for the test. @defaultValue 600, or its least */
  readonly ttlMs?: number;
  /** The longest that its servers take, if that is less than the most of its limits. @defaultValue 300,000 */
  readonly longTtlMs?: number;
  readonly deviations?: Deviations;
}

const SEAT = 'scheduler';
const TTL_MS = 600;
/** Much longer than a test waits: what comes meanwhile comes for another reason. */
const LONG_TTL_MS = 300_000;
const PROCESSES = 3;

interface Fleet {
  readonly elections: readonly Elections[];
  readonly processes: LeaseProcesses;
  readonly ttlMs: number;
  readonly longTtlMs: number;
}

/** The cases for a subject. */
export function electionContract(subject: ElectionSubject): ContractCase[] {
  const fresh =
    (run: (fleet: Fleet) => Promise<void>): (() => Promise<void>) =>
    async () => {
      const under = await subject.open();
      const stores: LeaseStore[] = [];
      const elections: Elections[] = [];
      try {
        for (let process = 0; process < PROCESSES; process++) {
          const store = await under.connect();
          stores.push(store);
          elections.push(createElections(store, { holder: `process ${process}` }));
        }
        const { ttlMsMin, ttlMsMax } = stores[0]!.limits;
        const ttlMs = Math.max(subject.ttlMs ?? TTL_MS, ttlMsMin);
        const processes = new LeaseProcesses(stores, ttlMs);
        await run({ elections, processes, ttlMs, longTtlMs: Math.min(subject.longTtlMs ?? LONG_TTL_MS, ttlMsMax) });
      } finally {
        for (const each of [...elections, ...stores]) await each[Symbol.asyncDispose]();
        await under.close?.();
      }
    };
  const clauses: Clauses = {
    'has one leader at a time, each with a greater term': fresh(checkOneLeader),
    'has a next leader as soon as one resigns': fresh(checkResign),
    'gives the seat of a leader that is gone to the next, and not before its ttl is over': fresh(checkGone),
    'keeps a leader that renews, however long others campaign': fresh(checkKept),
    'shows observers who leads, and each change': fresh(checkObserve),
    'runs the work of one process at a time, and of each that wants to': fresh(checkWork),
    'forgets a campaign that is given up': fresh(checkGivenUp),
  };
  return contractCases(subject.name, clauses, subject.deviations);
}

async function checkOneLeader({ elections, longTtlMs: ttl }: Fleet): Promise<void> {
  let leading = 0;
  let last = 0n;
  const lead = async (process: number): Promise<void> => {
    for (let turn = 0; turn < 3; turn++) {
      await using term = await elections[process]!.campaign(SEAT, { ttl, ...patience() });
      assert.equal((leading += 1), 1, 'two lead');
      assert.ok(term.term > last, `${term.term} after ${last}`);
      last = term.term;
      term.assertLeader();
      await new Promise((resolve) => setImmediate(resolve));
      leading -= 1;
    }
  };
  await Promise.all(elections.map((_, process) => lead(process)));
}

async function checkResign({ elections, longTtlMs: ttl }: Fleet): Promise<void> {
  const [one, two] = elections as [Elections, Elections];
  const first = await one.campaign(SEAT, { ttl, ...patience() });
  const second = two.campaign(SEAT, { ttl, ...patience() });
  assert.equal(await first.resign(), true);
  assert.ok(first.signal.aborted);
  assert.throws(() => first.assertLeader(), { code: 'LEASE_LOST' });
  assert.ok((await second).term > first.term);
}

async function checkGone({ elections, processes }: Fleet): Promise<void> {
  const { clock } = processes.at(0);
  // It campaigns once and does nothing any more.
  const { token: gone, fromMs } = await processes.held(0, processes.claim({ key: SEAT }));
  const next = await elections[1]!.campaign(SEAT, { ttl: processes.ttlMs, ...patience() });
  const heldMs = clock.nowMs() - fromMs;
  assert.ok(heldMs >= processes.ttlMs, `given away after ${heldMs} ms of ${processes.ttlMs}`);
  assert.ok(next.term > gone);
}

async function checkKept({ elections, processes, ttlMs: ttl }: Fleet): Promise<void> {
  const { clock } = processes.at(0);
  const term = await elections[0]!.campaign(SEAT, { ttl, ...patience() });
  const stop = new AbortController();
  const others = [1, 2].map((process) => elections[process]!.campaign(SEAT, { ttl, signal: stop.signal }));
  const outcomes = Promise.allSettled(others);
  const over = Promise.withResolvers<void>();
  const timer = clock.after(2.5 * ttl, over.resolve, { ref: true });
  // A machine that stood still for longer than the ttl rightly loses it.
  await Promise.race([
    over.promise,
    new Promise<void>((resolve) => term.signal.addEventListener('abort', () => resolve())),
  ]);
  timer.clear();
  const wasHeld = !term.signal.aborted;
  stop.abort();
  const led = (await outcomes).filter(({ status }) => status === 'fulfilled');
  if (wasHeld) assert.equal(led.length, 0, 'another led meanwhile');
}

async function checkObserve({ elections, longTtlMs: ttl }: Fleet): Promise<void> {
  const [one, two, three] = elections as [Elections, Elections, Elections];
  const { signal } = patience();
  const changes = three.observe(SEAT, { every: 100, signal })[Symbol.asyncIterator]();
  /** Changes that follow each other closely are seen as the last of them. */
  const until = async (leader: string | null): Promise<Leadership> => {
    for (;;) {
      const { done, value } = await changes.next();
      assert.notEqual(done, true, `never saw that ${leader ?? 'nobody'} leads`);
      if ((value as Leadership).leader === leader) return value as Leadership;
    }
  };
  assert.deepEqual(await until(null), { leader: null, term: null });
  const first = await one.campaign(SEAT, { ttl, signal });
  assert.equal((await until('process 0')).term, first.term);
  const waits = two.campaign(SEAT, { ttl, signal });
  await first.resign();
  const second = await waits;
  assert.equal((await until('process 1')).term, second.term);
  await second.resign();
  await until(null);
  await changes.return!();
}

async function checkWork({ elections, longTtlMs: ttl }: Fleet): Promise<void> {
  let running = 0;
  const terms = await Promise.all(
    elections.map((each) =>
      each.whileLeader(SEAT, { ttl, ...patience() }, async ({ term, assertLeader }) => {
        assert.equal((running += 1), 1, 'two work');
        await new Promise((resolve) => setImmediate(resolve));
        assertLeader();
        running -= 1;
        return term;
      }),
    ),
  );
  assert.equal(new Set(terms).size, elections.length);
}

async function checkGivenUp({ elections, longTtlMs: ttl }: Fleet): Promise<void> {
  const [one, two, three] = elections as [Elections, Elections, Elections];
  const first = await one.campaign(SEAT, { ttl, ...patience() });
  const stop = new AbortController();
  const second = assert.rejects(two.campaign(SEAT, { ttl, signal: stop.signal }), /enough/);
  const third = three.campaign(SEAT, { ttl, ...patience() });
  stop.abort(new Error('enough'));
  await second;
  await first.resign();
  assert.ok((await third).term > first.term);
}
