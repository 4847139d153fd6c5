/** What was, and what it says of what was promised: series, who fills them, and the objectives that are evaluated over them. */
import { resolve } from 'node:path';
import type { Clock, Timer } from '../../kernel/clock.ts';
import { SeriesFiles, type SeriesFilesState } from '../../observe/series/series-files.ts';
import { createSeries, type Series } from '../../observe/series/series.ts';
import { SLO_EVENTS } from '../../observe/slo/live/evaluator.ts';
import type { SloStatus } from '../../observe/slo/live/status.ts';
import { createContributions } from '../alerts/contributions.ts';
import { Budgets, type BudgetsOptions } from './budgets.ts';
import type { ChangeLog } from './change-log.ts';
import type { InForce } from './in-force.ts';
import { breakersOf, seatsOf } from './leaders.ts';
import type { RouteProbe } from './probes.ts';
import { readStores } from './read-limits.ts';
import type { ReceivedMetrics } from './received-metrics.ts';
import { Sampler } from './sampler.ts';
import { evaluatedHere, ServiceLevels } from './service-levels.ts';
import { StandingChanges } from './standing.ts';

export interface HistoryOptions extends Pick<BudgetsOptions, 'random' | 'onEvent'> {
  readonly clock: Clock;
  readonly changes: Pick<ChangeLog, 'changes' | 'add'>;
  /** By which services tell who leads. */
  readonly received: Pick<ReceivedMetrics, 'find'>;
  /** Null: nothing is in force. */
  readonly force: () => InForce | null;
}

/** `reading`: what was kept of them is read. `starting`: they have just come into force. */
export type SloWaiting = 'reading' | 'starting';

/** Ten thousand endpoints have some fifty thousand series. */
const SERIES_MAX = 100_000;
const MEMORY = '256mb';
/** A folder that another gateway has, as while one takes over from the other, is asked for again. */
const AGAIN_MS = 10_000;

export class History {
  readonly series: Series;
  readonly budgets: Budgets;
  readonly #force: HistoryOptions['force'];
  readonly #levels: ServiceLevels;
  readonly #sampler: Sampler;
  readonly #options: Pick<HistoryOptions, 'clock' | 'onEvent' | 'changes' | 'received'>;
  readonly #standing = new StandingChanges();
  #files: SeriesFiles | null = null;
  #started: Promise<void> = Promise.resolve();
  /** What was kept is read, if the folder can be had. */
  #isReading = false;
  #again: Timer | null = null;
  #isStopped = false;
  #replaced = 0;

