/**
 * `spillway up` under load while its access log goes wrong: a full disk, a pipe whose reader sleeps or leaves, a rotation. No
 * request fails; what is lost is counted; what is written is whole.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { Agent, get } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { CliProcess } from './cli-process.ts';
import { cleanups, folder, origin } from './gateway-under-test.ts';

/** As long as a line may be, so that buffers fill soon. */
const FILLER = 'f'.repeat(3000);

/** `spillway up`; `redirect` is for the shell, which then is replaced by Node. */
async function up(accessLog: string, { workers = 2, redirect = '' } = {}) {
  const file = join(folder(), 'spillway.yaml');
  writeFileSync(
    file,
    `listeners: [{ name: web, address: "127.0.0.1:0" }]
services: [{ name: shop, endpoints: ["${await origin('hello')}"] }]
routes: [{ service: shop }]
admin: { address: "127.0.0.1:0" }
accessLog: ${accessLog}
workers: ${workers}
`,
  );
  const words = ['-c', `exec "$0" "$@" ${redirect}`, process.execPath, CliProcess.program, 'up', file];
  const gateway = new CliProcess(words, { executable: 'sh' });
  cleanups.push(() => gateway[Symbol.asyncDispose]());
  await gateway.printed(/Ctrl-C drains/);
  const address = /listener +web +http:\/\/([^\s/]+)/.exec(gateway.err)![1]!;
  const admin = /admin +http:\/\/([^\s/]+)/.exec(gateway.err)![1]!;
  const metric = async (name: string): Promise<number> => {
    const page = await (await fetch(`http://${admin}/metrics`)).text();
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(page)![1]);
  };
  /** Of the log, as the operator reads them. */
  const notices = (): string[] => gateway.err.split('\n').filter((line) => line.includes('access log'));
  const end = async (): Promise<void> => {
    gateway.child.kill('SIGTERM');
    const { code, signal, err } = await gateway.exit;
    assert.deepEqual([code, signal], [0, null], err);
  };
  return { gateway, address, metric, notices, end };
}

/** Eight requests at any time, each with an id; every one must be answered. */
function load(address: string, more = '') {
  const [host, port] = address.split(':');
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const finished = new EventEmitter().setMaxListeners(0);
  const ids: string[] = [];
  const failures: string[] = [];
  let running = true;
  const one = (id: string): Promise<string> =>
    new Promise((resolve) => {
      get({ host, port, agent, path: `/?id=${id}&more=${more}` }, (response) => {
        response.resume().on('error', (error) => resolve(error.message));
        response.on('end', () => resolve(`status ${response.statusCode}`));
      }).on('error', (error) => resolve(error.message));
    });
  const lane = async (number: number): Promise<void> => {
    for (let at = 0; running; at += 1) {
      const id = `${number}-${at}`;
      const answer = await one(id);
      ids.push(id);
      if (answer !== 'status 200') failures.push(`${id}: ${answer}`);
      finished.emit('request');
    }
  };
  const all = Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map(lane));
  /** Resolves when that many more have been answered. */
  const count = async (requests: number): Promise<void> => {
    const until = ids.length + requests;
    while (ids.length < until) await once(finished, 'request');
  };
  return {
    ids,
    more: count,
    async until(holds: () => Promise<boolean> | boolean): Promise<void> {
      while (!(await holds())) await count(50);
    },
    /** Ends the load and says that none failed. */
    async stop(): Promise<void> {
      running = false;
      await all;
      agent.destroy();
      assert.deepEqual(failures, []);
    },
  };
}

interface Line {
  readonly query: string;
  readonly status: number;
}

function parsed(text: string): Line[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
}

const idOf = ({ query }: Line): string => /id=([\d-]+)/.exec(query)![1]!;

test('a full disk: no request fails, lost lines are counted, each worker says so once', async () => {
  const { address, metric, notices, end } = await up('{ target: /dev/full }');
  const traffic = load(address);
  await traffic.until(async () => (await metric('spillway_access_log_dropped_total')) > 0);
  await traffic.until(async () => (await metric('spillway_access_log_errors_total')) > 2);
  await traffic.stop();
  assert.ok((await metric('spillway_access_log_dropped_total')) <= traffic.ids.length);
  assert.match(notices()[0]!, /lines are lost: ENOSPC/);
  assert.ok(notices().length <= 2, notices().join('\n'));
  await end();
});

