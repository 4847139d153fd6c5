/**
 * What limiters count where somebody wants it counted: decisions, by their outcome and who decided, and calls to stores; and what they tell the span
 * that runs. The key of a limiter is never a label nor an attribute: there are as many as there are clients, and who sends the request chooses it.
 *
 * Invariant: a decision does not depend on who counts it: what metrics or traces of a user's own throw goes no further.
 * Series: 18 a limiter at most, three a store. Cost of a decision: a property, an element and an addition
 * (`npm run bench -- observe --only patterns`).
 */
import type { Counter, Histogram } from '../observe/metrics/instruments.ts';
import type { Family, MetricsSink } from '../observe/metrics/metrics.ts';
import { type CurrentSpan, tellSpan } from '../kernel/current-span.ts';
import type { Decision, DecisionSource } from './decision.ts';

const outcomes = ['allowed', 'refused', 'shadowed'] as const;

function outcomeOf({ allowed, shadowed }: Decision): 0 | 1 | 2 {
  return shadowed ? 2 : allowed ? 0 : 1;
}

export class DecisionMetrics {
  readonly #family: Family<Counter, number, 'limit' | 'outcome' | 'source'>;
  readonly #limit: string;
  readonly #bound: { [source in DecisionSource]?: (Counter | undefined)[] } = {};

  constructor(metrics: MetricsSink, limit: string) {
    this.#limit = limit;
    this.#family = metrics.counter({
      name: 'spillway_limit_decisions_total',
      help: 'Decisions of a limiter: allowed, refused, or shadowed (let through only because it is in shadow mode), and who decided.',
      labels: ['limit', 'outcome', 'source'],
    });
  }

  count(decision: Decision): void {
    const { source } = decision;
    const outcome = outcomeOf(decision);
    try {
      const counter = this.#bound[source]?.[outcome] ?? this.#bind(source, outcome);
      counter.add();
    } catch {
      // WHY nothing is said: the metrics, where it could be said, are what failed.
    }
  }

  #bind(source: DecisionSource, outcome: 0 | 1 | 2): Counter {
    const counters = (this.#bound[source] ??= []);
    return (counters[outcome] = this.#family.bind({ limit: this.#limit, outcome: outcomes[outcome], source }));
  }
}

/** Each decision as an event of the span that asked, as the gateway has it of its own limits. */
export class DecisionEvents {
  readonly #traces: CurrentSpan;
  readonly #limit: string;
  /** By source and outcome, made once. */
  readonly #attributes: { [source in DecisionSource]?: Readonly<Record<string, string>>[] } = {};

  constructor(traces: CurrentSpan, limit: string) {
    this.#traces = traces;
    this.#limit = limit;
  }

  tell(decision: Decision): void {
    const { source } = decision;
    const outcome = outcomeOf(decision);
    const known = (this.#attributes[source] ??= []);
    tellSpan(this.#traces, 'limit', (known[outcome] ??= { limit: this.#limit, outcome: outcomes[outcome], source }));
  }
}

/** How a call to a store ended: `late` is one whose deadline was over first. */
export type CallOutcome = 'answered' | 'failed' | 'late';

export class CallMetrics {
  readonly #answered: Histogram;
  readonly #bind: (outcome: CallOutcome) => Histogram;

  constructor(metrics: MetricsSink, store: string) {
    const family = metrics.histogram({
      name: 'spillway_store_duration_seconds',
      help: 'From a call to a store of limits to its answer, its failure, or its deadline.',
      labels: ['store', 'outcome'],
      // A store is near: most answers come within a millisecond.
      bounds: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
    });
    this.#bind = (outcome) => family.bind({ store, outcome });
    this.#answered = this.#bind('answered');
  }

  ended(outcome: CallOutcome, tookMs: number): void {
    try {
      const histogram = outcome === 'answered' ? this.#answered : this.#bind(outcome);
      histogram.observe(tookMs / 1000);
    } catch {
      // WHY nothing is said: as above; and whoever waits for the store's answer would wait for ever.
    }
  }
}
