/**
 * The data plane's config: what the control thread compiles from a validated config and hands to every worker.
 *
 * Invariants: plain data only (it crosses threads by structured clone; cells are shared, the rest is copied); never
 * changed after it is made; every number resolved (ms, bytes), every default applied, every reference an index.
 * Identity: a listener is its `id`, an endpoint its `id`; what lives (sockets, pools, cells) is kept across snapshots by
 * these, so a reload touches only what changed.
 */
import type { BalancerName, LoadTable } from '../balance/index.ts';
import type { RowPolicy } from '../health/index.ts';
import type { Cell } from '../kernel/cells.ts';
import type { BreakerPolicy } from '../resilience/breaker-policy.ts';
import type { LimitPlan, LimitUse } from './limits/plan.ts';
import type { KeySource } from './key-source.ts';
import type { ShapingPlan } from './shaping/plan.ts';

export interface Snapshot {
  /** Grows by one with each applied config. */
  readonly version: number;
  /** The name this gateway goes by in `Via`; unique per process unless configured. ASCII token. */
  readonly pseudonym: string;
  readonly listeners: readonly ListenerPlan[];
  readonly services: readonly ServicePlan[];
  /** In the order of the file; the router sorts by precedence. */
  readonly routes: readonly RoutePlan[];
  /** In the order of the file. */
  readonly limits: readonly LimitPlan[];
  readonly accessLog: AccessLogPlan;
  /** Null: this gateway makes no spans. */
  readonly traces: TracesPlan | null;
  /** Upper bound for buffered bytes per worker; above it reads pause and new requests get 503. */
  readonly memoryBytesMax: number;
  /** How long a drain waits for requests and tunnels before it cuts them. */
  readonly drainTimeoutMs: number;
  /** What endpoints are doing, counted by all workers; the same table for the life of the process. */
  readonly loads: LoadTable;
  /** Counters without a route or endpoint: refusals by reason, worker health. One for the process. */
  readonly cell: Cell;
}

/** A config on trial: what a share of the connections runs by. */
export interface CanaryPlan {
  readonly snapshot: Snapshot;
  /** Of the connections, 0 to 1. */
  readonly share: number;
  /** Where its exchanges are counted, and in the same time those of the others; with the slots of a route. */
  readonly canary: Cell;
  readonly others: Cell;
}

export interface ListenerPlan {
  /** `name`: unique in the file. */
  readonly id: string;
  readonly host: string;
  /** 0 asks for a free port; the first worker to bind reports it. */
  readonly port: number;
  readonly tls: ListenerTlsPlan | null;
  readonly limits: {
    /** Request line, bytes. Over it: 414. */
    readonly requestLineBytesMax: number;
    /** Whole head, bytes. Over it: 431. */
    readonly headerBytesMax: number;
    /** Fields in a head or trailer. Over it: 431. */
    readonly headerFieldsMax: number;
    /** Open connections on this listener, all workers together. Over it: accepted and closed at once. */
    readonly connectionsMax: number;
    /** Of these, from one IPv4 address or IPv6 /64, on one worker. Trusted proxies are exempt. */
    readonly connectionsPerIpMax: number;
    /** Requests on one connection; the last answer says `Connection: close`. */
    readonly requestsPerConnectionMax: number;
    /** Bytes per second that a request body must bring, looked at every 5 s; slower is 408. 0 is no minimum. */
    readonly requestBodyRateMin: number;
  };
  readonly timeouts: {
    /** From the first byte of a head (or the accept) to its end, in total. 408. */
    readonly headerMs: number;
    /** Between requests. */
    readonly idleMs: number;
    /** No byte of a request body arrived. 408. */
    readonly bodyIdleMs: number;
    /** The client took no byte of what we wrote. */
    readonly writeIdleMs: number;
    readonly handshakeMs: number;
    /** A client that half-closes after its request is still answered if the answer begins within this time. */
    readonly halfCloseMs: number;
  };
  /** Limits that every request meets which comes here and has a route. */
  readonly requestLimits: readonly LimitUse[];
  /** CIDR ranges (`10.0.0.0/8`) whose forwarding fields are believed. */
  readonly trustedProxies: readonly string[];
  /** Which fields about the client and the exchange are added to a request; `Via` always is (RFC 9110 §7.6.3). */
  readonly forwarding: {
    /** `X-Forwarded-For`, `-Proto`, `-Host`, `-Port` and `X-Real-IP`. */
    readonly xForwarded: boolean;
    /** `Forwarded` (RFC 7239). */
    readonly forwarded: boolean;
    /** `X-Request-Id`: made here, or passed on from a trusted proxy. */
    readonly requestId: boolean;
    /** W3C `traceparent`: a new span of the caller's trace if the peer is trusted, else a new trace. */
    readonly traceparent: boolean;
  };
  /** `required`: every connection begins with a PROXY protocol header, from a trusted proxy; anything else is closed. */
  readonly proxyProtocol: 'off' | 'required';
  readonly strict: {
    /** `reject` answers 400; `drop` removes the field (what nginx does). */
    readonly underscoresInNames: 'reject' | 'drop';
    /** What to do with %2F and %5C in a path: `reject` 400, `keep` as they are. */
    readonly escapedSlashes: 'reject' | 'keep';
    readonly mergeSlashes: boolean;
  };
  readonly cell: Cell;
}

