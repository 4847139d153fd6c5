import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpillwayError } from '../kernel/errors.ts';
import { seededRandom } from '../kernel/random.ts';
import { SimulatedClock } from '../kernel/simulated-clock.ts';
import type { Lease } from './lease.ts';
import { Leases, type LeaseRequest } from './leases.ts';
import { memoryLeases } from './memory.ts';
import type { LeaseStore } from './store.ts';

function leasesAt(clock = new SimulatedClock(), change: (store: LeaseStore) => Partial<LeaseStore> = () => ({})) {
  const memory = memoryLeases({ clock });
  const verbs = {
    try: memory.try.bind(memory),
    renew: memory.renew.bind(memory),
    release: memory.release.bind(memory),
    watch: memory.watch.bind(memory),
    read: memory.read.bind(memory),
    [Symbol.asyncDispose]: memory[Symbol.asyncDispose].bind(memory),
  };
  const store: LeaseStore = { name: 'memory', clock, limits: memory.limits, ...verbs, ...change(memory) };
  const leases = new Leases({ store, timeoutMs: 1000, random: seededRandom(1) });
  const ask = (request: Partial<LeaseRequest> = {}): Promise<Lease | null> =>
    leases.acquire({ key: 'payment:42', holder: 'me', ttlMs: 3000, waitMs: 0, ...request });
  return { clock, memory, store, leases, ask };
}

const waiting = { signal: new AbortController().signal };

async function held(lease: Promise<Lease | null>): Promise<Lease> {
  const granted = await lease;
  assert.ok(granted !== null);
  return granted;
}

/** Lets promises that nobody holds up settle. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

/** Time passes in small steps, and what is asked meanwhile is answered. */
async function pass(clock: SimulatedClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 50) {
    clock.pass(50);
    await settle();
  }
}

/** None but that of the next look at the clocks, which finds nothing held and is the last. */
async function noTimerIsLeft(clock: SimulatedClock): Promise<void> {
  await settle();
  assert.equal(clock.timers, 1);
  await pass(clock, 250);
  assert.equal(clock.timers, 0);
}

test('one holds, the other is told so, and the next has a greater token', async () => {
  const { ask } = leasesAt();
  const first = await held(ask());
  assert.equal(await ask(), null);
  assert.equal(await first.release(), true);
  assert.equal(await first.release(), true, 'the same answer again');
  const second = await held(ask());
  assert.ok(second.token > first.token);
  await second.release();
});

test('a lease is renewed for as long as it is held, and no timer is left behind', async () => {
  const { ask, clock } = leasesAt();
  const lease = await held(ask());
  await pass(clock, 60_000);
  lease.assertHeld();
  assert.equal(await ask(), null);
  assert.ok(lease.remainingMs() > 1900);
  await lease.release();
  await noTimerIsLeft(clock);
  assert.throws(() => lease.assertHeld(), { code: 'LEASE_LOST', message: /payment:42.*it was released/ });
});

test('it is over before the store can give it to another when renewals stay unanswered', async () => {
  let silent = false;
  const never = new Promise<never>(() => {});
  const { ask, clock } = leasesAt(new SimulatedClock(), (memory) => ({
    renew: (claim, waiting) => (silent ? never : memory.renew(claim, waiting)),
  }));
  const lease = await held(ask());
  silent = true;
  clock.pass(2967);
  lease.signal.throwIfAborted();
  lease.assertHeld();
  assert.equal(await ask(), null);
  clock.pass(1);
  assert.equal(lease.signal.aborted, true, '3000 ms - 1 % - 2 ms after it was asked for');
  assert.throws(() => lease.assertHeld(), { code: 'LEASE_LOST', message: /within its ttl of 3000 ms/ });
  assert.equal(await ask(), null, 'the store still protects it');
  await pass(clock, 100);
  await held(ask());
});

