/**
 * What is in force, what is on trial beside it, and the one order in which another config comes to be in force: compile → new
 * addresses can be bound → admin API moved → all workers take it. Each of these steps can refuse it without having changed
 * anything. Only then a trial ends for it, and health checks, watches and counters follow.
 *
 * Invariant: whoever changes something here has his turn (in-turn.ts); nothing is put in force once the gateway ends.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../../kernel/clock.ts';
import type { Pass } from '../../observe/slo/gate.ts';
import { CellStore, type Config, saysTheSame } from '../config/index.ts';
import type { AdminEndpoint } from './admin-endpoint.ts';
import { foundNews, listeningNews } from './config-news.ts';
import type { ConfigVersions } from './config-versions.ts';
import type { Discovery } from './discovery/discovery.ts';
import type { EndpointWatch } from './endpoint-watch.ts';
import type { GatewayEvent, ReloadOutcome } from './events.ts';
import type { ReloadCause } from './gateway-state.ts';
import { compileInForce, type InForce, newAddresses, pendingRestart, running, sameConfig } from './in-force.ts';
import { checkListeners } from './listen-check.ts';
import type { ConfigReading } from './read-config.ts';
import type { Moment } from './readings.ts';
import { hasTls, newTicketSecret } from './ticket-keys.ts';
import type { Telemetry } from './telemetry.ts';
import type { TrialOutcome, TrialRequest, Trials } from './trials.ts';

export interface EnforcementOptions {
  readonly clock: Clock;
  readonly admin: AdminEndpoint;
  readonly discovery: Discovery;
  readonly endpoints: EndpointWatch;
  readonly telemetry: Telemetry;
  readonly trials: Trials;
  readonly versions: ConfigVersions;
  /** These files, and no others. */
  readonly watch: (files: readonly string[]) => Promise<void>;
  readonly onEvent: (event: GatewayEvent) => void;
  /** Why a change that claims this may not be put in force, or on trial; null if it may. */
  readonly frozen: (pass: Pass | null) => Promise<string | null>;
  readonly now: () => Pick<Moment, 'phase' | 'supervisor' | 'started'>;
}

/** A config that can be used. */
type Usable = Extract<ConfigReading, { kind: 'loaded' }>;

export class Enforcement {
  readonly #options: EnforcementOptions;
  /** Unique per process: two gateways in a row must not take each other for themselves. */
  readonly #pseudonym = `spillway-${randomBytes(4).toString('hex')}`;
  /** Made when the number of workers is known; lives as long as the gateway. */
  #cells: CellStore | null = null;
  #ticketSecret = newTicketSecret();
  #force: InForce | null = null;
  #trial: InForce | null = null;

  constructor(options: EnforcementOptions) {
    this.#options = options;
  }

  /** Null before there is one. */
  get force(): InForce | null {
    return this.#force;
  }

  /** What is on trial beside it. */
  get trial(): InForce | null {
    return this.#trial;
  }