  constructor({ clock, force, received, ...options }: HistoryOptions) {
    this.#options = { clock, received, onEvent: options.onEvent, changes: options.changes };
    this.#force = force;
    this.series = createSeries({ seriesMax: SERIES_MAX, memoryBytes: MEMORY, lasting: [SLO_EVENTS], clock });
    const contributions = createContributions({
      series: this.series,
      snapshot: () => force()?.snapshot ?? null,
      objectives: () => force()?.config.objectives ?? [],
    });
    this.budgets = new Budgets({
      ...{ clock, ...options, contributions },
      objectives: () => evaluatedHere(force()?.config.objectives ?? []),
      statuses: () => this.#levels.statuses,
    });
    this.#levels = new ServiceLevels({
      ...{ clock, series: this.series },
      excluded: (id) => this.budgets.excluded(id),
      onStep: (slo, step) => this.budgets.step(slo, step),
    });
    this.#sampler = new Sampler({
      ...{ clock, series: this.series },
      snapshot: () => force()?.snapshot ?? null,
      onRound: (routes) => this.#round(routes),
    });
  }

  /** As of the last second; null if the config in force has no `slos`. */
  get slos(): readonly SloStatus[] | null {
    return this.#levels.statuses;
  }

  /** Why none of the objectives in force is evaluated yet; null: they are, or there is none. */
  get waiting(): SloWaiting | null {
    const objectives = this.#force()?.config.objectives ?? [];
    if (evaluatedHere(objectives).length === 0 || (this.slos ?? []).length > 0) return null;
    return this.#isReading ? 'reading' : 'starting';
  }

  /** What is missing of what was kept; null: none is. */
  get kept(): SeriesFilesState | null {
    return this.#files?.state ?? null;
  }

  /** Resolves when the ledger is open. What was kept of the series is read meanwhile, and after. */
  start(): Promise<void> {
    this.#started = this.#start();
    return this.#started;
  }

  async #start(): Promise<void> {
    const force = this.#force();
    if (force !== null) await this.budgets.open(force.config);
    if (this.#isStopped) return;
    const { data, folder } = force?.config ?? {};
    if (data !== undefined && folder !== undefined) this.#keep(resolve(folder, data));
    this.#sampler.start();
  }

  /** What is held is written. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#started;
    this.#sampler.stop();
    this.#again?.clear();
    await this.budgets.close();
    await this.#files?.close();
  }

  /** Objectives wait for what was kept of them: by less than that, or by a half of it, their budgets would look other than they are. */
  #round(routes: readonly RouteProbe[]): void {
    const config = this.#force()?.config;
    if (config !== undefined) this.#levels.replace(config);
    this.#levels.count(routes);
    this.#tellReplaced();
    if (this.#isReading) return;
    this.#levels.evaluate();
    if (config !== undefined) this.budgets.round(this.#levels.statuses ?? [], config);
    this.#noteStanding();
  }

  /** Of what an older version kept that counted by other buckets: to convert it would be to guess. */
  #tellReplaced(): void {
    const { replaced } = this.series.stats;
    if (replaced === this.#replaced) return;
    const [many, kept] = [
      replaced - this.#replaced,
      'charts of them begin now, and budgets, which are counted by themselves, are whole',
    ];
    this.#replaced = replaced;
    const message = `What was kept of ${many === 1 ? 'a series' : `${many} series`} was counted otherwise, as by other buckets, and is let go of: ${kept}.`;
    this.#options.onEvent({ kind: 'notice', level: 'info', message });
  }

  #noteStanding(): void {
    const { changes, received } = this.#options;
    const snapshot = this.#force()?.snapshot ?? null;
    const standing = {
      seats: seatsOf(received.find('spillway_seat_').series),
      breakers: breakersOf(received.find('spillway_breaker_state', ({ value }) => value === 1).series),
      slos: this.#levels.statuses ?? [],
      stores: snapshot === null ? [] : readStores(snapshot),
    };
    for (const change of this.#standing.look(standing)) changes.add(change);
  }

  #keep(folder: string): void {
    const { clock, onEvent } = this.#options;
    const again = `What is counted is kept in ${folder} again.`;
    const onProblem = (problem: string | null): void =>
      onEvent({ kind: 'notice', level: problem === null ? 'info' : 'warn', message: problem ?? again });
    const onNotice = (level: 'info' | 'warn', message: string): void => onEvent({ kind: 'notice', level, message });
    this.#files = new SeriesFiles({ folder, series: this.series, clock, onProblem, onNotice });
    void this.#open(this.#files, { folder, told: null });
  }

  /** Nothing stops for it: what cannot be kept now is in memory, and kept from when it can. `told` is the code of what was said of it last. */
  async #open(files: SeriesFiles, { folder, told }: { folder: string; told: string | null }): Promise<void> {
    const { clock, onEvent } = this.#options;
    const say = (level: 'info' | 'warn', message: string): void => onEvent({ kind: 'notice', level, message });
    this.#isReading = true;
    try {
      await files.open();
      if (!this.#isStopped) await this.budgets.keep(folder);
      if (told !== null) say('info', 'What is counted is kept on disk now.');
    } catch (error) {
      const { code = 'unknown', message } = error as NodeJS.ErrnoException;
      if (code !== told) say('warn', `What is counted is not kept on disk: ${message}`);
      if (!this.#isStopped) this.#again = clock.after(AGAIN_MS, () => void this.#open(files, { folder, told: code }));
    } finally {
      this.#isReading = false;
    }
  }
}