test('a store that no longer knows the lease ends it at the next renewal', async () => {
  let known = true;
  const { ask, clock } = leasesAt(new SimulatedClock(), (memory) => ({
    renew: async (claim, waiting) => (known ? memory.renew(claim, waiting) : { held: false }),
  }));
  const lease = await held(ask());
  await pass(clock, 1500);
  lease.assertHeld();
  known = false;
  await pass(clock, 600);
  assert.match(String(lease.signal.reason), /memory has no such lease any more/);
  assert.throws(() => lease.assertHeld(), { code: 'LEASE_LOST' });
});

test('what is granted too late is claimed anew while there is time to wait, and not for ever', async () => {
  for (const { late, waitMs, granted } of [
    { late: 2, waitMs: 60_000, granted: true },
    { late: 3, waitMs: 60_000, granted: false },
    { late: 1, waitMs: 500, granted: false },
    { late: 1, waitMs: 0, granted: false },
  ]) {
    const clock = new SimulatedClock();
    let lateLeft = late;
    const { ask, memory } = leasesAt(clock, (store) => ({
      async try(claim, signal) {
        const answer = await store.try(claim, signal);
        // The answer was on its way for longer than half of the ttl.
        if (lateLeft-- > 0) clock.pass(600);
        return answer;
      },
    }));
    const first = ask({ ttlMs: 1000, waitMs });
    const second = ask({ ttlMs: 5000, waitMs: 60_000 });
    if (granted) await (await held(first)).release();
    else await assert.rejects(first, { code: 'LEASE_LATE', retryable: true });
    await (await held(second)).release();
    await noTimerIsLeft(clock);
    assert.deepEqual(await memory.read('payment:42', waiting), [], 'nothing is left behind');
  }
});

test('whoever was suspended finds out from the wall clock', async () => {
  const { ask, clock } = leasesAt();
  const lease = await held(ask());
  clock.stepWall(5000);
  assert.equal(lease.remainingMs(), 0);
  assert.throws(() => lease.assertHeld(), { code: 'LEASE_LOST' });
  assert.equal(lease.signal.aborted, true);
  const other = leasesAt();
  const late = await held(other.ask({ ttlMs: 60_000 }));
  other.clock.stepWall(70_000);
  other.clock.pass(250);
  assert.equal(late.signal.aborted, true, 'without anybody asking');
});

test('a suspension is noticed also by who has a lease after nobody had one, for however long', async () => {
  for (const idleMs of [0, 200, 250, 1000]) {
    const { ask, clock } = leasesAt();
    await (await held(ask())).release();
    await pass(clock, idleMs);
    const lease = await held(ask({ ttlMs: 60_000 }));
    clock.stepWall(70_000);
    clock.pass(250);
    assert.equal(lease.signal.aborted, true, `after ${idleMs} ms`);
  }
});

test('a wall clock that is set back makes no lease last longer', async () => {
  const { ask, clock } = leasesAt(new SimulatedClock(), () => ({ renew: () => new Promise<never>(() => {}) }));
  const lease = await held(ask());
  clock.stepWall(-3_600_000);
  clock.pass(2968);
  assert.equal(lease.signal.aborted, true);
});

test('who waits gets it when it is given back, in the order of coming', async () => {
  const { ask } = leasesAt();
  const first = await held(ask());
  const order: number[] = [];
  const waits = [1, 2, 3].map(async (number) => {
    await using lease = await held(ask({ waitMs: 10_000 }));
    lease.assertHeld();
    order.push(number);
  });
  await settle();
  assert.deepEqual(order, []);
  await first.release();
  await Promise.all(waits);
  assert.deepEqual(order, [1, 2, 3]);
});

