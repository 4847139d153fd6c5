/**
 * One client connection: reads heads, hands each request to an exchange, answers what it refuses itself, and decides
 * whether the connection lives on.
 *
 * Requests that arrive while one is being answered wait in `#carry`; they are answered in order (RFC 9112 §9.3.2). When
 * more than a read is waiting, the wire is not read.
 *
 * Invariants: one exchange at a time; after a refusal of framing or head nothing more is read as a request (§11.2);
 * a close that the client may not expect lingers, so that a reset does not destroy the answer on its way (§9.6).
 */
// WHY: over 400 lines: one state machine, as in exchange.ts; what could leave (parsing, routing, answers) has left.
import type { Deadline } from '../../kernel/timer-wheel.ts';
import { listenerSlots, refusalNumber } from '../slots.ts';
import { optionsAnswer, refusalAnswer } from './answer.ts';
import { READ_BYTES, view } from './buffers.ts';
import type { Exchange } from './exchange.ts';
import { isWorthParsing, METHOD_HEAD, MORE, OK } from './head.ts';
import type { Forwarding } from './forwarded.ts';
import type { Listener } from './listener.ts';
import type { Plane } from './plane.ts';
import { ANSWERED, receive } from './receive.ts';
import { parseRequestHead } from './request-head.ts';
import type { Guest, Place } from './admission.ts';
import type { Tunnel } from './tunnel.ts';
import type { Wire, WireOwner } from './wire.ts';

/** What the TLS handshake settled; empty in the clear. */
export interface Security {
  readonly serverName: string;
  readonly version: string;
}

export const inTheClear: Security = { serverName: '', version: '' };

const READING = 0;
const BUSY = 1;
/** The last answer is on its way and then the connection closes. */
const CLOSING = 2;
/** FIN is sent; what the client still sends is read and forgotten. */
const LINGERING = 3;
const GONE = 4;

/** How long and how much a client may go on sending after our last answer. */
const LINGER_MS = 2000;
const LINGER_BYTES = 1024 * 1024;

/** How often a request body's progress is looked at. Long enough for a phone that loses its cell for a moment. */
const BODY_WINDOW_MS = 5000;

export class ClientConnection implements Guest, WireOwner, Deadline {
  readonly plane: Plane;
  readonly listener: Listener;
  readonly wire: Wire;
  /** Server name of the TLS handshake, or '' . */
  readonly serverName: string;
  /** `TLSv1.3`, or '' in the clear. */
  readonly tlsVersion: string;
  exchange: Exchange | null = null;
  tunnel: Tunnel | null = null;
  /** What the forwarding writer keeps about this connection, the client's address above all. */
  readonly forwarding: Forwarding;
  keepAlive = true;
  requests = 0;
  deadlineMs = Number.POSITIVE_INFINITY;
  wheelSlot = -1;
  wheelNext: Deadline | null = null;
  wheelPrevious: Deadline | null = null;
  readonly #place: Place;
  #state = READING;
  #carry: Uint8Array<ArrayBuffer> | null = null;
  #carryFrom = 0;
  #carryTo = 0;
  #halfClosed = false;
  /** There are bytes behind the head that is being dealt with. */
  #behind = false;
  /** Bytes of a head have come and its deadline runs. */
  #inHead = false;
  #lingered = 0;
  /** Of the request body: bytes at the last look, and how long none came. */
  #bodySeen = 0;
  #bodyIdleMs = 0;

  // WHY five parameters: made once a connection, by one caller; an options object would say no more.
  constructor(listener: Listener, wire: Wire, place: Place, security: Security, forwarding: Forwarding) {
    const { plane } = listener;
    this.plane = plane;
    this.listener = listener;
    this.forwarding = forwarding;
    this.wire = wire;
    this.#place = place;
    this.serverName = security.serverName;
    this.tlsVersion = security.version;
    wire.owner = this;
    plane.wheel.arm(this, plane.nowMs + listener.plan.timeouts.headerMs);
  }

