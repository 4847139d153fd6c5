/**
 * Where keys lie: the one interface of every algorithm here.
 *
 * A key is hashed to a *position*, one of 2^32; an algorithm (a `Locator`) says which node has a position. The rest is the
 * same for all and written here once: keys, replicas, zones, explanations, fingerprints.
 *
 * The one question to a locator is "whose is this position, if only these nodes may have it?" Asked again without the first
 * answer it gives the next replica; asked without the nodes that are down, the substitute; asked without the nodes that are
 * full, bounded load. Invariant: leaving a node out changes the answer for its own positions only.
 *
 * A placement never changes: another set of nodes is another placement (`with`), so a reader never sees half a change.
 */
import { checkInteger, checkKeys, checkParts, invalid } from '../kernel/options.ts';
import type { KeyText } from '../kernel/key-bytes.ts';
import { xxh64, xxh64Words } from '../kernel/xxh64.ts';
import { type CheckedNode, type Node, NODES_MAX, weighingByName } from './node.ts';

/** A key, or the position of one that was hashed already (32 bits, signed or not). */
export type Key = KeyText | number;

/**
 * Consecutive ranges of positions: the i-th ends at `ends[i]`, inclusive, and begins behind the one before; the first begins
 * behind the last, across zero. A range whose end equals the one before is empty.
 */
export interface Arcs {
  readonly ends: Uint32Array;
  /** Index of the node that has the range. */
  readonly owners: Uint16Array;
}

export interface Locator {
  /**
   * The index of the node that has the position, among those whose byte in `eligible` is 1 (null: all); -1 if there is
   * none. Nodes of weight 0 have nothing. Allocates nothing.
   */
  locate(position: number, eligible: Uint8Array | null): number;
  /** Each node's exact share of the positions, or for an algorithm without arcs the share of an ideal hash. */
  shares(): Float64Array;
  /** The ranges, if the algorithm has ranges: one that scatters each node's positions has none. */
  arcs(): Arcs | null;
}

/** A locator that can also be asked for all at once. */
export interface OrderedLocator extends Locator {
  /**
   * Shows the nodes as `locate` would answer, each asked for without those before it, until `visit` says that it has enough. Who has been shown
   * may be shown again. All of a weight above 0 are shown, nobody else is. Called back and not iterated: for few nodes a generator is half the cost.
   */
  walk(position: number, visit: (index: number) => boolean): void;
}

export interface Explanation {
  /** Eight hexadecimal digits. */
  readonly position: string;
  readonly node: string | null;
  /** The node's share of all keys. */
  readonly share: number;
  /** Who would have the key if the node were out, then if that one were out as well, … */
  readonly next: readonly string[];
}

/** How much of all keys goes from one node to another when a placement becomes another. */
export interface Flow {
  /** Null: from nowhere, nobody had keys. */
  readonly from: string | null;
  /** Null: to nowhere, nobody has keys any more. */
  readonly to: string | null;
  /** Share of all keys, 0 to 1. */
  readonly share: number;
}

export interface Placement extends Locator {
  readonly algorithm: string;
  readonly nodes: readonly CheckedNode[];
  /** What makes a position of a key's text. Two placements compare only if theirs is the same function. */
  readonly hash: (key: KeyText) => number;
  /** The position of a key, signed. */
  position(key: Key): number;
  /**
   * The name of the node that has the key; null without nodes. Allocates nothing for a position, bytes, and ASCII of up to 48
   * characters; for other text what `TextEncoder` does, and for a ring of libmemcached or hashring the digest of a key.
   */
  get(key: Key): string | null;
  /**
   * The names of the first `count` nodes for the key, the owner first; fewer if there are fewer. With `zones`, a zone is
   * used again only when each has been used as often.
   */
  getReplicas(key: Key, count: number, options?: { readonly zones?: boolean }): string[];
  explain(key: Key): Explanation;
  /**
   * 16 hexadecimal digits. Equal: but for chance every key and its replicas lie on the same nodes (zones are not in it).
   * Different: the nodes that have keys, their weights or points, the algorithm or its history are, though now and then, as
   * with a single node, all keys lie alike.
   */
  fingerprint(): string;
  /**
   * For an algorithm without arcs: how much of all keys goes from node to node if this placement becomes that one of the same
   * algorithm. Both have nodes with keys. What stays may be there too, from a node to itself.
   */
  flows(to: Placement): Iterable<Flow>;
  /** All there is of it: `openPlacement` makes the same of it in another thread or process, today or later. */
  readonly memory: ArrayBufferLike;
  /** The placement with the same options on other nodes. */
  with(nodes: readonly (string | Node)[]): Placement;
}

/** Refuses what no algorithm here, nor anything like it, has made. */
export function checkPlacement(what: string, given: unknown): void {
  checkParts(what, given, 'a placement, such as createRing makes', ['nodes', 'locate', 'arcs', 'shares', 'hash']);
}

export interface PlacementParts {
  readonly algorithm: string;
  readonly nodes: readonly CheckedNode[];
  readonly locator: OrderedLocator;
  /** All that decides where keys lie, beside the arcs, as a value for JSON. Where order means nothing: sorted. */
  readonly identity: readonly unknown[];
  readonly memory: ArrayBufferLike;
  /** @defaultValue the upper word of XXH64 */
  readonly hash?: (key: KeyText) => number;
  readonly with: (nodes: readonly (string | Node)[]) => Placement;
  /** See `Placement`; left out by algorithms that have arcs. */
  readonly flows?: (to: Placement) => Iterable<Flow>;
}

