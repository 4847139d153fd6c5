/** Folders of series for tests: what is counted into them, and what a process that is killed leaves of them. */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SimulatedClock } from '../../src/kernel/simulated-clock.ts';
import type { Block, Damage } from '../../src/observe/series/block.ts';
import { BlockReader } from '../../src/observe/series/blocks.ts';
import { createSeries, type Series } from '../../src/observe/series/series.ts';
import { SeriesFiles } from '../../src/observe/series/series-files.ts';

let root: string | null = null;

/** An empty one, removed when this process ends. */
export function folderOf(): string {
  if (root === null) {
    const made = (root = mkdtempSync(join(tmpdir(), 'spillway-series-')));
    process.once('exit', () => rmSync(made, { recursive: true, force: true }));
  }
  return mkdtempSync(join(root, 'data-'));
}

const bounds = Float64Array.of(0.1, 1, Number.POSITIVE_INFINITY);

export async function opened(folder: string, clock: SimulatedClock, problems: (string | null)[] = []) {
  const series = createSeries({ clock });
  const onProblem = (problem: string | null): void => void problems.push(problem);
  const files = new SeriesFiles({ folder, series, clock, onProblem, onNotice: (_, what) => onProblem(what) });
  await files.open();
  return { series, files };
}

export function sum(series: Series, clock: SimulatedClock, hours = 48): number {
  const toMs = Math.floor(clock.wallMs() / 1000) * 1000 + 1000;
  return series.counter({ name: 'requests' }).total(toMs - hours * 3_600_000, toMs);
}

/** Requests of each block; returns what is not whole. */
export function read(bytes: Buffer, found: number[]): Damage {
  const blocks = new BlockReader().read(bytes);
  while (true) {
    const { done, value } = blocks.next();
    if (done === true) return value;
    found.push(requestsIn(value.added));
  }
}

function requestsIn(added: Block['added']): number {
  return added.reduce((sum, { identity, value }) => sum + (identity.name === 'requests' ? (value as number) : 0), 0);
}

export function count(series: Series, clock: SimulatedClock, seconds: number): void {
  for (let second = 0; second < seconds; second++) {
    clock.pass(1000);
    const atMs = clock.wallMs();
    series.counter({ name: 'requests' }).add(atMs, 1);
    series.gauge({ name: 'level', labels: { of: 'x' } }).set(atMs, second % 5);
    series.histogram({ name: 'seconds', bounds }).add(atMs, { buckets: [1], counts: [2], sum: 1 });
    series.counter({ name: 'brief', detail: 'brief' }).add(atMs, 1);
  }
}

/** So many series that reading them takes some turns. */
export function countMany(series: Series, clock: SimulatedClock, seconds: number): void {
  count(series, clock, seconds);
  for (let at = 0; at < 100; at++) {
    const counter = series.counter({ name: 'many', labels: { at: String(at) } });
    for (let ago = 0; ago < seconds; ago += 10) counter.add(clock.wallMs() - ago * 1000, 1);
  }
}

/** Time goes on with each look at the clock, so that nothing is done in one turn. Returns how many there were. */
export function eachLookATurn(clock: SimulatedClock): () => number {
  const nowMs = clock.nowMs.bind(clock);
  let looks = 0;
  clock.nowMs = () => nowMs() + 5 * looks++;
  return () => looks;
}

/** Resolves when so many requests are in the files of a kind. */
export async function written(folder: string, kind: string, requests: number): Promise<void> {
  while (true) {
    const found: number[] = [];
    for (const name of readdirSync(folder)) if (name.startsWith(kind)) read(readFileSync(join(folder, name)), found);
    const there = found.reduce((all, each) => all + each, 0);
    if (there === requests) return;
    assert.ok(there < requests);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** What a process leaves that is killed now: its files, without its claim. */
export function killed(folder: string): string {
  const left = folderOf();
  cpSync(folder, left, { recursive: true, filter: (path) => path === folder || path.endsWith('.series') });
  return left;
}

/** What a killed process leaves that has counted 700: 70 fine blocks, and two coarse ones that hold 60 of them. */
export async function leftInBlocks(folder: string, clock: SimulatedClock): Promise<string> {
  const { series, files } = await opened(folder, clock);
  for (let block = 1; block <= 70; block++) {
    count(series, clock, 10);
    await written(folder, '10s', block * 10);
    if (block % 30 === 0) await written(folder, '5m', block * 10);
  }
  const left = killed(folder);
  await files.close();
  return left;
}
