/**
 * AnchorHash: any node may go and come, a lookup is O(1) and exactly even but for chance, a change moves only what it must
 * (Mendelson et al., "AnchorHash: A Scalable Consistent Hash", IEEE/ACM ToN 2021, arXiv 1812.09674, algorithm 3).
 * For large fleets that change often.
 *
 * Its price is history: where keys lie depends on the order in which nodes went and came, so two processes agree only if they saw
 * the same changes. `with` makes the order definite: those that went are removed by name, then those that came are added by
 * name; new placements begin in the order given.
 *
 * Cost: 1 + ln(capacity / nodes) hashes on average, squared at worst; 16 B × capacity; a change copies them.
 */
import { checkInteger, checkKeys, invalid } from '../kernel/options.ts';
import { multiplyHigh } from '../kernel/int64.ts';
import { mix32 } from '../kernel/mix32.ts';
import { type Block, checkBlock, sealBlock } from './block.ts';
import { bucketFlows, checkUnweighted, createBucketLocator } from './bucket.ts';
import { type CheckedNode, checkedNodes, type Node, NODES_MAX } from './node.ts';
import { createPlacement, type Flow, type Placement } from './placement.ts';

export interface AnchorOptions {
  /** How many nodes there may ever be at once. @defaultValue twice the nodes, at least 16 */
  readonly capacity?: number;
}

/** The paper's arrays, under its names. */
interface Anchor {
  /** 0 for a bucket that works; for a removed one, how many worked just after it was removed. */
  readonly A: Uint32Array;
  /** The working buckets, the first N of it. */
  readonly W: Uint32Array;
  /** Where in W a bucket was last. */
  readonly L: Uint32Array;
  /** Who took a removed bucket's place in W. */
  readonly K: Uint32Array;
  /** Removed buckets, the last removed on top. */
  readonly R: number[];
  /** The node of each bucket, by name. */
  readonly names: (string | null)[];
}

/** All of it follows from the buckets that were removed, in their order: adding takes back the last removal. */
function anchorOf(names: readonly (string | null)[], removed: readonly number[]): Anchor {
  const identity = Uint32Array.from(names, (_, bucket) => bucket);
  const A = new Uint32Array(names.length);
  const anchor = { A, W: identity, L: identity.slice(), K: identity.slice(), R: [], names: [...names] };
  for (const bucket of removed) removeBucket(anchor, bucket);
  return anchor;
}

function copyAnchor({ A, W, L, K, R, names }: Anchor): Anchor {
  return { A: A.slice(), W: W.slice(), L: L.slice(), K: K.slice(), R: R.slice(), names: names.slice() };
}

function removeBucket({ A, W, L, K, R, names }: Anchor, bucket: number): void {
  names[bucket] = null;
  R.push(bucket);
  const working = A.length - R.length;
  A[bucket] = working;
  W[L[bucket]!] = K[bucket] = W[working]!;
  L[W[working]!] = L[bucket]!;
}

function add(anchor: Anchor, name: string): void {
  const { A, W, L, K, R, names } = anchor;
  const working = A.length - R.length;
  const bucket = R.pop();
  if (bucket === undefined) {
    throw invalid(`No bucket is left for “${name}”: the capacity of ${A.length} nodes was fixed at the start.`);
  }
  A[bucket] = 0;
  L[W[working]!] = working;
  W[L[bucket]!] = K[bucket] = bucket;
  names[bucket] = name;
}

/** A hash of the position for each bucket it comes past, scaled to `range`. */
function scaled(position: number, bucket: number, range: number): number {
  return multiplyHigh(mix32(mix32((position + Math.imul(bucket, 0x9e3779b9)) | 0) ^ position), range);
}

function findBucket({ A, K }: Anchor, position: number): number {
  let bucket = multiplyHigh(position, A.length);
  while (A[bucket]! > 0) {
    const removedAt = A[bucket]!;
    let next = scaled(position, bucket, removedAt);
    while (A[next]! >= removedAt) next = K[next]!;
    bucket = next;
  }
  return bucket;
}

