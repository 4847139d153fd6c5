/**
 * One try at one endpoint: waits for a connection, sends the request on it, reads heads until the final one. From then on the
 * connection's bytes are the answer's, which `response-relay.ts` passes on.
 *
 * Invariants:
 * - It is in one place: nowhere, in the queue of an endpoint, with a connection on its way, or on a connection.
 * - Its endpoint counts it as in flight from `start` to `end`.
 * - A connection is given back only if it is fit for another request (`reusable`) and both messages ended on it.
 * Deadlines: of the place in the queue, the connection, and the head of the answer. Interim heads move none of them, but for the 100 that asks
 * for the body.
 */
// WHY: over 400 lines: what a try goes through, and whom it tells at each of its ends, is one machine.
import { type TrafficResult, trafficResults } from '../../health/index.ts';
import { Deadline, type Timed } from '../../kernel/timer-wheel.ts';
import { NO_PASS } from '../breakers/service-breaker.ts';
import { bucketOf } from '../durations.ts';
import { countStatus, endpointSlots as slot, type Refusal } from '../slots.ts';
import { resultOf, resultOfConnect } from './attempt-result.ts';
import { discardRest } from './discarded-answer.ts';
import { DRAIN_OVER, type Endpoint, type Opening, type Waiter } from './endpoint.ts';
import type { Exchange } from './exchange.ts';
import { type Head, METHOD_HEAD } from './head.ts';
import { type HeadTaker, ResponseHeads } from './response-heads.ts';
import type { RetryReason } from './retry.ts';
import type { Requester, UpstreamConnection } from './upstream.ts';
import type { Wire } from './wire.ts';

const IDLE = 0;
/** For a connection, or for the end of the turn. */
const WAITING = 1;
/** Sent, or being sent; no final answer yet. */
const SENT = 2;
/** The final head was read. */
const ANSWERED = 3;

export class Attempt implements Waiter, Requester, HeadTaker, Timed {
  readonly #exchange: Exchange;
  readonly #heads: ResponseHeads;
  /** The last one that was tried, also when it is over; null before the first. */
  endpoint: Endpoint | null = null;
  upstream: UpstreamConnection | null = null;
  opening: Opening | null = null;
  queuedAt: Endpoint | null = null;
  /** The server has asked for the body (RFC 9110 §10.1.1). */
  continued = false;
  /** Something was handed to a connection, and may have left. */
  sent = false;
  /** As far as is known, another request may follow on the connection. */
  reusable = false;
  /** With which the breaker of its service let it begin, until it was told what came of it. */
  pass = NO_PASS;

  // The record, read by `Accounts`.
  /** Among those of its exchange; 1 is the first. */
  number = 0;
  /** Why it was made: '' for the first. */
  reason: RetryReason = '';
  /** Its endpoint is where affinity says. */
  pinned = false;
  reused = false;
  /** Requests that its connection had carried. */
  answeredBefore = 0;
  startMs = 0;
  /** A connection was begun; 0 if none had to be. */
  connectingMs = 0;
  /** Its TLS handshake was begun; 0 if none was. */
  handshakeMs = 0;
  /** A connection was there; 0 if none was. */
  connectedMs = 0;
  /** The first byte came back; 0 if none did. */
  firstByteMs = 0;

