/**
 * What breakers count where somebody wants it counted: calls by how they ended, how long they took, the state, and its changes.
 *
 * Invariant: whether a call may go does not depend on who counts it: what metrics of a user's own throw goes no further.
 * Series: 5 + 4 + 4 and a histogram a breaker. Cost of a call: `npm run bench -- breaker`.
 */
import { quietly } from '../kernel/quietly.ts';
import type { Counter, Gauge, Histogram } from '../observe/metrics/instruments.ts';
import type { Family, MetricsSink } from '../observe/metrics/metrics.ts';
import type { BreakerPhase } from './breaker-life.ts';

const callResults = ['good', 'slow', 'failed', 'ignored', 'refused'] as const;
export type CallResult = (typeof callResults)[number];

const breakerPhases = ['closed', 'open', 'half-open', 'isolated'] as const satisfies readonly BreakerPhase[];

export class BreakerMetrics {
  readonly #results: { readonly [result in CallResult]: Counter };
  readonly #duration: Histogram;
  readonly #states: { readonly [phase in BreakerPhase]: Gauge };
  readonly #transitions: Family<Counter, number, 'breaker' | 'to'>;
  readonly #breaker: string;

  constructor(metrics: MetricsSink, breaker: string) {
    this.#breaker = breaker;
    const calls = metrics.counter({
      name: 'spillway_breaker_calls_total',
      help: 'Calls through a breaker: good, slow (good but late), failed, ignored (given up by the caller, or judged so), or refused because it was not closed.',
      labels: ['breaker', 'result'],
    });
    this.#results = bound(callResults, (result) => calls.bind({ breaker, result }));
    const duration = metrics.histogram({
      name: 'spillway_breaker_call_duration_seconds',
      help: 'How long calls took that a breaker let go.',
      labels: ['breaker'],
      bounds: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    });
    this.#duration = duration.bind({ breaker });
    const state = metrics.gauge({
      name: 'spillway_breaker_state',
      help: '1 for the state that a breaker is in, 0 for the others.',
      labels: ['breaker', 'state'],
    });
    this.#states = bound(breakerPhases, (phase) => state.bind({ breaker, state: phase }));
    this.#transitions = metrics.counter({
      name: 'spillway_breaker_transitions_total',
      help: 'Changes of the state of a breaker, by the state it went to.',
      labels: ['breaker', 'to'],
    });
    this.#show('closed');
  }

  refused(): void {
    quietly(() => this.#results.refused.add());
  }

  ended(result: CallResult, tookMs: number): void {
    try {
      this.#results[result].add();
      this.#duration.observe(tookMs / 1000);
    } catch {
      // WHY nothing is said: the metrics, where it could be said, are what failed.
    }
  }

  changed(to: BreakerPhase): void {
    quietly(() => this.#transitions.bind({ breaker: this.#breaker, to }).add());
    this.#show(to);
  }

  #show(now: BreakerPhase): void {
    quietly(() => {
      for (const phase of breakerPhases) this.#states[phase].set(phase === now ? 1 : 0);
    });
  }
}

function bound<Word extends string, I>(
  words: readonly Word[],
  bind: (word: Word) => I,
): { readonly [word in Word]: I } {
  return Object.fromEntries(words.map((word) => [word, bind(word)])) as { [word in Word]: I };
}
