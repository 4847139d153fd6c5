/**
 * Maglev hashing: a table of slots that the nodes fill in turns, each along a permutation of its own (Eisenbud et al.,
 * "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016, section 3.4). Shares are as exact as slots are
 * small, which no ring of bearable size is; in return a change of nodes moves somewhat more than its share.
 *
 * Nodes take their turns in the order of their names, so the table depends on nothing else. A node of half the weight sits out
 * every second turn, as in Envoy; each has its first turn, so that none is rounded away.
 * A slot is a range of positions (`position × size / 2^32`), not a remainder: what moves can be said as ranges.
 *
 * Cost: a lookup is one multiplication and one read; 2 B a slot, 131 KB by default; building takes some 5 ms, and no
 * longer when weights are far apart.
 */
import { checkInteger, checkKeys, invalid } from '../kernel/options.ts';
import { multiplyHigh } from '../kernel/int64.ts';
import { xxh64 } from '../kernel/xxh64.ts';
import { arraysOf, type Block, checkBlock, sealBlock } from './block.ts';
import { type CheckedNode, checkedNodes, type Node, weighingByName } from './node.ts';
import { again } from './bucket.ts';
import { anyOf, type Arcs, createPlacement, type OrderedLocator, type Placement } from './placement.ts';

/** Primes, the first and the last as in the paper and in Envoy. At least 100 slots a node keep shares within 1 %. */
const SIZES = [65_537, 655_373, 5_000_011] as const;
const SIZE_MAX = 5_000_011;
/** With nine tenths of the slots out, one position in thirty is still without a node, and walks. */
const REHASHES = 32;

export interface MaglevOptions {
  /**
   * Slots of the table: a prime, at least the number of nodes, at most 5,000,011.
   * Another size is another table: nearly every key moves. Who may come past 655 nodes chooses the larger one from the start.
   * @defaultValue 65,537; for more than 655 nodes 655,373, for more than 6,553 nodes 5,000,011
   */
  readonly size?: number;
  /** Builds in shared memory, which other threads open with `openPlacement`. @defaultValue false */
  readonly shared?: boolean;
}

class MaglevLocator implements OrderedLocator {
  readonly #table: Uint16Array;
  readonly #weights: Float64Array;

  constructor(table: Uint16Array, weights: Float64Array) {
    this.#table = table;
    this.#weights = weights;
  }

