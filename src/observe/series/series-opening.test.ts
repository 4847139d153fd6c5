/** What is done with what is on disk when a process begins: whose turn it is, what the clock says, what was counted meanwhile. */
import assert from 'node:assert/strict';
import {
  existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, statSync, symlinkSync, writeFileSync,
} from 'node:fs'; // prettier-ignore
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  count,
  countMany,
  eachLookATurn,
  folderOf,
  killed,
  opened,
  sum,
  written,
} from '../../../test/observe/series-folder.ts';
import { SimulatedClock } from '../../kernel/simulated-clock.ts';
import { ENTRY_BYTES } from './entry.ts';
import { createSeries } from './series.ts';
import { SeriesFiles } from './series-files.ts';

const quiet = { onProblem: () => {}, onAside: () => {} };

test('a clock that was ahead for a moment takes nothing from the next process', async () => {
  const [folder, clock] = [folderOf(), new SimulatedClock()];
  const first = await opened(folder, clock);
  count(first.series, clock, 300);
  clock.stepWall(50 * 86_400_000);
  count(first.series, clock, 1);
  clock.stepWall(-50 * 86_400_000);
  count(first.series, clock, 200);
  await first.files.close();
  const next = await opened(folder, clock);
  count(next.series, clock, 1);
  assert.equal(sum(next.series, clock), 501);
  await next.files.close();
});

test('a clock that is behind at boot takes nothing from a budget: what is on disk is read when it is right', async () => {
  const [folder, clock] = [folderOf(), new SimulatedClock()];
  const first = await opened(folder, clock);
  count(first.series, clock, 400);
  await first.files.close();
  const awayMs = clock.wallMs() - 60_000;
  clock.stepWall(-awayMs);
  const series = createSeries({ clock });
  const files = new SeriesFiles({ folder, series, clock, ...quiet });
  await assert.rejects(files.open(), { code: 'CLOCK_BEHIND', message: /says 1970-01-01T00:01:00\.000Z/ });
  count(series, clock, 30);
  clock.stepWall(awayMs);
  count(series, clock, 20);
  await files.open();
  count(series, clock, 5);
  assert.equal(sum(series, clock), 425);
  const firstMs = series.counter({ name: 'requests' }).firstMs();
  assert.ok(firstMs !== null && firstMs > awayMs - 3_600_000, 'of 1970 nothing is known');
  await files.close();
  const next = await opened(folder, clock);
  assert.equal(sum(next.series, clock), 425);
  await next.files.close();
});

test('a clock that stays behind is taken at its word after an hour', async () => {
  const [folder, clock] = [folderOf(), new SimulatedClock()];
  const first = await opened(folder, clock);
  count(first.series, clock, 10);
  await first.files.close();
  clock.stepWall(-40 * 86_400_000);
  const files = new SeriesFiles({ folder, series: createSeries({ clock }), clock, ...quiet });
  await assert.rejects(files.open(), { code: 'CLOCK_BEHIND' });
  clock.pass(3_600_001);
  await files.open();
  await files.close();
});

test('what is read is memory as long as it is held, and not longer', async () => {
  const [folder, clock] = [folderOf(), new SimulatedClock()];
  const first = await opened(folder, clock);
  for (let second = 0; second < 3000; second++) {
    clock.pass(1000);
    first.series.counter({ name: 'requests' }).add(clock.wallMs(), 1);
  }
  await first.files.close();
  const [next, empty] = [await opened(folder, clock), createSeries({ clock })];
  // Another series under the same name: what there was is let go of.
  for (const series of [next.series, empty]) series.gauge({ name: 'requests' }).set(clock.wallMs(), 1);
  assert.equal(next.series.stats.bytes, empty.stats.bytes);
  await next.files.close();
});

test('what a series was before takes nothing from what it is', async () => {
  const [folder, clock] = [folderOf(), new SimulatedClock()];
  const first = await opened(folder, clock);
  first.series.gauge({ name: 'requests' }).set(clock.wallMs(), 7);
  await first.files.close();
  clock.pass(400_000);
  const second = await opened(folder, clock);
  second.series.counter({ name: 'requests' }).add(clock.wallMs(), 10);
  await second.files.close();
  clock.pass(400_000);
  const series = createSeries({ clock });
  const files = new SeriesFiles({ folder, series, clock, ...quiet });
  series.counter({ name: 'requests' }).add(clock.wallMs(), 1);
  await files.open();
  assert.equal(sum(series, clock), 11);
  assert.equal(series.stats.refused, 0);
  await files.close();
});

