/** `spillway drain` and `undrain` against a running `spillway up`: what they wait for, what they say, how they end. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { CliProcess, type Exit, runCli } from '../../test/cli-process.ts';
import { exitCodes, signalExitCodes } from './exit-codes.ts';

const folder = mkdtempSync(join(tmpdir(), 'spillway-drain-'));
after(() => rmSync(folder, { recursive: true }));

interface Holder extends AsyncDisposable {
  readonly address: string;
  /** Ends the answers that have begun. */
  finish(): void;
}

/** A server whose answers begin at once and end when they are told to. */
async function holder(): Promise<Holder> {
  const held: ServerResponse[] = [];
  const server = createServer((_request, response) => {
    response.write('begun');
    held.push(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = (): Promise<void> => {
    server.closeAllConnections();
    return new Promise((resolve) => void server.close(() => resolve()));
  };
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { address, finish: () => held.splice(0).forEach((each) => each.end()), [Symbol.asyncDispose]: stop };
}

let files = 0;

async function up(endpoints: readonly string[]) {
  const file = join(folder, `${++files}.yaml`);
  writeFileSync(
    file,
    `listeners: [{ name: web, address: "127.0.0.1:0" }]
services: [{ name: shop, endpoints: [${endpoints.join(', ')}] }]
routes: [{ service: shop }]
admin: { address: "127.0.0.1:0" }
workers: 1
`,
  );
  const gateway = new CliProcess(['up', file]);
  await gateway.printed(/Ctrl-C drains/);
  const [, web = ''] = /listener +web +(http:\/\/\S+)/.exec(gateway.err) ?? [];
  const [, admin = ''] = /admin +http:\/\/(\S+)/.exec(gateway.err) ?? [];
  const cli = (...args: string[]): Promise<Exit> => runCli([...args, '--admin', admin]);
  return { gateway, web, admin, cli, [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose]() };
}

/** Requests whose answers have begun: each endpoint in turn has one. */
async function begin(web: string, count: number): Promise<void> {
  for (let sent = 0; sent < count; sent++) void (await fetch(web)).text().catch(() => null);
}

test('waits until nothing is left, and says each step; undrain gives it work again', async () => {
  await using one = await holder();
  await using two = await holder();
  await using running = await up([one.address, two.address]);
  const { web, admin, cli, gateway } = running;
  await begin(web, 4);
  await using drain = new CliProcess(['drain', one.address, '--within', '60s', '--admin', admin]);
  await drain.printed(/endpoint \S+ of shop: 2 requests left on 2 connections, (1m|59s) to go\n/, 'out');
  await gateway.printed(/endpoint \S+ of shop drains: no new work, and what it has may take 1m\n/);
  one.finish();
  const { code, out, err } = await drain.exit;
  assert.deepEqual([code, err], [exitCodes.ok, '']);
  assert.match(out, new RegExp(`endpoint ${one.address} of shop is drained after [\\d.]+m?s: nothing is left\n$`));
  await gateway.printed(/is drained after \S+: nothing is left/);
  const again = await cli('drain', one.address, '--json');
  assert.equal(again.code, exitCodes.ok);
  const [only] = JSON.parse(again.out) as { endpoint: string; requests: number; drain: { phase: string } }[];
  assert.deepEqual([only?.endpoint, only?.requests, only?.drain.phase], [one.address, 0, 'drained']);
  const back = await cli('undrain', one.address, '--service', 'shop');
  assert.deepEqual([back.code, back.out], [exitCodes.ok, `endpoint ${one.address} of shop serves again\n`]);
  await gateway.printed(/serves again/);
});

test('what had to be cut has an exit code of its own', async () => {
  await using one = await holder();
  await using two = await holder();
  await using running = await up([one.address, two.address]);
  await begin(running.web, 2);
  const { code, out } = await running.cli('drain', one.address, '--within', '500ms');
  assert.equal(code, exitCodes.cut, out);
  assert.match(out, /is drained after \S+: 1 request had to be cut\n$/);
});

test('Ctrl-C ends the command and not the drain; one that somebody undoes ends with 1', async () => {
  await using one = await holder();
  await using two = await holder();
  await using running = await up([one.address, two.address]);
  const { web, admin, cli } = running;
  await begin(web, 2);
  const args = ['drain', one.address, '--within', '60s', '--admin', admin];
  await using first = new CliProcess(args);
  await first.printed(/1 request left/, 'out');
  first.child.kill('SIGINT');
  const { code, err } = await first.exit;
  assert.equal(code, signalExitCodes.SIGINT);
  assert.equal(err, `The drain goes on; "spillway undrain ${one.address}" undoes it.\n`);
  await using second = new CliProcess(args);
  await second.printed(/1 request left/, 'out');
  assert.equal((await cli('undrain', one.address)).code, exitCodes.ok);
  const { code: undone, out } = await second.exit;
  assert.equal(undone, exitCodes.no);
  assert.match(out, /is not drained any more: it was undone, or left the config\n$/);
});

test('the last one takes force; a name that is none gets the nearest', async () => {
  await using one = await holder();
  await using running = await up([one.address]);
  const { cli } = running;
  const last = await cli('drain', one.address);
  assert.equal(last.code, exitCodes.no);
  assert.match(last.err, /is the last endpoint of shop that serves.*Nothing was drained; force it/);
  const typo = await cli('drain', one.address.replace('127.0.0.1', '127.0.0.2'));
  assert.equal(typo.code, exitCodes.usage);
  assert.ok(typo.err.includes(`Did you mean ${one.address}?`), typo.err);
  assert.equal((await cli('drain')).code, exitCodes.usage);
  assert.equal((await cli('drain', one.address, '--within', 'soon')).code, exitCodes.usage);
  const forced = await cli('drain', one.address, '--force');
  assert.equal(forced.code, exitCodes.ok, forced.err);
});
