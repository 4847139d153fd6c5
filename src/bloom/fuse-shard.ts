/**
 * One shard of a binary fuse filter: an array of fingerprints in which each key has three places, so filled that the three
 * together (XOR) are the key's own fingerprint. Built from all keys at once, by peeling: a place that only one key has left is
 * that key's to fill, and the key is set aside; what is set aside last is filled first.
 *
 * - Hashes are 64-bit, in pairs of words (upper, lower). Equal ones are one key: they are found by sorting, which also lays the
 *   keys in the order of their first place, so that memory is walked forward.
 * - The same hashes, in any order and as often as you like, make the same fingerprints.
 * - A shard is of at most 2^20 keys: more gain no space, and the builder's memory (about 40 B a key) stays below 42 MB.
 *
 * Source: Graf and Lemire, "Binary Fuse Filters: Fast and Smaller Than Xor Filters" (2022), arXiv 2201.01174; the sizes of segments
 * are theirs. Cost: about 1.13 fingerprints a key, a little more for small sets; three reads in three neighbouring segments a lookup.
 */
import { multiplyHigh } from '../kernel/int64.ts';
import { mix32 } from '../kernel/mix32.ts';

export const SHARD_KEYS_MAX = 2 ** 20;
/** Beyond it segments of 2^18 fill the processor's cache and gain nothing. */
export const SEGMENT_BITS_MAX = 18;
const ARITY = 3;
export interface ShardShape {
  readonly segmentBits: number;
  /** Segments in which a key's first place may be; there are two more. */
  readonly segments: number;
}

export interface Shard extends ShardShape {
  /** The number of the try that succeeded: it decides where keys lie. */
  readonly seed: number;
  readonly fingerprints: Uint8Array | Uint16Array;
  /** Different keys. */
  readonly keys: number;
}

/** The shape for so many different keys. */
export function shardShape(keys: number): ShardShape {
  if (keys === 0) return { segmentBits: 0, segments: 0 };
  const spread = keys > 1 ? Math.floor(Math.log(keys) / Math.log(3.33) + 2.25) : 2;
  const segmentBits = Math.min(spread, SEGMENT_BITS_MAX);
  const factor = keys > 1 ? Math.max(1.125, 0.875 + (0.25 * Math.log(1e6)) / Math.log(keys)) : 0;
  const segments = Math.ceil(Math.round(keys * factor) / 2 ** segmentBits) - (ARITY - 1);
  return { segmentBits, segments: Math.max(1, segments) };
}

/** How many fingerprints a shard of this shape has. */
export function shardLength({ segmentBits, segments }: ShardShape): number {
  return segments === 0 ? 0 : (segments + ARITY - 1) * 2 ** segmentBits;
}

const GOLDEN = 0x9e3779b9 | 0;

// Each try deals the keys anew, by two rounds of Feistel: different hashes stay different.
export function stirLow(high: number, low: number, seed: number): number {
  return low ^ mix32((high + Math.imul(seed, GOLDEN)) | 0);
}
export function stirHigh(high: number, stirredLow: number, seed: number): number {
  return high ^ mix32((stirredLow + Math.imul(seed + 1, GOLDEN)) | 0);
}

/** The three places of a key, in three neighbouring segments; `firsts` is how many first places there are. */
export function firstPlace(high: number, firsts: number): number {
  return multiplyHigh(high, firsts);
}
export function secondPlace(first: number, segmentLength: number, high: number, low: number): number {
  return (first + segmentLength) ^ (((low >>> 18) | (high << 14)) & (segmentLength - 1));
}
export function thirdPlace(first: number, segmentLength: number, low: number): number {
  return (first + 2 * segmentLength) ^ (low & (segmentLength - 1));
}

/** What the three places of a key make together. */
export function fingerprintOf(high: number, low: number): number {
  return high ^ low ^ (low >>> 16);
}

/** Whether the three places of a key, whose hash was stirred, have its fingerprint; `start` is where its shard begins. */
export function shardHas(
  fingerprints: Uint8Array | Uint16Array,
  start: number,
  { segmentBits, segments }: ShardShape,
  high: number,
  low: number,
): boolean {
  const first = firstPlace(high, segments << segmentBits);
  const second = secondPlace(first, 1 << segmentBits, high, low);
  const third = thirdPlace(first, 1 << segmentBits, low);
  const together =
    fingerprints[start + first]! ^
    fingerprints[start + second]! ^
    fingerprints[start + third]! ^
    fingerprintOf(high, low);
  return (together & (fingerprints.BYTES_PER_ELEMENT === 1 ? 0xff : 0xffff)) === 0;
}
