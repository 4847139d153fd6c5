/**
 * What the gateway says of itself: its state, its metrics, whether it lives and is ready. Only reads, of what the control plane
 * and its parts hold at that moment.
 */
import { cellBornMs } from '../../kernel/cells.ts';
import type { Clock } from '../../kernel/clock.ts';
import { inTurns } from '../../kernel/steps.ts';
import { packageVersion } from '../../kernel/version.ts';
import type { SeriesFilesState } from '../../observe/series/series-files.ts';
import type { SloStatus } from '../../observe/slo/live/status.ts';
import { lazily } from '../admin/metric-subjects.ts';
import { gatewayMetrics } from '../admin/metrics.ts';
import type { MetricFamily } from '../../observe/prometheus.ts';
import type { RouteExemplars } from '../tracing/route-exemplars.ts';
import type { LiveState } from '../admin/live-model.ts';
import type { AdminEndpoint } from './admin-endpoint.ts';
import type { ChangeLog } from './change-log.ts';
import type { ConfigVersions } from './config-versions.ts';
import type { Discovery } from './discovery/discovery.ts';
import type { EndpointWatch } from './endpoint-watch.ts';
import type { DiscoveryState, EndpointOfService, EndpointState, GatewayPhase, GatewayState } from './gateway-state.ts';
import { sharedInTurn } from './in-turn.ts';
import { type InForce, pendingRestart, running, type Started } from './in-force.ts';
import { type EndpointSeries, NamedEndpoints, SUMS_TURN_MS } from './named-endpoints.ts';
import { type DurationReader, readDurations } from './read-durations.ts';
import { readLimits, readStores } from './read-limits.ts';
import {
  type EndpointKnowledge,
  readBreaker,
  readEndpoints,
  readListeners,
  readRefusals,
  readRoutes,
  readServices,
  readWorkers,
} from './read-state.ts';
import { liveState } from './read-live.ts';
import { RecentDurations } from './recent-durations.ts';
import type { ReloadHistory } from './reload-history.ts';
import type { Supervisor } from './supervisor.ts';
import type { Telemetry } from './telemetry.ts';
import type { Trials } from './trials.ts';

/** `/livez` gives a gateway without a single worker this long to replace one before it asks to be started anew. */
const NO_WORKER_MS = 30_000;

/** What changes under the control plane. */
export interface Moment {
  readonly phase: GatewayPhase;
  /** Null: the config is none of a file. */
  readonly file: string | null;
  readonly started: Started;
  readonly supervisor: Supervisor | null;
  readonly force: InForce | null;
  /** What is on trial beside it. */
  readonly trial: InForce | null;
}

export interface ReadingsOptions {
  readonly clock: Clock;
  readonly reloads: ReloadHistory;
  readonly versions: ConfigVersions;
  readonly changes: Pick<ChangeLog, 'last'>;
  readonly trials: Trials;
  readonly admin: AdminEndpoint;
  readonly endpoints: EndpointWatch;
  readonly discovery: Discovery;
  readonly telemetry: Telemetry;
  readonly now: () => Moment;
  /** Empty without `slos` in the config. */
  readonly slos: () => readonly SloStatus[];
  readonly kept: () => SeriesFilesState | null;
}

export class Readings {
  readonly #options: ReadingsOptions;
  readonly #recent: RecentDurations;
  /** What a page has to add up before it is begun, of the config then in force. */
  readonly #readEndpoints: () => Promise<Pick<InForce, 'config' | 'snapshot'> & { readonly series: EndpointSeries }>;
  readonly #version = packageVersion();
  readonly #startedAt: { readonly wallMs: number; readonly nowMs: number; readonly processMs: number };

