/** Objectives of a real gateway: from requests on a socket to /api/slo, /metrics and `spillway slo status`; and reloads, also of files with mistakes. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createGateway, type Gateway } from '../../src/gateway/index.ts';
import type { SloStatus } from '../../src/observe/index.ts';
import { runCli } from '../cli-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'spillway-live-slo-'));
const slow = Promise.withResolvers<() => void>();
const server = createServer((request, response) => {
  if (request.url === '/slow') {
    slow.resolve(() => response.end('x'));
    return;
  }
  response.statusCode = request.url === '/bad' ? 500 : 200;
  response.end('x');
});
const config = join(folder, 'spillway.yaml');
let gateway: Gateway;

const slo = (objective: string, more = ''): string =>
  `service: shop\nslos:\n  - name: up\n    objective: ${objective}\n    policy: { history: 0s, freeze: never }\n    sli: { availability: {} }\n${more}`;

before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  writeFileSync(join(folder, 'shop.slo.yaml'), slo('99%'));
  writeFileSync(
    config,
    `listeners: [{ name: web, address: "127.0.0.1:0" }]
services: [{ name: shop, endpoints: ["127.0.0.1:${port}"] }]
routes: [{ service: shop }]
admin: { address: "127.0.0.1:0" }
workers: 1
slos: shop.slo.yaml
data: data
`,
  );
  gateway = createGateway({ file: config, watch: false });
  await gateway.start();
});

after(async () => {
  await gateway.stop();
  server.close();
  rmSync(folder, { recursive: true });
});

const admin = (): string => gateway.state().admin!.address;

async function send(path: string, times: number): Promise<void> {
  for (let count = 0; count < times; count++) {
    await (await fetch(`http://${gateway.state().listeners[0]!.address}${path}`)).text();
  }
}

/** There is no event for a round of samples: the next is at most a second away. */
async function statusWhen(isThere: (status: SloStatus) => boolean): Promise<SloStatus> {
  while (true) {
    const answer = await fetch(`http://${admin()}/api/slo`);
    const { slos } = (await answer.json()) as { slos: SloStatus[] };
    const found = slos.find((each) => each.id === 'shop-up');
    if (found !== undefined && isThere(found)) return found;
    await sleep(50);
  }
}

test('what was answered is counted, once each, and spends the budget', async () => {
  await send('/good', 47);
  await send('/bad', 3);
  const stateOf = ({ alerts }: SloStatus) => alerts.find(({ burn }) => burn === 3)!.state;
  const early = await statusWhen(({ good, bad }) => good + bad === 50);
  assert.deepEqual([early.good, early.bad, early.measures], [47, 3, 'answers of shop']);
  assert.equal(stateOf(early), 'pending', 'of fifty not one may fail');
  await send('/good', 47);
  await send('/bad', 3);
  const status = await statusWhen(({ good, bad }) => good + bad === 100);
  assert.ok(Math.abs(status.budget.share - (1 - 0.06 / 0.01)) < 1e-9);
  assert.equal(status.budget.minutes, 432);
  assert.equal(stateOf(status), 'firing', '6 % where 3 % are three times too fast');
  const metrics = await (await fetch(`http://${admin()}/metrics`)).text();
  assert.match(metrics, /spillway_slo_error_budget_remaining_ratio\{slo="shop-up"\} -5\n/);
  assert.match(metrics, /spillway_slo_alert_firing\{slo="shop-up",severity="ticket",burn="3"\} 1\n/);
});

test('spillway slo status tells it to people and programs', async () => {
  const { out, code } = await runCli(['slo', 'status', '--admin', admin()]);
  assert.equal(code, 0);
  assert.match(
    out,
    /^shop-up: 99% over 30d, answers of shop\n {2}budget {2}overdrawn by 500%, 2160 min beyond its 432, 5 failures too many \(review\)\n {2}events {2}94 good, 6 bad in /,
  );
  assert.match(out, /ticket 3× over 1d and 2h: firing for /);
  const json = await runCli(['slo', 'status', '--admin', admin(), '--json', '--service', 'shop']);
  assert.equal((JSON.parse(json.out) as { slos: SloStatus[] }).slos[0]!.bad, 6);
  const none = await runCli(['slo', 'status', '--admin', admin(), '--service', 'other']);
  assert.deepEqual(
    [none.code, none.err],
    [1, 'The gateway has no objective of other: its config names files under "slos".\n'],
  );
});

