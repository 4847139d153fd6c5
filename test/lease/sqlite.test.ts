/** Leases in a file of SQLite: the contract, several processes and their deaths, and what is done to the file. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createLocks } from '../../src/lock/index.ts';
import { machineClock } from '../../src/kernel/clock.ts';
import { type LeaseStore, sqliteLeases } from '../../src/lease/index.ts';
import { electionContract, leaseStoreContract } from '../../src/testing/index.ts';
import { LeaseProcesses, patience } from '../../src/testing/lease-processes.ts';
import { WorkerProcess } from '../faults/processes.ts';
import { agreesWithTable } from './agreement.ts';
import type { CountQuestion } from './sqlite-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'spillway-sqlite-'));
after(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function fresh(): string {
  files += 1;
  return join(folder, `leases ${files}.db`);
}

const subject = {
  name: 'sqlite',
  open: () => {
    const path = fresh();
    return { connect: () => sqliteLeases(path) };
  },
};
for (const { name, run } of [...leaseStoreContract(subject), ...electionContract(subject)]) test(name, run);

for (const { name, run } of leaseStoreContract({
  name: 'sqlite, in a database of the program',
  open: () => {
    const path = fresh();
    const databases: DatabaseSync[] = [];
    return {
      connect: () => {
        const database = new DatabaseSync(path);
        // With a log, as a program has it that shares a file: else each question is some flushes of the disk.
        database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
        databases.push(database);
        return sqliteLeases(database);
      },
      // Whose it is, closes it.
      close: () => databases.forEach((database) => database.close()),
    };
  },
}))
  test(name, run);

agreesWithTable('sqlite', {
  unitUs: 1000,
  async open(nowUs) {
    const clock = { ...machineClock, nowMs: () => nowUs() / 1000 };
    const store = sqliteLeases(new DatabaseSync(':memory:'), { clock });
    return { store, close: () => store[Symbol.asyncDispose]() };
  },
});

function worker(): WorkerProcess {
  return new WorkerProcess(new URL('./sqlite-process.ts', import.meta.url));
}

function rowsIn(path: string): number {
  const database = new DatabaseSync(path);
  try {
    assert.equal(database.prepare('PRAGMA integrity_check').get()!['integrity_check'], 'ok');
    return Number(database.prepare('SELECT count(*) AS n FROM spillway_leases').get()!['n']);
  } finally {
    database.close();
  }
}

test('L14: four processes count to four hundred under the lock and lose nothing', async () => {
  const [path, counter] = [fresh(), join(folder, 'counter')];
  writeFileSync(counter, '0');
  await using workers = new AsyncDisposableStack();
  const question: CountQuestion = { verb: 'count', path, counter, times: 100, ttl: '20s' };
  await Promise.all(Array.from({ length: 4 }, () => workers.use(worker()).ask(question)));
  assert.equal(readFileSync(counter, 'utf8'), '400');
  assert.equal(rowsIn(path), 0, 'nothing is left behind');
});

test('L1: what a process held that is killed, or stands still, is another’s when its time is over, and it finds out', async () => {
  const path = fresh();
  const question: CountQuestion = { verb: 'hold', path, counter: '', times: 0, ttl: '2s' };
  await using dies = worker();
  await using sleeps = worker();
  let last = 0n;
  dies.ask(question).catch(() => {});
  const first = await dies.next<{ held?: string }>(({ held }) => held !== undefined);
  await dies.kill();
  const lost = sleeps.ask<string>(question);
  const second = await sleeps.next<{ held?: string }>(({ held }) => held !== undefined);
  sleeps.freeze();
  await using locks = createLocks(sqliteLeases(path));
  const third = await locks.acquire('count', { ttl: '20s', wait: '20s' });
  for (const token of [BigInt(first.held!), BigInt(second.held!), third.token]) {
    assert.ok(token > last);
    last = token;
  }
  sleeps.thaw();
  assert.equal(await lost, 'lost');
  third.assertHeld();
});

test('processes that are killed in the middle leave a sound file, and the others go on', async () => {
  const [path, counter] = [fresh(), join(folder, 'counter of the killed')];
  writeFileSync(counter, '0');
  const locks = createLocks(sqliteLeases(path));
  for (let round = 0; round < 4; round++) {
    await using doomed = worker();
    const question: CountQuestion = { verb: 'count', path, counter, times: 1_000_000, ttl: '2s' };
    doomed.ask(question).catch(() => {});
    const from = readFileSync(counter, 'utf8');
    while (readFileSync(counter, 'utf8') === from) await new Promise((resolve) => setImmediate(resolve));
    await doomed.kill();
    await using lease = await locks.acquire(`other ${round}`, { ttl: '5s' });
    lease.assertHeld();
    // What it held, nobody holds but itself.
    assert.ok(rowsIn(path) <= 2 + round);
  }
  await locks[Symbol.asyncDispose]();
});

test('a step of the wall clock gives nothing away and takes no token back', async () => {
  const path = fresh();
  let stepMs = 0;
  const clock = { ...machineClock, wallMs: () => machineClock.wallMs() + stepMs };
  const processes = new LeaseProcesses([sqliteLeases(path, { clock }), sqliteLeases(path)], 60_000);
  const mine = processes.claim();
  const first = await processes.granted(0, mine);
  for (stepMs of [-86_400_000, 86_400_000]) {
    await processes.busy(0, processes.claim());
    assert.equal(await processes.renew(0, mine), true);
    const other = processes.claim({ key: `at ${stepMs}` });
    assert.ok((await processes.granted(0, other)) > first);
  }
  // A day ahead once, and so for ever.
  assert.ok((await processes.granted(1, processes.claim({ key: 'after' }))) > first + 86_400_000_000n);
});

test('after a boot, what was held before it is over', async () => {
  const path = fresh();
  const before = { ...machineClock, nowMs: () => machineClock.nowMs() + 1e9 };
  const processes = new LeaseProcesses([sqliteLeases(path, { clock: before }), sqliteLeases(path)], 60_000);
  const [mine, other] = [processes.claim(), processes.claim({ key: 'never asked for again' })];
  const token = await processes.granted(0, mine);
  await processes.granted(0, other);
  assert.ok((await processes.granted(1, processes.claim())) > token);
  assert.equal(rowsIn(path), 1, 'it is swept');
});

test('what was forgotten is swept in passing', async () => {
  const path = fresh();
  const processes = new LeaseProcesses([sqliteLeases(path)], 10);
  const forgotten = Array.from({ length: 30 }, (_, at) => processes.claim({ key: `forgotten ${at}` }));
  for (const claim of forgotten) await processes.granted(0, claim);
  await processes.wait(0, { ...processes.claim({ ttlMs: 60_000, queue: true }), key: forgotten.at(-1)!.key });
  for (let at = 0; at < 10; at++) await processes.granted(0, processes.claim({ key: `kept ${at}`, ttlMs: 60_000 }));
  assert.equal(rowsIn(path), 11);
});

test('a file that another holds is waited for without holding up the process, and for a while only', async () => {
  const path = fresh();
  const processes = new LeaseProcesses([sqliteLeases(path)], 60_000);
  await processes.granted(0, processes.claim({ key: 'opened' }));
  const other = new DatabaseSync(path);
  other.exec('BEGIN IMMEDIATE');
  const mine = processes.claim();
  let turns = 0;
  const answer = processes.granted(0, mine);
  while (turns < 20) await new Promise<void>((resolve) => setImmediate(() => resolve(void (turns += 1))));
  // Nobody waits any more: it is not done behind their back.
  const abort = new AbortController();
  const abandoned = processes.claim({ key: 'abandoned' });
  const late = processes.at(0).try(abandoned, { signal: abort.signal });
  abort.abort(new Error('enough'));
  await assert.rejects(late, /enough/);
  other.exec('COMMIT');
  await answer;
  assert.equal(await processes.renew(0, abandoned), false);
  other.exec('BEGIN IMMEDIATE');
  let nowMs = 0;
  const hasty = sqliteLeases(path, { clock: { ...machineClock, nowMs: () => (nowMs += 6000) } });
  await assert.rejects(hasty.try(processes.claim(), patience()), {
    code: 'STORE_UNAVAILABLE',
    message: /another process or transaction holds it/,
  });
  other.close();
});

test('a file that is replaced is not mistaken for the one that was opened', async () => {
  const path = fresh();
  const processes = new LeaseProcesses([sqliteLeases(path), sqliteLeases(path)], 60_000);
  const mine = processes.claim();
  await processes.granted(0, mine);
  for (const end of ['', '-wal', '-shm']) rmSync(path + end, { force: true });
  await processes.granted(1, processes.claim());
  assert.equal(await processes.renew(0, mine), false);
  await processes.busy(0, mine);
});

test('a file that is replaced while it is opened is not mistaken for the one that was opened', async () => {
  const sqlite = process.getBuiltinModule('node:sqlite');
  const { DatabaseSync: Opens } = sqlite;
  for (const isThere of [false, true]) {
    const path = fresh();
    const processes = new LeaseProcesses([sqliteLeases(path), sqliteLeases(path)], 60_000);
    if (isThere) await processes.granted(1, processes.claim({ key: 'before' }));
    let isReplaced = false;
    sqlite.DatabaseSync = class extends Opens {
      override exec(text: string): void {
        super.exec(text);
        if (isReplaced || !text.includes('CREATE TABLE')) return;
        isReplaced = true;
        for (const end of ['', '-wal', '-shm']) rmSync(path + end, { force: true });
        writeFileSync(path, '');
      }
    };
    try {
      await processes.at(0).read('payment:42', patience());
    } finally {
      sqlite.DatabaseSync = Opens;
    }
    assert.ok(isReplaced);
    await processes.granted(0, processes.claim());
    await processes.busy(1, processes.claim());
    for (const store of processes.stores) await store[Symbol.asyncDispose]();
  }
});

test('says what is wrong with a file', async () => {
  const claim = new LeaseProcesses([], 60_000).claim();
  const refused = async (store: LeaseStore, message: RegExp): Promise<void> => {
    await assert.rejects(store.try(claim, patience()), { code: 'STORE_REFUSED', message });
    await store[Symbol.asyncDispose]();
  };
  await refused(sqliteLeases(join(folder, 'nowhere', 'leases.db')), /nowhere.*cannot be opened/);
  const noDatabase = fresh();
  writeFileSync(noDatabase, 'Dear diary, '.repeat(1000));
  await refused(sqliteLeases(noDatabase), /is no database/);
  const readable = fresh();
  await sqliteLeases(readable).try(claim, patience());
  await refused(sqliteLeases(new DatabaseSync(readable, { readOnly: true })), /cannot be written to/);
  const damaged = fresh();
  const whole = new DatabaseSync(damaged);
  await sqliteLeases(whole).try(claim, patience());
  whole.close();
  truncateSync(damaged, statSync(damaged).size - 4096);
  await refused(sqliteLeases(damaged), /is damaged/);
  for (const wrong of ['', ':memory:', 'file:x?mode=memory', 7, null, {}]) {
    assert.throws(() => sqliteLeases(wrong as never), { code: 'OPTIONS_INVALID' });
  }
});

test('a file that may not grow is an error that passes, and nothing is half done', async () => {
  const database = new DatabaseSync(fresh());
  await using store = sqliteLeases(database);
  const processes = new LeaseProcesses([store], 60_000);
  const mine = processes.claim();
  const token = await processes.granted(0, mine);
  database.exec('PRAGMA max_page_count = 1');
  let others = 0;
  const fill = async (): Promise<unknown> => {
    for (; ; others++) await processes.granted(0, processes.claim({ key: `${'long '.repeat(200)}${others}` }));
  };
  await assert.rejects(fill(), { code: 'STORE_UNAVAILABLE', retryable: true, message: /full/ });
  database.exec('PRAGMA max_page_count = 1000');
  assert.equal(await processes.granted(0, mine), token);
  assert.equal(database.prepare('SELECT count(*) AS n FROM spillway_leases').get()!['n'], 1 + others);
  database.close();
});

// Mounting a small disk needs root.
if (process.getuid?.() === 0) {
  test('a full disk is an error that passes, and nothing is half done', async () => {
    const disk = mkdtempSync(join(tmpdir(), 'spillway-disk-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk]);
    try {
      const processes = new LeaseProcesses([sqliteLeases(join(disk, 'leases.db'))], 60_000);
      const mine = processes.claim();
      const token = await processes.granted(0, mine);
      const filler = join(disk, 'filler');
      assert.throws(() => writeFileSync(filler, Buffer.alloc(2 ** 21)), { code: 'ENOSPC' });
      const until = async (): Promise<unknown> => {
        // The log of SQLite has some room of its own.
        for (;;) await processes.renew(0, mine);
      };
      await assert.rejects(until(), { code: 'STORE_UNAVAILABLE', retryable: true, message: /full/ });
      rmSync(filler);
      assert.equal(await processes.granted(0, mine), token);
      await processes.at(0)[Symbol.asyncDispose]();
    } finally {
      execFileSync('umount', [disk]);
      rmSync(disk, { recursive: true });
    }
  });
}
