/**
 * Smooth weighted round robin: each endpoint gets its share, and the heavy ones are spread over the cycle, not served in a
 * burst: weights 5, 1, 1 give `a a b a c a a`, where plain weighted round robin gives `a a a a a b c`.
 *
 * The algorithm is nginx's (commit 52327e0627f4, "smooth weighted round-robin balancing", 2012). With each pick every
 * eligible endpoint's score grows by its weight, the highest score wins (the first of equals) and pays the sum of the
 * weights.
 *
 * Invariants, W being the sum of the weights, while the eligible set stays the same:
 *   - a score is `k × weight - W × picks` after k picks, and the scores sum to 0;
 *   - so after W / gcd(weights) picks each endpoint has been picked exactly its share, and the scores are all 0 again;
 *   - a score stays above -W: an endpoint is never a whole pick ahead of its share (no burst).
 * An endpoint that may not be picked keeps its score and neither gains nor pays: the others share as if it were not there.
 *
 * Cost: O(n) a pick, no allocation; 8 B × 2 an endpoint (`balance.bench.ts`).
 * What it is not: aware of load. It counts picks, not what they cost, and each worker counts its own.
 */
import { type Balancer, type BalancerOptions, createPickContext, type PickContext } from './balancer.ts';

const ENDPOINTS_MAX = 65_536;
/** Picks made in advance at most: beyond it a start says nothing new and costs O(n) each. */
const START_MAX = 4096;

class SmoothWeightedRoundRobin implements Balancer {
  readonly #weights: Float64Array;
  readonly #scores: Float64Array;

  constructor(weights: Float64Array) {
    this.#weights = weights;
    this.#scores = new Float64Array(weights.length);
  }

  pick(context: PickContext): number {
    const { eligible } = context;
    const weights = this.#weights;
    const scores = this.#scores;
    let best = -1;
    let bestScore = Number.NEGATIVE_INFINITY;
    let sum = 0;
    for (let index = 0; index < weights.length; index++) {
      const weight = weights[index]!;
      if (eligible[index] !== 1 || weight === 0) continue;
      const score = scores[index]! + weight;
      scores[index] = score;
      sum += weight;
      if (score > bestScore) {
        best = index;
        bestScore = score;
      }
    }
    if (best >= 0) scores[best] = bestScore - sum;
    return best;
  }
}

/** Smooth weighted round robin over `weights`; `start` picks have been made already, as if all endpoints were eligible. */
export function createSmoothWeightedRoundRobin({ weights, start = 0 }: BalancerOptions): Balancer {
  if (weights.length > ENDPOINTS_MAX)
    throw new RangeError(`At most ${ENDPOINTS_MAX} endpoints, not ${weights.length}.`);
  for (const [index, weight] of weights.entries()) {
    if (!Number.isFinite(weight) || weight < 0) {
      throw new RangeError(`Weight ${index} is ${weight}; expected a finite number of at least 0.`);
    }
  }
  if (!Number.isSafeInteger(start) || start < 0) throw new RangeError(`start is ${start}; expected an integer >= 0.`);
  const balancer = new SmoothWeightedRoundRobin(Float64Array.from(weights));
  const all = createPickContext(weights.length);
  for (let made = 0; made < start % START_MAX; made++) balancer.pick(all);
  return balancer;
}
