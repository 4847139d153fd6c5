/**
 * Consistent hashing with bounded loads: a key whose node has too much to do goes to the next node that has not, so one hot
 * key or an uneven ring overloads nobody (Mirrokni, Thorup and Zadimoghaddam, arXiv 1608.01350).
 *
 * "Too much" is more than `factor` times its share of what is in flight, this piece of work included, rounded up. So some
 * node is always open (the bounds add up to more than there is), and the fuller a node, the fewer new keys it takes: nothing
 * moves while the load is even. With factor 1.25 at most a fifth of the capacity stays unused before keys wander.
 *
 * What is in flight in all is added up in rounds, some nodes with each key, so a bound is exact for up to LOOKS nodes and
 * beyond that as old as one or two rounds: for 100 nodes a dozen keys.
 *
 * Cost: O(1) while less than about nine in ten are full, else O(n); no allocation (`npm run bench -- pick`, consistent-hash).
 */
import { inspect } from 'node:util';
import { checkKeys, invalid, textOfGiven } from '../kernel/options.ts';
import { checkPlacement, type Key, type Placement } from './placement.ts';

/** What each node has in flight, by index. */
export interface NodeLoads {
  inFlight(index: number): number;
}

const FACTOR_DEFAULT = 1.25;
/** Beyond it a bound bounds nothing. */
const FACTOR_MAX = 1000;
/** Nodes looked at with each key: 2 ns each, and few services have more. */
const LOOKS = 16;
/** Nodes found full before all are asked at once: by an exact sum and a factor of 1.25 at most four in five are. */
const TRIES = 8;

/** A placement whose answer heeds what nodes have in flight. */
export class LoadBound {
  readonly #placement: Placement;
  readonly #loads: NodeLoads;
  readonly #factor: number;
  readonly #weights: Float64Array;
  readonly #all: Uint8Array;
  readonly #open: Uint8Array;
  /** What those who may have keys have in flight and weigh, as of the last round over all nodes. */
  #work = 0;
  #weight = 0;
  /** The same of the round that is under way, up to the node `#next`. */
  #workSoFar = 0;
  #weightSoFar = 0;
  #next = 0;

  constructor(placement: Placement, loads: NodeLoads, factor: number = FACTOR_DEFAULT) {
    if (typeof factor !== 'number' || !(factor >= 1 && factor <= FACTOR_MAX)) {
      throw invalid(`The load factor is ${inspect(factor)}; expected a number from 1 (no slack) to ${FACTOR_MAX}.`);
    }
    checkPlacement('LoadBound: placement', placement);
    this.#placement = placement;
    this.#loads = loads;
    this.#factor = factor;
    this.#weights = Float64Array.from(placement.nodes, ({ weight }) => weight);
    this.#all = new Uint8Array(this.#weights.length).fill(1);
    this.#open = new Uint8Array(this.#weights.length);
  }

  /** As `Placement.locate`, among those below their bound. */
  locate(position: number, eligible: Uint8Array | null): number {
    const owner = this.#placement.locate(position, eligible);
    if (owner < 0) return owner;
    const may = eligible ?? this.#all;
    this.#look(may, this.#weight === 0 ? this.#weights.length : LOOKS);
    return this.#isOpen(owner) ? owner : this.#locateOpen(position, may, owner);
  }

  /** Goes on with the round. */
  #look(may: Uint8Array, nodes: number): void {
    const loads = this.#loads;
    const weights = this.#weights;
    const end = Math.min(this.#next + nodes, weights.length);
    for (let index = this.#next; index < end; index++) {
      // What a node of weight 0 still has in flight is nobody's share.
      if (may[index] !== 1 || weights[index] === 0) continue;
      this.#workSoFar += loads.inFlight(index);
      this.#weightSoFar += weights[index]!;
    }
    this.#next = end;
    if (end < weights.length) return;
    this.#work = this.#workSoFar;
    this.#weight = this.#weightSoFar;
    this.#begin();
  }

  #isOpen(index: number): boolean {
    const bound = (this.#factor * (this.#work + 1) * this.#weights[index]!) / this.#weight;
    return this.#loads.inFlight(index) < Math.ceil(bound);
  }

