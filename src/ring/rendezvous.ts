/**
 * Rendezvous hashing: every node draws a number for the key, the best draw has it (Thaler and Ravishankar, "Using Name-Based
 * Mappings to Increase Hit Rates", 1998). Exactly even but for chance, exact weights, minimal movement for any change,
 * nothing to build or keep; but a lookup asks every node. The choice for up to some 50 nodes.
 *
 * Weighted as an exponential race: with u uniform in (0, 1) the smallest -ln(u) / weight wins, and wins with probability
 * weight / sum (Schindelhauer and Schomaker, 2005). The logarithm is computed here from IEEE additions, multiplications
 * and divisions alone: `Math.log` may differ in its last bit from one engine to the next, and with it the place of a key.
 *
 * Cost: O(n), 6 ns a node with equal weights, 15 ns with others; 18 B a node.
 */
import { mix32 } from '../kernel/mix32.ts';
import { xxh64 } from '../kernel/xxh64.ts';
import { sealBlock } from './block.ts';
import { type CheckedNode, checkedNodes, type Node, weighingByName } from './node.ts';
import { createPlacement, type Flow, type OrderedLocator, type Placement } from './placement.ts';

/** To find so many, one by one, is sooner done than to sort all. */
const LOOKS = 8;

class RendezvousLocator implements OrderedLocator {
  /** In the order of names, so that of equal draws the same one wins for everyone. */
  readonly #order: Uint16Array;
  /** XXH64 of each name: its upper words, its lower words. With 32 bits two of many names would draw alike, and one get nothing. */
  readonly #high: Int32Array;
  readonly #low: Int32Array;
  readonly #weights: Float64Array;
  readonly #equal: boolean;

  constructor(nodes: readonly CheckedNode[]) {
    const order = weighingByName(nodes);
    this.#order = Uint16Array.from(order);
    this.#high = new Int32Array(order.length);
    this.#low = new Int32Array(order.length);
    const words = new Int32Array(2);
    for (const [rank, index] of order.entries()) {
      this.#high[rank] = xxh64(nodes[index]!.name, 0, words);
      this.#low[rank] = words[1]!;
    }
    this.#weights = Float64Array.from(nodes, ({ weight }) => weight);
    this.#equal = order.every((index) => nodes[index]!.weight === nodes[order[0]!]!.weight);
  }

  locate(position: number, eligible: Uint8Array | null): number {
    return this.#equal ? this.#highest(position, eligible) : this.#earliest(position, eligible);
  }

