/**
 * One request and its answer, from the parsed head to the account: route → pick → connect or reuse → send → relay → account.
 *
 * What goes out is built in a buffer that the exchange keeps (`#retained`) until it ends: the head and as much of the body
 * as came with it. If that is the whole request, it can be sent again, to another endpoint, as long as no byte of an answer
 * has come: always if nothing was sent, and after that only if the method is idempotent (RFC 9110 §9.2.2).
 *
 * Invariants:
 * - The client gets one final answer or a broken connection, never a clean end of a message that was not whole (RFC 9112 §8).
 * - An upstream connection is given back only if both messages ended on it as they said, and nothing more came.
 * - At most one read of each side is in memory: a side whose peer does not take bytes is not read.
 * Source: RFC 9110 §7.6, §10.1.1, §15.2; RFC 9112 §6-9.
 */
// WHY: over 400 lines: one state machine over two connections. Each transition reads most of its fields, and cut in two, half of
// them would be public.
import type { Deadline } from '../../kernel/timer-wheel.ts';
import { endpointSlots, type Refusal, refusalNumber, routeSlots } from '../slots.ts';
import { Body } from './body.ts';
import { view } from './buffers.ts';
import type { ClientConnection } from './client.ts';
import { listedNames } from './connection.ts';
import type { Endpoint, Opening, Waiter } from './endpoint.ts';
import {
  CHUNKED,
  type Head,
  METHOD_DELETE,
  METHOD_GET,
  METHOD_HEAD,
  METHOD_OPTIONS,
  METHOD_PUT,
  MORE,
  NONE,
  OK,
  UNTIL_CLOSE,
} from './head.ts';
import type { Plane } from './plane.ts';
import { parseResponseHead } from './response-head.ts';
import type { Route } from './service.ts';
import { openTunnel } from './tunnel.ts';
import { isAccepted } from './web-socket.ts';
import type { UpstreamConnection } from './upstream.ts';
import {
  HEAD_EXTRA_BYTES,
  writeResponseHead,
  CONNECTION_CLOSE,
  CONNECTION_KEEP_ALIVE,
  CONNECTION_NONE,
  CONNECTION_UPGRADE,
} from './write-head.ts';

const IDLE = 0;
/** Waiting for an upstream connection. */
const WAITING = 1;
/** Sent, or being sent; no answer yet. */
const SENT = 2;
/** The final head has gone to the client. */
const ANSWERING = 3;
/** All of it has been handed to the client's wire, which has not taken it yet. */
const FLUSHING = 4;
/** The wires are joined; the tunnel says when it is over. */
const TUNNELLING = 5;

/** A longer body is read into a buffer of its own, which need not be copied. */
const BULK_BYTES = 64 * 1024;

/** How an exchange ended, for the account. */
export const ENDED_WELL = 0;
export const ENDED_BROKEN = 1;
export const ENDED_ABORTED = 2;
export type Ending = typeof ENDED_WELL | typeof ENDED_BROKEN | typeof ENDED_ABORTED;

export class Exchange implements Waiter, Deadline {
  readonly plane: Plane;
  client!: ClientConnection;
  route!: Route;
  endpoint: Endpoint | null = null;
  upstream: UpstreamConnection | null = null;
  opening: Opening | null = null;
  queuedAt: Endpoint | null = null;

  readonly request = new Body();
  readonly response = new Body();
  methodId = 0;
  minorVersion = 1;
  /** The request asked for a tunnel and the route allows it. */
  upgrading = false;
  /** `Sec-WebSocket-Accept` as the server must answer it. */
  acceptKey = '';
  expectsContinue = false;
  clientKeepAlive = false;

  // The record, read by `Accounts`.
  status = 0;
  refusal = -1;
  ending: Ending = ENDED_WELL;
  attempts = 0;
  reused = false;
  startMs = 0;
  /** A connection to an endpoint was there. */
  connectedMs = 0;
  /** Its first byte came back. */
  firstByteMs = 0;
  /** The last byte from the endpoint. */
  lastByteMs = 0;
  /** Of the head that was sent upstream. */
  requestHeadBytes = 0;

