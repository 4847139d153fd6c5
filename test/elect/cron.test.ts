/** A cron over several processes that are killed, cut off and paused, on simulated time: what is begun, how often, and what the record says. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createElections, type CronOptions, cronRuns, type CronTick } from '../../src/elect/index.ts';
import { SpillwayError } from '../../src/kernel/errors.ts';
import type { FencedRegister } from '../../src/lease/index.ts';
import { sleep } from '../../src/elect/retry.ts';
import { SimulatedFleet, type SimulatedProcess, settled } from './simulated-fleet.ts';

interface Begun {
  readonly by: string;
  readonly tickMs: number;
  readonly attempt: number;
  readonly term: bigint;
}

type Change = Partial<CronOptions> & { readonly workMs?: number; readonly timeout?: number };

class CronFleet extends SimulatedFleet {
  readonly begun: Begun[] = [];
  readonly ended: Begun[] = [];
  readonly startMs = this.clock.wallMs();

  /** Starts an instance. */
  start(
    by: string,
    { workMs = 10, timeout = 2000, ...change }: Change = {},
    process = this.process(),
  ): SimulatedProcess {
    const elections = createElections(process.leases, { holder: by, random: this.random, timeout });
    const work = async ({ tick, attempt, term, signal }: CronTick): Promise<void> => {
      const mine = { by, tickMs: tick.getTime() - this.startMs, attempt, term };
      this.begun.push(mine);
      await sleep(process.clock, workMs, signal);
      this.ended.push(mine);
    };
    const options = { name: 'invoices', schedule: { every: 1000 }, runs: process.register, ttl: 600, ...change };
    void elections.cron(options, work);
    return process;
  }

  async states(): Promise<string> {
    return (await cronRuns(this.register, 'invoices')).map(({ state }) => state).join(' ');
  }

  get ticks(): number[] {
    return this.begun.map(({ tickMs }) => tickMs);
  }
}

test('one of three runs each tick, and the record says what became of it', async () => {
  const fleet = new CronFleet();
  for (const name of ['one', 'two', 'three']) fleet.start(name);
  await fleet.pass(3500);
  assert.deepEqual(fleet.ticks, [1000, 2000, 3000]);
  assert.equal(new Set(fleet.begun.map(({ by }) => by)).size, 1);
  const runs = await cronRuns(fleet.register, 'invoices');
  assert.deepEqual(
    runs.map(({ state, attempts, error, holder }) => [state, attempts, error, holder]),
    Array.from({ length: 3 }, () => ['done', 1, null, fleet.begun[0]!.by]),
  );
  assert.ok(runs.every(({ tick, started, ended }) => started! >= tick && ended! > started!));
});

test('a leader that is killed between ticks loses none', async () => {
  const fleet = new CronFleet();
  const first = fleet.start('one');
  await fleet.pass(50);
  fleet.start('two');
  await fleet.pass(1900);
  first.kill();
  await fleet.pass(2600);
  assert.deepEqual(
    fleet.begun.map(({ by, tickMs }) => `${by} ${tickMs}`),
    ['one 1000', 'two 2000', 'two 3000', 'two 4000'],
  );
});

test('a leader that is killed while it runs has interrupted it, and it is not begun again', async () => {
  const fleet = new CronFleet();
  const first = fleet.start('one', { workMs: 500 });
  await fleet.until(() => fleet.begun.length === 1);
  fleet.start('two');
  first.kill();
  await fleet.pass(1900);
  assert.deepEqual(fleet.ticks, [1000, 2000]);
  assert.equal(await fleet.states(), 'interrupted done');
});

test('or it is begun again, in a greater term, three times in all', async () => {
  const fleet = new CronFleet();
  const again = { interrupted: 'again', missed: 'all' } as const;
  for (let attempt = 1; attempt <= 3; attempt++) {
    const killed = fleet.start(`leader ${attempt}`, { ...again, workMs: 500 });
    await fleet.until(() => fleet.begun.length === attempt);
    killed.kill();
  }
  fleet.start('last', again);
  await fleet.until(() => fleet.ended.length > 0);
  const [first, second, third, fourth] = fleet.begun;
  assert.deepEqual([first!.tickMs, second!.tickMs, third!.tickMs, fourth!.tickMs], [1000, 1000, 1000, 2000]);
  assert.deepEqual([first!.attempt, second!.attempt, third!.attempt], [1, 2, 3]);
  assert.ok(first!.term < second!.term && second!.term < third!.term);
  assert.match(await fleet.states(), /^interrupted /);
});

test('a run that is longer than the period is not overlapped: what came meanwhile is skipped', async () => {
  const fleet = new CronFleet();
  fleet.start('one', { workMs: 2300 });
  await fleet.pass(5000);
  assert.deepEqual(fleet.ticks, [1000, 4000]);
  assert.equal(await fleet.states(), 'done skipped skipped running');
});

