/** Elections when lines, clocks and work are bad, on simulated time. E1 to E6 are the scenarios that leader elections of others are known to fail in. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createElections, type Elections, type Leadership, type Leading, type Term } from '../../src/elect/index.ts';
import { sleep } from '../../src/elect/retry.ts';
import { SpillwayError } from '../../src/kernel/errors.ts';
import type { LeaseStore } from '../../src/lease/index.ts';
import { settled, SimulatedFleet, type SimulatedProcess } from './simulated-fleet.ts';

const TTL_MS = 1000;

interface Event {
  readonly atMs: number;
  readonly what: string;
}

class ElectionFleet extends SimulatedFleet {
  readonly events: Event[] = [];

  elections(process: SimulatedProcess, holder: string): Elections {
    return createElections(process.leases, { holder, timeout: 300, random: this.random });
  }

  /** A process that leads whenever it can, and notes when it begins and when it is told to stop. */
  lead(holder: string, process = this.process()): SimulatedProcess {
    const work = async ({ signal, term }: Leading): Promise<void> => {
      this.note(`${holder} leads ${term}`);
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      this.note(`${holder} stops ${term}`);
    };
    void this.elections(process, holder).whileLeader('scheduler', { ttl: TTL_MS }, work);
    return process;
  }

  note(what: string): void {
    this.events.push({ atMs: this.clock.nowMs(), what });
  }

  get story(): string {
    return this.events.map(({ what }) => what.replace(/ \d+$/, '')).join(', ');
  }

  get terms(): bigint[] {
    return this.events.filter(({ what }) => what.includes('leads')).map(({ what }) => BigInt(what.split(' ')[2]!));
  }
}

test('E1: terms strictly increase, no two leaders share one, and what an old leader writes is refused', async () => {
  const fleet = new ElectionFleet();
  const processes = ['one', 'two', 'three'].map((name) => fleet.lead(name));
  for (let round = 0; round < 20; round++) {
    await fleet.pass(500 + 100 * (round % 7));
    for (const [at, process] of processes.entries()) {
      process.line = fleet.random.unit() < 0.4 ? (['refused', 'silent'] as const)[at % 2]! : 'up';
    }
  }
  const { terms } = fleet;
  assert.ok(terms.length > 5, `${terms.length} terms`);
  for (const [at, term] of terms.entries()) assert.ok(at === 0 || term > terms[at - 1]!);
  const [old, latest] = [terms.at(-2)!, terms.at(-1)!];
  assert.equal(await fleet.register.write('jobs', { value: 'by the new', token: latest }), true);
  assert.equal(await fleet.register.write('jobs', { value: 'by the old', token: old }), false);
});

test('E2: a leader that is cut off steps down before another leads', async () => {
  for (const line of ['refused', 'silent'] as const) {
    const fleet = new ElectionFleet();
    const one = fleet.lead('one');
    await fleet.pass(50);
    fleet.lead('two');
    await fleet.pass(3000);
    one.line = line;
    await fleet.until(() => fleet.terms.length === 2);
    assert.equal(fleet.story, 'one leads, one stops, two leads');
    const [, stops, leads] = fleet.events;
    assert.ok(leads!.atMs > stops!.atMs, `stopped at ${stops!.atMs}, led at ${leads!.atMs}`);
  }
});

test('E3: a store that is away for ten minutes has one leader afterwards, one work a process, and is not stormed', async () => {
  for (const line of ['refused', 'silent'] as const) {
    const fleet = new ElectionFleet();
    const processes = ['one', 'two', 'three'].map((name) => fleet.lead(name));
    await fleet.pass(3000);
    for (const process of processes) {
      process.line = line;
      process.asked = 0;
    }
    await fleet.pass(600_000, 50);
    assert.equal(fleet.story, 'one leads, one stops');
    for (const { asked } of processes) assert.ok(asked < 5000, `${asked} questions in ten minutes`);
    for (const process of processes) process.line = 'up';
    await fleet.pass(10_000);
    assert.equal(fleet.terms.length, 2, fleet.story);
    assert.equal((await fleet.leases.read('scheduler', { signal: AbortSignal.abort() })).length, 1);
  }
});

