/**
 * A gateway, as a program sees it: start it, change its config, watch it, end it. Runs on the thread that creates it (the
 * control thread) and keeps the data plane on threads of its own.
 *
 * Invariants: at most one config is being applied at any time; a config that is refused, at whatever step, leaves everything
 * as it was; `stop` and disposal always end, with nothing left running. Phases only go forward:
 * new → starting → running → draining → stopped.
 */
import { systemClock, type Clock } from '../../kernel/clock.ts';
import { SpillwayError } from '../../kernel/errors.ts';
import { createRandom, type Random } from '../../kernel/random.ts';
import type { Pass } from '../../observe/slo/gate.ts';
import type { ConfigInput } from '../config/index.ts';
import type { ExplainRequest, Explanation } from '../l7/explain.ts';
import { fileSource, valueSource, type ConfigSource } from './read-config.ts';
import { ControlPlane } from './control-plane.ts';
import type { DrainOutcome, DrainRequest, EndpointName } from './drains.ts';
import type { EndpointChange } from './discovery/endpoint-change.ts';
import type { GatewayListener, ReloadOutcome } from './events.ts';
import type { TrialOutcome } from './trials.ts';
import type { GatewayState, ReloadCause } from './gateway-state.ts';

export interface GatewayOptions {
  /** Path of the config file; or give `config`. Exactly one of the two. */
  readonly file?: string;
  /** The config as a value, as `defineConfig` takes it. Paths in it are relative to the working directory. */
  readonly config?: ConfigInput;
  /** Reload when the config file, or a certificate or key it names, changes. @defaultValue true with `file` */
  readonly watch?: boolean;
  /** Data-plane workers, 1 to 256; goes before the config's own. @defaultValue the config's, else one per core */
  readonly workers?: number;
  /** Told of everything that happens from the start on; more can be added by `onEvent`. */
  readonly onEvent?: GatewayListener;
  /** @defaultValue the machine's */
  readonly clock?: Clock;
  /** For jitter. @defaultValue seeded by the operating system */
  readonly random?: Random;
  /** The module that workers run, for tests of control alone. @defaultValue the data plane */
  readonly workerEntry?: URL;
}

/** A file or a value, whatever the gateway was made with. */
export interface ApplyRequest extends Pick<GatewayOptions, 'file' | 'config'> {
  /** `share` of the connections, above 0 and at most 1. Null or absent: all at once. */
  readonly trial?: { readonly share: number; readonly watchMs: number } | null;
  /** What it claims while an error budget is frozen; without one it is refused then. */
  readonly pass?: Pass | null;
}

export interface Gateway extends AsyncDisposable {
  /**
   * Resolves when every listener is bound and root is given up. Errors: `CONFIG_INVALID`, `CONFIG_NOT_FOUND`,
   * `LISTEN_FAILED`, `ADMIN_TOKEN_REQUIRED`, `USER_FAILED`, `WORKER_FAILED`; then nothing is left running.
   */
  start(): Promise<void>;
  /**
   * Reads the config again and applies it to all workers, or to none. With a config: that one from now on (it must be
   * of a gateway that was created with a value). Calls while one runs are joined; the newest wins. While an error budget is
   * frozen a change is refused (`code: 'BUDGET_FROZEN'`) unless it has a `pass`.
   */
  reload(request?: {
    readonly cause?: ReloadCause;
    readonly config?: ConfigInput;
    readonly pass?: Pass | null;
  }): Promise<ReloadOutcome>;
  /**
   * Puts a version of `state().history` back in force, on all workers or on none; without one, the version before the one
   * in use. Who may call the admin API stays as it is. The next reload reads the config's own source again.
   */
  rollback(version?: number): Promise<ReloadOutcome>;
  /**
   * Puts another config in force, and takes its source for its own; with `trial`, a share of the connections runs by it first,
   * and it is promoted or taken back by how it does: see `state().canary` and the event `canary`.
   */
  apply(request: ApplyRequest): Promise<ReloadOutcome | TrialOutcome>;
  /**
   * Tells a service with `discovery: { api: true }` its endpoints: all of them, one more, or one fewer. Resolves, when all workers
   * have them, to how many it has. Kept across reloads, not by another process.
   * Errors: `ENDPOINT_UNKNOWN`, `ENDPOINTS_ELSEWHERE`, `ENDPOINTS_INVALID`, `GATEWAY_STATE`.
   */
  changeEndpoints(service: string, change: EndpointChange): Promise<number>;
  /** Takes no new work, finishes what is running for at most `timeoutMs` (else the config's `drainTimeout`), ends. */
  drain(options?: { readonly timeoutMs?: number }): Promise<void>;
  /** Ends at once, cutting what is running, also in the middle of a drain. */
  stop(): Promise<void>;
  /**
   * Gives an endpoint no new work and lets it finish what it has; what is left after `withinMs` is cut. Progress is in `state()`,
   * the end is the event `drain-ended`. Asked for again it has a new time. The config it names stays as it is.
   */
  drainEndpoint(request: DrainRequest): DrainOutcome;
  /** The endpoint serves again. What the config drains, only the config brings back. */
  undrainEndpoint(name: EndpointName): DrainOutcome;
  /**
   * The token that changes through the admin API take, if the gateway made it: null if the config names tokens, or no admin API. Whoever
   * has it may change what runs: it belongs in no log.
   */
  adminToken(): string | null;
  /** Opens the access log anew, after it was rotated away. */
  reopenLog(): void;
  state(): GatewayState;
  /** What would happen to a request, with the health that is known now and what is left of limits, in stores too. Takes nothing. */
  explain(request: ExplainRequest): Promise<Explanation>;
  /** Returns what takes the listener away again. */
  onEvent(listener: GatewayListener): () => void;
}

