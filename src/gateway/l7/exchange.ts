/**
 * One request and its answer, from the parsed head to the account: route → pick → connect or reuse → send → relay → account.
 *
 * What goes out is built in a buffer that is kept (`retained`) until the end: the head and as much of the body as came with
 * it. If that is the whole request, it can be sent again, to another endpoint (`retry.ts`), until a byte of an answer has come.
 * An attempt at one endpoint is `attempt.ts`, which attempts are made `asking.ts`, the answer's way to the client
 * `response-relay.ts`; here is what outlasts them: the request, and how it all ends.
 *
 * Invariants:
 * - The client gets one final answer or a broken connection, never a clean end of a message that was not whole (RFC 9112 §8).
 * - At most one read of the request's body is in memory: a client whose bytes the endpoint does not take is not read.
 * - It ends once, by `#end`, and is counted then.
 * Source: RFC 9110 §7.6, §10.1.1; RFC 9112 §6-9.
 */
import { joinBytes } from '../../kernel/bytes.ts';
import { Deadline, type Timed } from '../../kernel/timer-wheel.ts';
import { endpointSlots, type Refusal, refusalNumber, routeSlots } from '../slots.ts';
import type { AttemptLog } from '../tracing/attempt-log.ts';
import { Asking } from './asking.ts';
import type { Attempt } from './attempt.ts';
import { Body } from './body.ts';
import { view } from './buffers.ts';
import type { ClientConnection } from './client.ts';
import type { Endpoint } from './endpoint.ts';
import { field } from './fields.ts';
import { type Head, METHOD_HEAD } from './head.ts';
import type { Plane } from './plane.ts';
import { BULK_BYTES, relay } from './relay.ts';
import { ResponseRelay } from './response-relay.ts';
import { type Arm, comeAgainS, type Route, type Service, type Wanted } from './service.ts';
import { openTunnel } from './tunnel.ts';
import { isAccepted } from './web-socket.ts';
import type { Wire } from './wire.ts';
import { writeDeadline } from './write-head.ts';

const NOTHING = new Uint8Array(0);

const IDLE = 0;
/** Attempts are made; no final answer yet. */
const ASKING = 1;
/** The final answer is on its way to the client. */
const ANSWERING = 2;
/** The wires are joined; the tunnel says when it is over. */
const TUNNELLING = 3;

/** How an exchange ended, for the account. */
export const ENDED_WELL = 0;
export const ENDED_BROKEN = 1;
export const ENDED_ABORTED = 2;
export type Ending = typeof ENDED_WELL | typeof ENDED_BROKEN | typeof ENDED_ABORTED;

export class Exchange implements Timed, Wanted {
  readonly plane: Plane;
  client!: ClientConnection;
  route!: Route;
  /** Which of the route's services this request goes to. */
  arm!: Arm;
  /** The arm's. */
  service!: Service;
  readonly request = new Body();
  readonly #asking: Asking;
  readonly answer: ResponseRelay;
  keyHash = 0;
  pinned: Endpoint | null = null;
  /** Endpoints that are not to be picked again. */
  readonly tried: Endpoint[] = [];
  methodId = 0;
  minorVersion = 1;
  /** The request asked for a tunnel and the route allows it. */
  upgrading = false;
  /** `Sec-WebSocket-Accept` as the server must answer it. */
  acceptKey = '';
  expectsContinue = false;
  clientKeepAlive = false;

  // The record, read by `Accounts`.
  trial: Arm['lane'] = null; // where it counts beside its route, if a config was on trial when it began
  status = 0;
  refusal = -1;
  ending: Ending = ENDED_WELL;
  startMs = 0;
  /** Where in the head that is sent the digits are that tell the endpoint its time; 0 if nowhere. */
  deadlineAt = 0;
  /** Of the head that was sent upstream. */
  requestHeadBytes = 0;
  waitedMs = 0; // for its limits, before it began
  mirrored = false; // a copy went to another service
  /** Lines that the route adds to the answer's head. */
  answerLines: Uint8Array = NOTHING;
  /** The path that was asked for, if the route sends on another. */
  askedPath: Uint8Array = NOTHING;

  /** The total. What else may take too long is the attempt's and the answer's to watch. */
  readonly deadline = new Deadline(this);

  #state = IDLE;
  #retained: Uint8Array<ArrayBuffer> | null = null;
  #retainedBytes = 0;
  /** All of the request is in `#retained`. */
  #whole = false;

  constructor(plane: Plane) {
    this.plane = plane;
    this.#asking = new Asking(this);
    this.answer = new ResponseRelay(this);
  }

  get attempt(): Attempt {
    return this.#asking.attempt;
  }

  get attempts(): number {
    return this.#asking.count;
  }

  /** The attempts before the one that counts, if it is traced and there were any. */
  get attemptLog(): AttemptLog | null {
    return this.#asking.log;
  }