test('a failure is written down, and the next tick comes', async () => {
  const fleet = new CronFleet();
  const process = fleet.process();
  const stop = new AbortController();
  const elections = createElections(process.leases);
  let calls = 0;
  const cron = elections.cron(
    { name: 'invoices', schedule: { every: 1000 }, runs: process.register, signal: stop.signal },
    // WHY: not async; what it throws at once is the same as what it rejects with.
    () => {
      calls += 1;
      if (calls === 1) throw new TypeError('no paper '.repeat(1000));
      return Promise.reject(new Error('no ink'));
    },
  );
  await fleet.pass(2100);
  const runs = await cronRuns(fleet.register, 'invoices');
  assert.deepEqual(
    runs.map(({ state, error }) => [state, error?.slice(0, 20)]),
    [
      ['failed', 'TypeError: no paper '],
      ['failed', 'Error: no ink'],
    ],
  );
  assert.equal(runs[0]!.error!.length, 300);
  stop.abort();
  await cron;
});

test('the first start catches up with nothing, a later one as it is asked to', async () => {
  for (const [missed, ticks] of [
    ['skip', [1000, 2000, 6000]],
    ['last', [1000, 2000, 5000, 6000]],
    ['all', [1000, 2000, 3000, 4000, 5000, 6000]],
  ] as const) {
    const fleet = new CronFleet();
    const first = fleet.start('one', { missed, ttl: 200 });
    await fleet.pass(2500);
    first.kill();
    await fleet.pass(2950);
    fleet.start('two', { missed, ttl: 200 });
    await fleet.pass(900);
    assert.deepEqual(fleet.ticks, ticks, missed);
  }
});

test('a clock that is set back runs nothing twice, one that is set forward runs what it missed once', async () => {
  const fleet = new CronFleet();
  const process = fleet.start('one');
  await fleet.pass(3500);
  process.stepWall(-2000);
  await fleet.pass(3000);
  assert.deepEqual(fleet.ticks, [1000, 2000, 3000, 4000]);
  process.stepWall(5000);
  // Its lease is over by that clock, and the next is granted when it is over by the server's too.
  await fleet.pass(1000);
  assert.deepEqual(fleet.ticks.slice(4), [10_000]);
  assert.equal(await fleet.states(), `${'done '.repeat(4)}${'skipped '.repeat(5)}done`);
});

test('a leader that has lost the seat can start nothing', async () => {
  const fleet = new CronFleet();
  const first = fleet.start('one');
  await fleet.pass(1980);
  fleet.start('two');
  await fleet.pass(10);
  // What it writes of the tick at 2000 is accepted, and the answer comes when another leads.
  const { register } = fleet;
  const write = register.write.bind(register);
  const answers = Promise.withResolvers<void>();
  register.write = async (key, fenced) => {
    const isAccepted = await write(key, fenced);
    if (fenced.token === fleet.begun[0]!.term) await answers.promise;
    return isAccepted;
  };
  first.line = 'up';
  await fleet.pass(100);
  first.line = 'silent';
  await fleet.until(() => fleet.begun.length === 2);
  first.line = 'up';
  answers.resolve();
  await fleet.pass(2000);
  const byOne = fleet.begun.filter(({ by }) => by === 'one');
  assert.deepEqual(
    byOne.map(({ tickMs }) => tickMs),
    [1000],
  );
  assert.equal(new Set(fleet.ticks).size, fleet.ticks.length);
  assert.match(await fleet.states(), /^done interrupted done/);
});

test('a write that arrives after it was repeated takes nothing back', async () => {
  const fleet = new CronFleet();
  const first = fleet.start('one', { workMs: 100, timeout: 300 });
  await fleet.pass(1500);
  // The first write of the tick at 2000 is on its way for long; repeated, it is answered.
  const { register } = fleet;
  const write = register.write.bind(register);
  const late: (() => Promise<boolean>)[] = [];
  register.write = async (key, fenced) => {
    if (late.length > 0) return await write(key, fenced);
    late.push(() => write(key, fenced));
    return await new Promise(() => {});
  };
  await fleet.until(() => fleet.ticks.includes(3000));
  await late[0]!();
  first.kill();
  fleet.start('two');
  await fleet.pass(3000);
  assert.equal(new Set(fleet.ticks).size, fleet.ticks.length, `${fleet.ticks}`);
});

test('nothing is begun while the record cannot be written, and the seat does not spin', async () => {
  const fleet = new CronFleet();
  const process = fleet.process();
  const elections = createElections(process.leases);
  let isDown = false;
  let writes = 0;
  let begun = 0;
  const runs = {
    read: (key: string) => process.register.read(key),
    write: async (...given: Parameters<typeof process.register.write>) => {
      writes += 1;
      if (isDown && writes % 2 === 0) throw new Error('ECONNRESET');
      if (isDown) throw new SpillwayError('STORE_UNAVAILABLE', 'down', { retryable: true });
      return await process.register.write(...given);
    },
  };
  const stop = new AbortController();
  const cron = elections.cron(
    { name: 'invoices', schedule: { every: 1000 }, runs, missed: 'last', signal: stop.signal },
    async () => void (begun += 1),
  );
  await fleet.pass(1500);
  assert.equal(begun, 1);
  isDown = true;
  writes = 0;
  await fleet.pass(600_000, 100);
  assert.equal(begun, 1);
  assert.ok(writes < 1000, `${writes} writes in ten minutes`);
  isDown = false;
  await fleet.pass(10_000);
  assert.ok(begun > 5, `${begun} runs`);
  stop.abort();
  await cron;
});

