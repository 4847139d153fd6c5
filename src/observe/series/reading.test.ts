/** Files of series that cannot be read, for a while or ever: what becomes of them, of all others, and of what comes meanwhile. */
import assert from 'node:assert/strict';
import {
  mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, statSync, symlinkSync, writeFileSync,
} from 'node:fs'; // prettier-ignore
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { count, folderOf, killed, leftInBlocks, opened, sum, written } from '../../../test/observe/series-folder.ts';
import { SimulatedClock } from '../../kernel/simulated-clock.ts';
import { createSeries, type Series } from './series.ts';
import { SeriesFiles } from './series-files.ts';

const quiet = { onProblem: () => {}, onNotice: () => {} };

for (const code of ['EMFILE', 'EACCES', 'EIO']) for (const kind of ['10s', '5m']) test(`while a file of ${kind} cannot be read (${code}) all else is, what comes is kept, and it is joined when it can`, async (t) => {
  const [folder, clock, said] = [folderOf(), new SimulatedClock(), new Array<string | null>()];
  const left = await leftOf(folder, clock);
  const restore = unreadable(t, lastOf(left, kind), code);
  const { series, files } = await opened(left, clock, said);
  assert.equal(files.state.unread, 1);
  const known = kind === '10s' ? 400 : 450;
  assert.equal(sum(series, clock), known, 'all else');
  count(series, clock, 30);
  clock.pass(1_800_000);
  await files.readAgain();
  assert.equal(said.length, 1, 'said once');
  assert.match(said[0]!, /1 of 2 files in .* cannot be read/);
  await files.close();
  // What was counted meanwhile is on disk, whatever became of the other.
  const between = await opened(killed(left), clock);
  assert.equal(sum(between.series, clock), known + 30);
  count(between.series, clock, 7);
  restore();
  await between.files.readAgain();
  assert.equal(between.files.state.unread, 0);
  assert.equal(sum(between.series, clock), 487);
  await between.files.readAgain();
  await between.files.close();
  const next = await opened(between.files.state.folder, clock);
  clock.pass(40 * 3_600_000);
  assert.equal(sum(next.series, clock), 487, 'by coarse steps too');
  await next.files.close();
}); // prettier-ignore

test('fine blocks wait for what a coarse file holds that cannot be read yet: each is in coarse steps once', async (t) => {
  const [folder, clock] = [folderOf(), new SimulatedClock()];
  const left = await leftInBlocks(folder, clock);
  // One of those that only the coarse file has any more.
  const path = join(left, lastOf(left, '10s'));
  writeFileSync(path, readFileSync(path).fill(0, 20, 30));
  const restore = unreadable(t, lastOf(left, '5m'), 'EIO');
  const { series, files } = await opened(left, clock);
  assert.equal(sum(series, clock), 690);
  count(series, clock, 20);
  await files.readAgain();
  assert.deepEqual([sum(series, clock), sumCoarsely(series, clock)], [710, 20]);
  restore();
  await files.readAgain();
  assert.deepEqual([sum(series, clock), sumCoarsely(series, clock)], [710, 720]);
  await files.close();
  const next = await opened(left, clock);
  assert.deepEqual([sum(next.series, clock), sumCoarsely(next.series, clock)], [710, 720], 'in the next process too');
  await next.files.close();
});

test('what may pass and does not within an hour is put aside; what this process is short of never is', async (t) => {
  for (const code of ['EIO', 'EMFILE']) {
    const [folder, clock, said] = [folderOf(), new SimulatedClock(), new Array<string | null>()];
    const left = await leftOf(folder, clock);
    const last = lastOf(left, '10s');
    const restore = unreadable(t, last, code);
    const { files } = await opened(left, clock, said);
    clock.pass(3_600_001);
    await files.readAgain();
    await files.readAgain();
    restore();
    await files.close();
    assert.equal(said.length, code === 'EIO' ? 2 : 1);
    const asides = readdirSync(left).filter((name) => name.startsWith(`${last}.unread-`));
    assert.equal(asides.length, code === 'EIO' ? 1 : 0);
  }
}); // prettier-ignore

