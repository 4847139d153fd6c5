/**
 * The control thread's whole: its parts, its life from start to stop, and what may be asked of it, one thing at a time. How a
 * config is put in force is `enforcement.ts`, which one it is `replacement.ts`; what a caller sees of it is `gateway.ts`; what it says of itself, `readings.ts`.
 */
import { resolve } from 'node:path';
import type { Clock, Timer } from '../../kernel/clock.ts';
import { SpillwayError } from '../../kernel/errors.ts';
import type { Random } from '../../kernel/random.ts';
import type { Pass } from '../../observe/slo/gate.ts';
import { Assets } from '../admin/assets.ts';
import { LiveFeed } from '../admin/live-feed.ts';
import type { ExplainRequest, Explanation } from '../l7/explain.ts';
import { AdminEndpoint } from './admin-endpoint.ts';
import { applyRefusal } from './applied-file.ts';
import { ChangeLog } from './change-log.ts';
import { ConfigVersions } from './config-versions.ts';
import { Discovery } from './discovery/discovery.ts';
import type { EndpointChange } from './discovery/endpoint-change.ts';
import { dropNotices, dropRoot } from './drop-root.ts';
import { EventFan, type GatewayEvent, type GatewayListener, type ReloadOutcome } from './events.ts';
import type { DrainOutcome, DrainRequest, EndpointName } from './drains.ts';
import { EndpointWatch } from './endpoint-watch.ts';
import { Enforcement } from './enforcement.ts';
import { explainLive } from './explain-live.ts';
import { FoundEndpoints } from './found-endpoints.ts';
import type { CanaryState, GatewayPhase, ReloadCause } from './gateway-state.ts';
import { History } from './history.ts';
import { type InForce, type Started, workersOf } from './in-force.ts';
import { InTurn } from './in-turn.ts';
import { type ConfigReading, type ConfigSource, fileSource } from './read-config.ts';
import { type Moment, Readings } from './readings.ts';
import { ReloadHistory } from './reload-history.ts';
import { Replacement } from './replacement.ts';
import { Supervisor } from './supervisor.ts';
import { type TrialOutcome, type TrialRequest, Trials } from './trials.ts';
import { Telemetry } from './telemetry.ts';
import { TICKET_SECRET_LIFE_MS } from './ticket-keys.ts';
import { WatchFiles } from './watch-files.ts';
import { resourceLimits } from './worker-memory.ts';

export interface ControlPlaneOptions {
  readonly source: ConfigSource;
  readonly watch: boolean;
  readonly workers: number | null;
  readonly clock: Clock;
  readonly random: Random;
  readonly workerEntry: URL;
}

type Trial = Pick<TrialRequest, 'share' | 'watchMs'>;

export class ControlPlane {
  readonly #options: ControlPlaneOptions;
  readonly #events = new EventFan();
  readonly #reloads: ReloadHistory;
  readonly #changes: ChangeLog;
  readonly #versions = new ConfigVersions();
  readonly #trials: Trials;
  readonly #enforcement: Enforcement;
  readonly #endpoints: EndpointWatch;
  readonly #discovery: Discovery;
  readonly #files: WatchFiles;
  readonly #admin: AdminEndpoint;
  readonly #replacement: Replacement;
  readonly #finds: FoundEndpoints;
  readonly #history: History;
  readonly #telemetry: Telemetry;
  /** For whatever changes what is in force. */
  readonly #turn = new InTurn();
  /** What it says of itself. */
  readonly readings: Readings;
  #phase: GatewayPhase = 'new';
  #supervisor: Supervisor | null = null;
  #started: Started = { workers: null, user: undefined };
  #rotation: Timer | null = null;
  #changedEarly = false;
  #ended: Promise<void> | null = null;
  readonly #ending = new AbortController();

