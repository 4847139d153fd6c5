/**
 * What is counted, and where: slot numbers in the cells of endpoints, routes, listeners and the process.
 * Gauges can go down and belong to a living thread; counters only grow. docs/metrics.md names the series each becomes.
 */
import type { Lane } from '../kernel/cells.ts';
import { FILLED, filledText } from '../limit/filled.ts';
import { BUCKETS } from './durations.ts';

/** Header words of an endpoint's cell, written by control unless said. */
export const HEALTH = 0;
/** Values of the `HEALTH` word. Unknown endpoints are used: a check that has not run yet is no reason to refuse. */
export const HEALTH_UNKNOWN = 0;
export const HEALTH_UP = 1;
/** By its checks, or ejected for what its traffic says. */
export const HEALTH_DOWN = 2;
/** In again after an ejection, with a small share of its traffic. */
export const HEALTH_TRIAL = 3;

/** The header word that says whether an endpoint is being drained. */
export const DRAIN = 1;
/** Values of the `DRAIN` word. */
export const SERVING = 0;
/** No new work but that of clients who are pinned here; what is under way is finished. */
export const DRAINING = 1;
/** Nobody's new work; what is under way is finished. */
export const CLOSED = 2;
/** Nobody's new work, and what is under way is cut; tunnels are told goodbye. */
export const CUT = 3;

/** The header word that has the connections of all workers, who change it themselves (connection-count.ts). */
export const CONNECTIONS = 2;

/** Header word of the process's cell, written by control: grows whenever the `DRAIN` word of any endpoint changes. */
export const DRAIN_CHANGES = 0;

export const endpointSlots = {
  inFlight: 0, // gauge
  connections: 1, // gauge, idle ones included
  idle: 2, // gauge
  queued: 3, // gauge
  tunnels: 4, // gauge; they are in flight as well
  requests: 5,
  responses1xx: 6,
  responses2xx: 7,
  responses3xx: 8,
  responses4xx: 9,
  responses5xx: 10,
  connects: 11,
  connectFailures: 12,
  reuses: 13,
  timeouts: 14,
  resets: 15,
  protocolErrors: 16,
  retries: 17,
  bytesSent: 18,
  bytesReceived: 19,
  tlsHandshakes: 20,
  durationSumMs: 21, // of answers: from the last byte of a request to the first of its answer
  requestsCut: 22, // broken off or refused, because the drain had no more time
  tunnelsCut: 23, // reset for that, without a goodbye
  buckets: 24, // BUCKETS slots from here: answers
} as const;
export const ENDPOINT_SLOTS = 24 + BUCKETS;
export const ENDPOINT_GAUGES = 5; // slots [0, 5) are gauges

export const routeSlots = {
  inFlight: 0, // gauge
  requests: 1,
  responses1xx: 2, // 101 only: the final answer of an upgrade
  responses2xx: 3,
  responses3xx: 4,
  responses4xx: 5,
  responses5xx: 6,
  broken: 7, // the answer began and could not be finished; a 5xx is one already
  aborted: 8, // the client left first
  retries: 9,
  bytesIn: 10,
  bytesOut: 11,
  durationSumMs: 12,
  hedges: 13,
  retriesDenied: 14, // by the budget
  mirrored: 15, // copies that were sent
  mirrorsDropped: 16, // copies there was no room for
  mirrorFailures: 17, // copies that got no answer
  limited: 18, // of the 4xx: refused by a limit, with 429; their durations are in no bucket
  buckets: 24, // BUCKETS slots from here
} as const;
export const ROUTE_SLOTS = 24 + BUCKETS;
export const ROUTE_GAUGES = 1;

/** An arm of a split; all of it is in the route's cell as well. */
export const armSlots = {
  requests: 0,
  responses1xx: 1,
  responses2xx: 2,
  responses3xx: 3,
  responses4xx: 4,
  responses5xx: 5,
  broken: 6,
  durationSumMs: 7,
  buckets: 8, // BUCKETS slots from here
} as const;
export const ARM_SLOTS = 8 + BUCKETS;

/** What was decided about requests that met a limit. */
export const limitSlots = {
  allowed: 0,
  refused: 1,
  shadowed: 2, // let through only because the limit is in shadow mode
  // Of a limit with a store, by who decided.
  byStore: 3,
  byCache: 4, // a refusal that was known
  byFallback: 5,
  byOpen: 6,
  byClosed: 7,
  filled: 8, // FILLED slots from here: by how much of it the key had used then, in tenths
} as const;
export const LIMIT_SLOTS = 8 + FILLED;
/** As metrics name them: `0.1` is up to a tenth. */
export const filledSlots = Array.from({ length: FILLED }, (_, tenth) => ({
  filled: filledText(tenth),
  slot: limitSlots.filled + tenth,
}));

/** What came of attempts at a service that has a breaker. */
export const breakerSlots = {
  good: 0,
  slow: 1, // good but late
  failed: 2,
  failedSlowly: 3, // both
  ignored: 4, // it says nothing of the service, or began in a state that is over
  refused: 5, // not begun
} as const;
export const BREAKER_SLOTS = 6;

/** Calls to a store of limits. */
export const storeSlots = {
  down: 0, // gauge: 1 if its last call failed
  calls: 1,
  failures: 2,
  durationSumMs: 3, // of those that were answered
  buckets: 8, // BUCKETS slots from here
} as const;
export const STORE_SLOTS = 8 + BUCKETS;
export const STORE_GAUGES = 1;