/** The state behind a placement, to compare two. */
const anchors = new WeakMap<Placement, Anchor>();

function flowsOf(from: Anchor, to: Placement): Iterable<Flow> {
  const { R, names } = anchors.get(to)!;
  // Removed buckets are a stack: what two histories share is its lower part.
  const [fewer, more] = R.length < from.R.length ? [R, from.R] : [from.R, R];
  if (names.length === from.names.length && fewer.every((bucket, index) => more[index] === bucket)) {
    return bucketFlows(from.names, names);
  }
  throw invalid('Neither placement came from the other by only adding or only removing buckets: plan each step.');
}

function placementOf(anchor: Anchor, nodes: readonly CheckedNode[]): Placement {
  checkUnweighted('anchor', nodes);
  const indexes = new Map(nodes.map(({ name }, index) => [name, index]));
  const nodeOf = Uint16Array.from(anchor.names, (name) => (name === null ? 0 : indexes.get(name)!));
  const placement = createPlacement({
    algorithm: 'anchor',
    nodes,
    locator: createBucketLocator((position) => nodeOf[findBucket(anchor, position)]!, nodes.length),
    identity: ['anchor', anchor.names, anchor.R],
    memory: sealBlock({ algorithm: 'anchor', nodes, state: { names: anchor.names, removed: anchor.R } }).memory,
    with: (others) => change(anchor, checkedNodes(others)),
    flows: (to) => flowsOf(anchor, to),
  });
  anchors.set(placement, anchor);
  return placement;
}

function change(before: Anchor, nodes: readonly CheckedNode[]): Placement {
  const anchor = copyAnchor(before);
  const wanted = new Set(nodes.map(({ name }) => name));
  const present = new Set(before.names.filter((name) => name !== null));
  const buckets = new Map(before.names.map((name, bucket) => [name, bucket]));
  for (const name of [...present].filter((some) => !wanted.has(some)).sort()) removeBucket(anchor, buckets.get(name)!);
  for (const name of [...wanted].filter((some) => !present.has(some)).sort()) add(anchor, name);
  return placementOf(anchor, nodes);
}

/** Keys on nodes by AnchorHash. Other nodes come by `with`, not by creating anew. */
export function createAnchor(given: readonly (string | Node)[], options: AnchorOptions = {}): Placement {
  const nodes = checkedNodes(given);
  checkKeys('An anchor', options, ['capacity']);
  const capacity = options.capacity ?? Math.min(NODES_MAX, Math.max(16, 2 * nodes.length));
  checkInteger('capacity', capacity, Math.max(1, nodes.length), NODES_MAX);
  const none = Array.from({ length: capacity }, () => null);
  const anchor = anchorOf(none, [...none.keys()].reverse());
  for (const { name } of nodes) add(anchor, name);
  return placementOf(anchor, nodes);
}

/** The anchor in a block: its history is that of the one that made it. */
export function openAnchor({ description }: Block): Placement {
  const nodes = checkedNodes(description.nodes as readonly Node[]);
  const { names, removed } = (description.state ?? {}) as { readonly names?: unknown; readonly removed?: unknown };
  const isState = Array.isArray(names) && Array.isArray(removed) && names.length > 0 && names.length <= NODES_MAX;
  checkBlock(isState, 'it has no history');
  const buckets = names as readonly (string | null)[];
  const order = removed as readonly number[];
  const working = buckets.filter((name) => name !== null);
  const present = new Set(working);
  const isOfNodes = working.length === nodes.length && nodes.every(({ name }) => present.has(name));
  checkBlock(isOfNodes, 'its buckets are not those of its nodes');
  // Each bucket without a name was removed, once.
  const isHistory =
    order.length + working.length === buckets.length &&
    new Set(order).size === order.length &&
    order.every((bucket) => Number.isInteger(bucket) && buckets[bucket] === null);
  checkBlock(isHistory, 'its history is not one of its buckets');
  return placementOf(anchorOf(buckets, order), nodes);
}
