/**
 * What a gateway is doing right now, as one plain value: the answer of `gateway.state()`, of `GET /api/state` and what
 * `spillway up` prints. Counters are since the start of the process; no value here is a secret.
 */

import type { Condition, HealthCause } from '../../health/index.ts';
import type { SeriesFilesState } from '../../observe/series/series-files.ts';
import type { RefusedKey } from '../../limit/refused-keys.ts';
import type { EndpointOrigin } from '../snapshot.ts';
import type { Percentiles } from './read-durations.ts';

export type GatewayPhase = 'new' | 'starting' | 'running' | 'draining' | 'stopped';

export interface GatewayState {
  /** Of Spillway, as in package.json. */
  readonly version: string;
  /** Of the config in use; grows with each reload. */
  readonly configVersion: number;
  readonly phase: GatewayPhase;
  readonly pid: number;
  /** RFC 3339. */
  readonly startedAt: string;
  readonly uptimeMs: number;
  /** The config file, or null if the config was given as a value. */
  readonly file: string | null;
  readonly admin: AdminState | null;
  readonly listeners: readonly ListenerState[];
  readonly services: readonly ServiceState[];
  readonly routes: readonly RouteState[];
  readonly limits: readonly LimitState[];
  /** Those that limits are counted in. */
  readonly stores: readonly StoreState[];
  readonly workers: readonly WorkerState[];
  readonly reloads: ReloadState;
  /** Null if there was none. */
  readonly canary: CanaryState | null;
  /** The configs that were in force, newest first; the first is in use. The last 20. */
  readonly history: readonly ConfigVersionState[];
  /** What the config in use asks for that only a new process can give. */
  readonly pendingRestart: readonly string[];
  /** What is missing of what was kept on disk (`data`); null: nothing is kept there. */
  readonly kept: SeriesFilesState | null;
  /** Requests the gateway refused itself, by reason; reasons that never occurred are left out. */
  readonly refusals: Readonly<Record<string, number>>;
}

export interface AdminState {
  /** `host:port` as bound, or `unix:PATH`. */
  readonly address: string;
  /** Where the token is that the gateway made: a file, absolute, or null for memory alone. Null if the config names its tokens. */
  readonly madeToken: { readonly file: string | null } | null;
}

/** Its percentiles are of all that was answered here, by whomever: from the head of a request to the last byte of its answer. */
export interface ListenerState extends Percentiles {
  readonly name: string;
  /** `host:port` as bound; the configured one until it is. */
  readonly address: string;
  readonly tls: boolean;
  readonly connections: number;
  readonly tunnels: number;
  readonly accepted: number;
  readonly refused: number;
  readonly requests: number;
  readonly responses: StatusCounts;
}

/** Its percentiles are those of its endpoints together. */
export interface ServiceState extends Percentiles {
  readonly name: string;
  readonly balance: string;
  /** Too few endpoints are left, so health is not believed and all are used. */
  readonly failOpen: boolean;
  /** Null if it has none. */
  readonly breaker: BreakerState | null;
  /** Where endpoints come from that are not in the config; null if all are. */
  readonly discovery: DiscoveryState | null;
  readonly endpoints: readonly EndpointState[];
}

/** What stands between a service as a whole and its requests. */
export interface BreakerState {
  readonly phase: 'closed' | 'open' | 'half-open' | 'isolated';
  /** Why, in words. */
  readonly reason: string;
  /** RFC 3339. */
  readonly since: string;
  /** RFC 3339: when attempts are let go again; null unless it is open. */
  readonly until: string | null;
  /** Openings in a row. */
  readonly openings: number;
  /** Attempts since the service is known, by what came of them; `ignored` says nothing of the service. */
  readonly attempts: Readonly<Record<'good' | 'slow' | 'failed' | 'ignored' | 'refused', number>>;
  /** How often it became what. */
  readonly transitions: readonly { readonly to: BreakerState['phase']; readonly count: number }[];
}

