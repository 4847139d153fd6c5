/**
 * How even the algorithms are, what they move, what they keep in memory: the exact columns of the table in
 * docs/guides/consistent-hashing.md. Run: `npm run bench -- evenness`. The rest of the table is `npm run bench -- ring`.
 *
 * Shares and movement are computed, not sampled, and the same on every machine: the mean of ten sets of names. Memory
 * is what the engine says that typed arrays take; an array of JavaScript's own is not in it.
 */
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createAnchor } from './anchor.ts';
import { createJump } from './jump.ts';
import { createMaglev } from './maglev.ts';
import { createModulo } from './modulo.ts';
import type { Placement } from './placement.ts';
import { plan } from './plan.ts';
import { createRendezvous } from './rendezvous.ts';
import { createRing } from './ring.ts';

type Create = (names: readonly string[]) => Placement;

const algorithms: Readonly<Record<string, Create>> = {
  'ring, 160 points': (names) => createRing(names, { pointsPerWeight: 160 }),
  'ring, 512 points (default)': (names) => createRing(names),
  'ring, 1,000 points': (names) => createRing(names, { pointsPerWeight: 1000 }),
  rendezvous: (names) => createRendezvous(names),
  maglev: (names) => createMaglev(names),
  anchor: (names) => createAnchor(names),
  jump: (names) => createJump(names),
  modulo: (names) => createModulo(names),
};

const SETS = 10;

function names(count: number, set: number): string[] {
  return Array.from({ length: count }, (_, index) => `10.${set}.0.${index}:11211`);
}

function mean(of: (set: number) => number): number {
  return Array.from({ length: SETS }, (_, set) => of(set)).reduce((a, b) => a + b) / SETS;
}

/** How far the fullest of `count` nodes is above the mean. */
function excess(create: Create, count: number): string {
  const above = mean((set) => Math.max(...create(names(count, set)).shares()) * count - 1);
  return above < 0.001 ? 'even' : `+${(above * 100).toFixed(0)} %`;
}

/** The share of the keys that move when there is one node more. */
function moved(create: Create, count: number): string {
  const share = mean((set) => {
    const before = create(names(count, set));
    return plan(before, before.with(names(count + 1, set))).moved;
  });
  return `${(share * 100).toFixed(2)} %`;
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** What typed arrays take, once the sweeper that works beside the program has nothing left to free. */
async function settled(): Promise<number> {
  let bytes = Number.POSITIVE_INFINITY;
  for (let quiet = 0; quiet < 5;) {
    collect();
    await setImmediate();
    const now = process.memoryUsage().arrayBuffers;
    quiet = now === bytes ? quiet + 1 : 0;
    bytes = now;
  }
  return bytes;
}

/** The most of a few: the engine may hold on to what came before and let go of it now, which hides as much. */
async function memory(create: Create): Promise<string> {
  let bytes = 0;
  for (let round = 0; round < 3; round++) {
    const kept: Placement[] = [];
    const before = await settled();
    for (let set = 0; set < SETS; set++) kept.push(create(names(100, set)));
    bytes = Math.max(bytes, ((await settled()) - before) / kept.length);
  }
  return bytes < 64 ? 'none' : `${(bytes / 1000).toFixed(bytes < 10_000 ? 1 : 0)} KB`;
}

process.stdout.write(
  '| | fullest of 10 | of 100 | 10 → 11 moves | 100 → 101 | memory, 100 nodes |\n|---|---|---|---|---|---|\n',
);
for (const [name, create] of Object.entries(algorithms)) {
  const memoryUsed = await memory(create);
  const cells = [excess(create, 10), excess(create, 100), moved(create, 10), moved(create, 100), memoryUsed];
  process.stdout.write(`| ${[name, ...cells].join(' | ')} |\n`);
}
