/** A real Prometheus, which has the compiled rules and scrapes a service that fails: the gate asks it, and what it recorded is replayed. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { exitCodes } from '../../src/cli/exit-codes.ts';
import type { Backtest } from '../../src/observe/slo/backtest/backtest.ts';
import { compileSlos, loadSlos } from '../../src/observe/index.ts';
import type { GateVerdict } from '../../src/observe/slo/gate.ts';
import { runCli } from '../cli-process.ts';
import { PrometheusServer } from '../servers/prometheus.ts';

const folder = mkdtempSync(join(tmpdir(), 'spillway-gate-'));
after(() => rmSync(folder, { recursive: true }));

/** It has been watched for seconds. */
const head = 'service: shop\npolicy: { history: 1s }\nslos:\n';
const slo = (name: string, events: string): string =>
  `  - { name: ${name}, objective: 99.9%, sli: { events: { ${events} } } }\n`;

test('open where failures are few, shut where the budget is spent, and no yes without rules', async () => {
  let requests = 0;
  let isDown = false;
  await using target = createServer((_, response) => {
    response.statusCode = isDown ? 500 : 200;
    requests += 100_000;
    const [few, many] = [requests / 4000, requests / 400];
    response.end(`all_total ${requests}\nfew_total ${few}\nmany_total ${many}\n`);
  }).listen(0, '127.0.0.1');
  await once(target, 'listening');
  const file = join(folder, 'shop.slo.yaml');
  const all = slo('few', 'bad: few_total, total: all_total') + slo('many', 'bad: many_total, total: all_total');
  writeFileSync(file, `${head}${all}`);
  const { slos } = await loadSlos(file);
  const rules = compileSlos(slos!).filter(({ name }) => name.endsWith('.rules.yaml'));
  for (const { name, text } of rules) writeFileSync(join(folder, name), text);
  const paths = rules.map(({ name }) => join(folder, name));
  await using prometheus = await PrometheusServer.start(`127.0.0.1:${(target.address() as AddressInfo).port}`, {
    ruleFiles: paths,
  });
  // One of the two has no event that says when it is evaluated.
  while ((await prometheus.query('count_over_time(slo:period_error_budget_remaining:ratio[30d] offset 1s)')).length < 2)
    await sleep(100);

  const gate = (name: string) =>
    runCli(['slo', 'gate', name, '--json', '--prometheus', prometheus.url], { cwd: folder });
  const shut = await gate(file);
  assert.equal(shut.code, exitCodes.no, shut.err);
  const { open, reasons } = JSON.parse(shut.out) as GateVerdict;
  assert.equal(open, false);
  assert.deepEqual(
    reasons.map((reason) => [reason.slo, reason.level]),
    [['shop-many', 'freeze']],
  );
  // One in four hundred fails, where one in a thousand may.
  assert.ok(Math.abs(reasons[0]!.share + 1.5) < 0.01, String(reasons[0]!.share));

  writeFileSync(join(folder, 'few.slo.yaml'), `${head}${slo('few', 'bad: a, total: b')}`);
  const well = await gate('few.slo.yaml');
  assert.equal(well.code, exitCodes.ok, well.err);

  writeFileSync(join(folder, 'usual.slo.yaml'), `service: shop\nslos:\n${slo('many', 'bad: a, total: b')}`);
  const young = await gate('usual.slo.yaml');
  assert.equal(young.code, exitCodes.cannotRun, young.err);
  const { level, unknown: why } = JSON.parse(young.out) as GateVerdict;
  assert.deepEqual([level, why.length], ['review', 1]);
  assert.match(why[0]!, /the budget of shop-many: it was not known 1h ago\.$/);

  writeFileSync(join(folder, 'other.slo.yaml'), `${head}${slo('other', 'bad: a, total: b')}`);
  const unknown = await gate('other.slo.yaml');
  assert.equal(unknown.code, exitCodes.cannotRun);
  assert.match(unknown.err.replaceAll(/\s+/g, ' '), /has nothing about shop-other: are the rules/);

  // What was down for a while is marked in what Prometheus keeps.
  isDown = true;
  while ((await prometheus.query('up == 0')).length === 0) await sleep(100);
  isDown = false;
  while ((await prometheus.query('up == 1')).length === 0) await sleep(100);
  const dump = join(folder, 'dump.txt');
  writeFileSync(dump, prometheus.dump('many_total') + prometheus.dump('all_total'));
  assert.match(readFileSync(dump, 'utf8'), / NaN /);
  const args = ['slo', 'backtest', file, '--slo', 'many', '--data', dump, '--json'];
  const replayed = await runCli(args, { cwd: folder });
  assert.equal(replayed.code, exitCodes.ok, replayed.err);
  const { steps, scores } = JSON.parse(replayed.out) as Backtest;
  assert.ok(steps > 1);
  // 0.25 % fail, all the time: more than the budget, and less than three times it.
  assert.deepEqual(scores.map(({ name, fired }) => [name, fired]).slice(0, 4), [
    ['page 14.4×', 0],
    ['page 6×', 0],
    ['ticket 3×', 0],
    ['ticket 1×', 1],
  ]);
});