export interface DiscoveryState {
  /** `dns shop.internal:8080`, `file endpoints.yaml`, `api`. */
  readonly source: string;
  /** RFC 3339: when it was first named; since then its answers are counted. */
  readonly since: string;
  /** How many it has given; null before its first good answer. */
  readonly endpoints: number | null;
  /** RFC 3339: when its last good answer came. */
  readonly answeredAt: string | null;
  readonly ageMs: number | null;
  /** RFC 3339: when it is asked again; null if it tells by itself. */
  readonly nextAt: string | null;
  /** What is wrong with it now, in words; null if nothing is. */
  readonly problem: string | null;
  /** What it names and is not used, and why; a line each. */
  readonly leftOut: readonly string[];
  /** Good ones. */
  readonly answers: number;
  readonly failures: number;
}

/** `ejected` for what its traffic says; `trial`: in again after that, with a small share. */
export type EndpointHealth = Condition;

/** Its percentiles are of its answers: from the last byte of a request to the first of the answer, so no slow client is in them. */
export interface EndpointState extends Percentiles {
  readonly address: string;
  /** Where it is known from. */
  readonly source: EndpointOrigin;
  readonly weight: number;
  /** Where it is, as its service says; null if that is not said. */
  readonly zone: string | null;
  /** Gets work only when no other is up. */
  readonly backup: boolean;
  readonly health: EndpointHealth;
  /** Why it is so, in words. */
  readonly reason: string;
  /** The same in a word, as metrics have it: `timeout`, `status`, `error-rate`, … */
  readonly cause: HealthCause;
  /** How often its health changed, by what it became and why; since it is in the config. */
  readonly changes: readonly { readonly to: EndpointHealth; readonly cause: HealthCause; readonly count: number }[];
  /** RFC 3339: since when it is so; null if no check ever ran. */
  readonly since: string | null;
  /** The last check that had a result; null before it, and without checks. */
  readonly check: CheckState | null;
  /** How long it was out in all since it is in the config, for its checks or its traffic; the time of now too. */
  readonly outMs: number;
  /** RFC 3339: since when it is out; null if it is not. */
  readonly outSince: string | null;
  /** Null while it serves. */
  readonly drain: DrainState | null;
  /** Tunnels too. */
  readonly inFlight: number;
  /** Of these, connections that were upgraded. */
  readonly tunnels: number;
  readonly connections: number;
  readonly idleConnections: number;
  readonly queued: number;
  readonly requests: number;
  readonly responses: StatusCounts;
  readonly connects: number;
  readonly connectFailures: number;
  readonly reuses: number;
  readonly timeouts: number;
  readonly resets: number;
  readonly retries: number;
  /** Of bodies, there and back, of requests that are over. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Of what the percentiles are of; null before the first. */
  readonly meanMs: number | null;
}

/** What came of a check of an endpoint. */
export interface CheckState {
  readonly result: 'success' | 'failure';
  readonly reason: string;
  /** RFC 3339. */
  readonly at: string;
  readonly tookMs: number;
}

/** An endpoint as one service has it. */
export interface EndpointOfService extends EndpointState {
  readonly service: string;
}

/** An endpoint that drains, or has; what it still has is beside it. Times are RFC 3339. */
export interface DrainState {
  /** `cutting`: its time is over, and what was left is being ended. */
  readonly phase: 'draining' | 'cutting' | 'drained';
  /** Who asked for it: only the config brings back what it drains. */
  readonly by: 'command' | 'config';
  readonly since: string;
  /** When what is left is cut. */
  readonly until: string;
  /** When nothing was left; null before. */
  readonly ended: string | null;
  /** What had to be cut when the time was over; null if nothing had. */
  readonly cut: { readonly requests: number; readonly tunnels: number } | null;
  /** Tunnels that were told to go then, and did in good order. */
  readonly told: number;
}

/** Where the requests of a route go. */
export type RouteTarget =
  | { readonly kind: 'services'; readonly arms: readonly RouteArm[] }
  /** The gateway answers itself; `to` is the address of a redirect. */
  | { readonly kind: 'answer'; readonly status: number; readonly to: string | null };

export interface RouteArm {
  readonly service: string;
  /** Relative to the other arms. */
  readonly weight: number;
  readonly requests: number;
  /** Of these, answered 5xx or broken off. */
  readonly errors: number;
}