test('of files that were put aside the last ones stay, within a number and a share of the bytes', async () => {
  const [folder, clock] = [folderOf(), new SimulatedClock()];
  const left = await leftOf(folder, clock);
  const nameOf = (ms: number): string => `10s-${String(ms).padStart(13, '0')}-000000.series`;
  // The last to be put aside is the first to have been begun.
  const asideOf = (ms: number): string => `${nameOf(100 - ms)}.unread-${String(ms).padStart(13, '0')}`;
  for (let ms = 2; ms < 40; ms++) writeFileSync(join(left, asideOf(ms)), 'x'.repeat(1000));
  for (const older of ['', '-2']) writeFileSync(join(left, `${nameOf(99)}.unread${older}`), 'does not tell when');
  const asides = (): string[] => readdirSync(left).filter((name) => name.includes('.unread'));
  const putAside = async (bytesMax: number, ms: number): Promise<string> => {
    mkdirSync(join(left, nameOf(ms)));
    const files = new SeriesFiles({ folder: left, series: createSeries({ clock }), clock, bytesMax, ...quiet });
    await files.open();
    await files.close();
    return `${nameOf(ms)}.unread-${clock.wallMs()}`;
  };
  const broken = await putAside(1e6, 1);
  const last = Array.from({ length: 15 }, (_, at) => asideOf(39 - at));
  assert.deepEqual(new Set(asides()), new Set([broken, ...last]), 'and the folder, which is somebody’s');
  await putAside(40_000, 41);
  assert.ok(asides().length < 13, asides().join());
  assert.ok(asides().includes(asideOf(39)));
}); // prettier-ignore

test('what is put aside is there under its new name, also if it alone is more than may stay', async (t) => {
  const [folder, clock] = [folderOf(), new SimulatedClock()];
  const left = await leftOf(folder, clock);
  const last = lastOf(left, '10s');
  const restore = unreadable(t, last, 'ERR_FS_FILE_TOO_LARGE');
  const files = new SeriesFiles({ folder: left, series: createSeries({ clock }), clock, bytesMax: 4, ...quiet });
  await files.open();
  restore();
  await files.close();
  assert.ok(statSync(join(left, `${last}.unread-${clock.wallMs()}`)).size > 1);
});

test('what was put aside and is given back its name is read, also if the clock was set back in between', async (t) => {
  const [folder, clock] = [folderOf(), new SimulatedClock()];
  const begunMs = clock.wallMs();
  const left = await leftOf(folder, clock);
  const name = lastOf(left, '10s');
  const restore = unreadable(t, name, 'ERR_FS_FILE_TOO_LARGE');
  await (await opened(left, clock)).files.close();
  restore();
  const earlier = new SimulatedClock(begunMs);
  const meanwhile = await opened(left, earlier);
  count(meanwhile.series, earlier, 50);
  await meanwhile.files.close();
  renameSync(join(left, `${name}.unread-${clock.wallMs()}`), join(left, name));
  const { series, files } = await opened(left, clock);
  assert.equal(sum(series, clock), 500);
  await files.close();
});

test('a link that leads nowhere is no file, one that leads to itself is put aside, and what is aside is counted without following it', async () => {
  const [folder, clock] = [folderOf(), new SimulatedClock()];
  const left = await leftOf(folder, clock);
  const nameOf = (ms: number): string => `10s-${String(ms).padStart(13, '0')}-000000.series`;
  symlinkSync(nameOf(1), join(left, nameOf(1)));
  symlinkSync('nowhere', join(left, `${nameOf(2)}.unread`));
  const files = new SeriesFiles({ folder: left, series: createSeries({ clock }), clock, ...quiet });
  await files.open();
  await files.close();
  const asides = readdirSync(left).filter((name) => name.includes('.unread')).toSorted();
  assert.deepEqual(asides, [`${nameOf(1)}.unread-${clock.wallMs()}`, `${nameOf(2)}.unread`]);
}); // prettier-ignore