test('E5: who resigns is followed at once', async () => {
  const fleet = new ElectionFleet();
  const [one, two] = [fleet.elections(fleet.process(), 'one'), fleet.elections(fleet.process(), 'two')];
  const term = await one.campaign('scheduler', { ttl: '15s' });
  let second: Term | null = null;
  void two.campaign('scheduler', { ttl: '15s' }).then((next) => (second = next));
  await fleet.pass(2000);
  assert.equal(second, null);
  assert.equal(await term.resign(), true);
  // No time passes.
  await settled();
  assert.ok(second!.term > term.term);
});

test('E6: clocks that are apart, or run a hundredth too fast or slow, change nothing', async () => {
  for (const rate of [0.99, 1, 1.01]) {
    for (const aheadMs of [-3_600_000, 0, 3_600_000]) {
      const fleet = new ElectionFleet();
      const slow = fleet.process();
      slow.runAt(rate);
      slow.stepWall(aheadMs);
      const one = fleet.lead('one', slow);
      await fleet.pass(50);
      fleet.lead('two');
      await fleet.pass(20_000);
      assert.equal(fleet.story, 'one leads', 'it keeps what it renews');
      one.line = 'silent';
      await fleet.until(() => fleet.terms.length === 2);
      assert.equal(fleet.story, 'one leads, one stops, two leads', `rate ${rate}, ${aheadMs} ms ahead`);
    }
  }
});

test('E6: of a clock that runs slower than that, the resource finds out', async () => {
  const fleet = new ElectionFleet();
  const slow = fleet.process();
  slow.runAt(0.5);
  // Both clocks: a virtual machine that gets too little time.
  const wallMs = fleet.clock.wallMs();
  const startMs = fleet.clock.nowMs();
  slow.clock.wallMs = () => wallMs + (fleet.clock.nowMs() - startMs) / 2;
  const one = fleet.lead('one', slow);
  await fleet.pass(50);
  fleet.lead('two');
  one.line = 'silent';
  await fleet.until(() => fleet.terms.length === 2);
  assert.equal(fleet.story, 'one leads, two leads', 'two at once');
  const [first, second] = fleet.terms;
  assert.equal(await fleet.register.write('jobs', { value: 'two', token: second! }), true);
  assert.equal(await fleet.register.write('jobs', { value: 'one', token: first! }), false);
});

test('work that does not heed its signal is waited for, and never runs twice in one process', async () => {
  const fleet = new ElectionFleet();
  const process = fleet.process();
  let running = 0;
  let begun = 0;
  const done = fleet.elections(process, 'one').whileLeader('scheduler', { ttl: TTL_MS }, async () => {
    assert.equal((running += 1), 1);
    begun += 1;
    await sleep(process.clock, 5000, undefined);
    running -= 1;
  });
  await fleet.pass(100);
  process.line = 'silent';
  await fleet.pass(2000);
  process.line = 'up';
  await fleet.pass(2000);
  // Somebody else could lead meanwhile.
  assert.equal((await fleet.leases.read('scheduler', { signal: AbortSignal.abort() })).length, 0);
  await fleet.pass(7000);
  await done;
  assert.equal(begun, 2);
});

test('work that throws at once ends it, and the seat is free', async () => {
  const fleet = new ElectionFleet();
  const elections = fleet.elections(fleet.process(), 'one');
  const fails = (): Promise<never> => {
    throw new TypeError('no schedule');
  };
  await assert.rejects(elections.whileLeader('scheduler', {}, fails), /no schedule/);
  assert.deepEqual(await fleet.leases.read('scheduler', { signal: AbortSignal.abort() }), []);
});

test('what work throws after its term was lost is no failure: it is begun again', async () => {
  const fleet = new ElectionFleet();
  const process = fleet.process();
  let begun = 0;
  const done = fleet.elections(process, 'one').whileLeader('scheduler', { ttl: TTL_MS }, async ({ signal }) => {
    begun += 1;
    if (begun > 1) return 'done';
    await sleep(process.clock, 60_000, signal);
    return 'too late';
  });
  await fleet.pass(100);
  process.line = 'refused';
  await fleet.pass(2000);
  process.line = 'up';
  await fleet.pass(4000);
  assert.equal(await done, 'done');
  assert.equal(begun, 2);
});