  deadlineMs = Number.POSITIVE_INFINITY;
  wheelSlot = -1;
  wheelNext: Deadline | null = null;
  wheelPrevious: Deadline | null = null;

  #state = IDLE;
  #retained: Uint8Array<ArrayBuffer> | null = null;
  #retainedBytes = 0;
  /** All of the request is in `#retained`. */
  #whole = false;
  /** Something was handed to the current upstream connection. */
  #sent = false;
  #totalDeadlineMs = Number.POSITIVE_INFINITY;
  readonly #tried: Endpoint[] = [];
  #keepUpstream = false;
  /** Start of a response head that came in pieces. */
  #partial: Uint8Array<ArrayBuffer> | null = null;
  #partialBytes = 0;
  #pendingSeen = 0;
  #continued = false;

  constructor(plane: Plane) {
    this.plane = plane;
  }

  get active(): boolean {
    return this.#state !== IDLE;
  }

  /** True while bytes of the request's body are wanted: there is a connection, and it is not congested. */
  get takesBody(): boolean {
    return this.#state !== WAITING && this.upstream?.wire.congested === false;
  }

  /** The bytes that were sent upstream first: request line, fields, and the start of the body. */
  get retained(): Uint8Array | null {
    return this.#retained;
  }

  /** Begins with a request whose outgoing head is in `retained[0, at)`; `[from, to)` is what came behind the head. */
  begin(retained: Uint8Array<ArrayBuffer>, at: number, bytes: Uint8Array, from: number, to: number): number {
    const { plane, request } = this;
    const { totalMs } = this.route.service.plan.timeouts;
    this.startMs = plane.nowMs;
    this.connectedMs = 0;
    this.firstByteMs = 0;
    this.lastByteMs = 0;
    this.status = 0;
    this.refusal = -1;
    this.ending = ENDED_WELL;
    this.attempts = 0;
    this.endpoint = null;
    this.response.begin(NONE, 0, NONE, 0);
    this.#totalDeadlineMs = totalMs > 0 ? plane.nowMs + totalMs : Number.POSITIVE_INFINITY;
    this.#tried.length = 0;
    this.#continued = false;
    this.#retained = retained;
    let taken = from;
    if (!request.done && from < to) {
      // Only as much as fits beside the head; the rest is read again from the wire's buffer by `onClientBytes`.
      const end = Math.min(to, from + retained.length - at - request.room(0));
      if (end > from) {
        at = request.encode(bytes, from, end, retained, at);
        taken = request.taken;
      }
    }
    this.#retainedBytes = at;
    this.#whole = request.done;
    this.#state = WAITING;
    this.route.lane[routeSlots.inFlight] = (this.route.lane[routeSlots.inFlight] ?? 0) + 1;
    if (request.bad) this.fail('bad_chunk', ENDED_WELL);
    else if (request.tooLarge) this.fail('body_too_large', ENDED_WELL);
    else this.#attempt(!this.expectsContinue, 'no_endpoint');
    return taken;
  }

  // — Finding a connection

