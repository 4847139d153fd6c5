/**
 * What a line of the access log tells of one request. A worker has one, filled anew for each request: texts of the client
 * are places in the head that was sent upstream, not copies.
 */
/** Durations in ms, -1 for one that did not happen. */
export interface LogRecord {
  wallMs: number;
  /** The request's head, from its request line on; `[from, from)` if it could not be read. */
  head: Uint8Array;
  headFrom: number;
  /** Where the fields end that the client sent. */
  headTo: number;
  /** The path that was asked for, where `head` has another; else empty. */
  askedPath: Uint8Array;
  /** 0 or 1. */
  minorVersion: number;
  host: Uint8Array;
  hostFrom: number;
  hostTo: number;
  /** Where the line of the first of these fields begins, counted from the first field; -1 if there is none. */
  userAgentOffset: number;
  refererOffset: number;
  /** In `head`; both 0 if there is none. */
  requestIdFrom: number;
  requestIdTo: number;
  /** Where the 32 digits of the trace id are, and the words of the span id; `traceFrom` is -1 if there is none. */
  trace: Uint8Array;
  traceFrom: number;
  spanHigh: number;
  spanLow: number;
  status: number;
  bytesIn: number;
  bytesOut: number;
  clientText: Uint8Array;
  clientLength: number;
  listener: string;
  route: string;
  service: string;
  /** Of a split; '' without one. */
  arm: string;
  /** A copy went to another service. */
  mirrored: boolean;
  endpoint: string;
  attempts: number;
  reused: boolean;
  tls: string;
  waitMs: number;
  connectMs: number;
  tlsMs: number;
  firstByteMs: number;
  bodyMs: number;
  clientMs: number;
  totalMs: number;
  /** The biggest part of a slow request, or `ok`. */
  verdict: string;
  /** The refusal's word, or ''. */
  refusal: string;
  /** The limits that refused, or ''. */
  limit: string;
  /** `ok`, `broken` or `aborted`. */
  end: string;
}

const NO_BYTES = new Uint8Array(0);

export function emptyRecord(): LogRecord {
  return {
    wallMs: 0,
    head: NO_BYTES,
    headFrom: 0,
    headTo: 0,
    askedPath: NO_BYTES,
    minorVersion: 1,
    host: NO_BYTES,
    hostFrom: 0,
    hostTo: 0,
    userAgentOffset: -1,
    refererOffset: -1,
    requestIdFrom: 0,
    requestIdTo: 0,
    trace: NO_BYTES,
    traceFrom: -1,
    spanHigh: 0,
    spanLow: 0,
    status: 0,
    bytesIn: 0,
    bytesOut: 0,
    clientText: NO_BYTES,
    clientLength: 0,
    listener: '',
    route: '',
    service: '',
    arm: '',
    mirrored: false,
    endpoint: '',
    attempts: 0,
    reused: false,
    tls: '',
    waitMs: -1,
    connectMs: -1,
    tlsMs: -1,
    firstByteMs: -1,
    bodyMs: -1,
    clientMs: -1,
    totalMs: 0,
    verdict: 'ok',
    refusal: '',
    limit: '',
    end: 'ok',
  };
}
