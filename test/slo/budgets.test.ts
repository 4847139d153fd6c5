/**
 * A budget of a real gateway is spent: changes are refused and rollbacks pass, a receiver is told why, the ledger says what was let
 * through, and planned work gives the budget back.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { exitCodes } from '../../src/cli/exit-codes.ts';
import { createGateway, type Gateway, type GatewayEvent } from '../../src/gateway/index.ts';
import type { AlertExplanation } from '../../src/observe/slo/alerts/explanation.ts';
import type { Backtest } from '../../src/observe/slo/backtest/backtest.ts';
import type { GateVerdict } from '../../src/observe/slo/gate.ts';
import type { LedgerEntry } from '../../src/observe/slo/ledger/entry.ts';
import { authorized } from '../admin-token.ts';
import { runCli } from '../cli-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'spillway-budgets-'));
const config = join(folder, 'spillway.yaml');
/** By objective, the first that is told. */
const told = {
  'shop-up': Promise.withResolvers<AlertExplanation>(),
  'shop-quick': Promise.withResolvers<AlertExplanation>(),
};
const SLOW_MS = 1300;
const server = createServer((request, response) => {
  response.statusCode = request.url === '/bad' ? 500 : 200;
  setTimeout(() => response.end('x'), request.url === '/slow' ? SLOW_MS : 0);
});
const receiver = createServer((request, response) => {
  let text = '';
  request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  request.on('end', () => {
    response.end();
    const explanation = JSON.parse(text) as AlertExplanation;
    told[explanation.slo as keyof typeof told].resolve(explanation);
  });
});
const events: GatewayEvent[] = [];
let gateway: Gateway;

const configOf = (pools: number, more = ''): string => `listeners: [{ name: web, address: "127.0.0.1:0" }]
services: [{ name: shop, endpoints: ["127.0.0.1:${(server.address() as AddressInfo).port}"] }]
routes: [{ name: all, service: shop }${more}]
admin: { address: "127.0.0.1:0" }
workers: 1
drainTimeout: ${pools}s
slos: shop.slo.yaml
ledger: state/ledger.ndjson
alerts: [{ name: oncall, webhook: "file:alert-url" }]
`;

before(async () => {
  for (const each of [server, receiver]) await new Promise<void>((resolve) => each.listen(0, '127.0.0.1', resolve));
  writeFileSync(
    join(folder, 'shop.slo.yaml'),
    `service: shop
policy: { history: 0s }
slos:
  - { name: up, objective: 99%, sli: { availability: {} } }
  - { name: quick, objective: 99%, sli: { latency: { under: 1s } }, policy: { warn: never, review: never, freeze: never } }
`,
  );
  writeFileSync(join(folder, 'alert-url'), `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook\n`, {
    mode: 0o600,
  });
  writeFileSync(config, configOf(1));
  gateway = createGateway({ file: config, watch: false, onEvent: (event) => events.push(event) });
  await gateway.start();
});

after(async () => {
  await gateway.stop();
  for (const each of [server, receiver]) {
    each.close();
    each.closeAllConnections();
  }
  rmSync(folder, { recursive: true });
});

const admin = (): string => gateway.state().admin!.address;
const spillway = (...args: string[]) => runCli([...args, '--admin', admin()], { cwd: folder });

async function read(path: string, body?: object): Promise<{ readonly status: number; readonly body: unknown }> {
  const post = async () => ({ method: 'POST', headers: await authorized(admin()), body: JSON.stringify(body) });
  const response = await fetch(`http://${admin()}${path}`, body === undefined ? {} : await post());
  return { status: response.status, body: await response.json() };
}

/** There is no event for a round of samples: the next is at most a second away. */
async function gateWhen(isSo: (status: number) => boolean): Promise<GateVerdict> {
  while (true) {
    const { status, body } = await read('/api/slo/gate');
    if (isSo(status)) return body as GateVerdict;
    await sleep(50);
  }
}

/** Likewise for the first evaluation. */
async function evaluated(): Promise<void> {
  while (((await read('/api/slo')).body as { slos: unknown[] }).slos.length === 0) await sleep(50);
}

async function send(path: string, times: number): Promise<void> {
  for (let count = 0; count < times; count++) {
    await (await fetch(`http://${gateway.state().listeners[0]!.address}${path}`)).text();
  }
}

test('while a budget is left everything may be put in force', async () => {
  const unknown = await spillway('slo', 'gate');
  assert.equal(unknown.code, exitCodes.cannotRun);
  assert.match(unknown.err, /^not known\nIt is not known what is left of the budget of shop-up/);
  await evaluated();
  assert.match(
    (await spillway('slo', 'status')).out,
    /budget {2}100% left, .* \(not known: nothing was counted in its window\)\n/,
  );
  assert.equal((await read('/api/slo/gate')).status, 503);
  assert.equal((await gateway.reload()).kind, 'unchanged', 'and no change is refused');
  // So many that one failure would be allowed.
  await send('/good', 100);
  assert.equal((await gateWhen((status) => status === 200)).level, 'ok');
  writeFileSync(config, configOf(2));
  assert.equal((await gateway.reload()).kind, 'applied');
});

