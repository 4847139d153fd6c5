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
  /** In `head`, of 32 digits; 0 if there is none. */
  traceIdFrom: number;
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
