/**
 * What a lookup and an addition cost, beside the Bloom filters of npm: in a filter that fits the cache and in one for a billion
 * keys (large-process.ts), that one with the pages which memory has by default and with large ones.
 *
 * bloomfilter has at most 2^32 bits and is measured with those; bloom-filters takes so long to fill that it is measured small only.
 * Keys have 12 to 15 characters; they are strings where nothing else is said.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { BloomFilter as BloomFilters } from 'bloom-filters';
// @ts-expect-error It has no types.
import { BloomFilter as Bloomfilter } from 'bloomfilter';
import { createFilter, xxh64 } from 'spillway/bloom';
import type { LargeFigures } from './large-process.ts';
import { bestOf, over, printFigures, timed } from './turns.ts';

const FEW = 2 ** 16;
const largeProcess = fileURLToPath(new URL('large-process.ts', import.meta.url));

const textKeys = (count: number, from: number): string[] =>
  Array.from({ length: count }, (_, index) => `user:${from + index}`);

function smallPart(): void {
  const few = textKeys(FEW, 1_000_000);
  const absent = textKeys(FEW, 3_000_000);
  const small = createFilter({ capacity: FEW });
  const smallPeer = new Bloomfilter(Math.ceil(FEW * 9.585), 7);
  const smallest = BloomFilters.create(FEW, 0.01);
  small.addMany(few);
  for (const key of few) {
    smallPeer.add(key);
    if (key < few[4096]!) smallest.add(key);
  }
  const some = few.slice(0, 4096);
  const rest = absent.slice(0, 4096);
  const figures = bestOf([
    { name: 'has, key there', operations: FEW, run: timed(() => over(few, (key) => small.has(key))) },
    { name: 'has, key not there', operations: FEW, run: timed(() => over(absent, (key) => small.has(key))) },
    { name: 'hasMany, keys there', operations: FEW, run: timed(() => small.hasMany(few).length) },
    {
      name: 'add, into an empty filter',
      operations: FEW,
      run: timed(() => createFilter({ capacity: FEW }).addMany(few)),
    },
    { name: 'hash alone (XXH64)', operations: FEW, run: timed(() => over(few, (key) => xxh64(key) > 0)) },
    {
      name: 'bloomfilter: test, key there',
      operations: FEW,
      run: timed(() => over(few, (key) => smallPeer.test(key))),
    },
    {
      name: 'bloomfilter: test, key not there',
      operations: FEW,
      run: timed(() => over(absent, (key) => smallPeer.test(key))),
    },
    {
      name: 'bloom-filters: has, key there',
      operations: 4096,
      run: timed(() => over(some, (key) => smallest.has(key))),
    },
    {
      name: 'bloom-filters: has, key not there',
      operations: 4096,
      run: timed(() => over(rest, (key) => smallest.has(key))),
    },
  ]);
  printFigures(
    `${FEW.toLocaleString('en')} keys at 1 %, ${(small.bits.length / 1024).toFixed(0)} KiB: in the cache`,
    figures,
  );
}

function largeFigures(tunables: string): LargeFigures {
  const env = { ...process.env, GLIBC_TUNABLES: tunables };
  const answer = execFileSync(process.execPath, [...process.execArgv, largeProcess], {
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(answer) as LargeFigures;
}

function largePart(): void {
  const [usual, large] = [largeFigures(''), largeFigures('glibc.malloc.hugetlb=1')];
  const inPages = ({ largePageBytes }: LargeFigures): string => `${(largePageBytes / 1e9).toFixed(2)} GB`;
  const title = `a billion keys at 1 %, ${(usual.bytes / 1e9).toFixed(3)} GB; the asking alone, of keys that were made just before`;
  const columns = `by default (${inPages(usual)} in large pages), and with GLIBC_TUNABLES=glibc.malloc.hugetlb=1 (${inPages(large)})`;
  printFigures(`${title};\n  ${columns}`, usual.own, large.own);
  if (large.largePageBytes < large.bytes / 2) {
    process.stdout.write(
      '  This machine gives no large pages so: it takes Linux, glibc, and transparent_hugepage of madvise or always.\n',
    );
  }
  printFigures('bloomfilter with 2^32 bits, 0.54 GB, the most it can have; the same', usual.peer, large.peer);
}

export function speedPart(): void {
  smallPart();
  largePart();
}