  /** `reuse` allows a connection that served others; `otherwise` is the refusal if no endpoint is left to try. */
  #attempt(reuse: boolean, otherwise: Refusal): void {
    const { service } = this.route;
    const endpoint = service.pick(this.#tried);
    if (endpoint === null) {
      this.fail(otherwise, ENDED_WELL);
      return;
    }
    if (this.endpoint !== null) this.#countRetry(this.endpoint);
    this.#state = WAITING;
    this.#sent = false;
    this.attempts++;
    this.endpoint = endpoint;
    const { lane } = endpoint;
    lane[endpointSlots.requests] = (lane[endpointSlots.requests] ?? 0) + 1;
    lane[endpointSlots.inFlight] = (lane[endpointSlots.inFlight] ?? 0) + 1;
    if (!endpoint.acquire(this, reuse)) {
      this.#leaveEndpoint();
      this.fail('queue_full', ENDED_WELL);
      return;
    }
    if (this.#state !== WAITING) return;
    if (this.queuedAt !== null) this.#arm(service.plan.timeouts.queueMs);
    if (!this.request.done) this.client.wire.pause();
  }

  /** There is another attempt, because `failed` failed. */
  #countRetry(failed: Endpoint): void {
    this.route.lane[routeSlots.retries] = (this.route.lane[routeSlots.retries] ?? 0) + 1;
    failed.lane[endpointSlots.retries] = (failed.lane[endpointSlots.retries] ?? 0) + 1;
  }

  onConnecting(): void {
    this.#arm(this.route.service.plan.timeouts.connectMs);
  }