test('a store whose answers come too late is not stormed, and it leads when they come in time', async () => {
  const fleet = new ElectionFleet();
  const process = fleet.process();
  process.delayMsMax = 3000;
  void createElections(process.leases, { timeout: '10s', random: fleet.random }).whileLeader(
    'scheduler',
    { ttl: 300 },
    ({ signal }) => {
      fleet.note('leads');
      return sleep(process.clock, 600_000, signal);
    },
  );
  await fleet.pass(60_000);
  assert.deepEqual(fleet.events, []);
  assert.ok(process.asked > 10 && process.asked < 200, `${process.asked} questions in a minute`);
  process.delayMsMax = 0;
  await fleet.pass(15_000);
  assert.equal(fleet.story, 'leads');
});

test('a seat for which too many of this process wait already is asked for again later, not at once', async () => {
  const fleet = new ElectionFleet();
  const process = fleet.process();
  const elections = fleet.elections(process, 'one');
  await elections.campaign('scheduler');
  const stop = new AbortController();
  const { signal } = stop;
  const crowd = Array.from({ length: 10_002 }, () => elections.campaign('scheduler', { signal }));
  const outcomes = Promise.allSettled(crowd);
  const rejected = elections.whileLeader('scheduler', { signal }, async () => {});
  await fleet.pass(1000);
  // Were it to spin, nothing would have come this far.
  stop.abort(new Error('enough'));
  await assert.rejects(rejected, /enough/);
  await outcomes;
});

test('a campaign that is aborted at any moment leaves no claim behind', async () => {
  for (let moment = 0; moment < 60; moment++) {
    const fleet = new ElectionFleet();
    const process = fleet.process();
    process.delayMsMax = moment % 3 === 0 ? 0 : 30;
    const elections = fleet.elections(process, 'one');
    const other = fleet.elections(fleet.process(), 'two');
    const before = moment % 2 === 0 ? null : await other.campaign('scheduler', { ttl: '15s' });
    const stop = new AbortController();
    const outcome = elections.campaign('scheduler', { ttl: '15s', signal: stop.signal }).then(
      (term) => term,
      (error: unknown) => error as Error,
    );
    // Some microtasks, some steps of time.
    for (let turn = 0; turn < moment % 20; turn++) await Promise.resolve();
    if (moment >= 20) {
      await fleet.pass((moment - 20) * 2, 2);
      if (moment >= 40) void before?.resign();
    }
    stop.abort(new Error('enough'));
    await fleet.pass(100);
    const first = await outcome;
    if (first instanceof Error) assert.equal(first.message, 'enough');
    else {
      first.assertLeader();
      await Promise.all([first.resign(), fleet.pass(100)]);
    }
    await Promise.all([before?.resign(), fleet.pass(100)]);
    let next: Term | null = null;
    void other.campaign('scheduler').then((term) => (next = term));
    await fleet.pass(100);
    assert.notEqual(next, null, `aborted at moment ${moment}`);
  }
});

test('a signal that was aborted before ends a campaign at once, also behind others', async () => {
  const elections = new ElectionFleet().elections(new SimulatedFleet().process(), 'one');
  await elections.campaign('scheduler');
  void elections.campaign('scheduler');
  void elections.campaign('scheduler').catch(() => {});
  const signal = AbortSignal.abort(new Error('enough'));
  await assert.rejects(elections.campaign('scheduler', { signal }), /enough/);
  let begun = false;
  await assert.rejects(
    elections.whileLeader('other', { signal }, async () => void (begun = true)),
    /enough/,
  );
  assert.equal(begun, false);
});

