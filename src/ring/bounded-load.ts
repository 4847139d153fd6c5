/**
 * Consistent hashing with bounded loads: a key whose node has too much to do goes to the next node that has not, so one hot
 * key or an uneven ring overloads nobody (Mirrokni, Thorup and Zadimoghaddam, arXiv 1608.01350).
 *
 * "Too much" is more than `factor` times its share of what is in flight, this piece of work included, rounded up. So some
 * node is always open (the bounds add up to more than there is), and the fuller a node, the fewer new keys it takes: nothing
 * moves while the load is even. With factor 1.25 at most a fifth of the capacity stays unused before keys wander.
 *
 * Cost: at most O(n), 2 ns a node, to add up what is in flight until there is enough of it; no allocation.
 */
import type { Key, Placement } from './placement.ts';
import { optionsInvalid } from './node.ts';

/** What each node has in flight, by index. */
export interface NodeLoads {
  inFlight(index: number): number;
}

const FACTOR_DEFAULT = 1.25;
/** Beyond it a bound bounds nothing. */
const FACTOR_MAX = 1000;

/** A placement whose answer heeds what nodes have in flight. */
export class LoadBound {
  readonly #placement: Placement;
  readonly #loads: NodeLoads;
  readonly #factor: number;
  readonly #weights: Float64Array;
  readonly #weightOfAll: number;
  readonly #all: Uint8Array;
  readonly #open: Uint8Array;

  constructor(placement: Placement, loads: NodeLoads, factor: number = FACTOR_DEFAULT) {
    if (!(factor >= 1 && factor <= FACTOR_MAX)) {
      throw optionsInvalid(`The load factor is ${factor}; expected a number from 1 (no slack) to ${FACTOR_MAX}.`);
    }
    this.#placement = placement;
    this.#loads = loads;
    this.#factor = factor;
    this.#weights = Float64Array.from(placement.nodes, ({ weight }) => weight);
    this.#weightOfAll = this.#weights.reduce((a, b) => a + b, 0);
    this.#all = new Uint8Array(this.#weights.length).fill(1);
    this.#open = new Uint8Array(this.#weights.length);
  }

  /** As `Placement.locate`, among those below their bound. */
  locate(position: number, eligible: Uint8Array | null): number {
    const owner = this.#placement.locate(position, eligible);
    if (owner < 0) return owner;
    const loads = this.#loads;
    const weights = this.#weights;
    const may = eligible ?? this.#all;
    // The bound of the owner is at least what it would be if all nodes were in: as soon as enough work is seen for that,
    // the rest need not be looked at.
    const enough = (loads.inFlight(owner) * this.#weightOfAll) / (this.#factor * weights[owner]!);
    let work = 1;
    let index = 0;
    for (; work <= enough && index < weights.length; index++) if (may[index] === 1) work += loads.inFlight(index);
    return work > enough ? owner : this.#locateOpen(position, may, owner, work);
  }

  /** The same with the bounds of those who are in: `work` is all there is. */
  #locateOpen(position: number, may: Uint8Array, owner: number, work: number): number {
    const loads = this.#loads;
    const weights = this.#weights;
    const open = this.#open;
    let weight = 0;
    for (let index = 0; index < weights.length; index++) if (may[index] === 1) weight += weights[index]!;
    const boundPerWeight = (this.#factor * work) / weight;
    for (let index = 0; index < weights.length; index++) {
      const isOpen = may[index] === 1 && loads.inFlight(index) < Math.ceil(boundPerWeight * weights[index]!);
      open[index] = isOpen ? 1 : 0;
    }
    const other = this.#placement.locate(position, open);
    // What other threads do changes between the passes: then the owner it is.
    return other < 0 ? owner : other;
  }
}

export interface BoundedLoads {
  /** The node to do this key's work, which counts as in flight from now on; null without nodes. */
  acquire(key: Key): string | null;
  /** The work at a node is over. Once for each `acquire`. */
  release(node: string): void;
  /** What a node has in flight. */
  inFlight(node: string): number;
}

class CountedLoads implements BoundedLoads {
  readonly #placement: Placement;
  readonly #counts: Float64Array;
  readonly #indexes: ReadonlyMap<string, number>;
  readonly #bound: LoadBound;

  constructor(placement: Placement, factor?: number) {
    this.#placement = placement;
    this.#counts = new Float64Array(placement.nodes.length);
    this.#indexes = new Map(placement.nodes.map(({ name }, index) => [name, index]));
    const counts = this.#counts;
    this.#bound = new LoadBound(placement, { inFlight: (index) => counts[index]! }, factor);
  }

  acquire(key: Key): string | null {
    const index = this.#bound.locate(this.#placement.position(key), null);
    if (index < 0) return null;
    this.#counts[index]! += 1;
    return this.#placement.nodes[index]!.name;
  }

  release(node: string): void {
    const index = this.#index(node);
    if (this.#counts[index] === 0) throw optionsInvalid(`Node “${node}” was released once more than it was acquired.`);
    this.#counts[index]! -= 1;
  }

  inFlight(node: string): number {
    return this.#counts[this.#index(node)]!;
  }

  #index(node: string): number {
    const index = this.#indexes.get(node);
    if (index === undefined) throw optionsInvalid(`No node is called “${node}”.`);
    return index;
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
  return new CountedLoads(placement, options.factor);
}
