/** `spillway slo gate` asking a file: exit codes, and that what is not known is no yes. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { runCli } from '../../test/cli-process.ts';
import type { GateVerdict } from '../observe/slo/gate.ts';
import { defaultPolicy } from '../observe/slo/policy.ts';
import { parseArguments } from './arguments.ts';
import { exitCodes } from './exit-codes.ts';
import { processIo } from './process-io.ts';
import { sloCommand } from './slo.ts';

const folder = mkdtempSync(join(tmpdir(), 'spillway-gate-'));
after(() => rmSync(folder, { recursive: true }));
const run = (...args: string[]) => runCli(['slo', 'gate', ...args], { cwd: folder });

/** Without the half second that a process takes to start. */
const inProcess = async (...args: string[]): Promise<number> =>
  sloCommand.run(parseArguments(sloCommand.spec, ['gate', ...args]), io);
const io = processIo();

const status = (service: string, share: number, atMs = Date.now()) => ({
  ...{ id: `${service}-up`, service, atMs, policy: defaultPolicy, level: 'ok' },
  ...{ sinceMs: atMs - 30 * 86_400_000, good: 1000, bad: 1 },
  budget: { share, minutesLeft: share * 43.2, events: 1000 },
});
const write = (name: string, content: unknown): string => {
  writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
  return name;
};

test('open: exit code 0, frozen: 1 with the reasons and what passes', async () => {
  const file = write('mixed.json', { slos: [status('shop', -0.25), status('search', 0.8)] });
  const frozen = await run('--status', file);
  assert.equal(frozen.code, exitCodes.no);
  assert.match(frozen.err, /^frozen\nshop-up is frozen: its budget is overdrawn by 25% \(10\.8 min\)/);
  assert.match(frozen.err, /Rollbacks pass; a security fix passes with/);
  const open = await run('--status', file, '--service', 'search');
  assert.deepEqual([open.code, open.out], [exitCodes.ok, 'open\n']);
  const json = await run('--status', file, '--json');
  assert.equal(json.code, exitCodes.no);
  const verdict = JSON.parse(json.out) as GateVerdict;
  assert.deepEqual([verdict.open, verdict.level, verdict.reasons.length], [false, 'freeze', 1]);
});

test('what is not known is no yes', async () => {
  const old = write('old.json', { slos: [status('shop', 1, Date.now() - 2 * 3_600_000)] });
  for (const [name, said] of [
    [old, /more than 1h ago: it does not say what is left now/],
    [write('empty.json', { slos: [] }), /there is no objective in it/],
    [write('none.json', {}), /has no list "slos"\. Write one with: curl/],
    [write('cut.json', '{"slos": [{'), /is not JSON/],
    [write('part.json', { slos: [{ ...status('shop', 1), budget: {} }] }), /slos\[0\] has no budget\.share/],
  ] as const) {
    await assert.rejects(inProcess('--status', join(folder, name)), { code: 'OPTIONS_INVALID', message: said });
  }
  const ahead = write('ahead.json', { slos: [status('shop', 1), status('search', 1, Date.now() + 86_400_000)] });
  await assert.rejects(inProcess('--status', join(folder, ahead)), { message: /which is yet to come/ });
  await assert.rejects(inProcess('--status', join(folder, ahead), '--max-age', '3d'), { message: /yet to come/ });
  for (const known of [{ good: 0, bad: 0, sinceMs: null }, { good: 0, bad: 0 }, { sinceMs: Date.now() - 60_000 }]) {
    const file = write('unknown.json', { slos: [{ ...status('shop', 1), ...known }, status('search', 0.8)] });
    assert.equal(await inProcess('--status', join(folder, file)), exitCodes.cannotRun);
    assert.equal(await inProcess('--status', join(folder, file), '--service', 'search'), exitCodes.ok);
  }
  const said = await run('--status', 'unknown.json');
  assert.match(said.err, /^not known\nIt is not known what is left of the budget of shop-up: /);
  assert.equal((await run('--status', old)).code, exitCodes.cannotRun);
  assert.equal(await inProcess('--status', join(folder, old), '--max-age', '3h'), exitCodes.ok);
  await assert.rejects(
    inProcess('--status', join(folder, old), '--max-age', '3h', '--service', 'shp'),
    /no objective of shp/,
  );
  await assert.rejects(inProcess('--status', 'missing.json'), { code: 'CONFIG_NOT_FOUND' });
  // Nothing listens on the discard port of this machine.
  await assert.rejects(inProcess('--admin', '127.0.0.1:9'), { code: 'ADMIN_UNREACHABLE' });
});

test('a Prometheus that hears of several gateways: what is frozen at one is frozen', async () => {
  const objectives = write(
    'shop.slo.yaml',
    'service: shop\nslos: [{ name: up, objective: 99.9%, sli: { availability: {} } }]\n',
  );
  let shares: readonly string[] = [];
  let login: string | undefined;
  let isKnown = true;
  const server = createServer(({ headers, url }, response) => {
    login = headers.authorization;
    const isOfBefore = url!.includes('offset+1h');
    const result = (isOfBefore && !isKnown ? [] : shares).map((share, at) => ({
      metric: { slo_id: 'shop-up', at: String(at) },
      value: [1, share],
    }));
    response.end(JSON.stringify({ status: 'success', data: { resultType: 'vector', result } }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const ask = (...given: readonly string[]): Promise<number> => {
    shares = given;
    return inProcess(join(folder, objectives), '--prometheus', url);
  };
  try {
    assert.equal(await ask('0.9', '0.8'), exitCodes.ok);
    assert.equal(await ask('0.9', '-0.2'), exitCodes.no);
    const named = url.replace('//', '//ana:100%25%@');
    assert.equal(await inProcess(join(folder, objectives), '--prometheus', named), exitCodes.no);
    const bare = `Basic ${Buffer.from('ana:100%25%').toString('base64')}`;
    assert.equal(login, bare, 'a bare percent sign stands for itself');
    isKnown = false;
    assert.equal(await ask('0.9'), exitCodes.cannotRun, 'an hour ago it had nothing');
    assert.equal(await ask('-0.2'), exitCodes.cannotRun, 'and nothing is frozen by so little');
    await assert.rejects(ask('0.9', 'NaN'), { code: 'STORE_UNAVAILABLE' });
    await assert.rejects(ask(), { code: 'STORE_UNAVAILABLE' });
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

test('wrong command lines', async () => {
  for (const [args, said] of [
    [['--status', 'a', '--prometheus', 'http://b'], /either --status or --prometheus/],
    [['--status', 'a', '--override', 'x'], /there is none to ask here/],
    [['--override', 'x', '--security-fix', 'y'], /either --override or --security-fix/],
    [['--override', 'a\nb'], /must be a text of one line/],
    [['--prometheus', 'http://127.0.0.1:9'], /needs the file of objectives/],
    [['shop.slo.yaml'], /FILE goes with --prometheus/],
    [['--rate', '5'], /slo gate has no --rate/],
    [['--status', 'a', '--max-age', '5'], /--max-age is a duration/],
  ] as const) {
    await assert.rejects(inProcess(...args), { name: 'UsageError', message: said });
  }
});