/** A store of which one verb can be made to do something else, and that counts who watches. */
function watched(store: LeaseStore, read: LeaseStore['read']): { readonly store: LeaseStore; watches: () => number } {
  let watches = 0;
  const instead: LeaseStore = {
    name: store.name,
    clock: store.clock,
    limits: store.limits,
    try: (...given) => store.try(...given),
    renew: (...given) => store.renew(...given),
    release: (...given) => store.release(...given),
    read,
    watch(...given) {
      watches += 1;
      const unwatch = store.watch(...given);
      return () => {
        watches -= 1;
        unwatch();
      };
    },
    [Symbol.asyncDispose]: async () => {},
  };
  return { store: instead, watches: () => watches };
}

test('an observer that leaves while the store is silent leaves nothing behind', async () => {
  const fleet = new ElectionFleet();
  const { store, watches } = watched(fleet.leases, () => new Promise(() => {}));
  const timers = fleet.clock.timers;
  const changes = createElections(store).observe('scheduler')[Symbol.asyncIterator]();
  const first = changes.next();
  const second = changes.next();
  await fleet.pass(20);
  assert.equal(watches(), 1);
  assert.deepEqual(await changes.return!(), { done: true, value: undefined });
  for (const each of [first, second]) assert.deepEqual(await each, { done: true, value: undefined });
  assert.deepEqual(await changes.next(), { done: true, value: undefined });
  assert.deepEqual([watches(), fleet.clock.timers], [0, timers]);
});

test('an observer asks a store that fails again later, not at once, and a broken one not at all', async () => {
  const fleet = new ElectionFleet();
  let reads = 0;
  let retryable = true;
  const { store, watches } = watched(fleet.leases, async () => {
    reads += 1;
    throw new SpillwayError(retryable ? 'STORE_UNAVAILABLE' : 'STORE_REFUSED', 'away', { retryable });
  });
  const changes = createElections(store).observe('scheduler')[Symbol.asyncIterator]();
  const next = changes.next().catch((error: unknown) => error);
  await fleet.pass(60_000);
  assert.ok(reads > 10 && reads < 100, `${reads} reads in a minute`);
  retryable = false;
  await fleet.pass(5000);
  assert.equal(((await next) as SpillwayError).code, 'STORE_REFUSED');
  assert.equal(watches(), 0);
  assert.equal((await changes.next()).done, true);
});

test('an observer that is open for long holds no more than at the beginning', async () => {
  const fleet = new ElectionFleet();
  const { store, watches } = watched(fleet.leases, (...given) => fleet.leases.read(...given));
  const stop = new AbortController();
  const observer = createElections(store).observe('scheduler', { signal: stop.signal });
  const elections = fleet.elections(fleet.process(), 'one');
  const seen: Leadership[] = [];
  const observing = (async () => {
    for await (const change of observer) seen.push(change);
  })();
  await fleet.pass(100);
  const timers = fleet.clock.timers;
  for (let term = 0; term < 200; term++) {
    const leading = await elections.campaign('scheduler');
    await settled();
    await leading.resign();
    await settled();
  }
  // The look for suspensions ends itself, a quarter of a second after the last lease.
  await fleet.pass(500);
  assert.equal(seen.length, 401);
  assert.deepEqual([fleet.clock.timers, watches()], [timers, 1]);
  stop.abort();
  await observing;
  assert.equal(watches(), 0);
});

test('two observers see the same, each at its own pace', async () => {
  const fleet = new ElectionFleet();
  const elections = fleet.elections(fleet.process(), 'one');
  const seat = elections.observe('scheduler');
  const [quick, slow] = [seat[Symbol.asyncIterator](), seat[Symbol.asyncIterator]()];
  const leader = async (from: AsyncIterator<Leadership>): Promise<string | null> =>
    ((await from.next()).value as Leadership).leader;
  assert.deepEqual([await leader(quick), await leader(slow)], [null, null]);
  const first = await elections.campaign('scheduler');
  assert.equal(await leader(quick), 'one');
  await first.resign();
  assert.equal(await leader(quick), null);
  await elections.campaign('scheduler');
  // What it did not take meanwhile, it sees the last of.
  assert.equal(await leader(slow), 'one');
  await quick.return!();
  await slow.return!();
});
