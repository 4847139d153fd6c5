/**
 * The control thread's whole: config source, workers, health checks, admin API, file watch, and the one order in which a
 * config is put into force. What a caller sees of it is `gateway.ts`; what it says of itself is in `readings.ts`.
 *
 * A config is put into force in this order, and each step can refuse it without having changed anything: read and
 * check → compile → new addresses can be bound → admin API moved → all workers take it. Only then health checks, watches
 * and counters follow.
 */
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import type { Clock, Timer } from '../../kernel/clock.ts';
import { SpillwayError } from '../../kernel/errors.ts';
import type { Random } from '../../kernel/random.ts';
import { CellStore, type Config } from '../config/index.ts';
import type { ExplainRequest, Explanation } from '../l7/explain.ts';
import { AdminEndpoint } from './admin-endpoint.ts';
import { applyRefusal } from './applied-file.ts';
import { ConfigVersions } from './config-versions.ts';
import { Discovery } from './discovery/discovery.ts';
import type { EndpointChange } from './discovery/endpoint-change.ts';
import { dropNotices, dropRoot } from './drop-root.ts';
import { EventFan, type GatewayEvent, type GatewayListener, type ReloadCause, type ReloadOutcome } from './events.ts';
import { foundNews, listeningNews } from './config-news.ts';
import { FoundEndpoints } from './found-endpoints.ts';
import type { DrainOutcome, DrainRequest, EndpointName } from './drains.ts';
import { EndpointWatch } from './endpoint-watch.ts';
import { explainLive } from './explain-live.ts';
import type { CanaryState, GatewayPhase } from './gateway-state.ts';
import {
  compileInForce,
  newAddresses,
  pendingRestart,
  running,
  sameConfig,
  workersOf,
  type InForce,
  type Started,
} from './in-force.ts';
import { InTurn } from './in-turn.ts';
import { LatestWins } from './latest-wins.ts';
import { checkListeners } from './listen-check.ts';
import { adminPlace, type ConfigReading, type ConfigSource, fileSource } from './read-config.ts';
import { Readings } from './readings.ts';
import { ReloadHistory } from './reload-history.ts';
import { Supervisor } from './supervisor.ts';
import { type TrialOutcome, type TrialRequest, Trials } from './trials.ts';
import { hasTls, newTicketSecret, TICKET_SECRET_LIFE_MS } from './ticket-keys.ts';
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

type Job =
  /** Null reads the same source again. */
  | { readonly kind: 'read'; readonly cause: ReloadCause; readonly source: ConfigSource | null }
  /** Null is the version before the one in force. */
  | { readonly kind: 'restore'; readonly cause: 'rollback'; readonly version: number | null };

// WHY: it is the one order in which a config is put into force, and what it orders are files of their own.
export class ControlPlane {
  readonly #options: ControlPlaneOptions;
  readonly #events = new EventFan();
  readonly #reloads: ReloadHistory;
  readonly #versions = new ConfigVersions();
  readonly #trials: Trials;
  readonly #endpoints: EndpointWatch;
  readonly #discovery: Discovery;
  readonly #files: WatchFiles;
  readonly #admin: AdminEndpoint;
  readonly #queue: LatestWins<Job, ReloadOutcome>;
  readonly #finds: FoundEndpoints;
  /** For whatever changes what is in force. */
  readonly #turn = new InTurn();
  /** What it says of itself. */
  readonly readings: Readings;
  /** Unique per process: two gateways in a row must not take each other for themselves. */
  readonly #pseudonym = `spillway-${randomBytes(4).toString('hex')}`;
  #source: ConfigSource;
  #phase: GatewayPhase = 'new';
  #supervisor: Supervisor | null = null;
  #force: InForce | null = null;
  /** What is on trial beside it. */
  #trial: InForce | null = null;
  #started: Started = { workers: null, user: undefined };
  /** Made when the number of workers is known; lives as long as the gateway. */
  #cells: CellStore | null = null;
  #ticketSecret = newTicketSecret();
  #rotation: Timer | null = null;
  #changedEarly = false;
  #ended: Promise<void> | null = null;