test('a hand-over in a process is two questions: one to give back, one to take', async () => {
  const asked: string[] = [];
  const { ask } = leasesAt(new SimulatedClock(), (store) => ({
    try: (claim, waiting) => (asked.push('try'), store.try(claim, waiting)),
    release: (claim, waiting) => (asked.push('release'), store.release(claim, waiting)),
  }));
  const turns = Array.from({ length: 5 }, async () => (await held(ask({ waitMs: 10_000 }))).release());
  await Promise.all(turns);
  assert.deepEqual(
    asked,
    Array.from({ length: 10 }, (_, at) => (at % 2 === 0 ? 'try' : 'release')),
  );
});

test('where a store does in order what it is asked, who is next asks together with the release; elsewhere, after it', async () => {
  for (const ordered of [true, false]) {
    const answers: (() => void)[] = [];
    let tries = 0;
    const { ask } = leasesAt(new SimulatedClock(), (store) => ({
      limits: { ...store.limits, ordered },
      try: (claim, waiting) => ((tries += 1), store.try(claim, waiting)),
      // Done at once, and answered when the test says so.
      release: async (claim, waiting) => {
        await store.release(claim, waiting);
        await new Promise<void>((resolve) => answers.push(resolve));
      },
    }));
    const first = await held(ask({ waitMs: 10_000 }));
    const second = ask({ waitMs: 10_000 });
    await settle();
    assert.equal(tries, 1, 'in line');
    const released = first.release();
    await settle();
    assert.equal(tries, ordered ? 2 : 1);
    answers[0]!();
    assert.equal(await released, true);
    const lease = await held(second);
    assert.equal(tries, 2);
    void lease.release();
    await settle();
    answers[1]!();
  }
});

test('readers in a line do not wait for each other’s end', async () => {
  const { ask } = leasesAt();
  const readers = await Promise.all(Array.from({ length: 5 }, () => held(ask({ share: 1, waitMs: 10_000 }))));
  assert.equal(await ask(), null);
  await Promise.all(readers.map((reader) => reader.release()));
  await (await held(ask())).release();
});

test('a name that is no Unicode is refused here, not by a server', async () => {
  await assert.rejects(leasesAt().ask({ key: 'a\ud800' }), { code: 'OPTIONS_INVALID', message: /well-formed Unicode/ });
});

test('a store that says nothing is named, with how long it had and what to look at', async () => {
  const { ask, clock } = leasesAt(new SimulatedClock(), () => ({ try: () => new Promise<never>(() => {}) }));
  const refused = assert.rejects(ask(), {
    code: 'STORE_UNAVAILABLE',
    message: /^memory did not answer within 1000 ms whether “payment:42” is free\. Is it up/,
  });
  await pass(clock, 1000);
  await refused;
});

test('a wait that is over is null, one that is aborted rejects, and neither leaves anything', async () => {
  const { ask, clock, memory } = leasesAt();
  const first = await held(ask());
  const over = ask({ waitMs: 200 });
  await assert.rejects(ask({ waitMs: 10_000, signal: AbortSignal.abort(new Error('before')) }), /before/);
  const stop = new AbortController();
  const aborted = ask({ waitMs: 10_000, signal: stop.signal });
  const rejected = assert.rejects(aborted, /never mind/);
  await pass(clock, 100);
  stop.abort(new Error('never mind'));
  await rejected;
  await pass(clock, 200);
  assert.equal(await over, null);
  await first.release();
  await noTimerIsLeft(clock);
  assert.deepEqual(await memory.read('payment:42', waiting), []);
  await (await held(ask())).release();
});

test('a claim that is aborted while it is asked is given back when it is granted after all', async () => {
  const answer = Promise.withResolvers<void>();
  let slow = true;
  const { ask, memory } = leasesAt(new SimulatedClock(), (store) => ({
    try: async (claim, waiting) => {
      const granted = await store.try(claim, waiting);
      if (slow) await answer.promise;
      return granted;
    },
  }));
  const stop = new AbortController();
  const aborted = assert.rejects(ask({ signal: stop.signal }), /enough/);
  await settle();
  stop.abort(new Error('enough'));
  await aborted;
  slow = false;
  assert.equal(await ask(), null);
  answer.resolve();
  await settle();
  assert.deepEqual(await memory.read('payment:42', waiting), []);
});