const NEXT_SHOWN = 3;

class HashPlacement implements Placement {
  readonly algorithm: string;
  readonly nodes: readonly CheckedNode[];
  readonly with: (nodes: readonly (string | Node)[]) => Placement;
  readonly flows: (to: Placement) => Iterable<Flow>;
  readonly hash: (key: KeyText) => number;
  readonly memory: ArrayBufferLike;
  readonly #locator: OrderedLocator;
  readonly #weighing: number;
  #zoneRooms: readonly number[] | null = null;
  readonly #identity: readonly unknown[];

  constructor({
    algorithm,
    nodes,
    locator,
    identity,
    memory,
    hash = xxh64,
    with: withNodes,
    flows = () => [],
  }: PlacementParts) {
    this.algorithm = algorithm;
    this.nodes = nodes;
    this.with = withNodes;
    this.flows = flows;
    this.#locator = locator;
    this.#weighing = nodes.filter(({ weight }) => weight > 0).length;
    this.#identity = identity;
    this.hash = hash;
    this.memory = memory;
  }

  position(key: Key): number {
    if (typeof key !== 'number') return this.hash(key);
    const position = key | 0;
    if (position !== key && key >>> 0 !== key) {
      throw invalid(`The position is ${key}; a number is a key hashed already, expected an integer of 32 bits.`);
    }
    return position;
  }

  locate(position: number, eligible: Uint8Array | null): number {
    return this.#locator.locate(position, eligible);
  }

  get(key: Key): string | null {
    const index = this.#locator.locate(this.position(key), null);
    return index < 0 ? null : this.nodes[index]!.name;
  }

  getReplicas(key: Key, count: number, options: { readonly zones?: boolean } = {}): string[] {
    checkInteger('count', count, 0, NODES_MAX);
    checkKeys('getReplicas', options, ['zones']);
    const { zones = false } = options;
    const position = this.position(key);
    const roomOf = zones ? (this.#zoneRooms ??= zoneRoomsOf(this.nodes)) : [this.#weighing];
    if (count === 0 || this.#weighing === 0) return [];
    const seen = new Uint8Array(this.nodes.length);
    const taken = zones ? new Map<string, number>() : null;
    /** Each zone has its turn once in a round. */
    const rounds: string[][] = [];
    let full = 0;
    let sure = 0;
    this.#locator.walk(position, (index) => {
      if (seen[index] === 1) return false;
      seen[index] = 1;
      const { name, zone } = this.nodes[index]!;
      const round = taken?.get(zone) ?? 0;
      taken?.set(zone, round + 1);
      (rounds[round] ??= []).push(name);
      for (; full < roomOf.length && rounds[full]?.length === roomOf[full]; full++) sure += roomOf[full]!;
      return full === roomOf.length || sure + (rounds[full]?.length ?? 0) >= count;
    });
    return rounds.length === 1 ? rounds[0]! : rounds.flat().slice(0, count);
  }

  explain(key: Key): Explanation {
    const position = this.position(key);
    const index = this.#locator.locate(position, null);
    return {
      position: hex(position),
      node: index < 0 ? null : this.nodes[index]!.name,
      share: index < 0 ? 0 : this.shares()[index]!,
      next: this.getReplicas(position, NEXT_SHOWN + 1).slice(1),
    };
  }

  shares(): Float64Array {
    return this.#locator.shares();
  }

  arcs(): Arcs | null {
    return this.#locator.arcs();
  }

  fingerprint(): string {
    const arcs = this.arcs();
    const words = new Int32Array(2);
    xxh64(JSON.stringify(this.#identity), 0, words);
    if (arcs !== null) {
      // Names stand for owners: the order of the nodes means nothing.
      const ranks = new Uint32Array(this.nodes.length);
      for (const [rank, index] of weighingByName(this.nodes).entries()) ranks[index] = rank;
      const canonical = new DataView(new ArrayBuffer(arcs.ends.length * 8));
      for (const [at, end] of arcs.ends.entries()) {
        canonical.setUint32(at * 8, end, true);
        canonical.setUint32(at * 8 + 4, ranks[arcs.owners[at]!]!, true);
      }
      xxh64Words(new Uint8Array(canonical.buffer), words, words);
    }
    return hex(words[0]!) + hex(words[1]!);
  }
}

/** Of how many zones there is a first node, a second, and so on. */
function zoneRoomsOf(nodes: readonly CheckedNode[]): number[] {
  const rooms: number[] = [];
  const sizes = new Map<string, number>();
  for (const { zone, weight } of nodes) {
    if (weight === 0) continue;
    const round = sizes.get(zone) ?? 0;
    sizes.set(zone, round + 1);
    rooms[round] = (rooms[round] ?? 0) + 1;
  }
  return rooms;
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0');
}

/** A placement from an algorithm. */
export function createPlacement(parts: PlacementParts): Placement {
  return new HashPlacement(parts);
}

/** True if any node may be picked at all: what a walk asks before it walks until it finds one. */
export function anyOf(eligible: Uint8Array | null, weights: Float64Array): boolean {
  for (let index = 0; index < weights.length; index++) {
    if (weights[index]! > 0 && (eligible === null || eligible[index] === 1)) return true;
  }
  return false;
}