export interface ListenerTlsPlan {
  /** The first is the default; others are chosen by the names in their certificates. */
  readonly certificates: readonly {
    readonly certificatePem: string;
    readonly keyPem: string;
    readonly names: readonly string[];
  }[];
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  /** 48 bytes shared by all workers, so a session resumes on any of them. Rotated by control. */
  readonly ticketKeys: Uint8Array;
  /** `reject`: a client that names no known server gets no handshake. */
  readonly unknownSni: 'default' | 'reject';
  /** PEM of the authorities a client certificate must come from; null asks for none. */
  readonly clientCaPem: string | null;
}

export interface ServicePlan {
  readonly name: string;
  readonly balance: BalancePlan;
  readonly slowStart: SlowStartPlan | null;
  readonly affinity: AffinityPlan | null;
  /** How long a row of errors has control look at an endpoint at once; null: its traffic is not judged. */
  readonly judged: { readonly row: RowPolicy | null } | null;
  /** Null: its requests are sent on whatever became of others. */
  readonly breaker: BreakerPlan | null;
  readonly endpoints: readonly EndpointPlan[];
  /** Where more of them come from, in words: `dns shop.internal:8080`; null if they are all in the config. */
  readonly discovery: string | null;
  readonly tls: UpstreamTlsPlan | null;
  /** Names may stand for link-local addresses and those of cloud metadata services. */
  readonly allowLinkLocal: boolean;
  /** The field that tells the endpoint how many ms it has; null tells none. */
  readonly deadlineField: string | null;
  readonly timeouts: {
    readonly connectMs: number;
    /** From the request being sent to the head of the answer. 504. */
    readonly responseHeaderMs: number;
    /** From the begin of one attempt to the head of its answer; 0 is none. Over it: another attempt, else 504. */
    readonly perTryMs: number;
    /** The whole exchange; 0 is none. 504 if nothing was answered, else the message is broken off. */
    readonly totalMs: number;
    /** No byte of the answer's body arrived, or the endpoint took none of the request's. */
    readonly bodyIdleMs: number;
    /** How long an unused upstream connection is kept: below the server's own idle time. */
    readonly idleMs: number;
    /** Waiting for a connection when all are in use. 503. */
    readonly queueMs: number;
  };
  readonly limits: {
    /** Connections per endpoint and worker. */
    readonly connectionsMax: number;
    readonly idleConnectionsMax: number;
    /** Requests waiting for a connection, per endpoint and worker. */
    readonly queueMax: number;
    readonly responseHeaderBytesMax: number;
    readonly responseHeaderFieldsMax: number;
    /** Requests on one upstream connection before it is closed. */
    readonly requestsPerConnectionMax: number;
  };
  readonly retries: RetryPlan;
  /** Sent on a 503 when no endpoint is up, in seconds. */
  readonly retryAfterS: number;
}

export interface BreakerPlan {
  readonly policy: BreakerPolicy;
  /** Its state, and what comes of attempts: breakers/service-breaker.ts. */
  readonly cell: Cell;
}

export interface RetryPlan {
  /** Attempts in all, the first included. 1 is no retry. */
  readonly attemptsMax: number;
  /** Of an endpoint's own answers, inclusive. */
  readonly statuses: readonly { readonly from: number; readonly to: number }[];
  readonly backoffBaseMs: number;
  readonly backoffMaxMs: number;
  /** Retries and hedges as a share of requests, and how many a second and worker there may be anyway. */
  readonly budgetShare: number;
  readonly budgetMin: number;
  /** A second attempt beside the first when that has not answered by then; 0 is none. */
  readonly hedgeAfterMs: number;
}

export interface BalancePlan {
  readonly algorithm: BalancerName;
  /** For algorithms that hash; null for the others. A request without the key is placed by chance. */
  readonly key: KeySource | null;
  /** How far above its share an endpoint may be before `consistent-hash` passes keys on. */
  readonly loadFactor: number;
}

export interface SlowStartPlan {
  readonly windowMs: number;
  /** The first share, above 0 and at most 1. */
  readonly floor: number;
  readonly exponent: number;
}