test('a claim that is aborted at any moment is a lease that is held, or nothing', async () => {
  let granted = 0;
  for (let turns = 0; turns < 20; turns++) {
    const { ask, memory } = leasesAt();
    const stop = new AbortController();
    const asked = ask({ signal: stop.signal });
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    stop.abort(new Error('enough'));
    const lease = await asked.catch(() => null);
    if (lease !== null) {
      granted++;
      assert.ok(lease.remainingMs() > 0, `after ${turns} turns`);
      lease.assertHeld();
      await lease.release();
    }
    await settle();
    assert.deepEqual(await memory.read('payment:42', waiting), []);
  }
  assert.ok(granted > 0 && granted < 20, `${granted} were granted`);
});

test('an answer that got lost is asked for again by who waits, and given back by who does not', async () => {
  let lose = 1;
  const { ask, clock, memory } = leasesAt(new SimulatedClock(), (store) => ({
    try: async (claim, waiting) => {
      const granted = await store.try(claim, waiting);
      if (lose-- > 0) throw new SpillwayError('STORE_UNAVAILABLE', 'connection reset', { retryable: true });
      return granted;
    },
  }));
  await assert.rejects(ask(), /connection reset/);
  await settle();
  assert.deepEqual(await memory.read('payment:42', waiting), []);
  lose = 2;
  const waited = ask({ waitMs: 5000 });
  await pass(clock, 200);
  await (await held(waited)).release();
});

test('closed, it gives back what it holds and tells whoever waits', async () => {
  const { ask, leases, memory, clock } = leasesAt();
  const lease = await held(ask());
  const waits = assert.rejects(ask({ waitMs: 5000 }), { code: 'LEASES_CLOSED' });
  await settle();
  await leases[Symbol.asyncDispose]();
  await waits;
  assert.equal(lease.signal.aborted, true);
  await assert.rejects(ask(), { code: 'LEASES_CLOSED' });
  await settle();
  assert.deepEqual(await memory.read('payment:42', waiting), []);
  assert.equal(clock.timers, 0);
});

test('what no store could do is refused, with what to do', async () => {
  const { ask } = leasesAt();
  await assert.rejects(ask({ ttlMs: 0 }), { code: 'OPTIONS_INVALID', message: /ttl is 0 ms; memory takes 1 ms/ });
  await assert.rejects(ask({ ttlMs: 2 ** 31 }), { code: 'OPTIONS_INVALID', message: /to 2147483647 ms/ });
  await assert.rejects(ask({ ttlMs: Number.NaN }), { code: 'OPTIONS_INVALID' });
  await assert.rejects(ask({ key: '' }), { code: 'OPTIONS_INVALID', message: /0 bytes/ });
  await assert.rejects(ask({ key: 'é'.repeat(513) }), { code: 'OPTIONS_INVALID', message: /1026 bytes/ });
  await assert.rejects(ask({ share: 3, of: 2 }), { code: 'OPTIONS_INVALID' });
});

test('a ttl below two round trips is refused, and what was slow once is asked again', async () => {
  let slowMs = 200;
  const { ask, clock } = leasesAt(new SimulatedClock(), (memory) => ({
    try: async (claim, waiting) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      clock.after(slowMs, resolve);
      await promise;
      return memory.try(claim, waiting);
    },
  }));
  const take = async (ttlMs: number): Promise<void> => {
    const asked = ask({ ttlMs });
    await pass(clock, slowMs);
    await (await held(asked)).release();
  };
  await take(3000);
  await assert.rejects(ask({ ttlMs: 399 }), {
    code: 'OPTIONS_INVALID',
    retryable: true,
    message: /takes 200\.0 ms.*at least 400 ms/,
  });
  slowMs = 1;
  await take(399);
});
