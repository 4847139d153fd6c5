/**
 * The objectives of a config while it is in force: counted by what each round of samples shows, and evaluated then.
 *
 * A reload keeps what is known of those that it has too. Objectives that only Prometheus can measure are not here; the config says so when it
 * is read.
 */
import type { Clock } from '../../kernel/clock.ts';
import type { Series } from '../../observe/series/series.ts';
import { createSloEvaluator, type SloEvaluator, type SloEvaluatorOptions } from '../../observe/slo/live/evaluator.ts';
import type { SloStatus } from '../../observe/slo/live/status.ts';
import { gatewayIndicatorOf, type Slo, sloId } from '../../observe/slo/objective.ts';
import type { Config } from '../config/index.ts';
import type { RouteProbe } from './probes.ts';
import { countRound } from './slo-counts.ts';

export interface ServiceLevelsOptions extends Pick<SloEvaluatorOptions, 'excluded' | 'onStep'> {
  readonly clock: Clock;
  readonly series: Series;
}

export class ServiceLevels {
  readonly #evaluator: SloEvaluator;
  #objectives: readonly Slo[] = [];
  #hasSlos = false;

  constructor(options: ServiceLevelsOptions) {
    this.#evaluator = createSloEvaluator({ slos: [], ...options });
  }

  /** How they stood when they were evaluated last; null if the config has no `slos`. */
  get statuses(): readonly SloStatus[] | null {
    return this.#hasSlos ? this.#evaluator.statuses : null;
  }

  /** The objectives of another config. */
  replace({ slos, objectives }: Pick<Config, 'slos' | 'objectives'>): void {
    this.#hasSlos = slos.length > 0;
    if (objectives === this.#objectives) return;
    this.#objectives = objectives;
    this.#evaluator.replace(evaluatedHere(objectives));
  }

  /** A round of samples is through. */
  count(routes: readonly RouteProbe[]): void {
    for (const slo of this.#objectives) {
      const gateway = gatewayIndicatorOf(slo);
      if (gateway !== null) this.#evaluator.count(sloId(slo), countRound(gateway, routes));
    }
  }

  evaluate(): void {
    this.#evaluator.evaluate();
  }
}

/** Those that are made of the gateway's own counters. */
export function evaluatedHere(objectives: readonly Slo[]): readonly Slo[] {
  return objectives.filter((slo) => gatewayIndicatorOf(slo) !== null);
}
