import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { mkdirSync, mkdtempSync, renameSync, rmdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { systemClock } from '../../kernel/clock.ts';
import { WatchFiles } from './watch-files.ts';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'spillway-watch-'));
  cleanups.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function watching(...files: string[]) {
  const events = new EventEmitter();
  let changes = 0;
  const watch = new WatchFiles({
    clock: systemClock,
    onChange: () => {
      changes += 1;
      events.emit('change');
    },
  });
  cleanups.push(() => watch.close());
  await watch.watch(files);
  return { watch, changed: () => once(events, 'change'), count: () => changes };
}

test('a file that is written in place, replaced by rename, removed, made a folder or made again has changed', async () => {
  const file = join(folder(), 'spillway.yaml');
  writeFileSync(file, 'one');
  const { changed } = await watching(file);
  for (const change of [
    () => writeFileSync(file, 'two'),
    () => {
      writeFileSync(`${file}.new`, 'three');
      renameSync(`${file}.new`, file);
    },
    () => writeFileSync(file, 'four'),
    () => rmSync(file),
    () => mkdirSync(file),
    () => rmdirSync(file),
    () => writeFileSync(file, 'five'),
  ]) {
    const seen = changed();
    change();
    await seen;
  }
});

test('a symlinked mount that is switched has changed, as often as it is', async () => {
  const mount = folder();
  const file = join(mount, 'spillway.yaml');
  const switchTo = (version: string): void => {
    mkdirSync(join(mount, version));
    writeFileSync(join(mount, version, 'spillway.yaml'), version);
    symlinkSync(version, join(mount, '..next'));
    renameSync(join(mount, '..next'), join(mount, '..data'));
  };
  switchTo('..1');
  symlinkSync(join('..data', 'spillway.yaml'), file);
  const { changed } = await watching(file);
  for (const version of ['..2', '..3']) {
    const seen = changed();
    switchTo(version);
    await seen;
  }
});

test('a link further up that is switched has changed the files below it, as often as it is', async () => {
  const home = folder();
  const switchTo = (release: string): void => {
    mkdirSync(join(home, release, 'conf'), { recursive: true });
    writeFileSync(join(home, release, 'conf', 'spillway.yaml'), release);
    symlinkSync(release, join(home, 'next'));
    renameSync(join(home, 'next'), join(home, 'current'));
  };
  switchTo('release-1');
  const elsewhere = folder();
  symlinkSync(join(home, 'current'), join(elsewhere, 'app'));
  const { changed } = await watching(join(elsewhere, 'app', 'conf', 'spillway.yaml'));
  for (const release of ['release-2', 'release-3']) {
    const seen = changed();
    switchTo(release);
    await seen;
  }
});

test('a link further up that is taken away and made again has changed both times', async () => {
  const home = folder();
  for (const release of ['one', 'two']) {
    mkdirSync(join(home, release));
    writeFileSync(join(home, release, 'spillway.yaml'), release);
  }
  const current = join(home, 'current');
  symlinkSync('one', current);
  const { changed } = await watching(join(current, 'spillway.yaml'));
  for (const change of [
    () => rmSync(current),
    () => symlinkSync('two', current),
    () => rmSync(join(home, 'two'), { recursive: true }),
  ]) {
    const seen = changed();
    change();
    await seen;
  }
});

test('a link to a file elsewhere has changed when that file has', async () => {
  const target = join(folder(), 'real.yaml');
  const file = join(folder(), 'spillway.yaml');
  writeFileSync(target, 'one');
  symlinkSync(target, file);
  const { changed } = await watching(file);
  for (const content of ['two', 'three']) {
    const seen = changed();
    writeFileSync(target, content);
    await seen;
  }
});

test('several files are one change; other files and equal content are none', async () => {
  const home = folder();
  const [file, key] = [join(home, 'spillway.yaml'), join(home, 'key.pem')];
  writeFileSync(file, 'one');
  writeFileSync(key, 'one');
  const { watch, changed, count } = await watching(file, key);
  writeFileSync(join(home, 'other'), 'x');
  writeFileSync(file, 'one');
  utimesSync(file, 1, 1);
  await watch.watch([key, file]);
  // Only what comes after all of these is the change: had one of them counted, there would be two.
  await new Promise((resolve) => systemClock.after(400, () => resolve(undefined), { ref: true }));
  assert.equal(count(), 0);
  const seen = changed();
  writeFileSync(file, 'two');
  writeFileSync(key, 'two');
  await seen;
  assert.equal(count(), 1);
});

test('a change between the first look and the next is not lost', async () => {
  const file = join(folder(), 'spillway.yaml');
  writeFileSync(file, 'one');
  const { watch, changed } = await watching(file);
  const seen = changed();
  // What a reload does: the file changes while it is read, and then the same files are watched again.
  writeFileSync(file, 'two');
  await watch.watch([file]);
  await seen;
});

test('a folder that does not exist is looked at now and then instead', async () => {
  const home = folder();
  const file = join(home, 'later', 'spillway.yaml');
  const { changed } = await watching(file);
  const seen = changed();
  mkdirSync(join(home, 'later'));
  writeFileSync(file, 'one');
  await seen;
});
