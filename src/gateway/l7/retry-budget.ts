/**
 * How much may be asked again: a share of what was asked in the first place. When a service fails altogether, every request
 * fails, and retries without a budget send it three times the load it could not bear once.
 *
 * Within a window of ten seconds at most `share` of the requests may be retried, or `min` a second where that is more: a
 * service with little traffic has retries too. The request that is retried counts, not its attempts. Hedges are paid from the
 * same purse.
 *
 * Each worker counts its own traffic: a share that holds in each holds in all, and only the floor is one for each.
 * Source: Twitter's Finagle (RetryBudget); Envoy's budgets, which are off by default.
 * Cost: a few additions; no allocation.
 */

const SLICES = 10;
const SLICE_MS = 1000;

export interface RetryBudgetPolicy {
  /** Of the requests, 0 to 1. */
  readonly budgetShare: number;
  /** A second. */
  readonly budgetMin: number;
}

export class RetryBudget {
  readonly #requests = new Int32Array(SLICES);
  readonly #retries = new Int32Array(SLICES);
  #requestsSum = 0;
  #retriesSum = 0;
  #slice = 0;

  /** A request has come. */
  requested(nowMs: number): void {
    this.#requests[this.#at(nowMs)]! += 1;
    this.#requestsSum += 1;
  }

  /** Takes one retry out of the budget, if there is one. */
  take(policy: RetryBudgetPolicy, nowMs: number): boolean {
    const at = this.#at(nowMs);
    const most = Math.max(policy.budgetShare * this.#requestsSum, (policy.budgetMin * SLICES * SLICE_MS) / 1000);
    if (this.#retriesSum + 1 > most) return false;
    this.#retries[at]! += 1;
    this.#retriesSum += 1;
    return true;
  }

  /** The place of this second; those that have passed are forgotten. */
  #at(nowMs: number): number {
    const slice = Math.floor(nowMs / SLICE_MS);
    const passed = Math.min(slice - this.#slice, SLICES);
    for (let step = 1; step <= passed; step++) {
      const at = (slice - passed + step) % SLICES;
      this.#requestsSum -= this.#requests[at]!;
      this.#retriesSum -= this.#retries[at]!;
      this.#requests[at] = 0;
      this.#retries[at] = 0;
    }
    if (passed > 0) this.#slice = slice;
    return this.#slice % SLICES;
  }
}
