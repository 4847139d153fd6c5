/**
 * Round robin: in turn, by weight, the turns of heavy endpoints spread over the cycle (weights 5, 1, 1 give `a b a a a c a`,
 * never `a a a a a b c`). Also called weighted round robin; equal weights are the plain one.
 *
 * Each endpoint has turns of its own on a common time line: at (k + phase) / weight for k = 0, 1, 2, … The next turn on the
 * line is the pick: earliest deadline first, as stride scheduling (Waldspurger and Weihl, 1995) and Envoy do it. Endpoints
 * of equal weight have their phases spread over one stride, so they follow each other in order.
 *
 * Invariants:
 *   - the turns of one endpoint depend on no other, so one that is out changes nothing for the rest: no successor inherits
 *     its traffic. Turns that it misses are gone, so it returns to its share and not to a burst;
 *   - over W / gcd(weights) picks, W being their sum, each eligible endpoint gets exactly its share, and the next cycle is
 *     the same: phases are multiples of 2^-16 and a turn is divided by the weight once, so equal moments are equal numbers;
 *   - at no time is an endpoint two picks from its share.
 *
 * Cost: O(log n) a pick, and O(log n) more for each turn of an endpoint that is out; no allocation; 36 to 52 B an endpoint
 * (`npm run bench -- pick`). nginx's smooth weighted round robin gives about the same order in O(n).
 * What it is not: aware of load. It counts picks, not what they cost, and each worker counts its own.
 */
import { type Balancer, type BalancerOptions, createPickContext, type PickContext } from './balancer.ts';
import { checkedWeights } from './weights.ts';
import { WinnerTree } from './winner-tree.ts';

/** Phases are rounded to this, so that a turn and its phase add up exactly. */
const PHASE_STEPS = 65_536;
/** Picks made in advance at most: beyond it a start says nothing new and costs a pick each. */
const START_MAX = 4096;

class RoundRobin implements Balancer {
  readonly #weights: Float64Array;
  /** The next turn of each endpoint, in its own strides. */
  readonly #turns: Float64Array;
  /** The same on the common time line. */
  readonly #line: WinnerTree;
  /** Endpoints whose turn came while they were out, during one pick. */
  readonly #missed: Int32Array;

  constructor(weights: Float64Array) {
    this.#weights = weights;
    this.#turns = phases(weights);
    this.#line = new WinnerTree(weights.map((weight, index) => this.#turns[index]! / weight));
    this.#missed = new Int32Array(weights.length);
  }

  pick(context: PickContext): number {
    const { eligible } = context;
    const weights = this.#weights;
    const turns = this.#turns;
    const line = this.#line;
    const missed = this.#missed;
    let misses = 0;
    let first = line.first();
    if (first >= 0 && eligible[first] !== 1 && !eligible.includes(1)) return -1;
    while (first >= 0 && eligible[first] !== 1) {
      missed[misses++] = first;
      line.set(first, Number.POSITIVE_INFINITY);
      first = line.first();
    }
    const now = first < 0 ? 0 : line.key(first);
    if (first >= 0) {
      turns[first]! += 1;
      line.set(first, turns[first]! / weights[first]!);
    }
    while (misses > 0) {
      const index = missed[--misses]!;
      turns[index]! += Math.max(0, Math.ceil(now * weights[index]! - turns[index]!));
      line.set(index, turns[index]! / weights[index]!);
    }
    return first;
  }
}

/** Where in its stride each endpoint has its turns: those of equal weight evenly spread, in order. */
function phases(weights: Float64Array): Float64Array {
  const sizes = new Map<number, number>();
  for (const weight of weights) sizes.set(weight, (sizes.get(weight) ?? 0) + 1);
  const seen = new Map<number, number>();
  return weights.map((weight) => {
    const rank = seen.get(weight) ?? 0;
    seen.set(weight, rank + 1);
    return Math.round(((rank + 0.5) / sizes.get(weight)!) * PHASE_STEPS) / PHASE_STEPS;
  });
}

/** Round robin over `weights`; `start` picks have been made already, as if all endpoints were eligible. */
export function createRoundRobin({ weights, start = 0 }: BalancerOptions): Balancer {
  if (!Number.isSafeInteger(start) || start < 0) throw new RangeError(`start is ${start}; expected an integer >= 0.`);
  const balancer = new RoundRobin(checkedWeights(weights));
  const all = createPickContext(weights.length);
  for (let made = 0; made < start % START_MAX; made++) balancer.pick(all);
  return balancer;
}