  /** No final answer yet. */
  get asking(): boolean {
    return this.#state === ASKING;
  }

  get active(): boolean {
    return this.#state !== IDLE;
  }

  /** Every byte of the request is still here. */
  get whole(): boolean {
    return this.#whole;
  }

  /** True while the request's body is late if it does not come: the server takes it, and does not keep the client from sending. */
  get takesBody(): boolean {
    const { upstream } = this.attempt;
    return upstream !== null && !upstream.wire.congested && !this.waitsForContinue;
  }

  /** The client keeps its body to itself until the server asks for it (RFC 9110 §10.1.1). */
  get waitsForContinue(): boolean {
    return this.expectsContinue && !this.attempt.continued && this.request.bytes === 0;
  }

  /** The bytes that were sent upstream first: request line, fields, and the start of the body. */
  get retained(): Uint8Array | null {
    return this.#retained;
  }

  get retainedBytes(): number {
    return this.#retainedBytes;
  }

  /** Begins with a request whose outgoing head is in `retained[0, at)`; `[from, to)` is what came behind the head. */
  begin(retained: Uint8Array<ArrayBuffer>, at: number, bytes: Uint8Array, from: number, to: number): number {
    const { plane, request } = this;
    const { totalMs } = this.service.plan.timeouts;
    this.waitedMs = plane.parking.waitedMs;
    this.startMs = plane.nowMs - this.waitedMs;
    this.status = 0;
    this.refusal = -1;
    this.ending = ENDED_WELL;
    this.#asking.begin();
    this.answer.reset();
    if (totalMs > 0) plane.wheel.arm(this.deadline, plane.nowMs + totalMs);
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
    this.#state = ASKING;
    this.count(routeSlots.inFlight, 1);
    if (request.bad) this.fail('bad_chunk');
    else if (request.tooLarge) this.fail('body_too_large');
    else this.#asking.ask(!this.expectsContinue, 'no_endpoint');
    return taken;
  }

  // — Attempts

  /** How long one attempt may take; 0 is no limit. None where another could not be made: its client may be slow, not the server. */
  get perTryMs(): number {
    return this.#whole ? this.service.plan.timeouts.perTryMs : 0;
  }