/** A file system of 512 KB; needs root, as mounting does. */
function smallDisk(): string {
  const disk = join(folder(), 'disk');
  mkdirSync(disk);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', disk]);
  cleanups.push(() => execFileSync('umount', ['-l', disk]));
  return disk;
}

if (process.getuid?.() === 0) {
  test('a disk that fills up and is freed: lines are lost, then written again, and few are torn', async () => {
    const disk = smallDisk();
    const log = join(disk, 'access.log');
    writeFileSync(join(disk, 'filler'), Buffer.alloc(256 * 1024));
    // One worker: of two, the one that has not failed yet could use up what is freed while the other still waits to try again.
    const { address, gateway, metric, notices, end } = await up(`{ target: "${log}" }`, { workers: 1 });
    const traffic = load(address);
    await traffic.until(async () => (await metric('spillway_access_log_dropped_total')) > 0);
    const full = readFileSync(log, 'latin1');
    rmSync(join(disk, 'filler'));
    await traffic.until(() => /access log.*again/.test(gateway.err));
    await traffic.stop();
    await end();
    const text = readFileSync(log, 'latin1');
    assert.ok(text.length > full.length);
    const torn = text.split('\n').filter((line) => line !== '' && !line.endsWith('}'));
    parsed(
      text
        .split('\n')
        .filter((line) => line.endsWith('}'))
        .join('\n'),
    );
    assert.ok(torn.length <= 2 * notices().length, `${torn.length} torn lines`);
  });
}

test('a pipe whose reader sleeps, and then leaves: no request fails, whole lines arrive, lost ones are counted', async () => {
  const fifo = join(folder(), 'stdout');
  execFileSync('mkfifo', [fifo]);
  const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  const { address, gateway, metric, notices, end } = await up('stdout', { redirect: `>"${fifo}"` });
  const traffic = load(address, FILLER);
  await traffic.until(async () => (await metric('spillway_access_log_dropped_total')) > 0);
  await traffic.until(() => notices().length > 0);
  assert.ok(notices().length <= 2, notices().join('\n'));

  // It wakes up: what it gets are whole lines.
  let text = '';
  const chunk = Buffer.alloc(64 * 1024);
  const read = (): void => {
    try {
      for (let count = 1; count > 0;) text += chunk.toString('latin1', 0, (count = readSync(reader, chunk)));
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'EAGAIN');
    }
  };
  await traffic.until(() => {
    read();
    return text.length > 1024 * 1024;
  });
  const lines = parsed(text.slice(0, text.lastIndexOf('\n')));
  assert.equal(new Set(lines.map(idOf)).size, lines.length);
  for (const { status } of lines) assert.equal(status, 200);

  closeSync(reader);
  const errors = await metric('spillway_access_log_errors_total');
  await traffic.until(async () => (await metric('spillway_access_log_errors_total')) > errors);
  await traffic.more(200);
  await traffic.stop();
  assert.equal(gateway.child.exitCode, null);
  await end();
});

test('several workers, one file, rotated by rename and SIGUSR2 under load: every request is a line, each once, none torn', async () => {
  const home = folder();
  const log = join(home, 'access.log');
  const { address, gateway, metric, end } = await up(`{ target: "${log}" }`);
  const traffic = load(address, FILLER.slice(0, 700));
  const files = [log];
  for (let round = 1; round <= 4; round += 1) {
    await traffic.more(300);
    renameSync(log, `${log}.${round}`);
    files.push(`${log}.${round}`);
    gateway.child.kill('SIGUSR2');
    // The file is there again when a worker has opened it.
    const opened = (): boolean => {
      try {
        return readFileSync(log).length >= 0;
      } catch {
        return false;
      }
    };
    await traffic.until(opened);
  }
  await traffic.more(100);
  await traffic.stop();
  assert.equal(await metric('spillway_access_log_dropped_total'), 0);
  await end();
  const lines = files.flatMap((file) => parsed(readFileSync(file, 'latin1')));
  assert.deepEqual(lines.map(idOf).sort(), traffic.ids.toSorted());
});
