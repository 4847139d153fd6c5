/** Wall clocks of real processes, set while they run. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { test } from 'node:test';

import { ZookeeperSession } from '../../src/drivers/zookeeper/session.ts';
import { EtcdServer } from '../servers/etcd.ts';
import { PostgresServer } from '../servers/postgres.ts';
import { RedisServer } from '../servers/redis.ts';
import { ZookeeperServer } from '../servers/zookeeper.ts';
import type { Clocks, ClocksQuestion } from './clocks-process.ts';
import { FakeClock } from './faketime.ts';
import { WorkerProcess } from './processes.ts';
import { VdsoClock } from './vdso-clock.ts';

const HOUR_MS = 3_600_000;
/** Nearer than this is the same: far below what is set here, and far above what a question takes on a busy machine. */
const NEAR_MS = 60_000;

const clocksProcess = new URL('clocks-process.ts', import.meta.url);
const verb = (verb: ClocksQuestion['verb']): ClocksQuestion => ({ verb });

/** Sets the clock to and fro, and looks at it after each. */
async function follows(clock: Pick<FakeClock, 'set'>, wallMs: () => Promise<number>): Promise<void> {
  for (const offsetMs of [0, HOUR_MS, -24 * HOUR_MS, 0]) {
    clock.set(offsetMs);
    const seen = (await wallMs()) - Date.now();
    assert.ok(Math.abs(seen - offsetMs) < NEAR_MS, `set ${offsetMs}, seen ${seen}`);
  }
}

test('Node: the wall clock steps and goes fast, the monotonic clock and timers are true', async () => {
  using clock = new FakeClock();
  await using worker = new WorkerProcess(clocksProcess, { environment: clock.environment });
  const ask = () => worker.ask<Clocks>(verb('clocks'));
  const before = await ask();
  await follows(clock, async () => (await ask()).wallMs);
  clock.set(0, 1_000_000);
  const fast = await ask();
  worker.send({ id: 0, question: verb('tick') });
  await worker.next(({ tick }: { tick?: number }) => tick === 5);
  const later = await ask();
  assert.ok(later.wallMs - fast.wallMs > HOUR_MS, 'five ticks of 5 ms are seven hours');
  assert.ok(later.monotonicMs - before.monotonicMs < NEAR_MS);
  assert.ok(later.monotonicMs >= fast.monotonicMs + 20);
});

test('Redis: TIME follows, and a key whose ttl the step leaps over is gone', async () => {
  using clock = new FakeClock();
  await using server = await RedisServer.start({ clock });
  await follows(clock, async () => Number((await server.admin.time())[0]) * 1000);
  await server.admin.set('lease', 'held', 'PX', 10_000);
  assert.equal(await server.admin.get('lease'), 'held');
  clock.set(HOUR_MS);
  assert.equal(await server.admin.get('lease'), null, 'lost at once');
  await server.admin.set('lease', 'held', 'PX', 10_000);
  clock.set(0);
  assert.ok((await server.admin.pttl('lease')) > HOUR_MS, 'and held for an hour more');
});

test('PostgreSQL: clock_timestamp() follows in sessions that there are and in new ones', async () => {
  using clock = new FakeClock();
  await using server = await PostgresServer.start({ clock });
  const pool = server.pool({ max: 1 });
  const wallMs = async (by: typeof pool): Promise<number> => {
    const { rows } = await by.query<{ ms: number }>(
      'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS ms',
    );
    return rows[0]!.ms;
  };
  await follows(clock, () => wallMs(pool));
  await follows(clock, () => wallMs(server.pool({ max: 1 })));
});

test('ZooKeeper: what is made is from when its clock says', async () => {
  using clock = new FakeClock();
  await using server = await ZookeeperServer.start({ clock });
  await follows(clock, async () => {
    await using session = new ZookeeperSession({ servers: [server.address], sessionTimeoutMs: 10_000 });
    const { path, stat } = await session.create('/now-', Buffer.alloc(0), { sequential: true });
    await session.delete(path);
    return stat.createdAtMs;
  });
});

test('etcd, which asks the kernel: its answers are dated by its clock, and a lease lasts as long as it would', async () => {
  await using server = await EtcdServer.start();
  const clock = new VdsoClock(server.pid);
  await follows(clock, async () => Date.parse((await fetch(`${server.url}/version`)).headers.get('date')!));
  const { ID } = await server.ask<{ ID: string }>('/v3/lease/grant', { TTL: 100 });
  clock.set(HOUR_MS);
  const { TTL } = await server.ask<{ TTL: string }>('/v3/lease/timetolive', { ID });
  assert.ok(Number(TTL) > 100 - NEAR_MS / 1000, `${TTL} s are left`);
});

test('no thread can be made to count digits that are gone when it reads them', () => {
  using clock = new FakeClock();
  const text = (): string => readFileSync(clock.environment['FAKETIME_TIMESTAMP_FILE']!, 'utf8');
  for (const offsetMs of [0, 1, -1, 999, HOUR_MS, -HOUR_MS, -24 * HOUR_MS, 50 * 365 * 24 * HOUR_MS]) {
    clock.set(offsetMs);
    const [, sign = '', seconds = ''] = /^([+-])00([1-9]\.\d{12}e[+-]\d)\n$/.exec(text())!;
    assert.ok(Math.abs(Number(sign + seconds) * 1000 - offsetMs) < 0.001, text());
  }
});

test('two processes have each a clock of its own, and nothing is left of it', async () => {
  const pids: number[] = [];
  const ahead = new FakeClock();
  const behind = new FakeClock();
  {
    await using first = new WorkerProcess(clocksProcess, { environment: ahead.environment });
    await using second = new WorkerProcess(clocksProcess, { environment: behind.environment });
    pids.push(first.pid, second.pid);
    ahead.set(HOUR_MS);
    behind.set(-HOUR_MS);
    const [early, late] = await Promise.all([second, first].map((each) => each.ask<Clocks>(verb('clocks'))));
    assert.ok(Math.abs(late!.wallMs - early!.wallMs - 2 * HOUR_MS) < NEAR_MS);
  }
  for (const clock of [ahead, behind]) {
    const folder = dirname(clock.environment['FAKETIME_TIMESTAMP_FILE']!);
    assert.ok(existsSync(folder));
    clock[Symbol.dispose]();
    assert.ok(!existsSync(folder));
  }
  const shared = readdirSync('/dev/shm');
  for (const pid of pids)
    assert.ok(!shared.some((name) => name.endsWith(`faketime_shm_${pid}`) || name.endsWith(`faketime_sem_${pid}`)));
});