  /** Writes how long the endpoint has; ten digits wide, so that a later attempt writes over what an earlier one told. */
  tellDeadline(): void {
    if (this.deadlineAt === 0 || this.#retained === null) return;
    const { perTryMs } = this;
    const triesMs = perTryMs > 0 ? perTryMs : this.service.plan.timeouts.responseHeaderMs;
    const leftMs = Math.min(this.deadline.atMs - this.plane.nowMs, triesMs);
    writeDeadline(leftMs, this.#retained, this.deadlineAt);
  }

  /** The attempt has a connection. */
  onConnected(wire: Wire): void {
    const retained = this.#retained;
    if (retained === null) return;
    const drained = wire.write(view(retained, 0, this.#retainedBytes));
    if (this.#whole) return;
    if (drained) this.client.wire.resume();
    if (this.request.remaining > BULK_BYTES) this.client.wire.bulk();
    this.client.takeRest();
  }

  attemptFailed(attempt: Attempt, refusal: Refusal, repeatable: boolean): void {
    this.#asking.failed(attempt, refusal, repeatable);
  }

  // — The request's body

  /**
   * Bytes of the request body, which are `stable` if they stay as they are while the client's wire is paused. Returns the
   * index of the first that is not part of it.
   */
  onClientBytes(bytes: Uint8Array, from: number, to: number, stable: boolean): number {
    const { attempt, request } = this;
    const { upstream } = attempt;
    // Before the request is on its way the client is paused; what had been read already waits in its buffer.
    if (request.done || attempt.waiting || upstream === null) return from;
    this.#whole = false;
    const drained = relay(request, bytes, from, to, stable, upstream.wire, this.plane.buffers);
    if (request.done) this.client.wire.bulkOver();
    if (request.bad) this.fail('bad_chunk');
    else if (request.tooLarge) this.fail('body_too_large');
    else {
      if (!drained) this.client.wire.pause();
      attempt.extend();
    }
    return request.taken;
  }

  // — The answer

  /** The final head; `bytes[head.end, to)` came behind it. */
  onAnswer(attempt: Attempt, head: Head, bytes: Uint8Array, to: number): void {
    if (!this.#asking.answered(attempt, head, bytes, to)) return;
    this.status = head.status;
    if (head.status === 101) {
      this.#switchProtocols(head, bytes, to);
      return;
    }
    // A server that answers before it has asked for the body may take the body for a request; a failed upgrade likewise.
    attempt.reusable = head.keepAlive && !this.upgrading && (!this.expectsContinue || attempt.continued);
    this.#state = ANSWERING;
    this.answer.begin(head, bytes, to);
  }

  /** Takes out of the answer's head what the route does not pass on, and returns the lines it gets besides. */
  editAnswer(head: Head): Uint8Array {
    this.route.shaping?.responseFields?.drop(head);
    return joinBytes(joinBytes(this.answerLines, this.#pinField()), this.#dateLine(head));
  }

  /** When the answer came, if neither the server nor the route has a say in that (RFC 9110 §6.6.1). */
  #dateLine(head: Head): Uint8Array {
    if (head.status < 200 || head.find(field.date) >= 0) return NOTHING;
    return this.route.shaping?.responseFields?.names('date') === true ? NOTHING : this.plane.date.line;
  }

  /** Where the client is to come back to, if it is not known there yet. */
  #pinField(): Uint8Array {
    const { endpoint } = this.attempt;
    if (endpoint === null || endpoint === this.pinned) return NOTHING;
    return this.service.pinField(endpoint, this.client.security.version !== '');
  }

  /** Whether another request of the client may follow on its connection. */
  mayKeepClient(): boolean {
    return this.clientKeepAlive && this.request.done && !this.upgrading && this.client.mayKeepAlive();
  }

  onClientDrain(): void {
    this.answer.onClientDrain();
  }

  /** The client takes heads again. */
  readHeads(): void {
    this.#asking.readOn();
  }

  #switchProtocols(head: Head, bytes: Uint8Array, to: number): void {
    const { answer, attempt } = this;
    if (!this.upgrading || !isAccepted(head, this.acceptKey)) {
      // Unsolicited, or not what was asked for: what follows on this connection is nobody's (RFC 9110 §7.8).
      attempt.protocolFault('an answer 101 that does not fit the request');
      return;
    }
    const upstream = attempt.handOver();
    if (upstream === null) return;
    answer.passUpgrade(head, bytes, to);
    this.#state = TUNNELLING;
    this.plane.wheel.disarm(this.deadline);
    openTunnel(this, upstream);
  }

  /** The tunnel is gone: `sent` and `received` are its bytes towards the server and from it. */
  tunnelClosed(sent: number, received: number, broken: boolean): void {
    const { client } = this;
    this.request.bytes += sent;
    this.answer.body.bytes += received;
    this.answer.lastByteMs = this.plane.nowMs;
    this.#end(broken ? ENDED_BROKEN : ENDED_WELL);
    if (broken) client.breakOff();
    else client.tunnelOver();
  }

  // — Ends

  /** The client has all of the answer. */
  complete(): void {
    const { attempt, client } = this;
    if (!this.request.done) attempt.reusable = false;
    attempt.release();
    this.#end(ENDED_WELL);
    client.exchangeOver(client.keepAlive);
  }

  /** The client is gone: nothing is owed to anyone. */
  abort(): void {
    if (this.#state !== IDLE) this.#end(ENDED_ABORTED);
  }

  /** The client is there, but takes nothing. */
  leaveClient(): void {
    this.abort();
    this.client.breakOff();
  }

  /** Ends with a refusal if nothing was answered yet, else with a broken message. */
  fail(refusal: Refusal): void {
    const { client } = this;
    this.refusal = refusalNumber(refusal);
    if (refusal === 'drained') this.attempt.count(endpointSlots.requestsCut, 1);
    if (this.#state === ANSWERING) {
      this.#end(ENDED_BROKEN);
      client.breakOff();
      return;
    }
    this.#asking.end();
    const retryAfterS = comeAgainS(this.service, refusal, this.plane.nowMs);
    const keep = this.mayKeepClient();
    const head = this.methodId === METHOD_HEAD;
    this.status = this.plane.refuse(client.wire, { number: this.refusal, close: !keep, head, retryAfterS });
    this.#end(ENDED_WELL);
    client.exchangeOver(keep);
  }

  #end(ending: Ending): void {
    const { plane } = this;
    this.#asking.end();
    this.answer.end();
    plane.wheel.disarm(this.deadline);
    this.ending = ending;
    this.#state = IDLE;
    this.count(routeSlots.inFlight, -1);
    plane.accounts.exchange(this, plane.nowMs);
    if (this.#retained !== null) plane.buffers.giveBack(this.#retained);
    this.#retained = null;
    this.pinned = null;
    // To set the length of an array is a call into the engine, 80 ns, also where it changes nothing.
    if (this.tried.length > 0) this.tried.length = 0;
    this.answerLines = NOTHING;
    this.askedPath = NOTHING;
    this.mirrored = false;
  }

  /** Nobody will use it again. */
  discard(): void {
    const { wheel } = this.plane;
    wheel.remove(this.deadline);
    this.#asking.discard();
    wheel.remove(this.answer.deadline);
  }

  /** Adds to what is counted of the route. */
  count(which: number, change: number): void {
    const { lane } = this.route;
    lane[which] = (lane[which] ?? 0) + change;
  }

  onDeadline(nowMs: number): void {
    this.plane.nowMs = nowMs;
    this.#asking.outOfTime();
    this.fail('total_timeout');
  }
}
