/** Fenced registers on real servers and disks: the contract, many processes, and their deaths in the middle. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Redis } from 'ioredis';
import {
  fileRegister,
  memoryRegister,
  postgresRegister,
  redisRegister,
  sqliteRegister,
} from '../../src/lease/index.ts';
import { fencedRegisterContract, type RegisterSubject } from '../../src/testing/index.ts';
import { WorkerProcess } from '../faults/processes.ts';
import { PostgresServer } from '../servers/postgres.ts';
import { RedisServer } from '../servers/redis.ts';
import type { WriteQuestion } from './register-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'spillway-registers-'));
const postgres = await PostgresServer.start();
const pool = postgres.pool();
await Promise.all([postgresRegister(pool).migrate(), postgresRegister(pool).migrate()]);
const redis = await RedisServer.start();
const client = new Redis(redis.port);
after(async () => {
  client.disconnect();
  await redis[Symbol.asyncDispose]();
  await postgres[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

let paths = 0;
const fresh = (): string => join(folder, `${(paths += 1)}`);

const subjects: readonly RegisterSubject[] = [
  {
    name: 'memory',
    open: () => {
      const register = memoryRegister();
      return { connect: () => register };
    },
  },
  {
    name: 'file',
    open: () => {
      const path = fresh();
      return { connect: () => fileRegister(path) };
    },
  },
  {
    name: 'sqlite',
    open: () => {
      const path = fresh();
      return { connect: () => sqliteRegister(path) };
    },
  },
  {
    name: 'postgres',
    open: async () => {
      await pool.query('TRUNCATE spillway.fenced');
      return { connect: () => postgresRegister(pool) };
    },
  },
  {
    name: 'redis',
    open: async () => {
      await client.flushall();
      return { connect: () => redisRegister(client) };
    },
  },
];
for (const subject of subjects) for (const { name, run } of fencedRegisterContract(subject)) test(name, run);

for (const kind of ['file', 'sqlite'] as const) {
  const open = kind === 'file' ? fileRegister : sqliteRegister;

  test(`${kind}: processes that write at once end with the greatest token`, async () => {
    const path = fresh();
    await using workers = new AsyncDisposableStack();
    const writers = [0, 1, 2].map((writer) => {
      const tokens = Array.from({ length: 40 }, (_, at) => ((at * 17 + writer * 5) % 41) * 3 + writer + 1);
      return { tokens, process: workers.use(new WorkerProcess(new URL('./register-process.ts', import.meta.url))) };
    });
    await Promise.all(
      writers.map(({ tokens, process }) => process.ask({ kind, path, tokens } satisfies WriteQuestion)),
    );
    const greatest = Math.max(...writers.flatMap(({ tokens }) => tokens));
    assert.deepEqual(await open(path).read('a'), { value: String(greatest), token: BigInt(greatest) });
  });

  test(`${kind}: a process that is killed in the middle has lost nothing that was acknowledged`, async () => {
    const path = fresh();
    let last = 0;
    for (let round = 0; round < 4; round++) {
      await using doomed = new WorkerProcess(new URL('./register-process.ts', import.meta.url));
      const tokens = Array.from({ length: 100_000 }, (_, at) => last + at + 1);
      doomed.ask({ kind, path, tokens } satisfies WriteQuestion).catch(() => {});
      for (let heard = 0; heard < 5; heard++) {
        const said = await doomed.next<{ acknowledged?: number }>(({ acknowledged }) => acknowledged !== undefined);
        last = said.acknowledged!;
      }
      await doomed.kill();
      const { token, value } = (await open(path).read('a'))!;
      assert.ok(token >= BigInt(last), `${token} after ${last}`);
      assert.equal(value, String(token));
      last = Number(token);
      assert.equal(await open(path).write('a', { value: 'old', token: token - 1n }), false);
    }
  });
}

test('file: what a killed process left half written is removed, and what is being written is not', async () => {
  const path = fresh();
  const register = fileRegister(path);
  await register.write('a', { value: 'one', token: 1n });
  const [key] = readdirSync(path);
  for (const name of ['unfinished-old', 'unfinished-new']) writeFileSync(join(path, key!, name), 'half');
  utimesSync(join(path, key!, 'unfinished-old'), 1, 1);
  await register.write('a', { value: 'two', token: 2n });
  assert.deepEqual(readdirSync(join(path, key!)), ['2'.padStart(20, '0'), 'unfinished-new']);
});

test('a register that cannot be used says so', async () => {
  const blocked = fresh();
  writeFileSync(blocked, '');
  await assert.rejects(fileRegister(blocked).write('a', { value: '', token: 1n }), { code: 'STORE_REFUSED' });
  for (const token of [-1n, 10n ** 20n]) {
    await assert.rejects(fileRegister(fresh()).write('a', { value: '', token }), { code: 'OPTIONS_INVALID' });
  }
  const nowhere = postgresRegister(pool, { schema: 'nowhere' });
  await assert.rejects(nowhere.read('a'), { code: 'STORE_REFUSED' });
  assert.throws(() => fileRegister(''), { code: 'OPTIONS_INVALID' });
  assert.throws(() => sqliteRegister(':memory:'), { code: 'OPTIONS_INVALID' });
  assert.throws(() => redisRegister(client, { prefix: '' }), { code: 'OPTIONS_INVALID' });
  assert.throws(() => postgresRegister(pool, { schema: 'A' }), { code: 'OPTIONS_INVALID' });
});