/**
 * Makes a gateway; nothing runs before `start`.
 *
 * @example
 * ```ts
 * await using gateway = createGateway({
 *   config: {
 *     listeners: [{ name: 'web', address: '127.0.0.1:0' }],
 *     services: [{ name: 'shop', endpoints: ['127.0.0.1:9001'] }],
 *     routes: [{ service: 'shop' }],
 *   },
 * });
 * await gateway.start();
 * console.log(gateway.state().listeners[0]?.address);
 * ```
 */
export function createGateway(options: GatewayOptions): Gateway {
  const { file, clock = systemClock, random = createRandom() } = options;
  const source = sourceOf(options);
  const plane = new ControlPlane({
    source,
    watch: options.watch ?? file !== undefined,
    workers: options.workers ?? null,
    clock,
    random,
    workerEntry: options.workerEntry ?? defaultWorkerEntry(),
  });
  if (options.onEvent !== undefined) plane.onEvent(options.onEvent);
  return {
    start: () => plane.start(),
    reload: async ({ cause = 'call', config: given, pass = null } = {}) => {
      if (given !== undefined && file !== undefined) {
        throw new SpillwayError('GATEWAY_STATE', 'This gateway has a config file: change the file and reload.');
      }
      return plane.reload(cause, given === undefined ? null : valueSource(given), pass);
    },
    apply: async ({ trial = null, pass = null, ...from }) => plane.apply(sourceOf(from), trial, pass),
    changeEndpoints: (service, change) => plane.changeEndpoints(service, change),
    rollback: (version) => plane.rollback(version ?? null),
    drain: ({ timeoutMs } = {}) => plane.drain(timeoutMs ?? null),
    stop: () => plane.stop(),
    drainEndpoint: (request) => plane.drainEndpoint(request),
    undrainEndpoint: (name) => plane.undrainEndpoint(name),
    adminToken: () => plane.readings.adminToken,
    reopenLog: () => plane.reopenLog(),
    state: () => plane.readings.state(),
    explain: (request) => plane.explain(request),
    onEvent: (listener) => plane.onEvent(listener),
    [Symbol.asyncDispose]: () => plane.stop(),
  };
}

function sourceOf({ file, config }: Pick<GatewayOptions, 'file' | 'config'>): ConfigSource {
  if (file !== undefined && config === undefined) return fileSource(file);
  if (file === undefined && config !== undefined) return valueSource(config);
  throw new SpillwayError('GATEWAY_STATE', 'Give either file or config.');
}

function defaultWorkerEntry(): URL {
  return new URL(import.meta.url.endsWith('.ts') ? '../worker.ts' : '../worker.js', import.meta.url);
}