test('what is counted before the folder is free, and while it is read in turns, is kept in it too', async () => {
  const [folder, clock] = [folderOf(), new SimulatedClock()];
  const first = await opened(folder, clock);
  countMany(first.series, clock, 400);
  const series = createSeries({ clock });
  const files = new SeriesFiles({ folder, series, clock, ...quiet });
  await assert.rejects(files.open(), { code: 'DATA_BUSY' });
  count(series, clock, 33);
  await first.files.close();
  eachLookATurn(clock);
  let isOpen = false;
  const opening = files.open().then(() => (isOpen = true));
  let turns = 0;
  for (; !isOpen; turns++) {
    // No longer than what waits is kept finely, however long a file takes.
    if (turns < 100) count(series, clock, 1);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await opening;
  assert.ok(turns > 50, `${turns} turns`);
  const counted = 400 + 33 + Math.min(turns, 100);
  assert.equal(sum(series, clock), counted);
  await files.close();
  const next = await opened(folder, clock);
  assert.equal(sum(next.series, clock), counted, 'in the next process too');
  await next.files.close();
});

test('one that is closed while it reads ends that at once, and keeps what was counted', async () => {
  const [folder, clock] = [folderOf(), new SimulatedClock()];
  const first = await opened(folder, clock);
  countMany(first.series, clock, 400);
  await first.files.close();
  const series = createSeries({ clock });
  const files = new SeriesFiles({ folder, series, clock, ...quiet });
  const opening = files.open();
  count(series, clock, 5);
  const looks = eachLookATurn(clock);
  await Promise.all([files.close(), opening]);
  assert.ok(looks() < 10, `${looks()} looks`);
  const next = await opened(folder, clock);
  assert.equal(sum(next.series, clock), 405);
  await next.files.close();
});

test('what only fine frames held when a process was killed is in coarse ones once the next has ended', async () => {
  const [folder, clock] = [folderOf(), new SimulatedClock()];
  const first = await opened(folder, clock);
  for (let frame = 1; frame <= 12; frame++) {
    count(first.series, clock, 10);
    await written(folder, '10s', frame * 10);
  }
  const left = killed(folder);
  await first.files.close();
  const next = await opened(left, clock);
  assert.equal(sum(next.series, clock), 120);
  await next.files.close();
  clock.pass(40 * 3_600_000);
  const last = await opened(left, clock);
  assert.equal(sum(last.series, clock), 120);
  await last.files.close();
});

test('what waited for longer than fine steps go back is on disk as soon as the folder is there', async () => {
  const [folder, clock] = [folderOf(), new SimulatedClock()];
  const series = createSeries({ clock });
  const files = new SeriesFiles({ folder, series, clock, ...quiet });
  count(series, clock, 3600);
  await files.open();
  await written(folder, '5m', 3600);
  const left = killed(folder);
  await files.close();
  const next = await opened(left, clock);
  assert.equal(sum(next.series, clock), 3600);
  await next.files.close();
});

for (const code of ['EMFILE', 'EACCES', 'EIO']) test(`a folder that could not be read wholly (${code}) is read anew, once each, and no file is put aside for it`, async (t) => {
  const [folder, clock] = [folderOf(), new SimulatedClock()];
  const left = await leftOf(folder, clock);
  const series = createSeries({ clock });
  const files = new SeriesFiles({ folder: left, series, clock, ...quiet });
  const { readFile } = promises;
  // Of the last file, when all others have been read.
  const last = readdirSync(left).toSorted().findLast((name) => name.startsWith('10s'))!;
  const short = t.mock.method(promises, 'readFile', (path: string) => {
    if (!path.endsWith(last)) return readFile(path);
    return Promise.reject(Object.assign(new Error('not now'), { code }));
  });
  syncBuiltinESMExports();
  await assert.rejects(files.open(), { code });
  clock.pass(1_800_000);
  await assert.rejects(files.open(), { code });
  short.mock.restore();
  syncBuiltinESMExports();
  const { series: known, bytes } = series.stats;
  assert.equal(bytes, known * ENTRY_BYTES, 'what was read is let go of');
  assert.equal(sum(series, clock), 0);
  await files.open();
  assert.equal(sum(series, clock), 450);
  clock.pass(40 * 3_600_000);
  assert.equal(sum(series, clock), 450, 'by coarse steps too');
  await files.close();
}); // prettier-ignore

test('what may pass and does not within an hour is put aside; what this process is short of never is', async (t) => {
  for (const code of ['EIO', 'EMFILE']) {
    const [folder, clock, said] = [folderOf(), new SimulatedClock(), new Array<string | null>()];
    const left = await leftOf(folder, clock);
    const last = readdirSync(left).toSorted().findLast((name) => name.startsWith('10s'))!;
    const { readFile } = promises;
    const bad = t.mock.method(promises, 'readFile', (path: string) =>
      path.endsWith(last) ? Promise.reject(Object.assign(new Error('bad sector'), { code })) : readFile(path),
    );
    syncBuiltinESMExports();
    const onAside = (what: string): void => void said.push(what);
    const files = new SeriesFiles({ folder: left, series: createSeries({ clock }), clock, onProblem: () => {}, onAside });
    await assert.rejects(files.open(), { code });
    clock.pass(3_600_001);
    if (code === 'EIO') await files.open();
    else await assert.rejects(files.open(), { code });
    bad.mock.restore();
    syncBuiltinESMExports();
    await files.close();
    assert.equal(said.length, code === 'EIO' ? 1 : 0);
    assert.equal(existsSync(join(left, `${last}.unread`)), code === 'EIO');
  }
}); // prettier-ignore

test('of files that were put aside the newest stay, within a number and a share of the bytes', async () => {
  const [folder, clock] = [folderOf(), new SimulatedClock()];
  const left = await leftOf(folder, clock);
  const nameOf = (ms: number): string => `10s-${String(ms).padStart(13, '0')}-000000.series`;
  for (let ms = 2; ms < 40; ms++) writeFileSync(join(left, `${nameOf(ms)}.unread`), 'x'.repeat(1000));
  mkdirSync(join(left, nameOf(1)));
  const asides = (): string[] => readdirSync(left).filter((name) => name.includes('.unread')).toSorted();
  const first = await opened(left, clock);
  await first.files.close();
  const newest = Array.from({ length: 16 }, (_, at) => `${nameOf(24 + at)}.unread`);
  assert.deepEqual(asides(), [`${nameOf(1)}.unread`, ...newest], 'and the folder, which is somebody’s');
  mkdirSync(join(left, nameOf(41)));
  const files = new SeriesFiles({ folder: left, series: createSeries({ clock }), clock, bytesMax: 40_000, ...quiet });
  await files.open();
  await files.close();
  assert.ok(asides().length < 13, asides().join());
  assert.ok(asides().includes(`${nameOf(39)}.unread`));
}); // prettier-ignore

test('what is put aside is there under its new name, also if it alone is more than may stay', async (t) => {
  const [folder, clock] = [folderOf(), new SimulatedClock()];
  const left = await leftOf(folder, clock);
  const last = readdirSync(left).toSorted().findLast((name) => name.startsWith('10s'))!;
  const { readFile } = promises;
  const bad = t.mock.method(promises, 'readFile', (path: string) =>
    path.endsWith(last) ? Promise.reject(Object.assign(new Error('too large'), { code: 'ERR_FS_FILE_TOO_LARGE' })) : readFile(path),
  );
  syncBuiltinESMExports();
  const files = new SeriesFiles({ folder: left, series: createSeries({ clock }), clock, bytesMax: 4, ...quiet });
  await files.open();
  bad.mock.restore();
  syncBuiltinESMExports();
  await files.close();
  assert.ok(statSync(join(left, `${last}.unread`)).size > 1);
}); // prettier-ignore

test('a link that leads nowhere or to itself is put aside, and what is put aside beside it is counted without following it', async () => {
  const [folder, clock] = [folderOf(), new SimulatedClock()];
  const left = await leftOf(folder, clock);
  const nameOf = (ms: number): string => `10s-${String(ms).padStart(13, '0')}-000000.series`;
  symlinkSync(nameOf(1), join(left, nameOf(1)));
  symlinkSync('nowhere', join(left, `${nameOf(2)}.unread`));
  const files = new SeriesFiles({ folder: left, series: createSeries({ clock }), clock, ...quiet });
  await files.open();
  await files.close();
  const asides = readdirSync(left).filter((name) => name.includes('.unread')).toSorted();
  assert.deepEqual(asides, [`${nameOf(1)}.unread`, `${nameOf(2)}.unread`]);
}); // prettier-ignore

test('a file that cannot be read is put aside, in words, and takes nothing from the others', async () => {
  const [folder, clock, said] = [folderOf(), new SimulatedClock(), new Array<string | null>()];
  const left = await leftOf(folder, clock);
  const [broken, before] = ['10s-0000000000001-000000.series', '10s-0000000000001-000000.series.unread'];
  mkdirSync(join(left, broken));
  writeFileSync(join(left, before), 'from another time');
  const { series, files } = await opened(left, clock, said);
  assert.equal(sum(series, clock), 450);
  assert.equal(said.length, 1);
  assert.match(said[0]!, /10s-0000000000001-000000\.series cannot be read \(EISDIR.*\) and is called .*\.unread-2 now; what only it had is missing/);
  assert.ok(statSync(join(left, `${before}-2`)).isDirectory());
  assert.equal(readFileSync(join(left, before), 'utf8'), 'from another time');
  count(series, clock, 50);
  await files.close();
  // New files are begun, for which the oldest would have gone; and nobody reads it again.
  clock.pass(40 * 3_600_000);
  const next = await opened(left, clock, said);
  assert.equal(sum(next.series, clock), 500);
  assert.equal(said.length, 1);
  await next.files.close();
}); // prettier-ignore

test('what a coarse file had that cannot be read is taken from the fine ones, and counted once for ever after', async () => {
  const [folder, clock] = [folderOf(), new SimulatedClock()];
  const left = await leftOf(folder, clock);
  const coarse = readdirSync(left).find((name) => name.startsWith('5m'))!;
  rmSync(join(left, coarse));
  mkdirSync(join(left, coarse));
  const said: (string | null)[] = [];
  const { series, files } = await opened(left, clock, said);
  assert.equal(said.length, 1);
  count(series, clock, 1);
  await files.close();
  clock.pass(40 * 3_600_000);
  const next = await opened(left, clock);
  assert.equal(sum(next.series, clock), 451);
  await next.files.close();
});

test('where most files cannot be read, none is touched: they wait for whoever can help', async () => {
  const [folder, clock] = [folderOf(), new SimulatedClock()];
  const left = await leftOf(folder, clock);
  const names = readdirSync(left).toSorted();
  for (const name of names) {
    renameSync(join(left, name), join(left, `of-${name}`));
    mkdirSync(join(left, name));
  }
  const files = new SeriesFiles({ folder: left, series: createSeries({ clock }), clock, ...quiet });
  await assert.rejects(files.open(), { code: 'EISDIR' });
  assert.deepEqual(readdirSync(left).filter((name) => names.includes(name)).toSorted(), names);
  for (const name of names) {
    rmdirSync(join(left, name));
    renameSync(join(left, `of-${name}`), join(left, name));
  }
  await files.open();
  await files.close();
  const next = await opened(left, clock);
  assert.equal(sum(next.series, clock), 450);
  await next.files.close();
}); // prettier-ignore

/** What a killed process leaves that has counted 450: all of it finely, 400 of it coarsely. */
async function leftOf(folder: string, clock: SimulatedClock): Promise<string> {
  const first = await opened(folder, clock);
  count(first.series, clock, 400);
  await written(folder, '5m', 400);
  count(first.series, clock, 50);
  await written(folder, '10s', 450);
  const left = killed(folder);
  await first.files.close();
  return left;
}