  /** Throws `GATEWAY_STATE` before there is one. */
  inForce(): InForce {
    return running(this.#force);
  }

  /** The first config, up to where the workers can take it; throws why it cannot be used. `begun` when they have. */
  async first({ config, files }: Usable, lanes: number): Promise<InForce> {
    this.#cells = new CellStore(lanes + 1, this.#options.clock);
    const force = this.#compile(config, files);
    this.#force = force;
    await checkListeners(force.snapshot.listeners);
    const admin = await this.#options.admin.prepare(config);
    admin.commit();
    return force;
  }

  async begun({ warnings }: Usable): Promise<void> {
    const { clock, versions } = this.#options;
    const force = this.inForce();
    versions.add(force, null, { cause: 'start', restored: null, wallMs: clock.wallMs() });
    this.#tell(null, warnings);
    await this.#follow(force);
  }

  /** Another config instead of the one in force. */
  async replace(reading: ConfigReading, cause: ReloadCause, pass: Pass | null): Promise<ReloadOutcome> {
    const { admin, clock, discovery, now, trials, versions, watch } = this.#options;
    const before = this.inForce();
    if (reading.kind === 'refused') {
      // The mistake may be in a file that is new, such as a key: its repair is a change as well.
      await watch([...before.files, ...reading.files]);
      return this.refused(cause, reading.reason, reading.problems);
    }
    await discovery.prepare(reading.config);
    const next = this.#compile(reading.config, reading.files);
    if (sameConfig(before, next)) {
      // Who asks for what is in force already wants it for all; a file that was saved as it was asks for nothing.
      if (cause !== 'canary' && cause !== 'file') trials.end('the config in force was asked for');
      await watch(next.files);
      return { kind: 'unchanged', cause, version: versions.current };
    }
    const frozen = await this.#frozen(before, next, pass);
    if (frozen !== null) {
      await watch([...before.files, ...reading.files]);
      return { ...this.refused(cause, frozen, []), code: 'BUDGET_FROZEN' };
    }
    await checkListeners(newAddresses(before, next));
    const moved = await admin.prepare(next.config);
    const outcome = await now().supervisor!.apply(next.snapshot);
    if (outcome.kind === 'refused' || now().phase !== 'running') {
      await moved.abort();
      return this.refused(cause, outcome.kind === 'refused' ? outcome.reason : 'the gateway is ending', []);
    }
    moved.commit();
    this.#force = next;
    if (cause !== 'canary') trials.end('another config was put in force');
    this.#tell(before, reading.warnings);
    const { restored } = reading;
    const changes = versions.add(next, before, { cause, restored, wallMs: clock.wallMs() });
    await admin.renewToken();
    await this.#follow(next);
    const pending = pendingRestart(now().started, next.config);
    return { kind: 'applied', cause, version: versions.current, restored, changes, pendingRestart: pending };
  }

  refused(
    cause: ReloadCause,
    reason: string,
    problems: readonly string[],
  ): Extract<ReloadOutcome, { kind: 'refused' }> {
    return { kind: 'refused', cause, version: this.#options.versions.current, reason, problems };
  }

  /** Another config on a share of the connections. */
  async try(reading: ConfigReading, request: TrialRequest): Promise<TrialOutcome> {
    return this.#try(reading, request)
      .finally(() => this.retain())
      .catch((error: unknown) => {
        return { kind: 'refused', reason: error instanceof Error ? error.message : String(error), problems: [] };
      });
  }

  async #try(reading: ConfigReading, request: TrialRequest): Promise<TrialOutcome> {
    if (reading.kind === 'refused') return { kind: 'refused', reason: reading.reason, problems: reading.problems };
    const { discovery, trials } = this.#options;
    const before = this.inForce();
    await discovery.prepare(reading.config);
    const next = this.#compile(reading.config, reading.files);
    if (sameConfig(before, next)) return { kind: 'unchanged' };
    const frozen = await this.#frozen(before, next, request.pass);
    if (frozen !== null) return { kind: 'refused', reason: frozen, problems: [], code: 'BUDGET_FROZEN' };
    await checkListeners(newAddresses(before, next));
    return { kind: 'begun', trial: trials.begin(request, next, this.#cells!.lanes) };
  }

  /** A trial began, or, for null, ended. */
  trialChanged(next: InForce | null): void {
    this.#trial = next;
    this.#options.endpoints.update(this.inForce(), next);
  }

  /** The config in force once more, with the endpoints that are known now. Null, or why it could not. */
  async again(ticketSecret = this.#ticketSecret): Promise<string | null> {
    return this.#again(ticketSecret).finally(() => this.retain());
  }

  async #again(ticketSecret: Uint8Array): Promise<string | null> {
    const { now, onEvent, trials } = this.#options;
    const before = this.inForce();
    if (now().phase !== 'running') return null;
    const trial = this.#trial;
    const next = this.#compile(before.config, before.files, ticketSecret);
    if (!sameConfig(before, next)) {
      const outcome = await now().supervisor!.apply(next.snapshot);
      if (outcome.kind === 'refused') return outcome.reason;
      this.#ticketSecret = ticketSecret;
      this.#force = next;
      for (const event of foundNews(before.snapshot, next.snapshot)) onEvent(event);
    }
    if (trial !== null && trial === this.#trial) {
      const renewed = this.#compile(trial.config, trial.files, ticketSecret);
      if (!sameConfig(trial, renewed)) {
        this.#trial = renewed;
        trials.renew(renewed.snapshot);
      }
    }
    await this.#follow(next);
    return null;
  }

  /** The same with a new secret of TLS session tickets. */
  async rotate(): Promise<string | null> {
    return hasTls(this.inForce().snapshot) ? this.again(newTicketSecret()) : null;
  }

  /** Takes off what a worker that has ended had under way. */
  clearLane(lane: number): void {
    this.#cells?.clearLane(lane);
  }

  /** Forgets what only configs have that are over or were refused: cells, and sources of endpoints. Whoever asked for one calls it. */
  retain(): void {
    const used = [this.inForce(), this.#trial].filter((each) => each !== null);
    this.#options.discovery.retain(used.map(({ config }) => config));
    this.#cells?.retain(...used.map(({ snapshot }) => snapshot));
  }

  /** What only renews certificates and secrets is no change that a budget could be spent by. */
  async #frozen(before: InForce, next: InForce, pass: Pass | null): Promise<string | null> {
    return saysTheSame(before.config, next.config) ? null : this.#options.frozen(pass);
  }

  #compile(config: Config, files: readonly string[], ticketSecret = this.#ticketSecret): InForce {
    return compileInForce(config, files, {
      version: (this.#force?.snapshot.version ?? 0) + 1,
      cells: this.#cells!,
      ticketSecret,
      pseudonym: this.#pseudonym,
      found: (service) => this.#options.discovery.found(service, config),
    });
  }

  /** What follows a config that is in force. */
  async #follow(force: InForce): Promise<void> {
    const { endpoints, now, telemetry, watch } = this.#options;
    if (now().phase !== 'running') return;
    telemetry.apply(force.config);
    endpoints.update(this.inForce(), this.#trial);
    await watch(force.files);
  }

  /** Where it listens now, and what is odd about the config. `before` is null for the first. */
  #tell(before: InForce | null, warnings: readonly string[]): void {
    const { admin, now, onEvent } = this.#options;
    const ports = now().supervisor?.ports ?? {};
    const { snapshot } = this.inForce();
    for (const event of listeningNews(before?.snapshot ?? null, snapshot, ports)) onEvent(event);
    const address = admin.takeNews();
    if (address !== null) onEvent({ kind: 'admin-listening', address });
    for (const message of warnings) onEvent({ kind: 'notice', level: 'warn', message });
  }
}
