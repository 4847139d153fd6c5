/**
 * What is in a folder of series: files of two kinds, named by when they were begun, and what was put aside of them, named by when that was too.
 * Synchronous, and each a few calls: they are made where a file begins or cannot be read.
 */
import { existsSync, lstatSync, readdirSync, renameSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';

/** Of one resolution: each so often a block, each so many blocks a file, and how long files are kept. */
export const levels = [
  { name: '10s', at: 1, everyMs: 10_000, blocks: 360, keptMs: 86_400_000 + 7_200_000 },
  { name: '5m', at: 2, everyMs: 300_000, blocks: 288, keptMs: 37 * 86_400_000 },
] as const;
export type Level = (typeof levels)[number];

/** Of files that were put aside: for whoever wants to know what was in them, and no more than a disk can bear. */
const ASIDE = { filesMax: 16, share: 1 / 4 };
const named = /^(10s|5m)-(\d{13})-(\d{6})\.series$/;
/** Before the time in its name: when it was begun; after it: when it was put aside, which older ones do not tell. */
const aside = /^(?:10s|5m)-(\d{13})-\d{6}\.series\.unread(?:-(\d{13}))?(?:-\d+)?$/;

/** The oldest first. */
export function seriesNames(folder: string): readonly string[] {
  return readdirSync(folder)
    .filter((name) => named.test(name))
    .toSorted();
}

export function nameOf(level: Level, wallMs: number, count: number): string {
  const [time, number] = [String(Math.floor(wallMs)).padStart(13, '0'), String(count % 1_000_000).padStart(6, '0')];
  return `${level.name}-${time}-${number}.series`;
}

/** Wall time at which the last file was begun, of those that were put aside too; 0 without any. */
export function lastBegunMs(folder: string): number {
  const begun = readdirSync(folder).map((name) => Number(named.exec(name)?.[2] ?? aside.exec(name)?.[1] ?? 0));
  return begun.reduce((last, ms) => Math.max(last, ms), 0);
}

/** Wall time at which a file was begun. */
export function begunMs(name: string): number {
  return Number(named.exec(name)![2]);
}

/**
 * Of one kind the oldest, if it is older than it need be. If all together are more than `bytesMax`, the oldest of ten seconds each as long as there are some: the
 * coarse ones have that too, and what is of weeks, as budgets are, only they have.
 */
export function pruneSeries(folder: string, level: Level, of: { wallMs: number; bytesMax: number }): void {
  const files = seriesNames(folder);
  const [fine, own] = [levels[0], level].map(({ name: kind }) => files.filter((name) => name.startsWith(`${kind}-`)));
  const [oldest] = own!;
  if (oldest === undefined) return;
  const bytes = files.reduce((sum, name) => sum + lstatSync(join(folder, name)).size, 0);
  const isOld = of.wallMs - begunMs(oldest) > level.keptMs;
  // One of them is being written, and one more is begun each hour.
  const isOfFine = !isOld && fine!.length > 2;
  if (isOld || (bytes > of.bytesMax && (isOfFine || own!.length > 1)))
    unlinkSync(join(folder, isOfFine ? fine![0]! : oldest));
}

/** Under a name that nobody reads, and nothing has yet; returns it. Null: that may not be done now. */
export function putAside(folder: string, name: string, wallMs: number): string | null {
  const first = `${name}.unread-${String(Math.floor(wallMs)).padStart(13, '0')}`;
  let called = first;
  for (let number = 2; existsSync(join(folder, called)); number++) called = `${first}-${number}`;
  try {
    renameSync(join(folder, name), join(folder, called));
    return called;
  } catch {
    return null;
  }
}

/** Leaves those that were put aside last; of those that do not tell when, those that were begun last. */
export function pruneAside(folder: string, bytesMax: number): void {
  const newest = readdirSync(folder)
    .flatMap((name) => {
      const found = aside.exec(name);
      return found === null ? [] : [{ name, asideMs: Number(found[2] ?? 0), begunMs: Number(found[1]) }];
    })
    .toSorted((one, other) => other.asideMs - one.asideMs || other.begunMs - one.begunMs);
  let bytes = 0;
  for (const [at, { name }] of newest.entries()) {
    try {
      // Not what a link leads to: that may be nowhere.
      const stats = lstatSync(join(folder, name));
      bytes += stats.size;
      // Where a folder or a link stands, somebody has put it there. The newest may be larger than all that may stay.
      const isTooMuch = at >= ASIDE.filesMax || (at > 0 && bytes > bytesMax * ASIDE.share);
      if (stats.isFile() && isTooMuch) unlinkSync(join(folder, name));
    } catch {
      // Gone meanwhile, or not ours to remove: it is asked for when the next is put aside, and what is kept does not wait for it.
    }
  }
}
