/** What is done with what is on disk when a process begins: whose turn it is, what the clock says, what was counted meanwhile. */
import assert from 'node:assert/strict';
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
import { createSeries } from './series.ts';
import { SeriesFiles } from './series-files.ts';

const quiet = { onProblem: () => {}, onNotice: () => {} };

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
  assert.equal(series.stats.replaced, 1, 'and is told');
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
