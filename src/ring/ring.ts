/**
 * The hash ring: each node has points on a circle of 2^32 positions, a key belongs to the next point (Karger et al.,
 * "Consistent Hashing and Random Trees", STOC 1997). Adding a node takes keys from all others in proportion, removing
 * it gives them back, and no key moves between two others.
 *
 * How even it is follows from the number of points: with V a node the shares scatter by 1/√V. The custom, 100 to 200, leaves
 * the fullest of 100 nodes some 20 % above the mean; the 512 here some 11 %, at 7 KB a node; 1,000 some 8 %. Where that is
 * too much, maglev and rendezvous are even, and bounded load holds any of them (bounded-load.ts).
 *
 * Cost: a lookup is O(1), some 25 ns beyond the hash with 16,000 points; building sorts the points, 2 ms for 16,000
 * (`npm run bench -- ring`); 10 to 14 B a point.
 */
import { inspect } from 'node:util';
import { checkKeys, invalid } from '../kernel/options.ts';
import { type Block, sealBlock } from './block.ts';
import { ketama, type KetamaClient } from './ketama.ts';
import { byName, type CheckedNode, checkedNodes, type Node, weighingByName } from './node.ts';
import { anyOf, type Arcs, createPlacement, type OrderedLocator, type Placement } from './placement.ts';
import { pointCount, writePoints } from './points.ts';
import { checkPointCount, createRingTable, openRingTable, type RingTable, ringTableIn } from './ring-table.ts';

const POINTS_PER_WEIGHT = 512;

export interface RingOptions {
  /**
   * Points of a node of weight 1; more are more even and take more memory. A fraction if weights are large: 2^-30 to 2^30.
   * @defaultValue 512
   */
  readonly pointsPerWeight?: number;
  /**
   * Places keys exactly as this client does with the same nodes, for moving away from it without moving keys. Its
   * own count of points is used (`pointsPerWeight` is refused), and its own hash for keys.
   */
  readonly compatible?: KetamaClient;
  /** Builds in shared memory, which other threads open with `openPlacement`. @defaultValue false */
  readonly shared?: boolean;
}

class RingLocator implements OrderedLocator {
  readonly #points: Uint32Array;
  readonly #owners: Uint16Array;
  readonly #buckets: Uint32Array;
  readonly #shift: number;
  readonly #weights: Float64Array;

  constructor({ points, owners, buckets }: RingTable, nodes: readonly CheckedNode[]) {
    this.#points = points;
    this.#owners = owners;
    this.#buckets = buckets;
    this.#shift = 32 - Math.log2(buckets.length);
    // Whoever has no point cannot be walked to.
    this.#weights = new Float64Array(nodes.length);
    for (const owner of owners) this.#weights[owner] = 1;
  }

  locate(position: number, eligible: Uint8Array | null): number {
    const points = this.#points;
    const owners = this.#owners;
    const { length } = points;
    if (length === 0) return -1;
    let at = this.#pointOf(position);
    let owner = owners[at]!;
    if (eligible === null || eligible[owner] === 1) return owner;
    if (!anyOf(eligible, this.#weights)) return -1;
    do {
      at = at + 1 === length ? 0 : at + 1;
      owner = owners[at]!;
    } while (eligible[owner] !== 1);
    return owner;
  }

  walk(position: number, visit: (index: number) => boolean): void {
    const owners = this.#owners;
    const { length } = owners;
    if (length === 0) return;
    const at = this.#pointOf(position);
    for (let step = 0; step < length; step++) if (visit(owners[(at + step) % length]!)) return;
  }

  /** The first point that is not before a position. */
  #pointOf(position: number): number {
    const points = this.#points;
    const target = position >>> 0;
    let at = this.#buckets[target >>> this.#shift]!;
    while (at < points.length && points[at]! < target) at++;
    return at === points.length ? 0 : at;
  }

  shares(): Float64Array {
    const points = this.#points;
    const shares = new Float64Array(this.#weights.length);
    if (points.length === 0) return shares;
    let before = points.at(-1)! - 2 ** 32;
    for (const [at, point] of points.entries()) {
      shares[this.#owners[at]!]! += (point - before) / 2 ** 32;
      before = point;
    }
    return shares;
  }

  arcs(): Arcs {
    return { ends: this.#points, owners: this.#owners };
  }
}

/**
 * A ring of nodes. A bare string is a node of weight 1.
 *
 * @example
 * const ring = createRing(['cache-1', 'cache-2', 'cache-3']);
 * console.log(ring.getReplicas('user:42', 2).join(' ')); // cache-3 cache-2
 */
export function createRing(given: readonly (string | Node)[], options: RingOptions = {}): Placement {
  const nodes = checkedNodes(given);
  const { pack, pointsPerWeight, shared } = checkedOptions(options);
  const order = byName(nodes);
  const packed = pack(
    order.map((index) => nodes[index]!),
    pointsPerWeight,
  );
  const { points, buckets, owners } = createRingTable(packed, order);
  const { pointsPerWeight: chosen, compatible } = options;
  const description = { algorithm: 'ring', nodes, options: { pointsPerWeight: chosen, compatible } };
  const block = sealBlock(description, [points, buckets, owners], shared);
  return ringOf(nodes, options, block.memory, ringTableIn(block));
}

function checkedOptions(options: RingOptions) {
  checkKeys('A ring', options, ['pointsPerWeight', 'compatible', 'shared']);
  const { compatible, pointsPerWeight = POINTS_PER_WEIGHT, shared = false } = options;
  const { pack, ...hash } = compatible === undefined ? { pack: packOwn } : checkedClient(compatible);
  if (compatible !== undefined && options.pointsPerWeight !== undefined) {
    throw invalid(`pointsPerWeight is that of ${compatible} and cannot be chosen.`);
  }
  if (typeof pointsPerWeight !== 'number' || !(pointsPerWeight >= 2 ** -30 && pointsPerWeight <= 2 ** 30)) {
    throw invalid(`pointsPerWeight is ${inspect(pointsPerWeight)}; expected a number from 2^-30 to 2^30.`);
  }
  return { pack, hash, pointsPerWeight, shared };
}

function packOwn(nodes: readonly CheckedNode[], pointsPerWeight: number): Float64Array {
  const counts = nodes.map(({ weight }) => pointCount(weight, pointsPerWeight));
  const sum = counts.reduce((a, b) => a + b, 0);
  checkPointCount(sum);
  const packed = new Float64Array(sum);
  let at = 0;
  for (const [rank, node] of nodes.entries()) at = writePoints(node, counts[rank]!, rank, packed, at);
  return packed;
}

/** The ring in a block. */
export function openRing(block: Block): Placement {
  const nodes = checkedNodes(block.description.nodes as readonly Node[]);
  const options = { ...(block.description.options as RingOptions), shared: block.memory instanceof SharedArrayBuffer };
  return ringOf(nodes, options, block.memory, openRingTable(block, nodes.length));
}

function ringOf(
  nodes: readonly CheckedNode[],
  options: RingOptions,
  memory: ArrayBufferLike,
  table: RingTable,
): Placement {
  const { hash } = checkedOptions(options);
  return createPlacement({
    algorithm: 'ring',
    nodes,
    locator: new RingLocator(table, nodes),
    identity: ['ring', options.compatible, weighingByName(nodes).map((index) => nodes[index]!.name)],
    memory,
    ...hash,
    with: (others) => createRing(others, options),
  });
}

function checkedClient(name: KetamaClient) {
  if (Object.hasOwn(ketama, name)) return ketama[name];
  throw invalid(`No client is called “${name}”; there are ${Object.keys(ketama).join(', ')}.`);
}
