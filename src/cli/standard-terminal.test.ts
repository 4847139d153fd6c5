/** `spillway up` on a real terminal that goes away, and off one: real processes and a pseudo-terminal of `script`. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, test, type TestContext } from 'node:test';
import { CliProcess } from '../../test/cli-process.ts';
import { isKeptTerminal } from './standard-terminal.ts';

const folder = mkdtempSync(join(tmpdir(), 'spillway-terminal-'));
after(() => rmSync(folder, { recursive: true }));

const file = join(folder, 'spillway.yaml');
const origin = createServer().listen(0, '127.0.0.1');
await once(origin, 'listening');
after(() => {
  origin.close().closeAllConnections();
});
writeFileSync(
  file,
  `listeners: [{ name: web, address: "127.0.0.1:0" }]
services: [{ name: shop, endpoints: ["127.0.0.1:${(origin.address() as AddressInfo).port}"] }]
routes: [{ service: shop }]
workers: 1
`,
);

/**
 * What somebody will write to a pipe, told by a process that can be ended: whoever opens a pipe that nobody writes to is held there, and cannot even exit.
 */
function readPipe(t: TestContext, path: string): Readable {
  execFileSync('mkfifo', [path]);
  const reader = spawn('cat', [path], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => reader.kill('SIGKILL'));
  return reader.stdout.setEncoding('utf8');
}

/**
 * A shell on a terminal of its own, which tells its job of the end of the terminal, as shells do, and says by a pipe how that ended: to it
 * the kernel tells it, and not to the job. The job would outlive its terminal, and a test that fails; the shell waits for no reader.
 */
function onTerminal(t: TestContext, name: string, how: string, redirections: string) {
  const [pipe, job] = [join(folder, name), join(folder, `${name}.pid`)];
  const ended = text(readPipe(t, pipe));
  const up = `${how} ${process.execPath} --conditions=spillway-source ${CliProcess.program} up ${file} ${redirections}`;
  const environment = { SHELL: '/bin/sh' };
  const shell = `trap 'kill -HUP $!' HUP; ${up} & echo $! > ${job}; wait $!; wait $!; echo $? 1<> ${pipe}`;
  const args = ['-qc', shell, '/dev/null'];
  const terminal = new CliProcess(args, { executable: 'script', environment });
  let isOver = false;
  void ended.then((status) => (isOver = status !== ''));
  t.after(async () => {
    const pid = existsSync(job) ? Number(readFileSync(job, 'utf8')) : 0;
    if (!isOver && pid > 0) process.kill(pid, 'SIGKILL');
    await terminal[Symbol.asyncDispose]();
  });
  return { terminal, ended };
}

test('a terminal that goes is as SIGTERM: what runs is finished, and then the gateway ends', async (t) => {
  const { terminal, ended } = onTerminal(t, 'closed', '', '');
  const [, pid] = await terminal.printed(/, pid (\d+)/, 'out');
  const [, web] = await terminal.printed(/listener +web +(http:\/\/[\d.:]+)/, 'out');
  await terminal.printed(/Ctrl-C drains/, 'out');
  process.kill(Number(pid), 'SIGHUP');
  await terminal.printed(/nothing changed/i, 'out');
  const asked = get(web!);
  const answered = once(asked, 'response');
  const [, held] = (await once(origin, 'request')) as [IncomingMessage, ServerResponse];
  terminal.child.kill('SIGKILL');
  await eventuallyRefused(Number(new URL(web!).port), t.signal);
  held.end('hello');
  const [response] = (await answered) as [IncomingMessage];
  assert.deepEqual([await text(response), response.headers.connection], ['hello', 'close']);
  assert.equal(await ended, '0\n');
});

for (const how of ['nohup', 'setsid'])
  test(`off the terminal by ${how}, its end is a SIGHUP like any other`, async (t) => {
    const log = join(folder, `${how}.log`);
    const said = readPipe(t, log);
    const { terminal, ended } = onTerminal(t, how, how, `< /dev/tty > ${log} 2>&1`);
    let seen = '';
    for await (const chunk of said) {
      const before = seen;
      seen += String(chunk);
      const comes = (line: RegExp): boolean => line.test(seen) && !line.test(before);
      if (comes(/Ctrl-C drains/)) terminal.child.kill('SIGKILL');
      if (comes(/nothing changed/i)) process.kill(Number(/, pid (\d+)/.exec(seen)![1]), 'SIGTERM');
    }
    assert.match(seen, /nothing changed[^]*stopped/i);
    assert.equal(await ended, '0\n');
  });

test('the terminal of process 1 is that of a container, and what is printed there is kept', () => {
  const stat = (terminal: number): string => `7 (a (b) c) S 1 7 7 ${terminal} 7 4194304 0`;
  const isKept = (own: number, first: number): boolean => isKeptTerminal((pid) => stat(pid === '1' ? first : own));
  assert.equal(isKept(34816, 34816), true, 'docker run -t');
  assert.equal(isKept(34817, 34816), false, 'docker exec -t');
  assert.equal(isKept(34816, 0), false, 'on a machine');
  assert.equal(isKept(0, 0), false, 'a service');
  assert.equal(
    isKeptTerminal(() => ''),
    false,
    'where there is no /proc',
  );
});

/** Asks until nobody listens there any more, or `signal`. */
async function eventuallyRefused(port: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const socket = connect(port, '127.0.0.1');
    const outcome = await Promise.race([once(socket, 'connect'), once(socket, 'error')]).catch(
      (error: NodeJS.ErrnoException) => error.code,
    );
    socket.on('error', () => {}).destroy();
    if (outcome === 'ECONNREFUSED') return;
  }
}