test('a record that a greater term wrote, or that is damaged, is never run over', async () => {
  const fleet = new CronFleet();
  const { register } = fleet;
  await register.write('cron:invoices', {
    value: '{"version":1,"decided":"2020-01-01T00:00:00.000Z","runs":[]}',
    token: 2n ** 62n,
  });
  const process = fleet.start('one');
  await fleet.pass(60_000);
  assert.deepEqual(fleet.begun, []);
  assert.ok(process.asked < 1000, `${process.asked} questions in a minute`);
  await register.write('cron:other', { value: 'rubbish', token: 1n });
  const elections = createElections(fleet.process().leases);
  const options = { name: 'other', schedule: '* * * * *', runs: register };
  const rejected = assert.rejects(
    elections.cron(options, async () => {}),
    { code: 'CRON_RECORD', message: /“other”/ },
  );
  await settled();
  await rejected;
});

test('ends when its signal is aborted, after its work has; which is then found interrupted', async () => {
  const fleet = new CronFleet();
  const { clock, leases, register } = fleet.process();
  const stop = new AbortController();
  const elections = createElections(leases);
  const log: string[] = [];
  const options = { name: 'invoices', schedule: { every: 1000 }, runs: register, signal: stop.signal };
  const cron = elections
    .cron(options, async ({ signal }) => {
      log.push('begun');
      await sleep(clock, 60_000, signal).catch(() => {});
      await sleep(clock, 100, undefined);
      log.push('tidied up');
      signal.throwIfAborted();
    })
    .then(() => log.push('ended'));
  await fleet.until(() => log.length === 1);
  stop.abort();
  await fleet.pass(50);
  assert.deepEqual(log, ['begun']);
  await fleet.pass(100);
  await cron;
  assert.deepEqual(log, ['begun', 'tidied up', 'ended']);
  assert.equal(await fleet.states(), 'running');
  fleet.start('two');
  await fleet.pass(100);
  assert.equal(await fleet.states(), 'interrupted');
});

test('whatever the work throws is a failure, and the next tick comes', async () => {
  const fleet = new CronFleet();
  const { leases, register } = fleet.process();
  const unnamed = new Error();
  Object.defineProperty(unnamed, 'message', { value: Symbol('no text') });
  const thrown: unknown[] = [Object.create(null), null, undefined, Symbol('a'), unnamed, '\ud83d\ude00'.repeat(1e5)];
  const ticks = thrown.length;
  const options = { name: 'invoices', schedule: { every: 1000 }, runs: register };
  void createElections(leases).cron(options, async () => {
    throw thrown.shift();
  });
  await fleet.pass(1000 * ticks + 500);
  assert.equal(await fleet.states(), Array.from({ length: ticks }, () => 'failed').join(' '));
});

test('ends when its signal is aborted also while the register is away, and leaves the seat', async () => {
  for (const [line, isRunning] of [
    ['refused', false],
    ['refused', true],
    ['silent', true],
  ] as const) {
    const fleet = new CronFleet();
    const first = fleet.process();
    const { register } = first;
    let isAway = false;
    const away = async (): Promise<boolean> => {
      if (line === 'silent') return await new Promise(() => {});
      throw new SpillwayError('STORE_UNAVAILABLE', 'down', { retryable: true });
    };
    const runs: FencedRegister = {
      read: (key) => register.read(key),
      write: (key, fenced) => (isAway ? away() : register.write(key, fenced)),
    };
    const stop = new AbortController();
    let begun = 0;
    let isEnded = false;
    const options = { name: 'invoices', schedule: { every: 1000 }, runs, signal: stop.signal };
    void createElections(first.leases)
      .cron(options, async ({ signal }) => {
        begun += 1;
        if (isRunning) await sleep(first.clock, 60_000, signal).catch(() => {});
      })
      .then(() => (isEnded = true));
    await fleet.until(() => begun === 1);
    isAway = true;
    await fleet.pass(1500);
    stop.abort();
    await fleet.pass(10_000, 100);
    assert.ok(isEnded, `${line} ${isRunning}`);
    const { term } = await createElections(fleet.process().leases).campaign('cron:invoices');
    assert.ok(term > 0n);
  }
});

test('an option that means nothing is refused', async () => {
  const { leases, register } = new SimulatedFleet().process();
  const elections = createElections(leases);
  const good = { name: 'invoices', schedule: '* * * * *', runs: register };
  for (const change of [
    { name: '' },
    { schedule: 'daily' },
    { timeZone: 'here' },
    { runs: {} },
    { missed: 'some' },
    { interrupted: 'maybe' },
    { ttl: 0 },
    { tll: '5s' },
  ]) {
    const options = { ...good, ...change } as unknown as CronOptions;
    await assert.rejects(
      elections.cron(options, async () => {}),
      { code: 'OPTIONS_INVALID' },
      JSON.stringify(change),
    );
  }
});