  readonly deadline = new Deadline(this);
  #state = IDLE;
  /** The last of the request was sent. */
  #sentMs = 0;
  /** The server had so long yet when its next head began to wait for the client. */
  #leftMs = 0;
  /** One try has no longer. */
  #untilMs = Number.POSITIVE_INFINITY;
  /** Nothing has been said of its answer to those who balance. */
  #unanswered = false;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
    this.#heads = new ResponseHeads(exchange.plane.responseHead, exchange.plane.buffers, this);
  }

  get waiting(): boolean {
    return this.#state === WAITING;
  }

  /** Forgets the request before: nothing was tried. */
  reset(): void {
    this.endpoint = null;
    this.continued = this.sent = this.reusable = this.reused = false;
    this.answeredBefore = 0;
    this.connectingMs = this.handshakeMs = this.connectedMs = this.firstByteMs = 0;
  }

  /** Sets out for `endpoint`; `reuse` allows a connection that has served others. False: it has no place, even in the queue. */
  start(endpoint: Endpoint, reuse: boolean): boolean {
    const { perTryMs, plane } = this.#exchange;
    this.reset();
    this.endpoint = endpoint;
    this.#state = WAITING;
    this.count(slot.requests, 1);
    this.count(slot.inFlight, 1);
    this.startMs = plane.nowMs;
    this.pinned = endpoint === this.#exchange.pinned;
    this.#untilMs = perTryMs > 0 ? plane.nowMs + perTryMs : Number.POSITIVE_INFINITY;
    this.#unanswered = true;
    plane.loads.started(endpoint.plan.loadSlot, plane.nowMs);
    if (!endpoint.acquire(this, reuse)) {
      this.end();
      return false;
    }
    if (this.queuedAt !== null) this.#arm(this.#exchange.service.plan.timeouts.queueMs);
    return true;
  }

  onConnecting(): void {
    this.connectingMs = this.#exchange.plane.nowMs;
    this.#arm(this.#exchange.service.plan.timeouts.connectMs);
  }

  onHandshake(): void {
    this.handshakeMs = this.#exchange.plane.nowMs;
  }

  onConnection(connection: UpstreamConnection, reused: boolean): void {
    const { methodId, plane, retainedBytes, service, whole } = this.#exchange;
    this.answeredBefore = connection.requests;
    this.upstream = connection;
    this.reused = reused;
    this.connectedMs = this.#sentMs = plane.nowMs;
    this.#heads.begin(service.responseLimits, methodId === METHOD_HEAD);
    connection.carry(this, whole ? retainedBytes : Number.POSITIVE_INFINITY);
  }

  send(wire: Wire): void {
    this.sent = true;
    this.#state = SENT;
    this.#waitForServer();
    this.#exchange.onConnected(wire);
  }

  onNoConnection(code: string): void {
    if (code === DRAIN_OVER) {
      this.cut();
      return;
    }
    const result = resultOfConnect(code, this.handshakeMs > 0);
    if (result !== null) this.#learn(result, 0);
    this.#answered(false);
    this.end();
    this.#exchange.attemptFailed(this, code === 'ETIMEDOUT' ? 'connect_timeout' : 'connect_failed', true);
  }

  // — What the server says

  onUpstreamBytes(bytes: Uint8Array, from: number, to: number): void {
    if (this.#state === SENT) {
      if (this.firstByteMs === 0) this.firstByteMs = this.#exchange.plane.nowMs;
      this.#heads.read(bytes, from, to);
      this.#waitForClient();
    } else this.#exchange.answer.onBytes(bytes, from, to);
  }

  /** The server sent FIN. */
  onUpstreamEnd(): void {
    this.reusable = false;
    if (this.#state === SENT) this.fail('upstream_reset', slot.resets, true);
    else this.#exchange.answer.onUpstreamEnd();
  }

  /** The connection is gone; it has left its endpoint already. */
  onUpstreamClose(sent: boolean): void {
    // What was read of a body behind its beginning was handed over too, and is nowhere else.
    this.sent &&= sent || !this.#exchange.whole;
    this.upstream = null;
    this.reusable = false;
    if (this.#state === ANSWERED) this.#exchange.answer.onUpstreamClose();
    else this.fail('upstream_reset', slot.resets, true);
  }

  onUpstreamDrain(): void {
    // Also behind the body: a client that goes away is noticed only while its wire is read.
    this.#exchange.client.resume();
    this.extend();
  }

  // — Heads

  /** Interim responses without end must not pile up before a client that does not take them. */
  get takesHeads(): boolean {
    return this.#state === SENT && !this.#exchange.client.wire.congested;
  }

  onHead(head: Head, bytes: Uint8Array, to: number): boolean {
    const exchange = this.#exchange;
    if (head.status < 200 && head.status !== 101) {
      // Whoever waited for the 100 is the next who has to say something. Another one says nothing.
      const isWanted = head.status === 100 && !this.continued;
      this.continued ||= isWanted;
      if (isWanted && !exchange.request.done) this.#waitForServer();
      exchange.answer.passInterim(head);
      return true;
    }
    this.#state = ANSWERED;
    // From the last of the request to the first of the answer, which may come before it.
    const answerMs = Math.max(0, this.firstByteMs - this.#sentMs);
    this.#learn(head.status < 500 ? trafficResults.answer : trafficResults.serverError, answerMs);
    this.count(slot.durationSumMs, answerMs);
    this.count(slot.buckets + bucketOf(answerMs), 1);
    this.#answered(head.status < 500);
    exchange.plane.wheel.disarm(this.deadline);
    exchange.onAnswer(this, head, bytes, to);
    return false;
  }

  /** Whoever reads the server's answer finds it wrong. */
  protocolFault(problem: string): void {
    this.endpoint?.notice(problem);
    this.fail('upstream_protocol', slot.protocolErrors, false);
  }

  /** The server's next head waits for the client. It is not late then, and has what is left of its time when that is over. */
  #waitForClient(): void {
    const exchange = this.#exchange;
    if (this.#state !== SENT || !exchange.client.wire.congested) return;
    this.upstream?.wire.pause();
    const { nowMs, wheel } = exchange.plane;
    if (this.deadline.atMs !== Number.POSITIVE_INFINITY) this.#leftMs = this.deadline.atMs - nowMs;
    wheel.disarm(this.deadline);
    exchange.answer.waitForClient();
  }

  onClientDrain(): void {
    if (this.#state !== SENT) return;
    // Not of one that has not waited for the client: the hints that filled it were the other's of two.
    if (this.deadline.atMs === Number.POSITIVE_INFINITY) this.#arm(this.#leftMs);
    this.upstream?.wire.resume();
    this.#heads.readOn();
    this.#waitForClient();
  }

  // — Ends

  /** Counts the fault as the endpoint's; `repeatable` if the request may go out again, as long as no answer had begun. */
  fail(refusal: Refusal, fault: number, repeatable: boolean): void {
    this.count(fault, 1);
    // A kept connection that was closed meanwhile says nothing: nobody had asked anything on it.
    const isStale = this.reused && this.firstByteMs === 0;
    const result = resultOf(refusal, this.#state === ANSWERED, isStale);
    if (result !== null) this.#learn(result, 0);
    this.#answered(false);
    this.end();
    this.#exchange.attemptFailed(this, refusal, repeatable && this.firstByteMs === 0);
  }

  /** It says nothing of the endpoint. What may be done twice is done elsewhere, what was answered already is broken off. */
  cut(): void {
    const exchange = this.#exchange;
    if (this.#state === ANSWERED) {
      exchange.fail('drained');
      return;
    }
    this.end();
    exchange.attemptFailed(this, 'drained', this.firstByteMs === 0);
  }

  /** The exchange has no more time: a failure of the service, if it was waited for, and of an endpoint that had half of that time. */
  outOfTime(): void {
    // In the queue, or with a connection on which nothing has left: the endpoint was not asked.
    if (this.#state === IDLE || (this.waiting && this.opening === null)) return;
    this.count(slot.timeouts, 1);
    const { plane, request, service } = this.#exchange;
    if (!this.waiting && !(this.#state === SENT && request.done)) return;
    const hadMs = plane.nowMs - (this.waiting ? this.connectingMs : this.#sentMs);
    const result = this.waiting ? trafficResults.connectTimeout : trafficResults.answerTimeout;
    if (2 * hadMs >= service.plan.timeouts.totalMs) {
      this.#learn(result, 0);
      this.#answered(false);
    } else this.#tellBreaker(true, this.#tookMs());
  }

  /** Tells whoever judges what came of it. `answerMs` is read of an answer. */
  #learn(result: TrafficResult, answerMs: number): void {
    this.endpoint?.record(result, answerMs);
    this.#tellBreaker(
      result !== trafficResults.answer,
      result <= trafficResults.serverError ? answerMs : this.#tookMs(),
    );
  }

  /** Once, so for it an attempt ends with the head of its answer. Null: it says nothing. */
  #tellBreaker(failed: boolean | null, tookMs: number): void {
    const { pass } = this;
    const { breaker } = this.#exchange.service;
    this.pass = NO_PASS;
    if (pass === NO_PASS) return;
    if (failed === null) breaker?.giveBack(pass);
    else breaker?.end(pass, failed, tookMs);
  }

  #tookMs(): number {
    return this.#exchange.plane.nowMs - (this.connectingMs || this.connectedMs);
  }

  /** The connection is somebody else's from now on. */
  handOver(): UpstreamConnection | null {
    const { upstream } = this;
    this.upstream = null;
    if (upstream !== null) upstream.attempt = null;
    return upstream;
  }

  /** Its answer is for nobody: what is still to come of it is thrown away for the sake of the connection. */
  discard(head: Head, bytes: Uint8Array, to: number): void {
    const upstream = this.handOver();
    if (this.endpoint !== null) countStatus(this.endpoint.lane, slot.responses1xx, head.status);
    this.end();
    if (upstream !== null) discardRest(upstream, head, bytes, to);
  }

  /** Another attempt was quicker: of the endpoint it is known that it would have taken longer than that. */
  overtaken(): void {
    if (this.#state === SENT) this.#answered(true);
    this.end();
  }

  /** Both messages are whole. */
  release(): void {
    const upstream = this.handOver();
    this.end();
    if (upstream === null) return;
    if (this.reusable && !upstream.wire.congested) {
      upstream.wire.resume();
      upstream.endpoint.release(upstream);
    } else upstream.close();
  }

  /** It is over, whatever it was doing. Safe to call twice; the record stays. */
  end(): void {
    if (this.#state === IDLE) return;
    this.#state = IDLE;
    this.#exchange.plane.wheel.disarm(this.deadline);
    this.#heads.end();
    this.endpoint?.leave(this);
    this.handOver()?.close();
    if (this.pass !== NO_PASS) this.#tellBreaker(null, 0);
    this.count(slot.inFlight, -1);
    const { endpoint } = this;
    if (endpoint === null) return;
    const { loads } = this.#exchange.plane;
    if (this.#unanswered) loads.abandoned(endpoint.plan.loadSlot);
    loads.finished(endpoint.plan.loadSlot);
  }

  /** Tells those who balance how long the endpoint took to answer, once. */
  #answered(ok: boolean): void {
    const { endpoint } = this;
    if (endpoint === null || !this.#unanswered) return;
    this.#unanswered = false;
    const { loads, nowMs } = this.#exchange.plane;
    loads.answered(endpoint.plan.loadSlot, nowMs - this.startMs, nowMs, ok);
  }

  count(which: number, change: number): void {
    const lane = this.endpoint?.lane;
    if (lane !== undefined) lane[which] = (lane[which] ?? 0) + change;
  }

  // — Deadlines

  /** Not beyond the time that one try has. */
  #arm(afterMs: number): void {
    const { plane } = this.#exchange;
    plane.wheel.arm(this.deadline, Math.min(plane.nowMs + afterMs, this.#untilMs));
  }

  /** The answer is not late before the request is whole, unless the client waits for the server to want its body. */
  #patienceMs(): number {
    const { request, service, waitsForContinue } = this.#exchange;
    const { bodyIdleMs, responseHeaderMs } = service.plan.timeouts;
    return request.done || waitsForContinue ? responseHeaderMs : bodyIdleMs;
  }

  #waitForServer(): void {
    this.#arm(this.#patienceMs());
  }

  /** Some of the request's body moved on. */
  extend(): void {
    if (this.#state !== SENT) return;
    this.#sentMs = this.#exchange.plane.nowMs;
    if (this.takesHeads) this.#waitForServer();
    else this.#leftMs = this.#patienceMs();
  }

  onDeadline(nowMs: number): void {
    const exchange = this.#exchange;
    exchange.plane.nowMs = nowMs;
    // Neither our own queue nor a client that keeps its body to itself is the endpoint's fault: how long that may last, its listener says.
    if (this.queuedAt !== null) {
      this.end();
      exchange.attemptFailed(this, 'queue_timeout', false);
    } else if (this.waiting) this.fail('connect_timeout', slot.timeouts, true);
    else if (nowMs >= this.#untilMs) this.fail('upstream_timeout', slot.timeouts, true);
    else if (!exchange.request.done && exchange.takesBody) this.#waitForServer();
    else this.fail('upstream_timeout', slot.timeouts, false);
  }
}