test('a file that cannot be read is put aside, in words, and takes nothing from the others', async () => {
  const [folder, clock, said] = [folderOf(), new SimulatedClock(), new Array<string | null>()];
  const left = await leftOf(folder, clock);
  const broken = '10s-0000000000001-000000.series';
  const before = `${broken}.unread-${clock.wallMs()}`;
  mkdirSync(join(left, broken));
  writeFileSync(join(left, before), 'from another time');
  const { series, files } = await opened(left, clock, said);
  assert.equal(sum(series, clock), 450);
  assert.equal(said.length, 1);
  assert.match(said[0]!, /10s-0000000000001-000000\.series cannot be read \(EISDIR.*\) and is called .*\.unread-\d{13}-2 now; what only it had is missing/);
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

test('hours of a coarse file that is gone are made anew of the fine ones, all of them and for ever after', async () => {
  const [folder, clock] = [folderOf(), new SimulatedClock()];
  const first = await opened(folder, clock);
  const requests = first.series.counter({ name: 'requests' });
  const counted = 90 * 30;
  for (let total = 30; total <= counted; total += 30) {
    for (let ten = 0; ten < 30; ten++) {
      clock.pass(10_000);
      requests.add(clock.wallMs(), 1);
    }
    await written(folder, '5m', total);
  }
  await first.files.close();
  for (const name of readdirSync(folder)) if (name.startsWith('5m')) rmSync(join(folder, name));
  const second = await opened(folder, clock);
  assert.equal(sum(second.series, clock), counted);
  await second.files.close();
  assert.equal(second.files.state.lost, 0);
  const last = await opened(folder, clock);
  assert.equal(sum(last.series, clock), counted);
  clock.pass(40 * 3_600_000);
  assert.equal(sum(last.series, clock), counted, 'by coarse steps too');
  await last.files.close();
});

test('a fine file that has gone before a coarse one could be read is waited for no longer', async (t) => {
  const [folder, clock] = [folderOf(), new SimulatedClock()];
  const left = await leftOf(folder, clock);
  const restore = unreadable(t, lastOf(left, '5m'), 'EIO');
  const { files } = await opened(left, clock);
  rmSync(join(left, lastOf(left, '10s')));
  restore();
  await files.readAgain();
  const asked = t.mock.method(promises, 'readFile');
  syncBuiltinESMExports();
  await files.readAgain();
  await files.close();
  assert.equal(asked.mock.callCount(), 0);
  asked.mock.restore();
  syncBuiltinESMExports();
});

test('files are in memory while they are read, and no longer', async (t) => {
  const [folder, clock] = [folderOf(), new SimulatedClock()];
  const left = await leftOf(folder, clock);
  const { readFile } = promises;
  const read: WeakRef<object>[] = [];
  // No mock: that keeps what was returned.
  promises.readFile = (async (path: string) => {
    const bytes = await readFile(path);
    read.push(new WeakRef(bytes.buffer));
    return bytes;
  }) as typeof readFile;
  const restore = (): void => {
    promises.readFile = readFile;
    syncBuiltinESMExports();
  };
  syncBuiltinESMExports();
  t.after(restore);
  const { files } = await opened(left, clock);
  restore();
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  // What was looked at is held until its turn is over, and by a request to read that is not destroyed yet perhaps a few more.
  for (let turn = 0; turn < 20; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    gc();
  }
  assert.equal(read.length, 2);
  assert.deepEqual(read.map((each) => each.deref()), [undefined, undefined]);
  await files.close();
}); // prettier-ignore

test('where most files cannot be read, none is touched: they wait for whoever can help, and what comes is kept', async () => {
  const [folder, clock, said] = [folderOf(), new SimulatedClock(), new Array<string | null>()];
  const left = await leftOf(folder, clock);
  const names = readdirSync(left).toSorted();
  for (const name of names) {
    renameSync(join(left, name), join(left, `of-${name}`));
    mkdirSync(join(left, name));
  }
  const { series, files } = await opened(left, clock, said);
  count(series, clock, 50);
  clock.pass(3_600_001);
  await files.readAgain();
  assert.match(said[0]!, /^2 of 2 files in .* cannot be read \(EISDIR/);
  assert.equal(said.length, 1);
  assert.deepEqual(readdirSync(left).filter((name) => names.includes(name)).toSorted(), names);
  for (const name of names) {
    rmdirSync(join(left, name));
    renameSync(join(left, `of-${name}`), join(left, name));
  }
  await files.readAgain();
  assert.equal(sum(series, clock), 500);
  assert.match(said[1]!, /^What could not be read in .* has been read/);
  await files.close();
  const next = await opened(left, clock);
  assert.equal(sum(next.series, clock), 500);
  await next.files.close();
}); // prettier-ignore

function sumCoarsely(series: Series, clock: SimulatedClock): number {
  const toMs = clock.wallMs() + 1;
  const [row] = series.range({ name: 'requests', fromMs: toMs - 7_200_000, toMs, stepMs: 300_000 }).rows;
  return row?.kind === 'counter' ? row.values.reduce((one, other) => one + other, 0) : 0;
}

function lastOf(folder: string, kind: string): string {
  return readdirSync(folder)
    .toSorted()
    .findLast((name) => name.startsWith(kind))!;
}

/** Whoever is root reads everything: of a right that is missing, or a disk that fails, what is told stands for it. */
function unreadable(t: TestContext, name: string, code: string): () => void {
  const { readFile } = promises;
  const refused = t.mock.method(promises, 'readFile', (path: string) =>
    path.endsWith(name) ? Promise.reject(Object.assign(new Error('not now'), { code })) : readFile(path),
  );
  syncBuiltinESMExports();
  return () => {
    refused.mock.restore();
    syncBuiltinESMExports();
  };
}

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
