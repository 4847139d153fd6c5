/**
 * What limiters count where somebody wants it counted: decisions, by their outcome and who decided, and by how full the limit was; the keys that are
 * refused most; and calls to stores; and what they tell the span that runs. The key of a limiter is no label of what is counted nor an attribute: there
 * are as many as there are clients, and who sends the request chooses it. Of the few that are refused most the hash is one (most-refused.ts).
 *
 * Invariant: a decision does not depend on who counts it: what metrics or traces of a user's own throw goes no further.
 * Series: 28 a limiter at most, a histogram if it is in memory, and 16 rows; three a store. Cost of a decision: a comparison, two elements and two
 * additions, and in memory a subtraction (`npm run bench -- observe --only patterns`).
 */
import type { Counter, Histogram } from '../observe/metrics/instruments.ts';
import type { Family, MetricsSink } from '../observe/metrics/metrics.ts';
import { systemClock } from '../kernel/clock.ts';
import { type CurrentSpan, tellSpan } from '../kernel/current-span.ts';
import type { Decision, DecisionSource } from './decision.ts';
import { filledText, tenthOf } from './filled.ts';
import { MostRefused } from './most-refused.ts';

const outcomes = ['allowed', 'refused', 'shadowed'] as const;

function outcomeOf({ allowed, shadowed }: Decision): 0 | 1 | 2 {
  return shadowed ? 2 : allowed ? 0 : 1;
}

/** The counters of decisions from one source, by outcome. */
interface OfSource {
  readonly source: DecisionSource;
  readonly counters: (Counter | undefined)[];
  /** Whether it knew how full the limit was. */
  readonly knows: boolean;
}

export class DecisionMetrics {
  readonly #family: Family<Counter, number, 'limit' | 'outcome' | 'source'>;
  readonly #limit: string;
  readonly #sources = new Map<DecisionSource, OfSource>();
  /** Of the last decision: mostly that of the next one, and then nothing need be looked up. */
  #last: OfSource = { source: 'store', counters: [], knows: true };
  readonly #filled: Family<Counter, number, 'limit' | 'filled'>;
  /** By the tenth. */
  readonly #tenths: (Counter | undefined)[] = [];
  readonly #refused: MostRefused | null;

  constructor(metrics: MetricsSink, limit: string, showKeys: boolean) {
    this.#limit = limit;
    this.#sources.set('store', this.#last);
    this.#family = metrics.counter({
      name: 'spillway_limit_decisions_total',
      help: 'Decisions of a limiter: allowed, refused, or shadowed (let through only because it is in shadow mode), and who decided.',
      labels: ['limit', 'outcome', 'source'],
    });
    this.#filled = metrics.counter({
      name: 'spillway_limit_filled_total',
      help: 'Decisions of a limiter, by how much of it their key had used then: up to 0.1 of it, 0.2 … 1. Not those that nobody could count.',
      labels: ['limit', 'filled'],
    });
    this.#refused = MostRefused.in(metrics, limit, showKeys);
  }

  count(decision: Decision, key: string): void {
    const of = decision.source === this.#last.source ? this.#last : this.#turnTo(decision.source);
    const outcome = outcomeOf(decision);
    try {
      (of.counters[outcome] ?? this.#bind(of, outcome)).add();
      if (of.knows) {
        const tenth = tenthOf(decision);
        (this.#tenths[tenth] ?? this.#bindTenth(tenth)).add();
      }
      if (outcome !== 0) this.#refused?.count(key);
    } catch {
      // WHY nothing is said: the metrics, where it could be said, are what failed.
    }
  }

  #turnTo(source: DecisionSource): OfSource {
    const of = this.#sources.get(source) ?? { source, counters: [], knows: source !== 'open' && source !== 'closed' };
    this.#sources.set(source, of);
    this.#last = of;
    return of;
  }

  #bind({ counters, source }: OfSource, outcome: 0 | 1 | 2): Counter {
    return (counters[outcome] = this.#family.bind({ limit: this.#limit, outcome: outcomes[outcome], source }));
  }

  #bindTenth(tenth: number): Counter {
    return (this.#tenths[tenth] = this.#filled.bind({ limit: this.#limit, filled: filledText(tenth) }));
  }
}

/** To read the clock twice takes as long as a take in memory: one in so many is timed. */
const TIMED_EVERY = 64;

/** How long a limiter in memory takes: usually a few hundred nanoseconds, and as long as it has to wait for other threads or for memory. */
export class TakeTimes {
  readonly #took: Histogram;
  /** Until the next that is timed; the first is. */
  #left = 1;

  constructor(metrics: MetricsSink, limit: string) {
    const family = metrics.histogram({
      name: 'spillway_limit_take_duration_seconds',
      help: 'How long a limiter in the memory of the process takes to decide, of one decision in 64: its count is no rate.',
      labels: ['limit'],
      bounds: [1e-7, 1e-6, 1e-5, 1e-4, 0.001, 0.01, 0.1],
      range: [1e-8, 60],
    });
    this.#took = family.bind({ limit });
  }

  /** When a take begins that is timed; -1 if this one is not. */
  begin(): number {
    this.#left -= 1;
    if (this.#left > 0) return -1;
    this.#left = TIMED_EVERY;
    return systemClock.nowMs();
  }

  ended(beganMs: number): void {
    const tookMs = systemClock.nowMs() - beganMs;
    try {
      this.#took.observe(tookMs / 1000);
    } catch {
      // WHY nothing is said: as above.
    }
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