  onConnection(connection: UpstreamConnection, reused: boolean): void {
    const { plane } = this;
    connection.exchange = this;
    connection.requests++;
    this.upstream = connection;
    this.reused = reused;
    this.connectedMs = plane.nowMs;
    this.#keepUpstream = false;
    this.#state = SENT;
    this.#sent = true;
    this.#arm(this.route.service.plan.timeouts.responseHeaderMs);
    const retained = this.#retained;
    if (retained === null) return;
    const drained = connection.wire.write(view(retained, 0, this.#retainedBytes));
    if (this.#whole) return;
    if (drained) this.client.wire.resume();
    if (this.request.remaining > BULK_BYTES) this.client.wire.bulk();
    this.client.takeRest();
  }

  onNoConnection(code: string): void {
    this.#leaveEndpoint();
    this.#retryOr(code === 'ETIMEDOUT' ? 'connect_timeout' : 'connect_failed', true);
  }

  // — The request's body

  /**
   * Bytes of the request body, which are `stable` if they stay as they are while the client's wire is paused. Returns the
   * index of the first that is not part of it.
   */
  onClientBytes(bytes: Uint8Array, from: number, to: number, stable: boolean): number {
    const { request, upstream } = this;
    // Without a connection the client is paused; what had been read already waits in its buffer.
    if (request.done || upstream === null || this.#state === WAITING) return from;
    this.#whole = false;
    const { wire } = upstream;
    const { wire: clientWire } = this.client;
    let drained: boolean;
    if (request.unframed && stable) {
      const count = request.pass(from, to);
      drained = wire.write(view(bytes, from, from + count));
      from += count;
    } else {
      const buffer = this.plane.buffers.borrow(request.room(to - from));
      const length = request.encode(bytes, from, to, buffer, 0);
      from = request.taken;
      drained = wire.give(buffer, length);
    }
    if (request.bad || request.tooLarge) {
      this.fail(request.bad ? 'bad_chunk' : 'body_too_large', ENDED_BROKEN);
      return from;
    }
    if (!drained) clientWire.pause();
    this.#extend();
    return from;
  }

  onUpstreamDrain(): void {
    // Also behind the body: a client that goes away is noticed only while its wire is read.
    this.client.resume();
    this.#extend();
  }

  // — The answer

  onUpstreamBytes(bytes: Uint8Array, from: number, to: number): void {
    if (this.#state === SENT) {
      this.#readHead(bytes, from, to);
      return;
    }
    if (this.#state === ANSWERING && !this.response.done) {
      this.#relay(bytes, from, to);
      return;
    }
    // Bytes behind the end of the response: the connection is not to be used again.
    this.#keepUpstream = false;
  }

  #readHead(bytes: Uint8Array, from: number, to: number): void {
    if (this.firstByteMs === 0) this.firstByteMs = this.plane.nowMs;
    if (this.#partial === null) {
      const rest = this.#readHeads(bytes, from, to);
      if (rest >= 0 && rest < to) this.#keepPartial(bytes, rest, to);
      return;
    }
    this.#keepPartial(bytes, from, to);
    this.#readPartial();
  }

  #readPartial(): void {
    const whole = this.#partial;
    if (whole === null) return;
    const length = this.#partialBytes;
    this.#partial = null;
    this.#partialBytes = 0;
    const rest = this.#readHeads(whole, 0, length);
    if (rest >= 0 && rest < length) this.#keepPartial(whole, rest, length);
    this.plane.buffers.giveBack(whole);
  }

  /**
   * Reads heads until the final one, whose body it passes on. Returns where an incomplete head starts, or -1. Interim
   * responses without end must not pile up before a client that does not take them: what follows then waits.
   */
  #readHeads(bytes: Uint8Array, from: number, to: number): number {
    const head = this.plane.responseHead;
    while (this.#state === SENT && from < to) {
      if (this.client.wire.congested) {
        this.upstream?.wire.pause();
        return from;
      }
      const verdict = parseResponseHead(
        head,
        bytes,
        from,
        to,
        this.route.service.responseLimits,
        this.methodId === METHOD_HEAD,
      );
      if (verdict === MORE) return from;
      if (verdict !== OK) {
        this.plane.notice(this.endpoint, head.problem);
        this.#upstreamFailed('upstream_protocol', endpointSlots.protocolErrors, false);
        return -1;
      }
      if (head.status >= 200 || head.status === 101) {
        this.#begin(head, bytes, to);
        return -1;
      }
      this.#passInterim(head);
      from = head.end;
    }
    return -1;
  }

  #keepPartial(bytes: Uint8Array, from: number, to: number): void {
    const { buffers } = this.plane;
    const length = this.#partialBytes + to - from;
    let partial = this.#partial;
    if (partial === null || partial.length < length) {
      const larger = buffers.borrow(length);
      if (partial !== null) {
        larger.set(view(partial, 0, this.#partialBytes));
        buffers.giveBack(partial);
      }
      partial = larger;
      this.#partial = partial;
    }
    partial.set(view(bytes, from, to), this.#partialBytes);
    this.#partialBytes = length;
  }

  /** 1xx: passed on to whoever can read it (RFC 9110 §15.2). */
  #passInterim(head: Head): void {
    if (head.status === 100) this.#continued = true;
    if (this.minorVersion === 0 || (head.status === 100 && !this.expectsContinue)) return;
    const buffer = this.plane.buffers.borrow(head.end - head.start + HEAD_EXTRA_BYTES);
    this.client.wire.give(buffer, writeResponseHead(head, NONE, CONNECTION_NONE, buffer, 0));
  }

  /** The final head: decides how the body is framed for the client, and what becomes of both connections. */
  #begin(head: Head, bytes: Uint8Array, to: number): void {
    const { client, plane, response } = this;
    this.status = head.status;
    if (head.status === 101) {
      this.#switchProtocols(head, bytes, to);
      return;
    }
    // A server that answers before it has asked for the body may take the body for a request; a failed upgrade likewise.
    this.#keepUpstream = head.keepAlive && !this.upgrading && (!this.expectsContinue || this.#continued);
    const framed = head.bodyKind === UNTIL_CLOSE || head.bodyKind === CHUNKED;
    const outKind = framed ? (this.minorVersion === 1 ? CHUNKED : UNTIL_CLOSE) : head.bodyKind;
    const listed = head.bodyKind === CHUNKED ? listedNames(head) : undefined;
    response.begin(head.bodyKind, head.contentLength, outKind, Number.POSITIVE_INFINITY, listed);
    client.keepAlive =
      this.clientKeepAlive && this.request.done && outKind !== UNTIL_CLOSE && !this.upgrading && client.mayKeepAlive();
    const connection = !client.keepAlive
      ? CONNECTION_CLOSE
      : this.minorVersion === 0
        ? CONNECTION_KEEP_ALIVE
        : CONNECTION_NONE;
    this.#state = ANSWERING;
    let from = head.end;
    const together = response.done ? 0 : to - from;
    const buffer = plane.buffers.borrow(head.end - head.start + HEAD_EXTRA_BYTES + response.room(together));
    let at = writeResponseHead(head, outKind, connection, buffer, 0);
    if (together > 0) {
      at = response.encode(bytes, from, to, buffer, at);
      from = response.taken;
    }
    if (from < to) this.#keepUpstream = false;
    const drained = client.wire.give(buffer, at);
    if (response.remaining > BULK_BYTES) this.upstream?.wire.bulk();
    this.#relayed(drained);
  }

  #relay(bytes: Uint8Array, from: number, to: number): void {
    const { client, response, upstream } = this;
    let drained: boolean;
    if (response.unframed && upstream?.wire.stable === true) {
      const count = response.pass(from, to);
      drained = client.wire.write(view(bytes, from, from + count));
      from += count;
    } else {
      const buffer = this.plane.buffers.borrow(response.room(to - from));
      const length = response.encode(bytes, from, to, buffer, 0);
      from = response.taken;
      drained = client.wire.give(buffer, length);
    }
    if (from < to) this.#keepUpstream = false;
    this.#relayed(drained);
  }