  /** The first behind the owner that is open. */
  #locateOpen(position: number, may: Uint8Array, owner: number): number {
    const open = this.#open;
    open.set(may);
    open[owner] = 0;
    let other = this.#placement.locate(position, open);
    for (let tries = 1; tries < TRIES && other >= 0; tries++) {
      if (this.#isOpen(other)) return other;
      open[other] = 0;
      other = this.#placement.locate(position, open);
    }
    // So many are full, or the round is too old: all of it anew, by which somebody is open.
    this.#begin();
    this.#look(may, may.length);
    for (let index = 0; index < open.length; index++) open[index] = may[index] === 1 && this.#isOpen(index) ? 1 : 0;
    other = this.#placement.locate(position, open);
    // Unless other threads were quicker: then the owner it is.
    return other < 0 ? owner : other;
  }

  #begin(): void {
    this.#next = 0;
    this.#workSoFar = 0;
    this.#weightSoFar = 0;
  }
}

export interface BoundedLoads {
  /** The node to do this key's work, which counts as in flight from now on; null without nodes. */
  acquire(key: Key): string | null;
  /** The work at a node is over. Once for each `acquire`. */
  release(node: string): void;
  /** What a node has in flight. */
  inFlight(node: string): number;
  /** From now on keys lie where this placement says. What is in flight stays counted, also at nodes that are gone. */
  use(placement: Placement): void;
}

class CountedLoads implements BoundedLoads {
  readonly #factor: number | undefined;
  #placement: Placement;
  #counts = new Float64Array(0);
  #indexes: ReadonlyMap<string, number> = new Map();
  /** What nodes that are gone still have in flight. */
  #leaving = new Map<string, number>();
  #bound: LoadBound;

  constructor(placement: Placement, factor?: number) {
    this.#factor = factor;
    this.#placement = placement;
    this.#bound = this.#count(new Map());
  }

  acquire(key: Key): string | null {
    const index = this.#bound.locate(this.#placement.position(key), null);
    if (index < 0) return null;
    this.#counts[index]! += 1;
    return this.#placement.nodes[index]!.name;
  }

  release(node: string): void {
    const count = this.inFlight(node);
    if (count === 0) throw invalid(`Node “${node}” was released once more than it was acquired.`);
    const index = this.#indexes.get(node);
    if (index !== undefined) this.#counts[index]! -= 1;
    else if (count > 1) this.#leaving.set(node, count - 1);
    else this.#leaving.delete(node);
  }

  inFlight(node: string): number {
    const index = this.#indexes.get(node);
    const count = index === undefined ? this.#leaving.get(node) : this.#counts[index];
    const name: unknown = node;
    if (count === undefined) throw invalid(`No node is called “${textOfGiven(name)}”.`);
    return count;
  }

  use(placement: Placement): void {
    checkPlacement('use: placement', placement);
    const inFlight = new Map(this.#leaving);
    for (const [name, index] of this.#indexes) inFlight.set(name, this.#counts[index]!);
    this.#placement = placement;
    this.#bound = this.#count(inFlight);
  }

  #count(inFlight: Map<string, number>): LoadBound {
    const { nodes } = this.#placement;
    const counts = Float64Array.from(nodes, ({ name }) => inFlight.get(name) ?? 0);
    for (const { name } of nodes) inFlight.delete(name);
    for (const [name, count] of inFlight) if (count === 0) inFlight.delete(name);
    this.#counts = counts;
    this.#indexes = new Map(nodes.map(({ name }, index) => [name, index]));
    this.#leaving = inFlight;
    return new LoadBound(this.#placement, { inFlight: (index) => counts[index]! }, this.#factor);
  }
}

/**
 * Bounded loads over a placement, counted by this thread.
 *
 * @example
 * const loads = createBoundedLoads(createRing(['a', 'b', 'c']));
 * const nodes = [1, 2, 3].map(() => loads.acquire('one hot key'));
 * console.log(new Set(nodes).size); // 2
 */
export function createBoundedLoads(placement: Placement, options: { readonly factor?: number } = {}): BoundedLoads {
  checkKeys('Bounded loads', options, ['factor']);
  checkPlacement('createBoundedLoads: placement', placement);
  return new CountedLoads(placement, options.factor);
}
