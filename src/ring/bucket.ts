/**
 * Algorithms that number the nodes 0 … n-1 and compute a number from a position (modulo, jump, anchor): what they have in
 * common. All nodes weigh the same. When the node of a position is out, the position is hashed again until one is in.
 */
import { mix32 } from '../kernel/mix32.ts';
import { invalid } from '../kernel/options.ts';
import type { CheckedNode } from './node.ts';
import { anyOf, type Flow, type OrderedLocator } from './placement.ts';

/** A position hashed again. A Weyl sequence of full period through a one-to-one function: every position comes up, so every node does. */
export function again(position: number, attempt: number): number {
  return mix32((position + Math.imul(attempt, 0x9e3779b9)) | 0);
}

/** The index of the node that has a position. */
export type Bucket = (position: number) => number;

class BucketLocator implements OrderedLocator {
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
    for (let attempt = 1; eligible[index] !== 1; attempt++) {
      index = this.#bucket(again(position, attempt));
    }
    return index;
  }

  walk(position: number, visit: (index: number) => boolean): void {
    let isDone = visit(this.#bucket(position));
    for (let attempt = 1; !isDone; attempt++) isDone = visit(this.#bucket(again(position, attempt)));
  }

  shares(): Float64Array {
    return this.#weights.map(() => 1 / this.#weights.length);
  }

  arcs(): null {
    return null;
  }
}

export function createBucketLocator(bucket: Bucket, count: number): OrderedLocator {
  return new BucketLocator(bucket, count);
}

/**
 * The flows when the buckets in use grow or shrink, one set holding the other, by an algorithm that moves only what it must:
 * a key is equally likely in each bucket of the larger set, and one outside the smaller set falls to each bucket of that
 * alike. Each list is the buckets' nodes, null where a bucket is not in use.
 */
export function* bucketFlows(from: readonly (string | null)[], to: readonly (string | null)[]): Generator<Flow> {
  const [before, after] = [from, to].map((names) => names.filter((name) => name !== null).length) as [number, number];
  const large = Math.max(before, after);
  for (const [bucket, name] of from.entries()) {
    const other = to[bucket] ?? null;
    if (name !== null && other !== null) yield { from: name, to: other, share: 1 / large };
  }
  for (const [bucket, name] of (before > after ? from : to).entries()) {
    if (name === null || ((before > after ? to : from)[bucket] ?? null) !== null) continue;
    for (const other of before > after ? to : from) {
      if (other === null) continue;
      const share = 1 / (before * after);
      yield before > after ? { from: name, to: other, share } : { from: other, to: name, share };
    }
  }
}

/** Refuses nodes that do not all weigh 1. */
export function checkUnweighted(algorithm: string, nodes: readonly CheckedNode[]): void {
  const weighted = nodes.find(({ weight }) => weight !== 1);
  if (weighted === undefined) return;
  throw invalid(
    `Node “${weighted.name}” weighs ${weighted.weight}, and ${algorithm} has no weights; use ring, maglev or rendezvous.`,
  );
}