  /** After bytes of the answer were handed to the client's wire. */
  #relayed(drained: boolean): void {
    if (this.response.bad) {
      this.#upstreamFailed('upstream_protocol', endpointSlots.protocolErrors, false);
      return;
    }
    if (this.response.done) {
      this.lastByteMs = this.plane.nowMs;
      if (drained) this.#complete();
      else {
        // The last bytes may lie in the upstream connection's own buffer: it is not free before they have left.
        this.#state = FLUSHING;
        this.upstream?.wire.pause();
        this.#armClient();
      }
      return;
    }
    if (drained) this.#arm(this.route.service.plan.timeouts.bodyIdleMs);
    else {
      this.upstream?.wire.pause();
      this.#armClient();
    }
  }

  onClientDrain(): void {
    if (this.#state === FLUSHING) {
      this.#complete();
      return;
    }
    if (this.#state === SENT) {
      // It was interim responses that had to wait.
      this.#readPartial();
      if (!this.client.wire.congested) this.upstream?.wire.resume();
      return;
    }
    if (this.#state !== ANSWERING) return;
    this.#arm(this.route.service.plan.timeouts.bodyIdleMs);
    this.upstream?.wire.resume();
  }

  /** The server sent FIN. That ends a body which ends with the connection; any other is broken off. */
  onUpstreamEnd(): void {
    const { response } = this;
    this.#keepUpstream = false;
    if (this.#state === ANSWERING && !response.done && response.kind === UNTIL_CLOSE) {
      const buffer = this.plane.buffers.borrow(response.room(0));
      const length = response.finish(buffer, 0);
      this.#relayed(this.client.wire.give(buffer, length));
    } else if (this.#state === SENT || (this.#state === ANSWERING && !response.done)) {
      this.#upstreamFailed('upstream_reset', endpointSlots.resets, true);
    }
  }

  /** The connection is gone; it has left its endpoint already. */
  onUpstreamClose(_code: string): void {
    this.upstream = null;
    if (this.#state === FLUSHING) this.#keepUpstream = false;
    else if (this.#state !== IDLE) this.#upstreamFailed('upstream_reset', endpointSlots.resets, true);
  }

  // — Upgrade

  #switchProtocols(head: Head, bytes: Uint8Array, to: number): void {
    const { client, plane, upstream } = this;
    if (!this.upgrading || upstream === null || !isAccepted(head, this.acceptKey)) {
      // Unsolicited, or not what was asked for: what follows on this connection is nobody's (RFC 9110 §7.8).
      this.plane.notice(this.endpoint, 'an answer 101 that does not fit the request');
      this.#upstreamFailed('upstream_protocol', endpointSlots.protocolErrors, false);
      return;
    }
    const rest = to - head.end;
    const buffer = this.plane.buffers.borrow(head.end - head.start + HEAD_EXTRA_BYTES + rest);
    const at = writeResponseHead(head, NONE, CONNECTION_UPGRADE, buffer, 0);
    buffer.set(view(bytes, head.end, to), at);
    client.wire.give(buffer, at + rest);
    this.upstream = null;
    upstream.exchange = null;
    this.#state = TUNNELLING;
    plane.wheel.disarm(this);
    openTunnel(this, upstream);
  }

  /** The tunnel is gone: `sent` and `received` are its bytes towards the server and from it. */
  tunnelClosed(sent: number, received: number, broken: boolean): void {
    const { client } = this;
    this.request.bytes += sent;
    this.response.bytes += received;
    this.lastByteMs = this.plane.nowMs;
    this.#end(broken ? ENDED_BROKEN : ENDED_WELL);
    if (broken) client.breakOff();
    else client.tunnelOver();
  }

  // — Ends

  #complete(): void {
    const { client, upstream } = this;
    const { request } = this;
    if (upstream !== null) {
      this.upstream = null;
      upstream.exchange = null;
      if (this.#keepUpstream && request.done && !upstream.wire.congested) {
        upstream.wire.resume();
        upstream.endpoint.release(upstream);
      } else upstream.close();
    }
    this.#end(ENDED_WELL);
    client.exchangeOver(client.keepAlive);
  }

  /** The client is gone: nothing is owed to anyone. */
  abort(): void {
    if (this.#state === IDLE) return;
    this.#dropUpstream();
    this.#end(ENDED_ABORTED);
  }

  #upstreamFailed(refusal: Refusal, slot: number, mayRetry: boolean): void {
    const lane = this.endpoint?.lane;
    if (lane !== undefined) lane[slot] = (lane[slot] ?? 0) + 1;
    const nothingAnswered = this.#state === SENT && this.firstByteMs === 0;
    const wasReused = this.reused;
    this.#dropUpstream();
    if (this.#state === ANSWERING) this.fail(refusal, ENDED_BROKEN);
    else this.#retryOr(refusal, mayRetry && nothingAnswered, wasReused);
  }

  /** Tries again if that is safe and worth it, else answers with the refusal. */
  #retryOr(refusal: Refusal, allowed: boolean, sameEndpoint = false): void {
    const { service } = this.route;
    const safe = this.#whole && (!this.#sent || isIdempotent(this.methodId));
    // A body that has not been sent on yet is still waiting in the client's wire, so it can go elsewhere too.
    const unsent = !this.#sent;
    if (
      !allowed ||
      !(safe || unsent) ||
      this.attempts >= service.plan.attemptsMax ||
      this.plane.nowMs >= this.#totalDeadlineMs
    ) {
      this.fail(refusal, ENDED_WELL);
      return;
    }
    if (!sameEndpoint && this.endpoint !== null) this.#tried.push(this.endpoint);
    this.firstByteMs = 0;
    this.#attempt(!sameEndpoint && !this.expectsContinue, refusal);
  }

  /** Ends with a refusal if nothing was answered yet, else with a broken message. */
  fail(refusal: Refusal, ending: Ending): void {
    const { client } = this;
    const answering = this.#state === ANSWERING || this.#state === FLUSHING;
    this.#dropUpstream();
    this.refusal = refusalNumber(refusal);
    if (answering) {
      this.#end(ending === ENDED_WELL ? ENDED_BROKEN : ending);
      client.breakOff();
      return;
    }
    const retryAfterS =
      refusal === 'no_endpoint' || refusal === 'queue_full' ? this.route.service.plan.retryAfterS : -1;
    const keep = this.clientKeepAlive && this.request.done && !this.upgrading && client.mayKeepAlive();
    this.status = client.refuse(this.refusal, keep, this.methodId === METHOD_HEAD, retryAfterS);
    this.#end(ENDED_WELL);
    client.exchangeOver(keep);
  }

  #dropUpstream(): void {
    this.endpoint?.leave(this);
    const { upstream } = this;
    this.upstream = null;
    upstream?.close();
    this.#leaveEndpoint();
  }

  /** The in-flight gauge of the endpoint; safe to call twice. */
  #leaveEndpoint(): void {
    if (this.#counted === this.attempts) return;
    this.#counted = this.attempts;
    const lane = this.endpoint?.lane;
    if (lane !== undefined) lane[endpointSlots.inFlight] = (lane[endpointSlots.inFlight] ?? 0) - 1;
  }

  /** The attempt whose in-flight count has been taken back. */
  #counted = 0;

  #end(ending: Ending): void {
    const { plane } = this;
    this.ending = ending;
    this.#state = IDLE;
    this.#leaveEndpoint();
    this.#counted = 0;
    plane.wheel.disarm(this);
    const { lane } = this.route;
    lane[routeSlots.inFlight] = (lane[routeSlots.inFlight] ?? 0) - 1;
    plane.accounts.exchange(this, plane.nowMs);
    if (this.#retained !== null) plane.buffers.giveBack(this.#retained);
    if (this.#partial !== null) plane.buffers.giveBack(this.#partial);
    this.#retained = null;
    this.#partial = null;
    this.#partialBytes = 0;
  }

  // — Deadlines

  #arm(afterMs: number): void {
    this.#pendingSeen = 0;
    const due = this.plane.nowMs + afterMs;
    this.plane.wheel.arm(this, due < this.#totalDeadlineMs ? due : this.#totalDeadlineMs);
  }

  /** The client has not taken what was written. */
  #armClient(): void {
    this.#arm(this.client.listener.plan.timeouts.writeIdleMs);
    this.#pendingSeen = this.client.wire.pendingBytes;
  }

  /** Some of the request's body moved on: the answer is not late before the request is whole. */
  #extend(): void {
    if (this.#state !== SENT) return;
    const { bodyIdleMs, responseHeaderMs } = this.route.service.plan.timeouts;
    this.#arm(this.request.done ? responseHeaderMs : bodyIdleMs);
  }

  onDeadline(nowMs: number): void {
    this.plane.nowMs = nowMs;
    if (this.#state === IDLE || this.#state === TUNNELLING) return;
    const total = nowMs >= this.#totalDeadlineMs;
    if (!total && this.client.wire.congested && this.client.wire.pendingBytes !== this.#pendingSeen) {
      this.#armClient(); // slow, but it takes something
      return;
    }
    if (this.client.wire.congested) {
      this.abort();
      this.client.breakOff();
      return;
    }
    const { endpoint } = this;
    if (endpoint !== null && this.queuedAt === null) {
      endpoint.lane[endpointSlots.timeouts] = (endpoint.lane[endpointSlots.timeouts] ?? 0) + 1;
    }
    if (total) this.fail('total_timeout', ENDED_BROKEN);
    else if (this.queuedAt !== null) this.fail('queue_timeout', ENDED_WELL);
    else if (this.#state === WAITING) {
      this.#dropUpstream();
      this.#retryOr('connect_timeout', true);
    } else if (!this.request.done && this.upstream?.wire.congested === false) this.fail('body_timeout', ENDED_WELL);
    else this.fail('upstream_timeout', ENDED_BROKEN);
  }
}

/** RFC 9110 §9.2.2. */
function isIdempotent(methodId: number): boolean {
  return (
    methodId === METHOD_GET ||
    methodId === METHOD_HEAD ||
    methodId === METHOD_PUT ||
    methodId === METHOD_DELETE ||
    methodId === METHOD_OPTIONS
  );
}
