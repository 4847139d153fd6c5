/** What goes when there is too much of it: the fine files before the coarse ones, which budgets are counted from. */
import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { folderOf } from '../../../test/observe/series-folder.ts';
import { type Level, levels, nameOf, pruneSeries } from './folder.ts';

const [fine, coarse] = levels;
const HOUR_MS = 3_600_000;

/** Begins files of both kinds for so many days, as a process does, each of so many bytes; returns how many are left of each. */
function keptOf(days: number, bytes: number, bytesMax: number): readonly [fine: number, coarse: number] {
  const folder = folderOf();
  const begin = (level: Level, wallMs: number): void => {
    pruneSeries(folder, level, { wallMs, bytesMax });
    writeFileSync(join(folder, nameOf(level, wallMs, 0)), 'x'.repeat(bytes));
  };
  for (let hour = 0; hour < 24 * days; hour++) {
    begin(fine, hour * HOUR_MS);
    if (hour % 24 === 0) begin(coarse, hour * HOUR_MS);
  }
  const names = readdirSync(folder);
  const of = (kind: string): number => names.filter((name) => name.startsWith(kind)).length;
  return [of('10s'), of('5m')];
}

test('where there is room, files are kept as long as they need be', () => {
  assert.deepEqual(keptOf(60, 10, 1e6), [27, 38]);
});

test('where there is none, weeks are kept rather than each ten seconds of the day', () => {
  const [fineOnes, coarseOnes] = keptOf(60, 10, 450);
  assert.ok(fineOnes <= 10 && coarseOnes === 38, `${fineOnes} fine ones, ${coarseOnes} coarse ones`);
});

test('where there is not even for those, both are bounded, and the newest of each stays', () => {
  const [fineOnes, coarseOnes] = keptOf(60, 10, 100);
  assert.ok(
    fineOnes >= 1 && coarseOnes >= 1 && fineOnes + coarseOnes <= 12,
    `${fineOnes} fine ones, ${coarseOnes} coarse ones`,
  );
});