  locate(position: number, eligible: Uint8Array | null): number {
    const table = this.#table;
    const { length } = table;
    if (length === 0) return -1;
    let slot = multiplyHigh(position, length);
    let owner = table[slot]!;
    if (eligible === null || eligible[owner] === 1) return owner;
    if (!anyOf(eligible, this.#weights)) return -1;
    // Hashed again, the keys of one that is out spread over all others by their shares. Slots that follow one another are no
    // such lot: two permutations may keep step, and one neighbour would inherit most.
    for (let attempt = 1; attempt <= REHASHES; attempt++) {
      owner = table[multiplyHigh(again(position, attempt), length)]!;
      if (eligible[owner] === 1) return owner;
    }
    do {
      slot = slot + 1 === length ? 0 : slot + 1;
      owner = table[slot]!;
    } while (eligible[owner] !== 1);
    return owner;
  }

  walk(position: number, visit: (index: number) => boolean): void {
    const table = this.#table;
    const { length } = table;
    if (length === 0) return;
    const slot = multiplyHigh(position, length);
    if (visit(table[slot]!)) return;
    for (let attempt = 1; attempt <= REHASHES; attempt++) {
      if (visit(table[multiplyHigh(again(position, attempt), length)]!)) return;
    }
    for (let step = 1; step < length; step++) if (visit(table[(slot + step) % length]!)) return;
  }

  shares(): Float64Array {
    const shares = new Float64Array(this.#weights.length);
    const { ends, owners } = this.arcs();
    let before = -1;
    for (const [slot, end] of ends.entries()) {
      shares[owners[slot]!]! += (end - before) / 2 ** 32;
      before = end;
    }
    return shares;
  }

  arcs(): Arcs {
    const { length } = this.#table;
    const ends = Uint32Array.from(this.#table, (_, slot) => lastPosition(slot, length));
    return { ends, owners: this.#table };
  }
}

/** The last position of a slot: the largest whose scaled value is still the slot. A division may be off by one. */
function lastPosition(slot: number, size: number): number {
  let last = Math.floor(((slot + 1) * 2 ** 32) / size);
  while (last >= 2 ** 32 || multiplyHigh(last, size) > slot) last--;
  return last;
}

function fill(nodes: readonly CheckedNode[], size: number): Uint16Array {
  const order = weighingByName(nodes);
  if (order.length === 0) return new Uint16Array(0);
  const weights = order.map((index) => nodes[index]!.weight);
  const weightMax = Math.max(...weights);
  const words = new Uint32Array(2);
  const next = new Uint32Array(order.length);
  const skip = new Uint32Array(order.length);
  for (const [rank, index] of order.entries()) {
    xxh64(nodes[index]!.name, 0, words);
    next[rank] = words[0]! % size;
    skip[rank] = (words[1]! % (size - 1)) + 1;
  }
  const table = new Uint16Array(size);
  const taken = new Uint8Array(size);
  const turnsTaken = new Float64Array(order.length);
  // Who has the next turn, and by turn who waits longer. To ask all of them at each turn would take
  // hours where one of many is heavy.
  let soon = [...order.keys()];
  const later = new Map<number, number[]>();
  let left = size;
  for (let turn = 0; ; turn++) {
    const back = later.get(turn) ?? [];
    later.delete(turn);
    const now = back.length === 0 ? soon : [...soon, ...back].sort((a, b) => a - b);
    soon = [];
    for (const rank of now) {
      let slot = next[rank]!;
      while (taken[slot] === 1) slot = (slot + skip[rank]!) % size;
      taken[slot] = 1;
      table[slot] = order[rank]!;
      next[rank] = (slot + skip[rank]!) % size;
      if (--left === 0) return table;
      turnsTaken[rank]! += 1;
      const due = turnOf(turnsTaken[rank]!, weights[rank]!, weightMax);
      const others = due === turn + 1 ? soon : later.get(due);
      if (others === undefined) later.set(due, [rank]);
      else others.push(rank);
    }
  }
}

/** The first turn of the heaviest at which a node has had no more than its part of turns. A division may be off by one. */
function turnOf(taken: number, weight: number, weightMax: number): number {
  if (weight === weightMax) return taken;
  let turn = Math.max(0, Math.ceil((taken * weightMax) / weight) - 1);
  while (taken * weightMax > turn * weight) turn++;
  return turn;
}

function isPrime(value: number): boolean {
  if (value < 2) return false;
  for (let divisor = 2; divisor * divisor <= value; divisor++) if (value % divisor === 0) return false;
  return true;
}

/**
 * Keys on nodes by a Maglev table.
 *
 * @example
 * console.log(createMaglev(['a', 'b', 'c']).get('user:42')); // c
 */
export function createMaglev(given: readonly (string | Node)[], options: MaglevOptions = {}): Placement {
  const nodes = checkedNodes(given);
  checkKeys('A Maglev table', options, ['size', 'shared']);
  const { size = SIZES.find((some) => some > 100 * nodes.length) ?? SIZE_MAX, shared } = options;
  checkInteger('size', size, Math.max(2, nodes.length), SIZE_MAX);
  if (!isPrime(size)) throw invalid(`size is ${size}; a Maglev table has a prime number of slots.`);
  // The size as it was given: with other nodes the default may be another.
  const description = { algorithm: 'maglev', nodes, options: { size: options.size } };
  return maglevOf(nodes, options, sealBlock(description, [fill(nodes, size)], shared));
}

/** The table in a block. */
export function openMaglev(block: Block): Placement {
  const { nodes, options } = block.description;
  const shared = block.memory instanceof SharedArrayBuffer;
  return maglevOf(checkedNodes(nodes as readonly Node[]), { ...(options as MaglevOptions), shared }, block);
}

function maglevOf(nodes: readonly CheckedNode[], options: MaglevOptions, block: Block): Placement {
  const [table] = arraysOf(block, 'u16');
  const weights = Float64Array.from(nodes, ({ weight }) => weight);
  const slots = new Uint32Array(nodes.length);
  for (const owner of table) {
    checkBlock(owner < nodes.length, 'a slot belongs to no node');
    slots[owner]! += 1;
  }
  // A walk ends because whoever may be found has a slot.
  checkBlock(
    slots.every((count, index) => count > 0 === weights[index]! > 0),
    'its slots are not those of its weights',
  );
  return createPlacement({
    algorithm: 'maglev',
    nodes,
    locator: new MaglevLocator(table, weights),
    identity: ['maglev', weighingByName(nodes).map((index) => nodes[index]!.name)],
    memory: block.memory,
    with: (others) => createMaglev(others, options),
  });
}