  constructor(options: ControlPlaneOptions) {
    const { clock, random } = options;
    this.#options = options;
    this.#reloads = new ReloadHistory(clock);
    const notice = (message: string): void => this.#notice('warn', message);
    this.#telemetry = new Telemetry({ clock, random, notice, families: (of) => this.readings.metrics(of) });
    this.#changes = new ChangeLog(clock);
    this.#events.add((event) => this.#changes.observe(event));
    const onEvent = (event: GatewayEvent): void => this.#events.emit(event);
    this.#endpoints = new EndpointWatch({ clock, random, onEvent });
    this.#discovery = new Discovery({
      ...{ clock, random, onEvent },
      ports: () => this.#supervisor?.ports ?? {},
      adminPort: () => this.#admin.port,
      onChange: () => this.#found(),
    });
    this.#files = new WatchFiles({ clock, onChange: () => this.#fileChanged() });
    this.#finds = new FoundEndpoints({
      clock,
      apply: () => this.#turn.run(() => this.#enforcement.again()),
      onRefused: (why) => this.#notice('error', `The endpoints that were found could not be put in force: ${why}`),
    });
    this.#trials = new Trials({
      clock,
      tell: (plan) => this.#supervisor?.setCanary(plan),
      // Not by the queue: it takes nobody's place, and nobody takes its.
      promote: ({ source, pass }, isOnTrial) =>
        this.#turn.run(async () =>
          isOnTrial() ? this.#replacement.run({ kind: 'read', cause: 'canary', source, pass }) : null,
        ),
      onChange: (trial, next) => this.#trialChanged(trial, next),
    });
    this.#history = new History({
      ...{ clock, random, onEvent, changes: this.#changes, received: this.#telemetry.metrics },
      force: () => this.#enforcement.force,
    });
    const unread = (error: unknown): void => this.#notice('error', `The live feed cannot be read: ${String(error)}`);
    this.#admin = new AdminEndpoint(this.#notice.bind(this), {
      state: () => this.readings.state(),
      endpointStates: (address) => this.readings.endpointStates(address),
      metrics: (exemplars) => this.readings.metrics(exemplars),
      notAlive: () => this.readings.notAlive(),
      notReady: () => this.readings.notReady(),
      explain: (request) => this.explain(request),
      reload: (pass) => this.reload('admin', null, pass),
      rollback: (version) => this.rollback(version),
      apply: (file, trial, pass) => this.#applyFile(file, trial, pass),
      budgets: this.#history.budgets,
      drain: (request) => this.drainEndpoint(request),
      undrain: (name) => this.undrainEndpoint(name),
      changeEndpoints: (service, change) => this.changeEndpoints(service, change),
      assets: new Assets(),
      live: new LiveFeed(clock, () => this.readings.live(), unread),
      changes: (wanted) => this.#changes.changes(wanted),
      series: (query) => this.#history.series.rangeInSteps(query),
      slos: () => this.#history.slos ?? [],
      slosWaiting: () => this.#history.waiting,
      wallMs: () => clock.wallMs(),
      configText: (version) => this.#versions.text(version),
      telemetry: this.#telemetry,
      audit: (entry) => this.#events.emit({ kind: 'audit', ...entry }),
    });
    const parts = {
      ...{ clock, admin: this.#admin, discovery: this.#discovery, endpoints: this.#endpoints },
      ...{ trials: this.#trials, versions: this.#versions, telemetry: this.#telemetry },
      now: () => this.#now(),
    };
    const frozen = (pass: Pass | null): Promise<string | null> => this.#history.budgets.gate.refusal(pass);
    this.#enforcement = new Enforcement({ ...parts, watch: (files) => this.#watch(files), onEvent, frozen });
    this.#replacement = new Replacement(options.source, {
      ...{
        clock,
        ending: this.#ending.signal,
        turn: this.#turn,
        versions: this.#versions,
        enforcement: this.#enforcement,
      },
      onOutcome: (outcome) => {
        this.#reloads.record(outcome);
        this.#events.emit({ kind: 'reload', outcome });
      },
    });
    this.readings = new Readings({
      ...parts,
      changes: this.#changes,
      reloads: this.#reloads,
      kept: () => this.#history.kept,
      slos: () => this.#history.slos ?? [],
    });
  }

  #now(): Moment {
    const { force, trial } = this.#enforcement;
    return {
      ...{ phase: this.#phase, file: this.#replacement.source.file, started: this.#started },
      ...{ supervisor: this.#supervisor, force, trial },
    };
  }

  onEvent(listener: GatewayListener): () => void {
    return this.#events.add(listener);
  }

  async start(): Promise<void> {
    if (this.#phase !== 'new') throw new SpillwayError('GATEWAY_STATE', `A ${this.#phase} gateway cannot be started.`);
    this.#phase = 'starting';
    try {
      await this.#start();
    } catch (error) {
      await this.#release(0);
      this.#phase = 'stopped';
      throw error;
    }
  }

  async #start(): Promise<void> {
    const { clock, random, workerEntry, watch } = this.#options;
    const { source } = this.#replacement;
    if (watch && source.file !== null) await this.#files.watch([resolve(source.file)]);
    const reading = await source.read(clock, this.#ending.signal);
    this.#checkStarting();
    if (reading.kind === 'refused') throw configError(reading);
    const lanes = this.#options.workers ?? workersOf(reading.config);
    await this.#discovery.prepare(reading.config);
    this.#checkStarting();
    const force = await this.#enforcement.first(reading, lanes);
    this.#checkStarting();
    this.#supervisor = new Supervisor({
      lanes,
      entry: workerEntry,
      resourceLimits,
      clock,
      random,
      clearLane: (lane) => this.#enforcement.clearLane(lane),
      onLost: (lane, reason, restartInMs) => this.#events.emit({ kind: 'worker-lost', lane, reason, restartInMs }),
      onReplaced: (lane) => this.#events.emit({ kind: 'worker-replaced', lane }),
      onRowFull: () => this.#endpoints.health.lookAtTraffic(),
      onSpans: (spans) => this.#telemetry.traced(spans),
      onNotice: (level, message) => this.#notice(level, message),
    });
    await this.#supervisor.start(force.snapshot);
    this.#checkStarting();
    this.#started = { workers: this.#options.workers === null ? lanes : null, user: force.config.user };
    await this.#becomeUser(force);
    this.#checkStarting();
    this.#phase = 'running';
    this.#reloads.started();
    await this.#history.start();
    this.#rotation = clock.every(TICKET_SECRET_LIFE_MS, () => void this.#rotate());
    await this.#enforcement.begun(reading);
    this.#found();
    if (this.#changedEarly) this.#fileChanged();
  }

  /** A change while the gateway starts is looked at once it runs; one while it ends, not at all. */
  #fileChanged(): void {
    if (this.#phase === 'starting') this.#changedEarly = true;
    if (this.#phase === 'running')
      void this.#replacement.ask({ kind: 'read', cause: 'file', source: null, pass: null });
  }

  #checkStarting(): void {
    if (this.#phase !== 'starting') throw new SpillwayError('GATEWAY_STATE', 'It was stopped while it started.');
  }

  async reload(cause: ReloadCause, source: ConfigSource | null, pass: Pass | null = null): Promise<ReloadOutcome> {
    this.#checkRunning();
    return this.#replacement.ask({ kind: 'read', cause, source, pass });
  }

  /** Another config: on all connections, or on trial first. */
  async apply(
    source: ConfigSource,
    trial: Trial | null,
    pass: Pass | null = null,
  ): Promise<ReloadOutcome | TrialOutcome> {
    if (trial === null) return this.reload('admin', source, pass);
    this.#checkRunning();
    const request = { source, ...trial, pass };
    return this.#turn.run(async () =>
      this.#enforcement.try(await source.read(this.#options.clock, this.#ending.signal), request),
    );
  }

  /**
   * Takes what somebody says about the endpoints of a service, and puts it in force. Resolves to how many it has then.
   * Throws `ENDPOINT_UNKNOWN`, `ENDPOINTS_ELSEWHERE`, `ENDPOINTS_INVALID` or `GATEWAY_STATE`, and then nothing has changed; or
   * `WORKER_FAILED`: it is known, not in force yet, and put in force again until it is.
   */
  async changeEndpoints(service: string, change: EndpointChange): Promise<number> {
    this.#checkRunning();
    this.#discovery.change(service, change, this.#enforcement.inForce().config);
    const refusal = await this.#finds.put();
    if (refusal !== null) throw new SpillwayError('WORKER_FAILED', refusal);
    return this.#enforcement.inForce().snapshot.services.find(({ name }) => name === service)?.endpoints.length ?? 0;
  }

  /** The same for whoever calls the admin API. */
  async #applyFile(file: string, trial: Trial | null, pass: Pass | null): Promise<ReloadOutcome | TrialOutcome> {
    const refusal = await applyRefusal(file, this.#options.source.file);
    return refusal === null
      ? this.apply(fileSource(file), trial, pass)
      : this.#enforcement.refused('admin', refusal, []);
  }

  /** Null goes back to the version before the one in force. */
  async rollback(version: number | null): Promise<ReloadOutcome> {
    this.#checkRunning();
    return this.#replacement.ask({ kind: 'restore', cause: 'rollback', version });
  }

  #checkRunning(): void {
    if (this.#phase !== 'running') throw new SpillwayError('GATEWAY_STATE', `The gateway is ${this.#phase}.`);
  }

  /** Null takes the config's own timeout. */
  async drain(timeoutMs: number | null): Promise<void> {
    this.#ended ??= this.#end(timeoutMs ?? this.#enforcement.force?.snapshot.drainTimeoutMs ?? 0);
    await this.#ended;
  }

  async stop(): Promise<void> {
    if (this.#ended !== null) await this.#supervisor?.drain(0);
    await this.drain(0);
  }

  drainEndpoint(request: DrainRequest): DrainOutcome {
    this.#enforcement.inForce();
    return this.#endpoints.drains.drain(request);
  }

  undrainEndpoint(name: EndpointName): DrainOutcome {
    this.#enforcement.inForce();
    return this.#endpoints.drains.undrain(name);
  }

  reopenLog(): void {
    this.#supervisor?.reopenLogs();
  }

  async explain(request: ExplainRequest): Promise<Explanation> {
    const { snapshot } = this.#enforcement.inForce();
    return explainLive(snapshot, request, this.#endpoints.known, this.#options.clock);
  }

  async #end(timeoutMs: number): Promise<void> {
    if (this.#phase === 'stopped') return; // its start failed
    const wasRunning = this.#phase === 'running';
    this.#phase = 'draining';
    this.#ending.abort(new SpillwayError('GATEWAY_STATE', 'The gateway is ending.'));
    if (wasRunning) this.#events.emit({ kind: 'draining', timeoutMs });
    await this.#release(timeoutMs);
    this.#phase = 'stopped';
    this.#events.emit({ kind: 'stopped' });
  }

  /** Idempotent. While workers drain, health goes on, because what they finish may still be retried elsewhere; and so does counting it. */
  async #release(timeoutMs: number): Promise<void> {
    this.#files.close();
    this.#rotation?.clear();
    this.#discovery.close();
    this.#finds.close();
    this.#trials.end('the gateway is ending');
    await this.#supervisor?.drain(timeoutMs);
    await this.#history.stop();
    this.#endpoints.stop();
    await this.#telemetry.close();
    await this.#admin.close();
  }

  /** Endpoints were found, or are gone; what is found while the gateway starts is looked at once it runs. */
  #found(): void {
    if (this.#phase !== 'running') return;
    this.#finds.changed();
  }

  #trialChanged(trial: CanaryState, next: InForce | null): void {
    this.#enforcement.trialChanged(next);
    // Not at once: it may have ended for a config that is about to be put in force, whose sources are there already.
    void this.#turn.run(async () => this.#enforcement.retain());
    this.#events.emit({ kind: 'canary', trial });
  }

  async #watch(files: readonly string[]): Promise<void> {
    if (this.#options.watch) await this.#files.watch([...new Set(files)]);
  }

  /** A new secret, by the same way as a new config. */
  async #rotate(): Promise<void> {
    const refusal = await this.#turn.run(() => this.#enforcement.rotate()).catch((error: unknown) => String(error));
    if (refusal !== null) this.#notice('warn', `The secret of TLS session tickets could not be changed: ${refusal}`);
  }

  async #becomeUser({ config: { user }, snapshot }: InForce): Promise<void> {
    const notices = user === undefined ? [] : dropNotices(dropRoot(user), user, snapshot.listeners);
    for (const { level, message } of notices) this.#notice(level, message);
    await this.#admin.renewToken(); // of that user
  }

  #notice(level: Extract<GatewayEvent, { kind: 'notice' }>['level'], message: string): void {
    this.#events.emit({ kind: 'notice', level, message });
  }
}

function configError({ code, reason, problems }: Extract<ConfigReading, { kind: 'refused' }>): SpillwayError {
  return new SpillwayError(code, [reason, ...problems].join('\n'));
}
