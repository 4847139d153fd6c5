/**
 * Algorithms that number the nodes 0 … n-1 and compute a number from a position (modulo, jump, anchor): what they have in
 * common. All nodes weigh the same. When the node of a position is out, the position is hashed again until one is in.
 */
import { type CheckedNode, optionsInvalid } from './node.ts';
import { anyOf, type Locator } from './placement.ts';
import { mix32 } from './points.ts';

/** The index of the node that has a position. */
export type Bucket = (position: number) => number;

class BucketLocator implements Locator {
  readonly #bucket: Bucket;
  readonly #weights: Float64Array;

  constructor(bucket: Bucket, count: number) {
    this.#bucket = bucket;
    this.#weights = new Float64Array(count).fill(1);
  }

  locate(position: number, eligible: Uint8Array | null): number {
    if (this.#weights.length === 0) return -1;
    let index = this.#bucket(position);
    if (eligible === null || eligible[index] === 1) return index;
    if (!anyOf(eligible, this.#weights)) return -1;
    // A Weyl sequence of full period through a one-to-one function: every position comes up, so every node does.
    for (let attempt = 1; eligible[index] !== 1; attempt++) {
      index = this.#bucket(mix32((position + Math.imul(attempt, 0x9e3779b9)) | 0));
    }
    return index;
  }

  shares(): Float64Array {
    return this.#weights.map(() => 1 / this.#weights.length);
  }

  arcs(): null {
    return null;
  }
}

export function createBucketLocator(bucket: Bucket, count: number): Locator {
  return new BucketLocator(bucket, count);
}

/** Refuses nodes that do not all weigh 1. */
export function checkUnweighted(algorithm: string, nodes: readonly CheckedNode[]): void {
  const weighted = nodes.find(({ weight }) => weight !== 1);
  if (weighted === undefined) return;
  throw optionsInvalid(
    `Node “${weighted.name}” weighs ${weighted.weight}, and ${algorithm} has no weights; use ring, maglev or rendezvous.`,
  );
}