/** A cookie keeps a client at its endpoint: its value is the endpoint's `pin`. */
export interface AffinityPlan {
  readonly cookie: string;
  /** What follows `name=value` in `Set-Cookie`, `Secure` not included. */
  readonly attributes: string;
  /** `auto`: `Secure` where the client came over TLS. */
  readonly secure: 'auto' | 'always' | 'never';
}

export interface UpstreamTlsPlan {
  /** PEM; null is the machine's own roots. */
  readonly caPem: string | null;
  /** Name sent as SNI and checked; null takes the endpoint's identity. */
  readonly serverName: string | null;
  readonly verify: boolean;
  readonly certificatePem: string | null;
  readonly keyPem: string | null;
  /** `required`: an end of the stream without close_notify breaks a message that ends with the connection. */
  readonly closeNotify: 'required' | 'optional';
}

export type EndpointOrigin = 'config' | 'dns' | 'file' | 'api';

export interface EndpointPlan {
  /** `host:port`, unique in its service. */
  readonly id: string;
  readonly host: string;
  readonly port: number;
  /** Whom its certificate is to be for, if the service names nobody: the host, or the name that it was found by. */
  readonly identity: string;
  /** Where it is known from. */
  readonly source: EndpointOrigin;
  /** 0 gets no new work. */
  readonly weight: number;
  /** 0 first; the next when too little of it is left. */
  readonly priority: number;
  /** Null if it is not said. */
  readonly zone: string | null;
  /** In the zone of this gateway, or no zones are told. */
  readonly local: boolean;
  /** Only when nobody else is in. */
  readonly backup: boolean;
  /** Connections that it takes, of all workers together; null: as many as `limits` of its service lets each worker have. */
  readonly connectionsMax: number | null;
  /** The config drains it, within this time; null: it serves, unless a command drains it. */
  readonly drainMs: number | null;
  /** What an affinity cookie says of it: a MAC of its name, so nobody can make one up; null without affinity. */
  readonly pin: string | null;
  /** What its traffic says of it, for control to judge. */
  readonly traffic: Cell;
  /** Its place in `Snapshot.loads`. */
  readonly loadSlot: number;
  readonly cell: Cell;
}

/** What is asked of a header, a query parameter or a cookie. */
export type ValueMatch =
  | { readonly name: string; readonly kind: 'present' | 'absent' }
  | { readonly name: string; readonly kind: 'equals' | 'prefix' | 'regex'; readonly value: string };

export interface RoutePlan {
  /** Given, or `host path` of its match. Unique in the file. */
  readonly name: string;
  readonly match: {
    /** Lower case without port: `shop.example`, `*.shop.example` (one or more labels), or null for any. */
    readonly host: string | null;
    /** `/api/*` (prefix, on a segment boundary: also `/api`), `/exact`, `/users/{id}`, or null for any. */
    readonly path: string | null;
    /** A regular expression the path must match instead; then `path` is null. */
    readonly pathRegex: string | null;
    /** Null is any. */
    readonly methods: readonly string[] | null;
    /** All of them must hold. */
    readonly headers: readonly ValueMatch[];
    readonly query: readonly ValueMatch[];
    readonly cookies: readonly ValueMatch[];
    /** `application/json`, `image/*`; null is any. */
    readonly contentTypes: readonly string[] | null;
    /** CIDR ranges of the client's address; null is any. */
    readonly clients: readonly string[] | null;
    /** Listener ids; null is all. */
    readonly listeners: readonly string[] | null;
  };
  /** Index into `services`; null if a split or the gateway itself answers, which is in `shaping`. */
  readonly service: number | null;
  /** What is done with its requests and answers besides; null for most routes. */
  readonly shaping: ShapingPlan | null;
  /** Limits that its requests meet, besides those of the listener. */
  readonly requestLimits: readonly LimitUse[];
  /** Over it: 413. */
  readonly requestBodyBytesMax: number;
  /** Protocols that may be upgraded to. Anything else in `Upgrade` is removed and the request goes on without. */
  readonly upgrade: readonly string[];
  /** A tunnel over which no byte went either way for this long is closed. */
  readonly tunnelIdleMs: number;
  readonly cell: Cell;
}

/** The one service a route leads to; '' if there are several, or none. */
export function serviceNameOf({ services }: Snapshot, { service }: RoutePlan): string {
  return service === null ? '' : (services[service]?.name ?? '');
}

export interface TracesPlan {
  /** Of the traces that begin here, 0 to 1. */
  readonly sample: number;
  /** Kept whatever the head said. */
  readonly slowMs: number;
  /** The most that a worker keeps in a second. */
  readonly perSecond: number;
}

export interface AccessLogPlan {
  /** 0 is off, 1 is every request; failures (5xx, broken) are written whatever the share, unless it is 0. */
  readonly share: number;
  /** `stdout`, or an absolute path opened for append. */
  readonly target: string;
  /** Names of query parameters whose values are not written; `*` is all. */
  readonly redactQuery: readonly string[];
}
