/**
 * One client connection: reads heads, hands each request to an exchange, answers what it refuses itself, and decides
 * whether the connection lives on.
 *
 * Requests that arrive while one is being answered wait in `#carry`; they are answered in order (RFC 9112 §9.3.2). When
 * more than a read is waiting, the wire is not read.
 *
 * Invariants: one exchange at a time; after a refusal of framing or head nothing more is read as a request (§11.2); the
 * last answer is followed by a `LingeringClose`, to which the wire then belongs.
 */
import { Deadline, type Timed } from '../../kernel/timer-wheel.ts';
import { refusalNumber } from '../slots.ts';
import type { Guest, Place } from './admission.ts';
import { BodyPace } from './body-pace.ts';
import { READ_BYTES } from './buffers.ts';
import { Carry } from './carry.ts';
import type { Exchange } from './exchange.ts';
import type { Forwarding } from './forwarded.ts';
import { isWorthParsing, MORE, OK } from './head.ts';
import { LingeringClose } from './lingering-close.ts';
import type { Listener } from './listener.ts';
import type { Plane } from './plane.ts';
import type { ParkedRequest } from './parked.ts';
import { ANSWERED, PARKED, receive } from './receive.ts';
import { parseRequestHead } from './request-head.ts';
import type { Security } from './secure-arrival.ts';
import type { Tunnel } from './tunnel.ts';
import type { Wire, WireOwner } from './wire.ts';

const READING = 0;
const BUSY = 1;
/** The wire is closed, or a `LingeringClose` has it. */
const GONE = 2;

export class ClientConnection implements Guest, WireOwner, Timed {
  readonly plane: Plane;
  readonly listener: Listener;
  readonly wire: Wire;
  readonly security: Security;
  /** Uniform in [0, 1): who is below the share of a config on trial runs by it. */
  readonly lot: number;
  exchange: Exchange | null = null;
  tunnel: Tunnel | null = null;
  /** The request that waits for its limits: the first of what is carried. */
  parked: ParkedRequest | null = null;
  /** What the forwarding writer keeps about this connection, the client's address above all. */
  readonly forwarding: Forwarding;
  keepAlive = true;
  requests = 0;
  readonly deadline = new Deadline(this);
  readonly #place: Place;
  #state = READING;
  readonly #carry: Carry;
  readonly #bodyPace = new BodyPace();
  #halfClosed = false;
  /** There are bytes behind the head that is being dealt with. */
  #behind = false;
  /**
   * The deadline of a head runs. Once for each head, however many pieces it comes in (RFC 9110 §15.5.9): for the first from
   * the beginning of the connection on, for the others from their first byte.
   */
  #headTimed = true;
  /** What the client had not taken when it was last waited for: answers may be in this process still when all is done. */
  #pendingSeen = 0;
  /** Set by `receive`: the request said `Connection: close` and had no body that is still to come. */
  clientAskedToClose = false;

  // WHY five parameters: made once a connection, by one caller; an options object would say no more.
  constructor(listener: Listener, wire: Wire, place: Place, security: Security, forwarding: Forwarding) {
    const { plane } = listener;
    this.plane = plane;
    this.listener = listener;
    this.forwarding = forwarding;
    this.wire = wire;
    this.#place = place;
    this.security = security;
    this.lot = plane.random.unit();
    this.#carry = new Carry(plane.buffers);
    wire.owner = this;
    plane.wheel.arm(this.deadline, plane.nowMs + listener.plan.timeouts.headerMs);
  }