  constructor(options: ReadingsOptions) {
    const { clock } = options;
    this.#options = options;
    this.#recent = new RecentDurations(clock);
    const named = new NamedEndpoints(changesIn(options.endpoints), clock);
    this.#readEndpoints = sharedInTurn(async () => {
      const { config, snapshot } = running(options.now().force);
      const steps = named.read(snapshot, config.telemetry.metrics.endpoints);
      return { config, snapshot, series: await inTurns(steps, { clock, turnMs: SUMS_TURN_MS }) };
    });
    const wallMs = clock.wallMs();
    this.#startedAt = { wallMs, nowMs: clock.nowMs(), processMs: wallMs - 1000 * process.uptime() };
  }

  /** The same with the durations of the last minute, for who looks at it second by second. */
  live(): LiveState {
    const { changes, clock, slos } = this.#options;
    const state = this.state((cells, laneSlots, slots) => this.#recent.read(cells, laneSlots, slots));
    const latenciesOf = this.#recent.isRecent ? 'minute' : 'start';
    return liveState(state, { atMs: clock.wallMs(), slos: slos(), lastChange: changes.last, latenciesOf });
  }

  /** The token for changes, if the gateway made it; in none of the others. */
  get adminToken(): string | null {
    return this.#options.admin.token;
  }

  state(durations: DurationReader = readDurations): GatewayState {
    const { admin, clock, now, reloads, trials, versions } = this.#options;
    const { phase, file, started, supervisor, force } = now();
    const snapshot = force?.snapshot ?? null;
    return {
      version: this.#version,
      configVersion: versions.current,
      phase,
      pid: process.pid,
      startedAt: this.#startedAtText,
      uptimeMs: clock.nowMs() - this.#startedAt.nowMs,
      file,
      admin: admin.address === null ? null : { address: admin.address, madeToken: admin.made },
      listeners: snapshot === null ? [] : readListeners(snapshot, supervisor?.ports ?? {}, durations),
      services: force === null ? [] : this.#services(force, durations),
      routes: snapshot === null ? [] : readRoutes(snapshot, durations),
      limits: snapshot === null ? [] : readLimits(snapshot),
      stores: snapshot === null ? [] : readStores(snapshot),
      workers: snapshot === null ? [] : readWorkers(snapshot, supervisor?.states() ?? []),
      reloads: reloads.state,
      canary: trials.state,
      history: versions.states,
      pendingRestart: force === null ? [] : pendingRestart(started, force.config),
      kept: this.#options.kept(),
      refusals: snapshot === null ? {} : readRefusals(snapshot),
    };
  }

  /** What is known of one address, in each service that has it; of one on trial too. */
  endpointStates(address: string): readonly EndpointOfService[] {
    const { force, trial } = this.#options.now();
    const configs = trial === null ? [running(force)] : [running(force), trial];
    return readEndpoints(
      configs.map(({ snapshot }) => snapshot),
      address,
      this.#knowledge(readDurations),
    );
  }

  /** What `/metrics` shows and a push sends. */
  async metrics(exemplars: RouteExemplars): Promise<MetricFamily[]> {
    const { discovery, endpoints, now, reloads, telemetry, versions } = this.#options;
    const { config, snapshot, series } = await this.#readEndpoints();
    const { supervisor } = now();
    const { user, system } = process.cpuUsage();
    const input = {
      snapshot,
      state: {
        version: this.#version,
        configVersion: versions.current,
        startedAt: this.#startedAtText,
        workers: readWorkers(snapshot, supervisor?.states() ?? []),
        reloads: reloads.state,
      },
      discovery: lazily(config.services, (service) => discovery.state(service, config)),
      breakers: lazily(snapshot.services, (service) => {
        const state = readBreaker(service, endpoints.breakers);
        return state === null ? null : { service: service.name, bornMs: cellBornMs(service.breaker!.cell), state };
      }),
      endpoints: series,
      exported: telemetry.exported,
      slos: this.#options.slos(),
      healthChanges: changesIn(endpoints),
      process: {
        residentBytes: residentBytes(),
        cpuSeconds: (user + system) / 1e6,
        nodeVersion: process.version,
        beganMs: this.#startedAt.processMs,
        configAppliedS: reloads.appliedAtS,
      },
    };
    return gatewayMetrics(input, exemplars);
  }

  /** Null if new work is welcome; else why not. */
  notReady(): string | null {
    const { phase, supervisor } = this.#options.now();
    if (phase !== 'running') return phase;
    return supervisor?.idleSinceMs === null ? null : 'no worker serves';
  }

  /** Null if this process can still serve; else why it should be started anew. */
  notAlive(): string | null {
    const { clock, now } = this.#options;
    const { phase, supervisor } = now();
    const idleSinceMs = supervisor?.idleSinceMs ?? null;
    if (phase !== 'running' || idleSinceMs === null) return null;
    return clock.nowMs() - idleSinceMs > NO_WORKER_MS ? 'no worker serves' : null;
  }

  get #startedAtText(): string {
    return new Date(this.#startedAt.wallMs).toISOString();
  }

  #services({ config, snapshot }: InForce, durations: DurationReader): GatewayState['services'] {
    return readServices(snapshot, this.#knowledge(durations), this.#discovery(config));
  }

  #knowledge(durations: DurationReader): EndpointKnowledge {
    const { health, drains, breakers } = this.#options.endpoints;
    return { health, drains, breakers, durations };
  }

  /** What is known of where endpoints come from, a state or null for each service. */
  #discovery(config: InForce['config']): (DiscoveryState | null)[] {
    const { discovery } = this.#options;
    return config.services.map((service) => discovery.state(service, config));
  }
}

function changesIn({ health }: Pick<EndpointWatch, 'health'>) {
  return (service: string, endpoint: string): EndpointState['changes'] => health.known(service, endpoint).changes;
}

/** It is in a file, which cannot be opened when there is no descriptor left; all else can be told then. */
function residentBytes(): number | null {
  try {
    return process.memoryUsage.rss();
  } catch {
    return null;
  }
}
