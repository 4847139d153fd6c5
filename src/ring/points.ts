/**
 * Where a node's points lie on the ring, and how many it has.
 *
 * Point `i` of a node follows from the node's name and `i` alone: with XXH64(name) = high, low it is
 * `mix32(mix32(low + i × 0x9e3779b9) ^ high)`, `mix32` being MurmurHash3's 32-bit finaliser. So a node's points are the first
 * `n` of one endless sequence without repetition, which is why weights move no key between two others: more weight is more
 * of the same sequence.
 *
 * Cost: about 5 ns a point, where hashing "name-i" takes some 100.
 */
import { mix32 } from '../kernel/mix32.ts';
import { xxh64 } from '../kernel/xxh64.ts';
import type { CheckedNode } from './node.ts';

/** Points in proportion to weight, as near as whole points allow; at least one, so that nobody is rounded away. */
export function pointCount(weight: number, pointsPerWeight: number): number {
  return weight === 0 ? 0 : Math.max(1, Math.round(weight * pointsPerWeight));
}

/**
 * A point and who has it in one number that sorts like the pair: exact, being below 2^48. `rank` is the node's place in the
 * order of names, so that of two nodes on one point the same one wins for everyone.
 */
export function packPoint(point: number, rank: number): number {
  return (point >>> 0) * 2 ** 16 + rank;
}

/** Writes a node's points from `at`, packed; returns the index behind them. */
export function writePoints(node: CheckedNode, count: number, rank: number, out: Float64Array, at: number): number {
  const words = new Int32Array(2);
  xxh64(node.name, 0, words);
  const high = words[0]!;
  const low = words[1]!;
  for (let index = 0; index < count; index++) {
    out[at + index] = packPoint(mix32(mix32((low + Math.imul(index, 0x9e3779b9)) | 0) ^ high), rank);
  }
  return at + count;
}