  /** False when the connection must end after the current answer. */
  mayKeepAlive(): boolean {
    return (
      !this.plane.draining &&
      !this.listener.closing &&
      // A client that will send no more may have sent several requests before.
      (!this.#halfClosed || this.#carry.bytes !== null || this.#behind) &&
      this.requests < this.listener.plan.limits.requestsPerConnectionMax
    );
  }

  // — Reading

  onBytes(bytes: Uint8Array, from: number, to: number): void {
    this.plane.tick();
    switch (this.#state) {
      case READING:
        if (this.#carry.bytes === null) this.#read(bytes, from, to, this.wire.stable);
        else this.#readOn(bytes, from, to);
        break;
      case BUSY:
        this.#readBehind(bytes, from, to, this.wire.stable);
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
        this.#refuseHead(verdict);
        return;
      }
      const seen = head.end;
      this.#headTimed = false;
      this.#behind = seen < to;
      this.#state = BUSY;
      from = receive(this, head, bytes, to);
      if (from === PARKED) from = head.start;
      else if (from === ANSWERED) {
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
    else if (this.#state === READING && !this.#headTimed) {
      this.#headTimed = true;
      plane.wheel.arm(this.deadline, plane.nowMs + listener.plan.timeouts.headerMs);
    }
    if (this.#state === READING || this.#state === BUSY) this.#keep(bytes, from, to);
  }

  #readOn(bytes: Uint8Array, from: number, to: number): void {
    const carry = this.#carry;
    const { requestLimits: limits } = this.listener;
    const had = carry.length;
    this.#keep(bytes, from, to);
    if (this.wire.congested) this.#waitForClient();
    else if (carry.bytes && isWorthParsing(carry.bytes, carry.from, carry.from + had, carry.to, limits))
      this.takeRest();
  }

  /** While a request is being answered: more of its body, or requests that have to wait. */
  #readBehind(bytes: Uint8Array, from: number, to: number, stable: boolean): void {
    const rest = this.exchange === null ? from : this.exchange.onClientBytes(bytes, from, to, stable);
    if (rest < to && this.#state === BUSY) this.#keep(bytes, rest, to);
  }

  /** Looks at what is carried: for requests, or for more of the current one's body. */
  takeRest(): void {
    const { from, to } = this.#carry;
    const bytes = this.#carry.take();
    if (bytes === null) return;
    if (this.#state === BUSY) this.#readBehind(bytes, from, to, false);
    else if (this.#state === READING) this.#read(bytes, from, to, false);
    this.plane.buffers.giveBack(bytes);
    if (this.#halfClosed) this.#goOnHalfClosed();
  }

  /** The limits of the request that is parked have answered: it is read again. */
  unpark(): void {
    this.#state = READING;
    this.takeRest();
  }

  /** Reads on unless more waits behind the current request than one read brings. */
  resume(): void {
    if (this.#state !== BUSY || this.#carry.length < READ_BYTES) this.wire.resume();
  }

  /** The client has to take what we have answered before it is asked for more. */
  #waitForClient(): void {
    this.#headTimed = false;
    this.wire.pause();
    this.#watchTaking();
  }

  #watchTaking(): void {
    this.#pendingSeen = this.wire.pendingBytes;
    this.plane.wheel.arm(this.deadline, this.plane.nowMs + this.listener.plan.timeouts.writeIdleMs);
  }

  #keep(bytes: Uint8Array, from: number, to: number): void {
    this.#carry.keep(bytes, from, to);
    // A head has a limit of its own.
    if (this.#carry.length >= READ_BYTES && this.#state === BUSY) this.wire.pause();
  }

  // — Answering

  /** A refusal of a head that cannot be read, or did not come: nothing after it may be taken for a request. */
  #refuseHead(number: number): void {
    this.forwarding.forget();
    this.plane.accounts.refused(this, null, null, number);
    this.plane.refuse(this.wire, { number, close: true, head: false, retryAfterS: -1 });
    this.#linger();
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
    this.#pendingSeen = 0;
    if (this.#carry.bytes === null) {
      plane.wheel.arm(this.deadline, plane.nowMs + timeouts.idleMs);
      this.wire.resume();
      return;
    }
    plane.wheel.arm(this.deadline, plane.nowMs + timeouts.headerMs);
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
    if (this.#state === BUSY) this.#onHalfClose();
    // Requests that wait until the client takes its answers are answered still.
    else if (this.#state === READING && (this.#carry.bytes === null || !this.wire.congested)) this.#closeSoon();
  }

  /** The client will send no more. It may still want its answer, if the answer comes soon. */
  #onHalfClose(): void {
    const { exchange, parked, plane } = this;
    if (parked !== null) return;
    if (exchange === null || (!exchange.request.done && this.#carry.bytes === null)) {
      exchange?.abort();
      this.breakOff();
      return;
    }
    plane.wheel.arm(this.deadline, plane.nowMs + this.listener.plan.timeouts.halfCloseMs);
  }

  /** What had been read before the client's FIN was looked at once more. */
  #goOnHalfClosed(): void {
    if (this.#state === BUSY) this.#onHalfClose();
    else if (this.#state === READING && !this.wire.congested) this.#closeSoon();
  }

  onDrain(): void {
    const { plane } = this;
    plane.tick();
    this.#pendingSeen = 0;
    if (this.exchange !== null) this.exchange.onClientDrain();
    else if (this.#state === READING) {
      plane.wheel.arm(this.deadline, plane.nowMs + this.listener.plan.timeouts.idleMs);
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
    const { congested, pendingBytes } = this.wire;
    const isIdle = this.#carry.bytes === null;
    if (this.#state !== READING) this.#onBusyDeadline();
    else if (congested || (isIdle && pendingBytes > 0)) {
      // A small answer may be here still without congestion (raw-secure-wire.ts).
      if (pendingBytes === this.#pendingSeen) this.#leave(true);
      else this.#watchTaking(); // slow, but it takes something
    } else if (isIdle) this.#leave(false);
    else this.#refuseHead(refusalNumber('header_timeout'));
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
    const { plan } = this.listener;
    if (this.#bodyPace.isTooSlow(plan, request.bytes, exchange.takesBody)) exchange.fail('body_timeout');
    else plane.wheel.arm(this.deadline, plane.nowMs + BodyPace.windowMs(plan));
  }

  /** The body of the request has begun and is not all here: from now on it has to keep coming. */
  watchBody(): void {
    this.#bodyPace.begin();
    this.plane.wheel.arm(this.deadline, this.plane.nowMs + BodyPace.windowMs(this.listener.plan));
  }

  /** An idle connection closes after `idleMs`, another after its answer. */
  drain(idleMs: number): void {
    if (this.#state !== READING || this.#carry.bytes !== null) return;
    if (idleMs === 0) this.#lastStage().finish();
    else this.plane.wheel.arm(this.deadline, Math.min(this.deadline.atMs, this.plane.nowMs + idleMs));
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
    this.plane.wheel.disarm(this.deadline);
    const { from, to } = this.#carry;
    const bytes = this.#carry.take();
    if (bytes !== null) {
      tunnel.fromClient(bytes, from, to);
      this.plane.buffers.giveBack(bytes);
    }
    if (this.#halfClosed) tunnel.clientEnded();
  }

  /** The tunnel has passed on all of both sides. */
  tunnelOver(): void {
    this.#halfClosed = true;
    this.exchangeOver(false);
  }

  #closeSoon(): void {
    const isAwaited = this.#halfClosed || (this.#carry.bytes === null && !this.keepAlive && this.clientAskedToClose);
    if (this.wire.closed) this.#leave(false);
    // A client that asked for the close, or has sent all it will, gets it at once; another may be sending still.
    else if (isAwaited) this.#lastStage().finish();
    else this.#linger();
  }

  #linger(): void {
    if (this.#state !== GONE) this.#lastStage().linger();
  }

  #lastStage(): LingeringClose {
    this.#go();
    return new LingeringClose(this.listener, this.wire, this.#place);
  }

  #leave(reset: boolean): void {
    if (this.#state === GONE) return;
    this.#go();
    if (reset) this.wire.reset();
    else this.wire.close();
    this.#place.leave();
  }

  #go(): void {
    this.#state = GONE;
    this.parked?.release();
    this.parked = null;
    this.#carry.drop();
    this.plane.wheel.remove(this.deadline);
  }
}
