/** Series on disk: what a process that is killed leaves, at every byte; a full disk; two who want one folder. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  count,
  eachLookATurn,
  folderOf,
  killed,
  leftInBlocks,
  opened,
  read,
  sum,
  written,
} from '../../../test/observe/series-folder.ts';
import { SimulatedClock } from '../../kernel/simulated-clock.ts';

test('what was counted is there in the next process, and the one after it, once each', async () => {
  const [folder, clock] = [folderOf(), new SimulatedClock()];
  let counted = 0;
  for (const seconds of [7, 1, 2, 400, 33, 500, 10, 310]) {
    const { series, files } = await opened(folder, clock);
    assert.equal(sum(series, clock), counted);
    count(series, clock, seconds);
    counted += seconds;
    assert.equal(sum(series, clock), counted, 'with what was counted before, also within the same ten seconds');
    await files.close();
    await files.close();
  }
  const { series, files } = await opened(folder, clock);
  assert.equal(sum(series, clock), counted);
  for (const stepMs of [10_000, 300_000]) {
    const toMs = clock.wallMs() + 1000;
    const query = { fromMs: toMs - 3_600_000, toMs, stepMs };
    const rows = ['requests', 'seconds', 'level', 'brief'].map((name) => series.range({ ...query, name }).rows[0]);
    const [requests, seconds, level, brief] = rows;
    assert.ok(requests?.kind === 'counter' && seconds?.kind === 'histogram' && level?.kind === 'gauge');
    assert.equal(
      requests.values.reduce((a, b) => a + b, 0),
      counted,
      `each ${stepMs} ms`,
    );
    assert.equal(
      seconds.steps.reduce((all, step) => all + (step?.counts[0] ?? 0), 0),
      2 * counted,
    );
    assert.ok(level.max.includes(4));
    assert.equal(brief, undefined, 'what is kept briefly is not kept on disk');
  }
  await files.close();
});

test('killed at any byte of a write, it loses no more than what was being written', async () => {
  const [folder, clock] = [folderOf(), new SimulatedClock()];
  const { series, files } = await opened(folder, clock);
  count(series, clock, 25);
  await files.close();
  const [name] = readdirSync(folder).filter((each) => each.startsWith('10s'));
  const path = join(folder, name!);
  const whole = readFileSync(path);
  let blocks: number[] = [];
  for (let cut = 0; cut <= whole.length; cut++) {
    const found: number[] = [];
    const { places, isTorn } = read(whole.subarray(0, cut), found);
    assert.ok(found.length >= blocks.length && found.length <= blocks.length + 1, 'one block more, never another');
    assert.deepEqual(found.slice(0, blocks.length), blocks);
    assert.equal(places, 0, 'that is how a killed process leaves it, and no damage');
    assert.equal(isTorn, cut > 0 && found.length === blocks.length);
    blocks = found;
  }
  assert.equal(
    blocks.reduce((a, b) => a + b, 0),
    25,
  );
  // A coarse block that is torn: what it held is taken from the fine ones.
  const coarse = readdirSync(folder).find((each) => each.startsWith('5m'))!;
  truncateSync(join(folder, coarse), readFileSync(join(folder, coarse)).length - 1);
  writeFileSync(join(folder, '10s-0000000000000-000000.series'), 'no block at all, whatever it is');
  const next = await opened(folder, clock);
  clock.pass(7_200_000);
  assert.equal(sum(next.series, clock), 25);
  await next.files.close();
});

test('a process that is really killed while it writes leaves what it had written', { timeout: 60_000 }, async () => {
  const folder = folderOf();
  const program = `
    import { SimulatedClock } from ${JSON.stringify(new URL('../../kernel/simulated-clock.ts', import.meta.url).href)};
    import { createSeries } from ${JSON.stringify(new URL('./series.ts', import.meta.url).href)};
    import { SeriesFiles } from ${JSON.stringify(new URL('./series-files.ts', import.meta.url).href)};
    const clock = new SimulatedClock();
    const series = createSeries({ clock });
    const files = new SeriesFiles({ folder: ${JSON.stringify(folder)}, series, clock, onProblem() {}, onNotice() {} });
    await files.open();
    for (let second = 1; ; second++) {
      clock.pass(1000);
      for (let at = 0; at < 50; at++) series.counter({ name: 'requests', labels: { at: String(at) } }).add(clock.wallMs(), 1);
      if (second % 10 === 0) { await new Promise((resolve) => setImmediate(resolve)); process.stdout.write('.'); }
    }`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let dots = 0;
  child.stdout.on('data', (data: Buffer) => {
    dots += data.length;
    if (dots > 400) child.kill('SIGKILL');
  });
  await once(child, 'exit');
  const clock = new SimulatedClock();
  const { series, files } = await opened(folder, clock);
  clock.pass(40 * 3_600_000);
  const totals = new Set<number>();
  for (let at = 0; at < 50; at++) {
    const labels = { at: String(at) };
    totals.add(series.counter({ name: 'requests', labels }).total(clock.wallMs() - 48 * 3_600_000, clock.wallMs()));
  }
  assert.equal(totals.size, 1, 'a block is there for all series or for none');
  const [total = 0] = totals;
  assert.ok(total % 10 === 0 && total > 0, `${total}`);
  await files.close();
});

test('a damaged file costs the block that is damaged, once at each resolution, and is told', async () => {
  const [folder, clock] = [folderOf(), new SimulatedClock()];
  const left = await leftInBlocks(folder, clock);
  for (const [kind, finely] of [['10s', 690], ['5m', 700]] as const) {
    const [own, said] = [killed(left), new Array<string | null>()];
    const name = readdirSync(own).find((each) => each.startsWith(kind))!;
    const bytes = readFileSync(join(own, name));
    // Also what it is found by: the head of a block in the middle.
    const at = kind === '10s' ? bytes.indexOf(bytes.subarray(0, 4), bytes.length >> 1) + 1 : 30;
    writeFileSync(join(own, name), Buffer.concat([bytes.subarray(0, at), Buffer.from('?'), bytes.subarray(at + 3)]));
    const next = await opened(own, clock, said);
    assert.equal(sum(next.series, clock), finely);
    assert.match(said.join(), new RegExp(`${name} is damaged in a place, \\d+ of ${bytes.length - 2} bytes`));
    const { damagedFiles, damagedBytes, unread } = next.files.state;
    assert.deepEqual([damagedFiles, unread], [1, 0]);
    assert.ok(damagedBytes > 0 && damagedBytes < (kind === '10s' ? 300 : bytes.length));
    await next.files.close();
    const last = await opened(own, clock);
    const later = new SimulatedClock(clock.wallMs() + 40 * 3_600_000);
    assert.equal(sum(last.series, later), finely === 690 ? 690 : 700);
    await last.files.close();
  }
}); // prettier-ignore

test('thousands of series are written in turns: nothing that is counted meanwhile is lost', async () => {
  const [folder, clock] = [folderOf(), new SimulatedClock()];
  const { series, files } = await opened(folder, clock);
  for (let at = 0; at < 5000; at++) {
    series.counter({ name: 'many', labels: { at: String(at) } }).add(clock.wallMs(), 1);
  }
  count(series, clock, 1);
  const looks = eachLookATurn(clock);
  const before = looks();
  clock.pass(10_000);
  count(series, clock, 1);
  await written(folder, '10s', 2);
  assert.ok(looks() - before > 10, `${looks() - before} turns`);
  await files.close();
  const next = await opened(folder, clock);
  assert.equal(sum(next.series, clock), 2);
  const { rows, more } = next.series.range({ name: 'many', fromMs: clock.wallMs() - 60_000, toMs: clock.wallMs() + 1000, stepMs: 10_000 });
  assert.equal(rows.length + more, 5000);
  await next.files.close();
}); // prettier-ignore

test('what is there twice, as a copied file or block, counts once', async () => {
  const [folder, clock] = [folderOf(), new SimulatedClock()];
  const first = await opened(folder, clock);
  count(first.series, clock, 400);
  await first.files.close();
  for (const name of readdirSync(folder).filter((each) => each.endsWith('.series'))) {
    const bytes = readFileSync(join(folder, name));
    writeFileSync(join(folder, name.replace(/\d{6}\.series$/, '000009.series')), bytes);
    writeFileSync(join(folder, name), Buffer.concat([bytes, bytes]));
  }
  const next = await opened(folder, clock);
  assert.equal(sum(next.series, clock), 400);
  clock.pass(40 * 3_600_000);
  assert.equal(sum(next.series, clock), 400, 'by coarse steps too');
  await next.files.close();
});

test('a disk that takes nothing stops nothing; what waited is written when it does', async () => {
  const [folder, clock] = [folderOf(), new SimulatedClock()];
  const problems: (string | null)[] = [];
  const { series, files } = await opened(folder, clock, problems);
  count(series, clock, 15);
  // Whoever is root may write where nobody may: what stands for a full disk is a folder that is not there.
  rmSync(folder, { recursive: true });
  count(series, clock, 30);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await files.close();
  assert.ok(problems.some((problem) => problem?.includes('cannot be kept in') === true));
  assert.equal(sum(series, clock), 45);
  assert.equal(existsSync(folder), false);
});

test('a disk that is full is not filled with files that hold nothing', async (t) => {
  const [folder, clock] = [folderOf(), new SimulatedClock()];
  const { series, files } = await opened(folder, clock);
  const probe = await open(join(folder, 'probe'), 'w');
  const full = t.mock.method(Object.getPrototypeOf(probe) as typeof probe, 'appendFile', () =>
    Promise.reject(Object.assign(new Error('no space'), { code: 'ENOSPC' })),
  );
  await probe.close();
  for (let times = 0; times < 5; times++) {
    count(series, clock, 10);
    while (full.mock.callCount() <= times) await new Promise((resolve) => setImmediate(resolve));
  }
  full.mock.restore();
  await files.close();
  const left = readdirSync(folder).filter((name) => name.endsWith('.series'));
  assert.equal(left.length, 2, left.join());
  const next = await opened(folder, clock);
  assert.equal(sum(next.series, clock), 50);
  await next.files.close();
});

test('a folder is of one process at a time', async () => {
  const [folder, clock] = [folderOf(), new SimulatedClock()];
  const first = await opened(folder, clock);
  await assert.rejects(opened(folder, clock), { code: 'DATA_BUSY' });
  await first.files.close();
  const second = await opened(folder, clock);
  await second.files.close();
});