test('a reload takes another objective and keeps what was counted; a file with mistakes changes nothing', async () => {
  writeFileSync(join(folder, 'shop.slo.yaml'), slo('90%'));
  const applied = await gateway.reload();
  assert.equal(applied.kind, 'applied');
  assert.match(applied.kind === 'applied' ? applied.changes.join('\n') : '', /objective shop-up: objective/);
  const kept = await statusWhen(({ objective }) => objective === 0.9);
  assert.equal(kept.bad, 6);
  writeFileSync(join(folder, 'shop.slo.yaml'), slo('100%'));
  const refused = await gateway.reload();
  assert.ok(refused.kind === 'refused');
  assert.match(refused.problems.join('\n'), /shop\.slo\.yaml:4:16: .*100%/);
  assert.equal((await statusWhen(() => true)).objective, 0.9);
});

test('what was counted outlives the gateway, in the folder under data', async () => {
  writeFileSync(join(folder, 'shop.slo.yaml'), slo('90%'));
  await gateway.stop();
  gateway = createGateway({ file: config, watch: false });
  await gateway.start();
  const status = await statusWhen(({ good, bad }) => good + bad >= 100);
  assert.deepEqual([status.good, status.bad], [94, 6]);
});

test('what ends while the gateway drains is counted, and there in the next one', async () => {
  const answer = fetch(`http://${gateway.state().listeners[0]!.address}/slow`).then((response) => response.text());
  const finish = await slow.promise;
  const drained = gateway.drain();
  finish();
  assert.equal(await answer, 'x');
  await drained;
  gateway = createGateway({ file: config, watch: false });
  await gateway.start();
  assert.equal((await statusWhen(() => true)).good, 95);
});

test('what no gateway can evaluate, and what it does not have, is a warning; a file that is not there a mistake', async () => {
  const other =
    '  - { name: q, objective: 99%, sli: { events: { bad: a_total, total: b_total } } }\n  - { name: r, objective: 99%, sli: { availability: { route: api } } }\n  - { name: s, objective: 99%, window: 36d, sli: { availability: {} } }\n  - { name: t, objective: 99%, window: 35d, sli: { availability: {} } }\n';
  writeFileSync(join(folder, 'shop.slo.yaml'), slo('90%', other));
  const { out, err, code } = await runCli(['check', config]);
  assert.equal(code, 0, err);
  assert.match(out + err, /shop-q is measured by queries, which only Prometheus can evaluate/);
  assert.match(out + err, /shop-r counts answers of a route "api", which this config does not have/);
  assert.match(out + err, /yaml:6:7: .*shop-s is over 36d, of which the gateway knows the last 35d/);
  assert.doesNotMatch(out + err, /shop-t/);
  const gone = join(folder, 'gone.yaml');
  writeFileSync(
    gone,
    'listeners: [{ name: web, address: "127.0.0.1:0" }]\nroutes: [{ respond: { status: 200 } }]\nslos: [a.slo.yaml, b.slo.ts]\n',
  );
  const bad = await runCli(['check', gone]);
  assert.equal(bad.code, 1);
  assert.match(bad.out + bad.err, /gone\.yaml:3:8: the file .*a\.slo\.yaml does not exist/);
  assert.match(bad.out + bad.err, /gone\.yaml:3:20: the gateway reads objectives from YAML or JSON/);
});

test('more objectives than are evaluated each second are refused', async () => {
  const names = Array.from({ length: 11 }, (_, n) => `many${n}.json`);
  for (const [n, name] of names.entries()) {
    const slos = Array.from({ length: 100 }, (__, at) => ({
      name: `o${at}`,
      objective: '99%',
      sli: { availability: {} },
    }));
    writeFileSync(join(folder, name), JSON.stringify({ service: `s${n}`, slos }));
  }
  const many = join(folder, 'many.yaml');
  writeFileSync(
    many,
    `listeners: [{ name: web, address: "127.0.0.1:0" }]\nroutes: [{ respond: { status: 200 } }]\nslos: [${names.join(', ')}]\n`,
  );
  const { out, err, code } = await runCli(['check', many]);
  assert.equal(code, 1);
  assert.match(out + err, /many\.yaml:3:7: .*Found 1100 objectives, expected at most 1000/);
});
