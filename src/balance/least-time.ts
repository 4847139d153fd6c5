/**
 * Least time: the endpoint where one more request would be answered soonest, latency × (in flight + 1) / weight.
 *
 * What nginx calls `least_time` and Traefik `leasttime`, with the estimate of `Loads`: peak EWMA, failures count as slow,
 * silence is slow, an idle endpoint is forgotten with time and so asked again. It uses fast servers as fully as they can bear.
 * Everyone who looks sees the same best, so with several gateways it herds; `peak-ewma` does not.
 *
 * Invariants:
 *   - what is in flight is what it is at the pick, by all threads;
 *   - latency is as of some moment in the last `AGE_MAX_MS`; that of the one who is picked is looked at again before. So a server that
 *     has become quicker may get its due so much later, but none gets work because it was quick, or unknown, a moment ago;
 *   - ties go round, as in `LeastCost`.
 *
 * Cost: O(n) a pick, and O(n) again, as dear, each `AGE_MAX_MS` (`npm run bench -- pick`); 24 B an endpoint. No allocation.
 */
import type { Balancer, BalancerOptions, PickContext } from './balancer.ts';
import { LatencyCost } from './cost.ts';
import { createLoads, type Loads } from './loads.ts';
import { checkedWeights } from './weights.ts';

/** Less than an answer takes, mostly: how long nothing has come back is a part of what is compared. */
const AGE_MAX_MS = 1;
/** A second takes one that has become slow since it was looked at; more, as many of them in a row. */
const TRIES_MAX = 4;

class LeastTime implements Balancer {
  readonly #length: number;
  readonly #loads: Loads;
  readonly #cost: LatencyCost;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #next = 0;
  #best = -1;
  #bestCost = Number.POSITIVE_INFINITY;
  /** Who was the cheapest on the way to the last one that was: likely not far from the next. */
  #runnerUp = -1;

  constructor(length: number, loads: Loads, cost: LatencyCost) {
    this.#length = length;
    this.#loads = loads;
    this.#cost = cost;
  }

  pick(context: PickContext): number {
    const cost = this.#cost;
    const ageMs = context.nowMs - this.#lookedMs;
    if (!(ageMs >= 0 && ageMs < AGE_MAX_MS)) {
      cost.look(context, 0, this.#length);
      this.#lookedMs = context.nowMs;
    }
    for (let tries = 1; ; tries++) {
      this.#begin(context);
      this.#walk(context, this.#next, this.#length);
      this.#walk(context, 0, this.#next);
      const best = this.#best;
      if (best >= 0 && (cost.holds(context, best, AGE_MAX_MS) || tries >= TRIES_MAX)) {
        this.#next = best + 1;
        return best;
      }
      // Nobody; or the bound was somebody's who has been given work since, by another thread.
      if (best < 0 && this.#runnerUp < 0) return -1;
      if (best < 0) this.#runnerUp = -1;
    }
  }

  /** With a little more than somebody costs: so few are taken for the cheapest on the way, and the processor guesses right mostly. */
  #begin({ eligible }: PickContext): void {
    this.#best = -1;
    this.#bestCost = Number.POSITIVE_INFINITY;
    const index = this.#runnerUp;
    if (index < 0 || eligible[index] !== 1) return;
    const cost = (this.#loads.inFlight(index) + 1) * this.#cost.alone[index]!;
    this.#bestCost = cost * (1 + Number.EPSILON) + Number.EPSILON;
  }

  #walk({ eligible }: PickContext, from: number, to: number): void {
    const { alone } = this.#cost;
    const inFlight = this.#loads.row(from, to);
    let best = this.#best | 0;
    let bestCost = this.#bestCost;
    let runnerUp = this.#runnerUp | 0;
    for (let index = from | 0; index < to; index = (index + 1) | 0) {
      const cost = ((inFlight[index]! + 1) | 0) * alone[index]!;
      if (cost < bestCost && eligible[index] === 1) {
        if (best >= 0) runnerUp = best;
        best = index;
        bestCost = cost;
      }
    }
    this.#best = best;
    this.#bestCost = bestCost;
    this.#runnerUp = runnerUp;
  }
}

export function createLeastTime({ weights, loads = createLoads(weights.length) }: BalancerOptions): Balancer {
  return new LeastTime(weights.length, loads, new LatencyCost(checkedWeights(weights), loads));
}
