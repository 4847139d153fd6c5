/** What was, and what it says of what was promised: series, who fills them, and the objectives that are evaluated over them. */
import type { Clock } from '../../kernel/clock.ts';
import { createSeries, type Series } from '../../observe/series/series.ts';
import type { SloStatus } from '../../observe/slo/live/status.ts';
import { createContributions } from '../alerts/contributions.ts';
import { Budgets, type BudgetsOptions } from './budgets.ts';
import type { InForce } from './in-force.ts';
import { Sampler } from './sampler.ts';
import { ServiceLevels } from './service-levels.ts';

export interface HistoryOptions extends Pick<BudgetsOptions, 'random' | 'changes' | 'onEvent'> {
  readonly clock: Clock;
  /** Null: nothing is in force. */
  readonly force: () => InForce | null;
}

/** Ten thousand endpoints have some fifty thousand series. */
const SERIES_MAX = 100_000;
const MEMORY = '128mb';

export class History {
  readonly series: Series;
  readonly budgets: Budgets;
  readonly #force: HistoryOptions['force'];
  readonly #levels: ServiceLevels;
  readonly #sampler: Sampler;

  constructor({ clock, force, ...options }: HistoryOptions) {
    this.#force = force;
    this.series = createSeries({ seriesMax: SERIES_MAX, memoryBytes: MEMORY, clock });
    const contributions = createContributions({
      series: this.series,
      snapshot: () => force()?.snapshot ?? null,
      objectives: () => force()?.config.objectives ?? [],
    });
    this.budgets = new Budgets({ clock, ...options, contributions, statuses: () => this.#levels.statuses });
    this.#levels = new ServiceLevels({
      ...{ clock, series: this.series },
      excluded: (id) => this.budgets.excluded(id),
      onStep: (slo, step) => this.budgets.step(slo, step),
    });
    this.#sampler = new Sampler({
      ...{ clock, series: this.series },
      snapshot: () => force()?.snapshot ?? null,
      onRound: (routes) => {
        const config = force()?.config;
        if (config !== undefined) this.#levels.replace(config);
        this.#levels.round(routes);
        if (config !== undefined) this.budgets.round(this.#levels.statuses ?? [], config);
      },
    });
  }

  /** As of the last second; null if the config in force has no `slos`. */
  get slos(): readonly SloStatus[] | null {
    return this.#levels.statuses;
  }

  async start(): Promise<void> {
    const force = this.#force();
    if (force !== null) await this.budgets.open(force.config);
    this.#sampler.start();
  }

  /** What is held of the ledger is written. */
  async stop(): Promise<void> {
    this.#sampler.stop();
    await this.budgets.close();
  }
}