  constructor(options: ControlPlaneOptions) {
    const { clock, random } = options;
    this.#options = options;
    this.#source = options.source;
    this.#reloads = new ReloadHistory(clock);
    const onEvent = (event: GatewayEvent): void => this.#events.emit(event);
    this.#endpoints = new EndpointWatch({ clock, random, onEvent });
    this.#discovery = new Discovery({ clock, random, onChange: () => this.#found(), onEvent });
    this.#files = new WatchFiles({ clock, onChange: () => this.#fileChanged() });
    this.#queue = new LatestWins((job) => this.#reload(job));
    this.#finds = new FoundEndpoints({
      clock,
      apply: () => this.#turn.run(() => this.#again()),
      onRefused: (why) => this.#notice('error', `The endpoints that were found could not be put in force: ${why}`),
    });
    this.#trials = new Trials({
      clock,
      tell: (plan) => this.#supervisor?.setCanary(plan),
      promote: (source) => this.reload('canary', source),
      onChange: (trial, next) => this.#trialChanged(trial, next),
    });
    this.#admin = new AdminEndpoint({
      state: () => this.readings.state(),
      endpointStates: (address) => this.readings.endpointStates(address),
      metrics: () => this.readings.metrics(),
      notAlive: () => this.readings.notAlive(),
      notReady: () => this.readings.notReady(),
      explain: (request) => this.explain(request),
      reload: () => this.reload('admin', null),
      rollback: (version) => this.rollback(version),
      apply: (file, trial) => this.#applyFile(file, trial),
      drain: (request) => this.drainEndpoint(request),
      undrain: (name) => this.undrainEndpoint(name),
      changeEndpoints: (service, change) => this.changeEndpoints(service, change),
      audit: (remote, action, outcome) => this.#events.emit({ kind: 'audit', remote, action, outcome }),
    });
    this.readings = new Readings({
      clock,
      ...{ reloads: this.#reloads, versions: this.#versions, trials: this.#trials, admin: this.#admin },
      ...{ endpoints: this.#endpoints, discovery: this.#discovery },
      now: () => ({
        ...{ phase: this.#phase, file: this.#source.file, started: this.#started },
        ...{ supervisor: this.#supervisor, force: this.#force, trial: this.#trial },
      }),
    });
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
    const { file } = this.#source;
    if (watch && file !== null) await this.#files.watch([resolve(file)]);
    const reading = await this.#source.read(clock);
    if (reading.kind === 'refused') throw configError(reading);
    const lanes = this.#options.workers ?? workersOf(reading.config);
    this.#cells = new CellStore(lanes + 1);
    await this.#discovery.prepare(reading.config);
    this.#checkStarting();
    const force = this.#compile(reading.config, reading.files);
    this.#force = force;
    await checkListeners(force.snapshot.listeners);
    const admin = await this.#admin.prepare(adminPlace(force.config));
    admin.commit();
    this.#checkStarting();
    this.#supervisor = new Supervisor({
      lanes,
      entry: workerEntry,
      resourceLimits,
      clock,
      random,
      onLost: (lane, reason, restartInMs) => this.#events.emit({ kind: 'worker-lost', lane, reason, restartInMs }),
      onReplaced: (lane) => this.#events.emit({ kind: 'worker-replaced', lane }),
      onRowFull: () => this.#endpoints.health.lookAtTraffic(),
      onNotice: (level, message) => this.#notice(level, message),
    });
    await this.#supervisor.start(force.snapshot);
    this.#checkStarting();
    this.#started = { workers: this.#options.workers === null ? lanes : null, user: force.config.user };
    this.#becomeUser(force);
    this.#phase = 'running';
    this.#reloads.started();
    this.#versions.add(force, null, { cause: 'start', restored: null, wallMs: clock.wallMs() });
    this.#tellListening(null);
    for (const warning of reading.warnings) this.#notice('warn', warning);
    this.#rotation = clock.every(TICKET_SECRET_LIFE_MS, () => void this.#rotate());
    await this.#follow(force);
    this.#found();
    if (this.#changedEarly) this.#fileChanged();
  }

  /** A change while the gateway starts is looked at once it runs; one while it ends, not at all. */
  #fileChanged(): void {
    if (this.#phase === 'starting') this.#changedEarly = true;
    if (this.#phase === 'running') void this.#queue.ask({ kind: 'read', cause: 'file', source: null });
  }

  #checkStarting(): void {
    if (this.#phase === 'starting') return;
    throw new SpillwayError('GATEWAY_STATE', 'The gateway was stopped while it started.');
  }

  async reload(cause: ReloadCause, source: ConfigSource | null): Promise<ReloadOutcome> {
    return this.#ask({ kind: 'read', cause, source });
  }

  /** Another config: on all connections, or on trial first. */
  async apply(source: ConfigSource, trial: Omit<TrialRequest, 'source'> | null): Promise<ReloadOutcome | TrialOutcome> {
    if (trial === null) return this.reload('admin', source);
    if (this.#phase !== 'running') return { kind: 'refused', reason: `The gateway is ${this.#phase}.`, problems: [] };
    return this.#turn.run(() => this.#tryTrial({ source, ...trial }));
  }

  /**
   * Takes what somebody says about the endpoints of a service, and puts it in force. Resolves to how many it has then.
   * Throws `ENDPOINT_UNKNOWN`, `ENDPOINTS_ELSEWHERE`, `ENDPOINTS_INVALID` or `GATEWAY_STATE`, and then nothing has changed; or
   * `WORKER_FAILED`: it is known, not in force yet, and put in force again until it is.
   */
  async changeEndpoints(service: string, change: EndpointChange): Promise<number> {
    if (this.#phase !== 'running') throw new SpillwayError('GATEWAY_STATE', `The gateway is ${this.#phase}.`);
    this.#discovery.change(service, change, this.#inForce().config);
    const refusal = await this.#finds.put();
    if (refusal !== null) throw new SpillwayError('WORKER_FAILED', refusal);
    return this.#inForce().snapshot.services.find(({ name }) => name === service)?.endpoints.length ?? 0;
  }

  /** The same for whoever calls the admin API. */
  async #applyFile(file: string, trial: Omit<TrialRequest, 'source'> | null): Promise<ReloadOutcome | TrialOutcome> {
    const refusal = await applyRefusal(file, this.#options.source.file);
    return refusal === null ? this.apply(fileSource(file), trial) : this.#refused('admin', refusal, []);
  }

  /** Null goes back to the version before the one in force. */
  async rollback(version: number | null): Promise<ReloadOutcome> {
    return this.#ask({ kind: 'restore', cause: 'rollback', version });
  }

  #ask(job: Job): Promise<ReloadOutcome> {
    if (this.#phase === 'running') return this.#queue.ask(job);
    throw new SpillwayError('GATEWAY_STATE', `A ${this.#phase} gateway cannot be reloaded.`);
  }

  /** Null takes the config's own timeout. */
  async drain(timeoutMs: number | null): Promise<void> {
    this.#ended ??= this.#end(timeoutMs ?? this.#force?.snapshot.drainTimeoutMs ?? 0);
    await this.#ended;
  }

  async stop(): Promise<void> {
    if (this.#ended !== null) await this.#supervisor?.drain(0);
    await this.drain(0);
  }

  drainEndpoint(request: DrainRequest): DrainOutcome {
    this.#inForce();
    return this.#endpoints.drains.drain(request);
  }

  undrainEndpoint(name: EndpointName): DrainOutcome {
    this.#inForce();
    return this.#endpoints.drains.undrain(name);
  }

  reopenLog(): void {
    this.#supervisor?.reopenLogs();
  }

  async explain(request: ExplainRequest): Promise<Explanation> {
    const { health } = this.#endpoints;
    const { snapshot } = this.#inForce();
    return explainLive(snapshot, request, (service, endpoint) => health.known(service, endpoint), this.#options.clock);
  }

  async #end(timeoutMs: number): Promise<void> {
    if (this.#phase === 'stopped') return; // its start failed
    const wasRunning = this.#phase === 'running';
    this.#phase = 'draining';
    if (wasRunning) this.#events.emit({ kind: 'draining', timeoutMs });
    await this.#release(timeoutMs);
    this.#phase = 'stopped';
    this.#events.emit({ kind: 'stopped' });
  }

  /** Idempotent. Health goes on while workers drain, because what they finish may still be retried elsewhere. */
  async #release(timeoutMs: number): Promise<void> {
    this.#files.close();
    this.#rotation?.clear();
    this.#discovery.close();
    this.#finds.close();
    this.#trials.end('the gateway is ending');
    await this.#supervisor?.drain(timeoutMs);
    this.#endpoints.stop();
    await this.#admin.close();
  }

  async #reload(job: Job): Promise<ReloadOutcome> {
    const outcome = await this.#turn
      .run(() => this.#tryReload(job).finally(() => this.#retainSources()))
      .catch((error: unknown): ReloadOutcome => {
        const reason = error instanceof Error ? error.message : String(error);
        return this.#refused(job.cause, reason, []);
      });
    if (outcome.kind !== 'refused' && job.kind === 'read') this.#source = job.source ?? this.#source;
    this.#reloads.record(outcome);
    this.#events.emit({ kind: 'reload', outcome });
    return outcome;
  }

  /** Endpoints were found, or are gone; what is found while the gateway starts is looked at once it runs. */
  #found(): void {
    if (this.#phase !== 'running') return;
    this.#finds.changed();
  }

  async #tryReload(job: Job): Promise<ReloadOutcome> {
    const { cause } = job;
    const { clock } = this.#options;
    const before = this.#inForce();
    const source = job.kind === 'read' ? (job.source ?? this.#source) : this.#versions.source(job.version);
    const reading = await source.read(clock);
    if (reading.kind === 'refused') {
      // The mistake may be in a file that is new, such as a key: its repair is a change as well.
      await this.#watch([...before.files, ...reading.files]);
      return this.#refused(cause, reading.reason, reading.problems);
    }
    await this.#discovery.prepare(reading.config);
    const next = this.#compile(reading.config, reading.files);
    if (sameConfig(before, next)) {
      await this.#watch(next.files);
      return { kind: 'unchanged', cause, version: this.#versions.current };
    }
    if (cause !== 'canary') this.#trials.end('another config was put in force');
    await checkListeners(newAddresses(before, next));
    const admin = await this.#admin.prepare(adminPlace(next.config));
    const outcome = await this.#supervisor!.apply(next.snapshot);
    if (outcome.kind === 'refused' || this.#phase !== 'running') {
      await admin.abort();
      return this.#refused(cause, outcome.kind === 'refused' ? outcome.reason : 'the gateway is ending', []);
    }
    admin.commit();
    this.#force = next;
    this.#tellListening(before);
    for (const warning of reading.warnings) this.#notice('warn', warning);
    const { restored } = reading;
    const changes = this.#versions.add(next, before, { cause, restored, wallMs: clock.wallMs() });
    await this.#follow(next);
    const version = this.#versions.current;
    const pending = pendingRestart(this.#started, next.config);
    return { kind: 'applied', cause, version, restored, changes, pendingRestart: pending };
  }

  async #tryTrial(request: TrialRequest): Promise<TrialOutcome> {
    const before = this.#inForce();
    const reading = await request.source.read(this.#options.clock);
    if (reading.kind === 'refused') return { kind: 'refused', reason: reading.reason, problems: reading.problems };
    await this.#discovery.prepare(reading.config);
    const next = this.#compile(reading.config, reading.files);
    if (sameConfig(before, next)) return { kind: 'unchanged' };
    await checkListeners(newAddresses(before, next));
    return { kind: 'begun', trial: this.#trials.begin(request, next, this.#cells!.lanes) };
  }

  #trialChanged(trial: CanaryState, next: InForce | null): void {
    this.#trial = next;
    this.#endpoints.update(this.#inForce(), this.#trial);
    // Not at once: it may have ended for a config that is about to be put in force, whose sources are there already.
    void this.#turn.run(async () => this.#retainSources());
    this.#events.emit({ kind: 'canary', trial });
  }

  #retainSources(): void {
    const used = [this.#inForce(), this.#trial].filter((each) => each !== null);
    this.#discovery.retain(used.map(({ config }) => config));
  }

  #refused(cause: ReloadCause, reason: string, problems: readonly string[]): ReloadOutcome {
    return { kind: 'refused', cause, version: this.#versions.current, reason, problems };
  }

  #compile(config: Config, files: readonly string[], ticketSecret = this.#ticketSecret): InForce {
    return compileInForce(config, files, {
      version: (this.#force?.snapshot.version ?? 0) + 1,
      cells: this.#cells!,
      ticketSecret,
      pseudonym: this.#pseudonym,
      found: (service) => this.#discovery.found(service, config),
    });
  }

  /** What follows a config that is in force. */
  async #follow(force: InForce): Promise<void> {
    if (this.#phase !== 'running') return;
    this.#cells?.retain(force.snapshot, ...(this.#trial === null ? [] : [this.#trial.snapshot]));
    this.#endpoints.update(this.#inForce(), this.#trial);
    await this.#watch(force.files);
  }

  async #watch(files: readonly string[]): Promise<void> {
    if (this.#options.watch) await this.#files.watch([...new Set(files)]);
  }

  /** A new secret, by the same way as a new config. */
  async #rotate(): Promise<void> {
    const rotated = this.#turn.run(async () => {
      if (!hasTls(this.#inForce().snapshot)) return null;
      return this.#again(newTicketSecret());
    });
    const refusal = await rotated.catch((error: unknown) => String(error));
    if (refusal !== null) this.#notice('warn', `The secret of TLS session tickets could not be changed: ${refusal}`);
  }

  /** The config in force once more, with the endpoints that are known now. Null, or why it could not. */
  async #again(ticketSecret = this.#ticketSecret): Promise<string | null> {
    const before = this.#inForce();
    if (this.#phase !== 'running') return null;
    const trial = this.#trial;
    const next = this.#compile(before.config, before.files, ticketSecret);
    if (!sameConfig(before, next)) {
      const outcome = await this.#supervisor!.apply(next.snapshot);
      if (outcome.kind === 'refused') return outcome.reason;
      this.#ticketSecret = ticketSecret;
      this.#force = next;
      for (const event of foundNews(before.snapshot, next.snapshot)) this.#events.emit(event);
    }
    if (trial !== null && trial === this.#trial) {
      const renewed = this.#compile(trial.config, trial.files, ticketSecret);
      if (!sameConfig(trial, renewed)) {
        this.#trial = renewed;
        this.#trials.renew(renewed.snapshot);
      }
    }
    await this.#follow(next);
    return null;
  }

  #becomeUser({ config: { user }, snapshot }: InForce): void {
    if (user === undefined) return;
    for (const { level, message } of dropNotices(dropRoot(user), user, snapshot.listeners))
      this.#notice(level, message);
  }

  /** `before` is null for the first config. */
  #tellListening(before: InForce | null): void {
    const ports = this.#supervisor?.ports ?? {};
    const { snapshot } = this.#inForce();
    for (const event of listeningNews(before?.snapshot ?? null, snapshot, ports)) this.#events.emit(event);
    const admin = this.#admin.takeNews();
    if (admin !== null) this.#events.emit({ kind: 'admin-listening', address: admin });
  }

  #notice(level: Extract<GatewayEvent, { kind: 'notice' }>['level'], message: string): void {
    this.#events.emit({ kind: 'notice', level, message });
  }

  #inForce(): InForce {
    return running(this.#force);
  }
}

function configError({ code, reason, problems }: Extract<ConfigReading, { kind: 'refused' }>): SpillwayError {
  return new SpillwayError(code, [reason, ...problems].join('\n'));
}
