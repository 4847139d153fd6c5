/** `spillway slo backtest`: the table for people, the JSON for programs, and what is said of wrong files. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { runCli } from '../../test/cli-process.ts';
import type { Backtest } from '../observe/slo/backtest/backtest.ts';
import { parseArguments } from './arguments.ts';
import { exitCodes } from './exit-codes.ts';
import { processIo } from './process-io.ts';
import { sloCommand } from './slo.ts';

const folder = mkdtempSync(join(tmpdir(), 'spillway-backtest-'));
after(() => rmSync(folder, { recursive: true }));
const write = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

const slos = write(
  'shop.slo.yaml',
  'service: shop\nslos:\n  - { name: up, objective: 99.9%, sli: { availability: {} } }\n  - { name: mean, objective: 99%, sli: { ratio: { error: "x[$window]" } } }\n',
);
/** A day of minutes from 2026-11-01 on; ten minutes from noon on everything fails. */
const rows = Array.from(
  { length: 1440 },
  (_, at) => `${1_793_491_200 + at * 60},${at > 720 && at <= 730 ? 0 : 600},600`,
);
const data = write('day.csv', `time,good,total\n${rows.join('\n')}\n`);

test('a table that says which alerts told what, and when', async () => {
  const incidents = write(
    'incidents.csv',
    'from,to,name\n2026-11-01T12:00:00Z,2026-11-01T12:10:00Z,outage\n2026-11-01T18:00:00Z,2026-11-01T18:30:00Z,slow\n',
  );
  const { code, out, err } = await runCli([
    'slo',
    'backtest',
    slos,
    '--slo',
    'up',
    '--data',
    data,
    '--incidents',
    incidents,
  ]);
  assert.equal(code, exitCodes.ok, err);
  assert.match(out, /^1440 steps from 2026-11-01T00:00 to 2026-11-01T23:59, 2 incidents$/m);
  assert.match(out, /^page 14\.4× +1 +1 +100% +50% +1 min, 1 min +5 min, 5 min$/m);
  assert.match(out, /^not paged: slow$/m);
});

test('the same for programs, with incidents that are what spent enough', async () => {
  const { out } = await runCli(['slo', 'backtest', slos, '--slo', 'up', '--data', data, '--json', '--spent', '5%']);
  const result = JSON.parse(out) as Backtest & { slo: string };
  assert.equal(result.slo, 'up');
  assert.deepEqual(
    result.incidents.map(({ fromS, toS }) => [fromS - 1_793_491_200, toS - 1_793_491_200]),
    [[720 * 60, 730 * 60]],
  );
  assert.deepEqual(
    result.scores.map(({ name, recall }) => [name, recall]),
    ['page 14.4×', 'page 6×', 'ticket 3×', 'ticket 1×', 'any page', 'any alert'].map((name) => [name, 1]),
  );
});

const io = processIo();
const inProcess = (...args: string[]): Promise<number> =>
  sloCommand.run(parseArguments(sloCommand.spec, ['backtest', slos, ...args]), io);

test('wrong command lines and files', async () => {
  for (const [args, said] of [
    [[], /--data FILE/],
    [['--data', data], /which objective\? --slo, one of up, mean/],
    [['--data', data, '--slo', 'u'], /no objective u; there are up, mean/],
    [['--data', data, '--slo', 'up', '--spent', '2'], /--spent is a share/],
    [['--data', data, '--slo', 'up', '--spent', '2%', '--incidents', 'x'], /either --incidents or --spent/],
  ] as const) {
    await assert.rejects(inProcess(...args), { name: 'UsageError', message: said });
  }
  await assert.rejects(inProcess('--slo', 'up', '--data', join(folder, 'none')), /none does not exist/);
  const dump = write('x.prom', 'x 1 1000\n');
  const { code, err } = await runCli(['slo', 'backtest', slos, '--slo', 'mean', '--data', dump]);
  assert.equal(code, exitCodes.no);
  assert.match(err, /x\.prom:1:1: the indicator of this objective is PromQL that only Prometheus computes/);
});