  /** False when the connection must end after the current answer. */
  mayKeepAlive(): boolean {
    return (
      !this.plane.draining &&
      !this.listener.closing &&
      // A client that will send no more may have sent several requests before.
      (!this.#halfClosed || this.#carry !== null || this.#behind) &&
      this.requests < this.listener.plan.limits.requestsPerConnectionMax
    );
  }

  // — Reading

  onBytes(bytes: Uint8Array, from: number, to: number): void {
    this.plane.tick();
    switch (this.#state) {
      case READING:
        if (this.#carry === null) this.#read(bytes, from, to, this.wire.stable);
        else this.#readOn(bytes, from, to);
        break;
      case BUSY: {
        const rest = this.exchange === null ? from : this.exchange.onClientBytes(bytes, from, to, this.wire.stable);
        if (rest < to && this.#state === BUSY) this.#keep(bytes, rest, to);
        break;
      }
      case LINGERING:
        this.#lingered += to - from;
        if (this.#lingered > LINGER_BYTES) this.#leave(true);
        break;
      default:
        break;
    }
  }

  /** Requests in `bytes[from, to)`, which are `stable` if they outlast the call. What remains is carried. */
  #read(bytes: Uint8Array, from: number, to: number, stable: boolean): void {
    const { plane, listener } = this;
    // Answers of our own are not piled up for a client that does not take them.
    while (this.#state === READING && from < to && !this.wire.congested) {
      const { head } = plane;
      const verdict = parseRequestHead(head, bytes, from, to, listener.requestLimits);
      if (verdict === MORE) break;
      if (verdict !== OK) {
        // Nothing after a head that cannot be read may be taken for a request.
        plane.accounts.refused(this, null, verdict);
        this.refuse(verdict, false, false, -1);
        this.#linger();
        return;
      }
      const seen = head.end;
      this.#inHead = false;
      this.#behind = seen < to;
      this.requests++;
      listener.count(listenerSlots.requests);
      this.#state = BUSY;
      from = receive(this, head, bytes, to);
      if (from === ANSWERED) {
        from = seen;
        this.exchangeOver(this.keepAlive && this.mayKeepAlive());
      }
    }
    this.#behind = false;
    // The body's bytes that did not fit beside the head.
    if (from < to && this.#state === BUSY && this.exchange !== null)
      from = this.exchange.onClientBytes(bytes, from, to, stable);
    if (from >= to) return;
    if (this.#state === READING && this.wire.congested) this.#waitForClient();
    else if (this.#state === READING && !this.#inHead) {
      // Once for each head: the time is for all of it (RFC 9110 §15.5.9), however many lines it comes in.
      this.#inHead = true;
      plane.wheel.arm(this, plane.nowMs + listener.plan.timeouts.headerMs);
    }
    if (this.#state === READING || this.#state === BUSY) this.#keep(bytes, from, to);
  }

  #readOn(bytes: Uint8Array, from: number, to: number): void {
    const before = this.#carryTo - this.#carryFrom;
    this.#keep(bytes, from, to);
    const carry = this.#carry;
    if (carry === null) return;
    const start = this.#carryFrom;
    const { requestLimits } = this.listener;
    if (this.wire.congested) return;
    if (!isWorthParsing(carry, start, start + before, this.#carryTo, requestLimits)) return;
    this.takeRest();
  }

  /** Looks at what is carried: for requests, or for more of the current one's body. */
  takeRest(): void {
    const carry = this.#carry;
    if (carry === null) return;
    const from = this.#carryFrom;
    const to = this.#carryTo;
    this.#carry = null;
    if (this.#state === BUSY && this.exchange !== null) {
      const rest = this.exchange.onClientBytes(carry, from, to, false);
      if (rest < to && this.#state === BUSY) this.#keep(carry, rest, to);
    } else if (this.#state === READING) this.#read(carry, from, to, false);
    this.plane.buffers.giveBack(carry);
    if (this.#halfClosed) this.#goOnHalfClosed();
  }

  /** Reads on unless more waits behind the current request than one read brings. */
  resume(): void {
    if (this.#state !== BUSY || this.#carry === null || this.#carryTo - this.#carryFrom < READ_BYTES)
      this.wire.resume();
  }

  /** The client has to take what we have answered before it is asked for more. */
  #waitForClient(): void {
    this.#inHead = false;
    this.wire.pause();
    this.plane.wheel.arm(this, this.plane.nowMs + this.listener.plan.timeouts.writeIdleMs);
  }

  /** Appends to what waits. `bytes` may be the former carry itself. */
  #keep(bytes: Uint8Array, from: number, to: number): void {
    const { buffers } = this.plane;
    const had = this.#carry;
    const length = had === null ? 0 : this.#carryTo - this.#carryFrom;
    const all = length + to - from;
    if (had !== null && this.#carryTo + to - from <= had.length) {
      had.set(view(bytes, from, to), this.#carryTo);
      this.#carryTo += to - from;
    } else {
      const carry = buffers.borrow(all);
      if (had !== null) {
        carry.set(view(had, this.#carryFrom, this.#carryTo));
        buffers.giveBack(had);
      }
      carry.set(view(bytes, from, to), length);
      this.#carry = carry;
      this.#carryFrom = 0;
      this.#carryTo = all;
    }
    // A head has a limit of its own.
    if (all >= READ_BYTES && this.#state === BUSY) this.wire.pause();
  }

  #dropCarry(): void {
    if (this.#carry !== null) this.plane.buffers.giveBack(this.#carry);
    this.#carry = null;
  }

  // — Answering

  /** Sends a refusal; the caller decides what becomes of the connection. Returns the status. */
  refuse(number: number, keep: boolean, isHead: boolean, retryAfterS: number): number {
    const { plane } = this;
    const status = plane.countRefusal(number);
    const answer = refusalAnswer({ number, close: !keep, head: isHead, retryAfterS, wallMs: plane.clock.wallMs() });
    this.wire.write(answer);
    return status;
  }

  /** A refusal of the request whose head was just read. */
  refuseRequest(number: number): void {
    const { head } = this.plane;
    // The body, if there is one, has not been looked at: reading it to stay open is not worth it.
    this.keepAlive = head.keepAlive && head.bodyKind === 0 && this.mayKeepAlive();
    this.plane.accounts.refused(this, head, number);
    this.refuse(number, this.keepAlive, head.methodId === METHOD_HEAD, -1);
  }

  /** The gateway's own answer to OPTIONS. */
  answerOptions(): void {
    const { head } = this.plane;
    this.keepAlive = head.keepAlive && head.bodyKind === 0 && this.mayKeepAlive();
    this.wire.write(optionsAnswer(this.plane.clock.wallMs(), !this.keepAlive));
  }

  /** The exchange has ended and its answer is on the wire. */
  exchangeOver(keep: boolean): void {
    const { exchange, plane } = this;
    this.exchange = null;
    if (exchange !== null) plane.giveBackExchange(exchange);
    if (this.#state === GONE) return;
    if (!keep || !this.mayKeepAlive()) {
      this.#closeSoon();
      return;
    }
    this.#state = READING;
    if (this.wire.congested) {
      this.#waitForClient();
      return;
    }
    const { timeouts } = this.listener.plan;
    if (this.#carry === null) {
      plane.wheel.arm(this, plane.nowMs + timeouts.idleMs);
      this.wire.resume();
      return;
    }
    plane.wheel.arm(this, plane.nowMs + timeouts.headerMs);
    // From the event loop, not from here: a thousand pipelined requests must not be a thousand frames deep.
    queueMicrotask(() => {
      if (this.#state !== READING) return;
      this.takeRest();
      if (!this.wire.congested) this.resume();
    });
  }

  /** The answer began and cannot be finished: the client must not take it for whole (RFC 9112 §8). */
  breakOff(): void {
    const { exchange } = this;
    this.exchange = null;
    if (exchange !== null) this.plane.giveBackExchange(exchange);
    this.#leave(true);
  }

  // — Ends

  onEnd(): void {
    this.plane.tick();
    this.#halfClosed = true;
    switch (this.#state) {
      case READING:
        // Requests that wait until the client takes its answers are answered still.
        if (this.#carry === null || !this.wire.congested) this.#leave(false);
        break;
      case LINGERING:
        this.#leave(false);
        break;
      case BUSY:
        this.#onHalfClose();
        break;
      default:
        break;
    }
  }

  /** The client will send no more. It may still want its answer, if the answer comes soon. */
  #onHalfClose(): void {
    const { exchange, plane } = this;
    if (exchange === null || (!exchange.request.done && this.#carry === null)) {
      exchange?.abort();
      this.breakOff();
      return;
    }
    plane.wheel.arm(this, plane.nowMs + this.listener.plan.timeouts.halfCloseMs);
  }

  /** What had been read before the client's FIN was looked at once more. */
  #goOnHalfClosed(): void {
    if (this.#state === BUSY) this.#onHalfClose();
    else if (this.#state === READING && !this.wire.congested) this.#closeSoon();
  }

  onDrain(): void {
    const { plane } = this;
    plane.tick();
    if (this.exchange !== null) this.exchange.onClientDrain();
    else if (this.#state === READING) {
      plane.wheel.arm(this, plane.nowMs + this.listener.plan.timeouts.idleMs);
      this.takeRest();
      if (!this.wire.congested) this.resume();
    }
  }

  onClose(_code: string): void {
    this.plane.tick();
    this.exchange?.abort();
    this.breakOff();
  }

  onDeadline(nowMs: number): void {
    this.plane.nowMs = nowMs;
    switch (this.#state) {
      case READING:
        if (this.wire.congested) this.#leave(true);
        else if (this.#carry === null) this.#leave(false);
        else {
          this.refuse(refusalNumber('header_timeout'), false, false, -1);
          this.#linger();
        }
        break;
      case BUSY:
        this.#onBusyDeadline();
        break;
      case GONE:
        break;
      case LINGERING:
        if (!this.wire.congested) this.#leave(false);
        else {
          // It may still be reading our answer.
          this.#state = CLOSING;
          this.plane.wheel.arm(this, nowMs + this.listener.plan.timeouts.writeIdleMs);
          this.wire.finish();
        }
        break;
      default:
        this.#leave(true);
    }
  }

  #onBusyDeadline(): void {
    const { exchange, plane } = this;
    if (exchange === null) return;
    if (this.#halfClosed) {
      // No answer has begun: the client is taken to be gone.
      if (exchange.status !== 0) return;
      exchange.abort();
      this.breakOff();
      return;
    }
    const { request } = exchange;
    if (request.done) return;
    const { limits, timeouts } = this.listener.plan;
    const windowMs = Math.min(timeouts.bodyIdleMs, BODY_WINDOW_MS);
    const got = request.bytes - this.#bodySeen;
    this.#bodySeen = request.bytes;
    // A client that we do not read cannot be slow.
    this.#bodyIdleMs = got > 0 || !exchange.takesBody ? 0 : this.#bodyIdleMs + windowMs;
    const tooSlow = exchange.takesBody && got < (limits.requestBodyRateMin * windowMs) / 1000;
    if (this.#bodyIdleMs >= timeouts.bodyIdleMs || (tooSlow && got > 0)) exchange.fail('body_timeout');
    else plane.wheel.arm(this, plane.nowMs + windowMs);
  }

  /** The body of the request has begun and is not all here: from now on it has to keep coming. */
  watchBody(): void {
    this.#bodySeen = 0;
    this.#bodyIdleMs = 0;
    this.plane.wheel.arm(this, this.plane.nowMs + Math.min(this.listener.plan.timeouts.bodyIdleMs, BODY_WINDOW_MS));
  }

  /** An idle connection closes after `idleMs`, another after its answer. */
  drain(idleMs: number): void {
    if (this.#state !== READING || this.#carry !== null) return;
    if (idleMs === 0) this.#leave(false);
    else this.plane.wheel.arm(this, Math.min(this.deadlineMs, this.plane.nowMs + idleMs));
  }

  /** Ends whatever is running. */
  cut(): void {
    if (this.tunnel === null) this.exchange?.abort();
    else this.tunnel.cut();
    if (this.#state !== GONE) this.breakOff();
  }

  /** The wire now belongs to a tunnel; what was read ahead goes with it. */
  handOver(tunnel: Tunnel): void {
    this.tunnel = tunnel;
    this.plane.wheel.disarm(this);
    const carry = this.#carry;
    this.#carry = null;
    if (carry !== null) {
      tunnel.fromClient(carry, this.#carryFrom, this.#carryTo);
      this.plane.buffers.giveBack(carry);
    }
    if (this.#halfClosed) tunnel.clientEnded();
  }

  /** The tunnel has passed on all of both sides. */
  tunnelOver(): void {
    this.#halfClosed = true;
    this.exchangeOver(false);
  }

  #closeSoon(): void {
    if (this.wire.closed) {
      this.#leave(false);
      return;
    }
    // A client that asked for the close, or has sent all it will, gets it at once; another may be sending still.
    const expected = this.#halfClosed || (this.#carry === null && !this.keepAlive && this.clientAskedToClose);
    if (!expected) {
      this.#linger();
      return;
    }
    this.#dropCarry();
    this.#state = CLOSING;
    this.plane.wheel.arm(this, this.plane.nowMs + this.listener.plan.timeouts.writeIdleMs);
    this.wire.finish();
  }

  /** Set by `receive`: the request said `Connection: close` and had no body that is still to come. */
  clientAskedToClose = false;

  #linger(): void {
    if (this.#state === GONE) return;
    this.#dropCarry();
    this.#state = LINGERING;
    this.#lingered = 0;
    this.plane.wheel.arm(this, this.plane.nowMs + LINGER_MS);
    this.wire.end();
    this.wire.resume();
  }

  #leave(reset: boolean): void {
    if (this.#state === GONE) return;
    this.#state = GONE;
    this.#dropCarry();
    this.plane.wheel.remove(this);
    if (reset) this.wire.reset();
    else this.wire.close();
    this.#place.leave();
  }
}
