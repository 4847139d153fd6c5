/** `spillway up` ends whatever its threads do: one that sits in a call of the system is not ended by anything but the process. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { CliProcess } from '../../test/cli-process.ts';

const config = `
listeners: [{ name: web, address: 127.0.0.1:0 }]
services: [{ name: shop, endpoints: [127.0.0.1:1] }]
routes: [{ service: shop }]
workers: 1
drainTimeout: 0s
`;

/** In each thread, before its own code: on SIGUSR2 the workers open a pipe that nobody writes to, and so wait in open(2). */
const preload = (pipe: string): string => `
import { openSync, writeSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
const channel = new BroadcastChannel('block');
channel.unref();
if (isMainThread) process.on('SIGUSR2', () => channel.postMessage(''));
else channel.onmessage = () => { writeSync(2, 'caught\\n'); openSync(${JSON.stringify(pipe)}); };
`;

/** Resolves when a thread of the process sleeps in the opening of a pipe: one that is only about to can still be ended. */
async function waitingForPipe(pid: number): Promise<void> {
  const sleepsIn = (thread: string): string => readFileSync(`/proc/${pid}/task/${thread}/wchan`, 'utf8');
  while (!readdirSync(`/proc/${pid}/task`).some((thread) => sleepsIn(thread) === 'wait_for_partner')) await turn();
}

async function withCaughtWorker(use: (gateway: CliProcess) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-caught-'));
  const [pipe, file, code] = [join(folder, 'pipe'), join(folder, 'spillway.yaml'), join(folder, 'preload.mjs')];
  try {
    execFileSync('mkfifo', [pipe]);
    writeFileSync(file, config);
    writeFileSync(code, preload(pipe));
    const environment = { NODE_OPTIONS: `--import=${pathToFileURL(code).href}` };
    await using gateway = new CliProcess(['up', file], { environment });
    await gateway.printed(/Ctrl-C drains and ends/);
    gateway.child.kill('SIGUSR2');
    await gateway.printed(/caught/);
    await waitingForPipe(gateway.child.pid!);
    await use(gateway);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('with a worker that is caught in a call of the system, one signal ends the process in the end, and says how', async () => {
  await withCaughtWorker(async (gateway) => {
    gateway.child.kill('SIGINT');
    const { signal, err } = await gateway.exit;
    assert.equal(signal, 'SIGTERM');
    assert.match(err, /A worker thread is caught in a call of the system: the process ends by SIGTERM/);
  });
});

test('a second Ctrl-C does not wait for such a worker', async () => {
  await withCaughtWorker(async (gateway) => {
    gateway.child.kill('SIGINT');
    await gateway.printed(/draining/);
    // Until it is one that is not taken for an echo of the first.
    const pressing = setInterval(() => gateway.child.kill('SIGINT'), 50);
    const { signal } = await gateway.exit.finally(() => clearInterval(pressing));
    assert.equal(signal, 'SIGINT');
  });
});
