/** What was, and what it says of what was promised: series, who fills them, and the objectives that are evaluated over them. */
import type { Clock } from '../../kernel/clock.ts';
import { createSeries, type Series } from '../../observe/series/series.ts';
import type { SloStatus } from '../../observe/slo/live/status.ts';
import type { InForce } from './in-force.ts';
import { Sampler } from './sampler.ts';
import { ServiceLevels } from './service-levels.ts';

export interface HistoryOptions {
  readonly clock: Clock;
  /** Null: nothing is in force. */
  readonly force: () => InForce | null;
}

/** Ten thousand endpoints have some fifty thousand series. */
const SERIES_MAX = 100_000;
const MEMORY = '128mb';

export class History {
  readonly series: Series;
  readonly #levels: ServiceLevels;
  readonly #sampler: Sampler;

  constructor({ clock, force }: HistoryOptions) {
    this.series = createSeries({ seriesMax: SERIES_MAX, memoryBytes: MEMORY, clock });
    this.#levels = new ServiceLevels({ clock, series: this.series });
    this.#sampler = new Sampler({
      ...{ clock, series: this.series },
      snapshot: () => force()?.snapshot ?? null,
      onRound: (routes) => {
        const config = force()?.config;
        if (config !== undefined) this.#levels.replace(config);
        this.#levels.round(routes);
      },
    });
  }

  /** As of the last second; null if the config in force has no `slos`. */
  get slos(): readonly SloStatus[] | null {
    return this.#levels.statuses;
  }

  start(): void {
    this.#sampler.start();
  }

  stop(): void {
    this.#sampler.stop();
  }
}
