/**
 * The sorted points of a ring, looked up in constant time.
 *
 * A position belongs to the first point that is not before it; behind the last point the ring begins again.
 * `buckets[k]` is the first point whose upper bits are at least k, for as many buckets as points (rounded up to a power of
 * two): a lookup reads one bucket, then on average one point and a half.
 *
 * Invariants: points ascend; each owner is below the number of nodes. Cost: 10 to 14 B a point.
 */
import { invalid } from '../kernel/options.ts';
import { arraysOf, type Block, checkBlock } from './block.ts';

/** As many as Envoy takes; beyond it a table costs 100 MB and gains nothing. */
const POINTS_MAX = 2 ** 23;

/** Refuses more points than a ring may have, before any is made. */
export function checkPointCount(count: number): void {
  if (count <= POINTS_MAX) return;
  throw invalid(
    `The nodes make ${count} points, and at most ${POINTS_MAX} are possible: divide the weights or take fewer pointsPerWeight.`,
  );
}

export interface RingTable {
  readonly points: Uint32Array;
  readonly buckets: Uint32Array;
  readonly owners: Uint16Array;
}

/** A table of packed points (see points.ts), which it sorts; `owners` says which node has a rank. */
export function createRingTable(packed: Float64Array, owners: readonly number[]): RingTable {
  const { length } = packed;
  packed.sort();
  const table = { points: new Uint32Array(length), owners: new Uint16Array(length) };
  for (let at = 0; at < length; at++) {
    const both = packed[at]!;
    const point = Math.floor(both / 2 ** 16);
    table.points[at] = point;
    table.owners[at] = owners[both - point * 2 ** 16]!;
  }
  return { ...table, buckets: bucketsOf(table.points) };
}

function bucketsOf(points: Uint32Array): Uint32Array {
  const buckets = new Uint32Array(2 ** Math.max(1, Math.ceil(Math.log2(Math.max(1, points.length)))));
  const width = 2 ** 32 / buckets.length;
  let at = 0;
  for (let bucket = 0; bucket < buckets.length; bucket++) {
    while (at < points.length && points[at]! < bucket * width) at++;
    buckets[bucket] = at;
  }
  return buckets;
}

/** The table in a block of this process's own. */
export function ringTableIn(block: Block): RingTable {
  const [points, buckets, owners] = arraysOf(block, 'u32', 'u32', 'u16');
  return { points, buckets, owners };
}

/** The table in a block of any origin, for so many nodes. */
export function openRingTable(block: Block, nodes: number): RingTable {
  const table = ringTableIn(block);
  const { points, buckets, owners } = table;
  checkBlock(points.length <= POINTS_MAX && owners.length === points.length, 'not each point has an owner');
  checkBlock(
    owners.every((owner) => owner < nodes),
    'a point belongs to no node',
  );
  checkBlock(
    points.every((point, at) => at === 0 || points[at - 1]! <= point),
    'its points are out of order',
  );
  const expected = bucketsOf(points);
  const isWhole = buckets.length === expected.length && buckets.every((first, at) => first === expected[at]);
  checkBlock(isWhole, 'its buckets are not those of its points');
  return table;
}
