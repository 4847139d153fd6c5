/** Counting what a limiter answered. */
import type { Decision } from './decision.ts';
import type { DecisionEvents, DecisionMetrics } from './limit-metrics.ts';

/** How many takes were answered in which way, since the limiter was made. */
export interface LimiterCounts {
  readonly allowed: number;
  readonly refused: number;
  /** Allowed although the limit was reached, because of shadow mode; not counted in `allowed`. */
  readonly shadowed: number;
}

export class Tally {
  #allowed = 0;
  #refused = 0;
  #shadowed = 0;
  readonly #metrics: DecisionMetrics | null;
  readonly #events: DecisionEvents | null;

  constructor(metrics: DecisionMetrics | null, events: DecisionEvents | null) {
    this.#metrics = metrics;
    this.#events = events;
  }

  /** Counts a decision about a key and hands it on. */
  count<D extends Decision>(decision: D, key: string): D {
    if (decision.shadowed) this.#shadowed += 1;
    else if (decision.allowed) this.#allowed += 1;
    else this.#refused += 1;
    this.#metrics?.count(decision, key);
    this.#events?.tell(decision);
    return decision;
  }

  read(): LimiterCounts {
    return { allowed: this.#allowed, refused: this.#refused, shadowed: this.#shadowed };
  }
}