export const listenerSlots = {
  connections: 0, // gauge
  tunnels: 1, // gauge
  accepted: 2,
  refused: 3, // over connectionsMax or per-IP
  handshakeFailures: 4,
  handshakes: 5,
  resumptions: 6,
  requests: 7,
  responses1xx: 8,
  responses2xx: 9,
  responses3xx: 10,
  responses4xx: 11,
  responses5xx: 12,
  durationSumMs: 13,
  buckets: 16, // BUCKETS slots from here
} as const;
export const LISTENER_SLOTS = 16 + BUCKETS;
export const LISTENER_GAUGES = 2;

/**
 * Why a request was refused by the gateway itself: the status, the word in metrics, log and `Proxy-Status`, and the
 * sentence a client reads. Order is the slot order: append only.
 */
export const refusals = [
  { word: 'bad_request_line', status: 400, text: 'The request line is malformed.' },
  { word: 'bad_version', status: 505, text: 'This HTTP version is not spoken here.' },
  { word: 'bad_target', status: 400, text: 'The request target is malformed.' },
  { word: 'bad_field', status: 400, text: 'A header field is malformed.' },
  { word: 'bad_host', status: 400, text: 'The Host field is missing, repeated or malformed.' },
  { word: 'bad_framing', status: 400, text: 'The length of the request body is ambiguous.' },
  { word: 'transfer_coding', status: 501, text: 'Only the chunked transfer coding is understood.' },
  { word: 'bad_chunk', status: 400, text: 'The chunked request body is malformed.' },
  { word: 'bad_connection_option', status: 400, text: 'The Connection field names a field that may not be removed.' },
  { word: 'underscore_name', status: 400, text: 'A header field name contains an underscore.' },
  { word: 'bad_path', status: 400, text: 'The path contains an escape that is not allowed here.' },
  { word: 'line_too_long', status: 414, text: 'The request line is too long.' },
  { word: 'head_too_large', status: 431, text: 'The request head is too large.' },
  { word: 'body_too_large', status: 413, text: 'The request body is too large.' },
  { word: 'method_refused', status: 405, text: 'This method is not allowed here.' },
  { word: 'expectation', status: 417, text: 'The expectation cannot be met.' },
  { word: 'header_timeout', status: 408, text: 'The request head did not arrive in time.' },
  { word: 'body_timeout', status: 408, text: 'The request body did not arrive in time.' },
  { word: 'no_route', status: 404, text: 'No route matches this request.' },
  { word: 'no_endpoint', status: 503, text: 'No server is available for this request.' },
  { word: 'queue_full', status: 503, text: 'Too many requests are waiting for a server.' },
  { word: 'queue_timeout', status: 503, text: 'No server became free in time.' },
  { word: 'overloaded', status: 503, text: 'The gateway is shedding load.' },
  { word: 'connect_failed', status: 502, text: 'No connection to a server could be made.' },
  { word: 'connect_timeout', status: 504, text: 'A server did not accept a connection in time.' },
  { word: 'upstream_reset', status: 502, text: 'The server closed the connection before it answered.' },
  { word: 'upstream_protocol', status: 502, text: 'The server sent an answer that is not valid HTTP.' },
  { word: 'upstream_timeout', status: 504, text: 'The server did not answer in time.' },
  { word: 'total_timeout', status: 504, text: 'The request took too long.' },
  { word: 'loop', status: 508, text: 'The request has been through this gateway before.' },
  { word: 'misdirected', status: 421, text: 'This host is not served on this connection.' },
  { word: 'max_forwards', status: 400, text: 'The Max-Forwards field is malformed.' },
  { word: 'upgrade_refused', status: 400, text: 'The protocol upgrade is malformed.' },
  { word: 'upstream_status', status: 502, text: 'A server answered that it cannot, and no other could be asked.' },
  { word: 'drained', status: 503, text: 'The server was taken out of service before it answered.' },
  { word: 'upgrade_version', status: 426, text: 'This version of the protocol is not spoken here.' },
  { word: 'rate_limited', status: 429, text: 'Too many requests; more are taken later.' },
  { word: 'limits_unavailable', status: 503, text: 'The limits of this request cannot be checked at the moment.' },
  { word: 'breaker_open', status: 503, text: 'What this request needs is out of order; it is tried again later.' },
] as const;

export type Refusal = (typeof refusals)[number]['word'];

const refusalNumbers = new Map<string, number>(refusals.map((refusal, number) => [refusal.word, number]));

/** The place of a refusal in `refusals`, and so in the process cell after `processSlots.refusals`. */
export function refusalNumber(word: Refusal): number {
  return refusalNumbers.get(word) ?? 0;
}

export const processSlots = {
  loopLagMs: 0, // gauge: the event loop's delay, maximum of the last second
  memoryBytes: 1, // gauge: bytes in buffers
  heapBytes: 2, // gauge
  fastPath: 3, // gauge: 1 when the raw transport is in use
  parked: 4, // gauge: requests that wait for a store of limits
  logLines: 5,
  logDropped: 6,
  logErrors: 7,
  refusals: 8, // `refusals.length` slots from here; room for 56
  tracesKept: 64,
  tracesDropped: 65,
} as const;
export const PROCESS_SLOTS = 72;
export const PROCESS_GAUGES = 5;

/** Counts a final answer by its class: `first` is the lane's slot for 1xx. */
export function countStatus(lane: Lane, first: number, status: number): void {
  const slot = first + ((status / 100) | 0) - 1;
  lane[slot] = (lane[slot] ?? 0) + 1;
}
