/**
 * Jump consistent hash: the buckets that a key would have jumped to while the number of buckets grew (Lamping and Veach, "A Fast,
 * Minimal Memory, Consistent Hash Algorithm", arXiv 1406.2294). Perfectly even, no memory at all; but nodes are
 * numbers: add and remove at the end of the list only, or many keys move. For shards that are only ever appended.
 *
 * Cost: O(ln n), some 65 ns at 100 nodes.
 */
import { multiplyHigh } from '../kernel/int64.ts';
import { sealBlock } from './block.ts';
import { bucketFlows, checkUnweighted, createBucketLocator } from './bucket.ts';
import { checkedNodes, type Node } from './node.ts';
import { createPlacement, type Placement } from './placement.ts';

// 2862933555777941757, the multiplier of the paper's generator.
const MULTIPLIER_HIGH = 0x27bb2ee6;
const MULTIPLIER_LOW = 0x87b0b0fd | 0;

/** The paper's function for a 64-bit key in two words; the division is the paper's, in float64. */
export function jumpBucket(keyHigh: number, keyLow: number, buckets: number): number {
  let high = keyHigh;
  let low = keyLow;
  let bucket = 0;
  let next = 0;
  while (next < buckets) {
    bucket = next;
    high = (multiplyHigh(low, MULTIPLIER_LOW) + Math.imul(high, MULTIPLIER_LOW) + Math.imul(low, MULTIPLIER_HIGH)) | 0;
    low = (Math.imul(low, MULTIPLIER_LOW) + 1) | 0;
    if (low === 0) high = (high + 1) | 0;
    next = Math.floor((bucket + 1) * (2 ** 31 / ((high >>> 1) + 1)));
  }
  return bucket;
}

/** Keys on nodes by jump consistent hash; the order of the nodes matters. The key of the paper is the position. */
export function createJump(given: readonly (string | Node)[]): Placement {
  const nodes = checkedNodes(given);
  checkUnweighted('jump', nodes);
  return createPlacement({
    algorithm: 'jump',
    nodes,
    locator: createBucketLocator((position) => jumpBucket(0, position, nodes.length), nodes.length),
    identity: ['jump', nodes.map(({ name }) => name)],
    memory: sealBlock({ algorithm: 'jump', nodes }).memory,
    with: createJump,
    flows: (to) =>
      bucketFlows(
        nodes.map(({ name }) => name),
        to.nodes.map(({ name }) => name),
      ),
  });
}