/** Its percentiles are from the head of a request to the last byte of its answer. */
export interface RouteState extends Percentiles {
  readonly name: string;
  /** What it asks of a request, in words: `shop.example /api/*`, or `any host any path`. */
  readonly matches: string;
  readonly host: string | null;
  readonly path: string | null;
  readonly listeners: readonly string[] | null;
  /** Empty if it leads to several services or none: see `target`. */
  readonly service: string;
  readonly target: RouteTarget;
  readonly inFlight: number;
  readonly requests: number;
  readonly responses: StatusCounts;
  /** Answers other than 5xx that began and could not be finished. */
  readonly broken: number;
  readonly aborted: number;
  readonly retries: number;
}

export interface LimitState {
  readonly name: string;
  /** In words: `token-bucket 100, 10/s`. */
  readonly algorithm: string;
  /** Whose requests count together, in words: `client`, `header:X-Api-Key + route`, or `everybody`. */
  readonly key: string;
  /** Refuses nobody. */
  readonly shadow: boolean;
  /** Where it counts for a fleet, and what it answers meanwhile if that does not answer; null: in the memory of this process. */
  readonly store: LimitStoreState | null;
  /** Who names it. */
  readonly listeners: readonly string[];
  readonly routes: readonly string[];
  /** Requests that it let pass, refused, and would have refused but for its shadow mode. */
  readonly allowed: number;
  readonly refused: number;
  readonly shadowed: number;
  /** The keys it refused most (or would have), the most first; a hash of each, unless the config shows them. */
  readonly topRefused: readonly RefusedKey[];
}

export interface LimitStoreState {
  /** The address of the server, without user and password. */
  readonly name: string;
  /** In words: `fallback to 50%`, `open`, `closed`; with the deadline. */
  readonly outage: string;
  /** How often who decided: the store, or this process, because it knew (`cache`) or in its place. */
  readonly decisions: Readonly<Record<'store' | 'cache' | 'fallback' | 'open' | 'closed', number>>;
}

/** A server that limits are counted in. */
export interface StoreState {
  readonly name: string;
  /** For how many workers it does not answer now; 0 is good. */
  readonly downFor: number;
  readonly calls: number;
  readonly failures: number;
  /** Mean time of the calls that were answered; null before the first. */
  readonly meanMs: number | null;
}

/** Final answers by class. `1xx` is 101 alone. */
export interface StatusCounts {
  readonly '1xx': number;
  readonly '2xx': number;
  readonly '3xx': number;
  readonly '4xx': number;
  readonly '5xx': number;
}

export interface WorkerState {
  readonly lane: number;
  readonly phase: 'starting' | 'serving' | 'draining' | 'waiting' | 'stopped' | 'stuck';
  readonly restarts: number;
  /** Why the last one was lost; null if none was. */
  readonly lastLoss: string | null;
  readonly loopLagMs: number;
  readonly heapBytes: number;
}

/** A config on trial: the one that runs, or the last. */
export interface CanaryState {
  readonly phase: 'watching' | 'promoted' | 'rolled-back';
  /** Where it comes from. */
  readonly file: string | null;
  /** Of the connections, 0 to 1. */
  readonly share: number;
  /** RFC 3339. */
  readonly until: string;
  /** What decided it; null while nothing has. */
  readonly reason: string | null;
  /** Requests, errors and times of connections on it, and of the others, in words. */
  readonly canary: string;
  readonly others: string;
}

/** Who asked for a reload. */
export type ReloadCause = 'signal' | 'file' | 'admin' | 'call' | 'rollback' | 'canary';

export interface ConfigVersionState {
  readonly version: number;
  /** Of what it says, the same on every machine; secrets left out. */
  readonly fingerprint: string;
  /** RFC 3339. */
  readonly appliedAt: string;
  readonly cause: 'start' | ReloadCause;
  /** The version that it put back; null if it was read. */
  readonly restored: number | null;
  /** What it changed, a line each, for people. */
  readonly changes: readonly string[];
}

export interface ReloadState {
  readonly applied: number;
  readonly refused: number;
  /** RFC 3339; null before the first. */
  readonly lastAt: string | null;
  readonly lastOutcome: 'applied' | 'refused' | null;
  /** Why the last one was refused; null if it was not. */
  readonly lastReason: string | null;
}
