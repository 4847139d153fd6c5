/** `spillway slo` as a real process: what is written, what is said, and the exit codes. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { runCli } from '../../test/cli-process.ts';
import type { SloVerdict } from '../observe/index.ts';
import { exitCodes } from './exit-codes.ts';

const folder = mkdtempSync(join(tmpdir(), 'spillway-slo-'));
after(() => rmSync(folder, { recursive: true }));
const run = (...args: string[]) => runCli(['slo', ...args], { cwd: folder });

const shop = (objective: string): string =>
  `service: shop\nslos:\n  - { name: orders, objective: ${objective}, sli: { events: { bad: a_total, total: b_total } } }\n`;
writeFileSync(join(folder, 'shop.slo.yaml'), shop('99.9%'));
writeFileSync(join(folder, 'loose.slo.yaml'), shop('80%'));
writeFileSync(
  join(folder, 'quick.slo.yaml'),
  'service: shop\nslos: [{ name: quick, objective: 99%, sli: { latency: { under: 240ms } } }]\n',
);
writeFileSync(join(folder, 'wrong.slo.yaml'), shop('100%'));

test('check: budget, alerts and the time to a page, in words', async () => {
  const { code, out } = await run('check', 'shop.slo.yaml', '--rate', '50');
  assert.equal(code, exitCodes.ok);
  assert.match(out, /^shop-orders: 99\.9% over 30 days$/m);
  assert.match(out, /43\.2 min of total outage, 1 failure in 1000 requests, 129600 failures at 50\/s/);
  assert.match(out, /^ {2}policy {2}warn at 50%, review at 25%, freeze at 0% of it left, once 1h is known$/m);
  assert.match(out, /page {4}14\.4× over 1h and 5m: above 1\.44% failing, a total outage for 51\.84 s/);
  assert.match(
    out,
    /a total outage pages after 51\.84 s\n {2}10% failing pages after 8 min 38 s\n {2}1% failing pages after 3 h 36 min/,
  );
  assert.match(out, /with 69 requests in 1h or fewer, one failure pages/);
});

test('check: of a latency, by which bound it is counted', async () => {
  const { code, out } = await run('check', 'quick.slo.yaml');
  assert.equal(code, exitCodes.ok);
  assert.match(out, /^ {2}bad {5}an answer that takes longer than 250 ms$/m);
  assert.doesNotMatch((await run('check', 'shop.slo.yaml')).out, /longer than/);
});

test('check: exit code 1 where nothing could page, and for mistakes', async () => {
  const loose = await run('check', 'loose.slo.yaml');
  assert.equal(loose.code, exitCodes.no);
  assert.match(loose.out, /14\.4× over 1h and 5m: can never fire, it needs 288% of requests to fail/);
  assert.match(loose.out, /nothing that fails could wake anybody/);
  const wrong = await run('check', 'wrong.slo.yaml');
  assert.equal(wrong.code, exitCodes.no);
  assert.match(wrong.err, /^wrong\.slo\.yaml:3:32: .*"100%"/);
});

test('check --json: the same for programs, also of a file that is not there', async () => {
  const good = JSON.parse((await run('check', 'shop.slo.yaml', '--json')).out) as {
    valid: boolean;
    slos: SloVerdict[];
  };
  assert.equal(good.valid, true);
  assert.equal(good.slos[0]!.budget.minutes, 43.2);
  assert.equal(good.slos[0]!.detection[0]!.pageS, 51.84);
  const none = await run('check', 'none.yaml', '--json');
  assert.equal(none.code, exitCodes.no);
  const answer = JSON.parse(none.out) as { valid: boolean; mistakes: { message: string }[] };
  assert.equal(answer.valid, false);
  assert.match(answer.mistakes[0]!.message, /does not exist/);
});

test('compile: each file says what made it, and a second time nothing changes', async () => {
  const first = await run('compile', 'shop.slo.yaml', '--out', 'made');
  assert.equal(first.code, exitCodes.ok, first.err);
  const names = readdirSync(join(folder, 'made')).toSorted();
  assert.deepEqual(names, [
    'alertmanager.yaml',
    'shop-orders.rules.yaml',
    'shop-orders.test.yaml',
    'shop.dashboard.json',
    'slo-overview.dashboard.json',
  ]);
  const all = () =>
    names.map((name) => [readFileSync(join(folder, 'made', name), 'utf8'), statSync(join(folder, 'made', name)).ino]);
  const before = all();
  for (const [text] of before) assert.match(String(text), /Made by spillway slo compile/);
  const again = await run('compile', 'shop.slo.yaml', '--out', 'made');
  assert.equal(again.out.match(/^unchanged /gm)?.length, names.length);
  assert.deepEqual(all(), before);
});

test('compile: what somebody else wrote is kept, and then nothing is written', async () => {
  await run('compile', 'shop.slo.yaml', '--out', 'theirs');
  writeFileSync(join(folder, 'theirs', 'alertmanager.yaml'), 'route: { receiver: me }\n');
  rmSync(join(folder, 'theirs', 'shop-orders.rules.yaml'));
  const { code, err } = await run('compile', 'shop.slo.yaml', '--out', 'theirs');
  assert.equal(code, exitCodes.no);
  assert.match(err, /alertmanager\.yaml was not made by slo compile and is left as it is/);
  assert.ok(!readdirSync(join(folder, 'theirs')).includes('shop-orders.rules.yaml'));
});

test('wrong command lines, mistakes and folders that cannot be written', async () => {
  for (const [args, said] of [
    [[], /what is to be done\?/],
    [['chek', 'shop.slo.yaml'], /did you mean check\?/],
    [['check'], /which file/],
    [['compile', 'shop.slo.yaml'], /where to\?/],
    [['compile', 'shop.slo.yaml', '--out', 'x', '--json'], /slo compile has no --json/],
    [['compile', 'shop.slo.yaml', '--out', 'x', '--labels', 'y'], /--labels is spillway or sloth/],
    [['check', 'shop.slo.yaml', '--rate', '0'], /--rate is a number/],
  ] as const) {
    const { code, err } = await run(...args);
    assert.equal(code, exitCodes.usage, err);
    assert.match(err, said);
  }
  assert.equal((await run('compile', 'wrong.slo.yaml', '--out', 'x')).code, exitCodes.no);
  assert.equal((await run('compile', 'shop.slo.yaml', '--out', 'shop.slo.yaml')).code, exitCodes.cannotRun);
});