test('frozen: the pipeline is told no, and a change is refused with reason and code, by every way', async () => {
  await Promise.all([send('/bad', 20), ...Array.from({ length: 40 }, () => send('/slow', 1))]);
  const verdict = await gateWhen((status) => status === 409);
  assert.deepEqual([verdict.open, verdict.reasons[0]!.slo], [false, 'shop-up']);
  const gate = await spillway('slo', 'gate');
  assert.equal(gate.code, exitCodes.no);
  assert.match(gate.err, /^frozen\nshop-up is frozen: /);

  writeFileSync(config, configOf(3));
  const reload = await gateway.reload({ cause: 'file' });
  assert.ok(reload.kind === 'refused' && reload.code === 'BUDGET_FROZEN');
  assert.match(reload.reason, /^shop-up is frozen: .*Rollbacks pass/);
  const next = join(folder, 'next.yaml');
  writeFileSync(next, configOf(4));
  const applied = await spillway('apply', next);
  assert.equal(applied.code, exitCodes.no);
  assert.match(applied.err.replaceAll(/\s+/g, ' '), /shop-up is frozen/);
  const trial = await gateway.apply({ file: next, trial: { share: 0.1, watchMs: 1000 } });
  assert.ok(trial.kind === 'refused' && trial.code === 'BUDGET_FROZEN');
  const wrong = join(folder, 'wrong.yaml');
  writeFileSync(wrong, 'x: 1\n');
  const mistake = await gateway.apply({ file: wrong });
  assert.ok(mistake.kind === 'refused' && mistake.code === undefined, 'a mistake is told as one');
});

test('a rollback passes; so does what somebody answers for, and the ledger has it', async () => {
  assert.equal((await gateway.rollback()).kind, 'applied');
  const next = join(folder, 'next.yaml');
  const applied = await spillway('apply', next, '--override', 'it mends the checkout');
  assert.equal(applied.code, exitCodes.ok, applied.err);
  const { body } = await read('/api/slo/ledger');
  const [entry] = (body as { entries: LedgerEntry[] }).entries;
  assert.ok(entry?.kind === 'passed' && entry.pass === 'override' && entry.text === 'it mends the checkout');
  assert.match(entry.by, /@/);
  assert.match(readFileSync(join(folder, 'state', 'ledger.ndjson'), 'utf8'), /it mends the checkout/);
  assert.ok(events.some((event) => event.kind === 'audit' && event.action === 'override: it mends the checkout'));
  const fix = await spillway('slo', 'gate', '--security-fix', 'CVE-2026-1234');
  assert.equal(fix.code, exitCodes.ok, fix.err);
});

test('the receiver is told what burns, on which route and endpoint, and what was changed before', async () => {
  const explanation = await told['shop-up'].promise;
  assert.deepEqual([explanation.state, explanation.slo, explanation.severity], ['firing', 'shop-up', 'page']);
  const [route, endpoint] = explanation.contributions;
  assert.deepEqual([route?.kind, route?.name, route?.bad], ['route', 'all', 20]);
  assert.deepEqual([endpoint?.kind, endpoint?.bad], ['endpoint', 20]);
  assert.ok(explanation.beganMs !== null && explanation.beganMs <= explanation.sinceMs);
  assert.match(explanation.changes.map(({ what }) => what).join('\n'), /onfig/);
});

test('of what is late it is told as well on which route and endpoint', async () => {
  const explanation = await told['shop-quick'].promise;
  const [route, endpoint] = explanation.contributions;
  assert.deepEqual([route?.kind, route?.name, route?.what], ['route', 'all', 'late']);
  assert.ok(route!.bad >= 40 && route!.total >= 160, JSON.stringify(route));
  assert.deepEqual([endpoint?.kind, endpoint?.what], ['endpoint', 'late']);
  assert.ok(endpoint!.bad >= 40 && endpoint!.name.startsWith('127.0.0.1:'), JSON.stringify(endpoint));
  assert.ok(explanation.beganMs !== null);
});

test('what the gateway kept can be replayed', async () => {
  const { body } = await read('/api/series?name=spillway_slo_events&label.slo=shop-up&from=-15m&step=1s');
  writeFileSync(join(folder, 'kept.json'), JSON.stringify(body));
  const args = ['slo', 'backtest', 'shop.slo.yaml', '--slo', 'up', '--data', 'kept.json', '--json'];
  const replayed = await runCli(args, { cwd: folder });
  assert.equal(replayed.code, exitCodes.ok, replayed.err);
  const { scores } = JSON.parse(replayed.out) as Backtest;
  assert.deepEqual([scores[0]!.name, scores[0]!.fired], ['page 14.4×', 1]);
});

test('planned work counts for no budget, from when it is written down on; and again when it is withdrawn', async () => {
  const [from, to] = [Date.now() - 3_600_000, Date.now() + 3_600_000].map((ms) => new Date(ms).toISOString());
  const work = await read('/api/slo/notes', {
    kind: 'maintenance',
    from,
    to,
    text: 'new disks',
    by: 'ana',
  });
  assert.equal(work.status, 200);
  // All that was ever counted was in that time: nothing is frozen, and nothing is known.
  assert.equal((await gateWhen((status) => status === 503)).level, 'ok');
  assert.notEqual((await gateway.reload()).kind, 'refused');
  const gone = { kind: 'withdrawn', entry: (work.body as LedgerEntry).id, text: 'it was not planned', by: 'ana' };
  assert.equal((await read('/api/slo/notes', gone)).status, 200);
  assert.equal((await gateWhen((status) => status === 409)).open, false);
  assert.equal((await read('/api/slo/notes', gone)).status, 400, 'it does not hold any more');
  assert.equal((await read('/api/slo/notes', { kind: 'incident' })).status, 400);
});