  /** With equal weights the race goes to the highest draw, without a logarithm. */
  #highest(position: number, eligible: Uint8Array | null): number {
    const order = this.#order;
    const high = this.#high;
    const low = this.#low;
    let best = -1;
    let bestDraw = -1;
    for (let rank = 0; rank < order.length; rank++) {
      const index = order[rank]!;
      if (eligible !== null && eligible[index] !== 1) continue;
      const drawn = draw(position, high[rank]!, low[rank]!);
      if (drawn > bestDraw) {
        best = index;
        bestDraw = drawn;
      }
    }
    return best;
  }

  #earliest(position: number, eligible: Uint8Array | null): number {
    const order = this.#order;
    const high = this.#high;
    const low = this.#low;
    const weights = this.#weights;
    let best = -1;
    let bestTime = Number.POSITIVE_INFINITY;
    for (let rank = 0; rank < order.length; rank++) {
      const index = order[rank]!;
      if (eligible !== null && eligible[index] !== 1) continue;
      const time = -logarithm(draw(position, high[rank]!, low[rank]!)) / weights[index]!;
      if (time < bestTime) {
        best = index;
        bestTime = time;
      }
    }
    return best;
  }

  walk(position: number, visit: (index: number) => boolean): void {
    const left = new Uint8Array(this.#weights.length).fill(1);
    const order = this.#order;
    for (let look = 0; look < Math.min(LOOKS, order.length); look++) {
      const index = this.locate(position, left);
      if (visit(index)) return;
      left[index] = 0;
    }
    const turns = Array.from(order, (index, rank) => {
      const drawn = draw(position, this.#high[rank]!, this.#low[rank]!);
      return { index, at: this.#equal ? -drawn : -logarithm(drawn) / this.#weights[index]! };
    });
    for (const { index } of turns.sort((a, b) => a.at - b.at)) if (visit(index)) return;
  }

  shares(): Float64Array {
    const sum = this.#weights.reduce((a, b) => a + b, 0);
    return this.#weights.map((weight) => (sum === 0 ? 0 : weight / sum));
  }

  arcs(): null {
    return null;
  }
}

/** 32 unsigned bits for a node and a key: for one node each draw comes up for one position. */
function draw(position: number, high: number, low: number): number {
  return mix32((mix32(position ^ high) + low) | 0) >>> 0;
}

/** Mantissas are taken apart into as many intervals; within one, four terms of the series give 12 digits. */
const INTERVALS = 256;
/** 2^(c - 31), for c leading zeros. */
const powers = Float64Array.from({ length: 33 }, (_, zeros) => 2 ** (zeros - 31));
const centres = Float64Array.from({ length: INTERVALS }, (_, at) => 1 + (at + 0.5) / INTERVALS);
const reciprocals = centres.map((centre) => 1 / centre);
const logarithms = centres.map((centre) => {
  // ln m = 2 artanh((m - 1) / (m + 1)), a series of odd powers of at most 1/3.
  const ratio = (centre - 1) / (centre + 1);
  let [sum, term] = [0, ratio];
  for (let power = 1; power < 40; power += 2) {
    sum += term / power;
    term *= ratio * ratio;
  }
  return 2 * sum;
});

/** ln((draw + ½) / 2^32) for 32 unsigned bits, to 12 digits. */
export function logarithm(draw: number): number {
  const zeros = Math.clz32(draw);
  const mantissa = (draw + 0.5) * powers[zeros]!; // 1 <= mantissa < 2
  const at = ((mantissa - 1) * INTERVALS) | 0;
  const rest = (mantissa - centres[at]!) * reciprocals[at]!; // at most 1/512
  const series = rest * (1 - rest * (1 / 2 - rest * (1 / 3 - rest / 4)));
  return logarithms[at]! + series - (zeros + 1) * Math.LN2;
}

/**
 * Who loses how much to whom. With E_k the exponential draws, node i has a key before and j after if E_i/w_i is the
 * smallest E_k/w_k and E_j/w'_j the smallest E_k/w'_k. Integrating over E_i and over s = (E_j/w'_j) / (E_i/w_i) leaves
 *
 *     share(i → j) = w_i w'_j ∫ ds / F(s)²,  F(s) = Σ_k max(w_k, w'_k s),  from s = w_j/w'_j to s = w_i/w'_i,
 *
 * where there is nothing if the bounds are the wrong way round. F is linear between the points w_k/w'_k, and over such a piece
 * the integral is (s₂ - s₁) / (F(s₁) F(s₂)).
 */
function* flows(from: readonly CheckedNode[], to: readonly CheckedNode[]): Generator<Flow> {
  const names = [...new Set([...from, ...to].map(({ name }) => name))];
  const weightsOf = (nodes: readonly CheckedNode[]): number[] => {
    const weights = new Map(nodes.map(({ name, weight }) => [name, weight]));
    return names.map((name) => weights.get(name) ?? 0);
  };
  const [before, after] = [weightsOf(from), weightsOf(to)];
  const ratios = before.map((weight, index) => weight / after[index]!);
  // A node gives to those whose ratio is smaller and to no other. Who has nothing before and after (0/0) has no place here.
  const order = [...names.keys()].filter((index) => !Number.isNaN(ratios[index]));
  order.sort((i, j) => (ratios[i]! < ratios[j]! ? -1 : ratios[i]! > ratios[j]! ? 1 : 0));
  const integrals = integralsOf(before, after, order);
  for (const [at, i] of order.entries()) {
    for (let other = 0; ratios[order[other]!]! < ratios[i]!; other++) {
      const j = order[other]!;
      yield { from: names[i]!, to: names[j]!, share: before[i]! * after[j]! * (integrals[at]! - integrals[other]!) };
    }
  }
}

/** ∫ from 0 to s of ds / F(s)², at each s = w_k/w'_k, infinity included, in their order. */
function integralsOf(before: readonly number[], after: readonly number[], order: readonly number[]): Float64Array {
  // F at a point: w'_k s of those up to it, w_k of those behind it.
  const behind = new Float64Array(order.length + 1);
  for (let at = order.length - 1; at >= 0; at--) behind[at] = behind[at + 1]! + before[order[at]!]!;
  const integrals = new Float64Array(order.length);
  let [last, lastF, sum, upTo] = [0, behind[0]!, 0, 0];
  for (const [at, k] of order.entries()) {
    const ratio = before[k]! / after[k]!;
    upTo += after[k]!;
    // Behind the last finite point all of F grows with s.
    if (ratio === Infinity) integrals[at] = sum + 1 / (upTo * lastF);
    else {
      const f = upTo * ratio + behind[at + 1]!;
      sum += (ratio - last) / (lastF * f);
      [last, lastF, integrals[at]] = [ratio, f, sum];
    }
  }
  return integrals;
}

/** Keys on nodes by the best draw. */
export function createRendezvous(given: readonly (string | Node)[]): Placement {
  const nodes = checkedNodes(given);
  return createPlacement({
    algorithm: 'rendezvous',
    nodes,
    locator: new RendezvousLocator(nodes),
    identity: ['rendezvous', weighingByName(nodes).map((index) => [nodes[index]!.name, nodes[index]!.weight])],
    memory: sealBlock({ algorithm: 'rendezvous', nodes }).memory,
    with: createRendezvous,
    flows: (to) => flows(nodes, to.nodes),
  });
}
