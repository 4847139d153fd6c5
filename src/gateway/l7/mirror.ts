/**
 * Mirroring: a share of a route's requests goes to another service as well. What that answers is read and thrown away, and nothing it
 * does or fails to do is seen by the client: the copy begins when the request is on its way, has its own connection, its own bytes
 * and its own deadline, and is not repeated.
 *
 * A request is copied if all of it came at once, head and body, and no more of a body than the plan says; not if it asks for an
 * upgrade. The copy is the request as it was sent on, with the field `X-Spillway-Mirror: 1`.
 *
 * Invariants: at most `COPIES_MAX` of a route are under way at one worker, and none is begun while memory is short: what
 * there is no room for is counted and dropped. A copy counts at its endpoint like any request.
 * Cost: a copy of the request's bytes for each that is mirrored; one random number for each that is not.
 */
import { ascii, copyBytes } from '../../kernel/bytes.ts';
import type { Lane } from '../../kernel/cells.ts';
import { Deadline, type Timed } from '../../kernel/timer-wheel.ts';
import type { RoutedRequest } from '../routing/routed-request.ts';
import { MIRROR_FIELD } from '../shaping/field-edits.ts';
import type { MirrorPlan } from '../shaping/plan.ts';
import { countStatus, endpointSlots, routeSlots } from '../slots.ts';
import { Body } from './body.ts';
import { listedNames } from './connection.ts';
import type { Endpoint, Opening, Waiter } from './endpoint.ts';
import type { Exchange } from './exchange.ts';
import { CHUNKED, type Head, METHOD_HEAD, NONE, UNTIL_CLOSE } from './head.ts';
import type { Plane } from './plane.ts';
import { type HeadTaker, ResponseHeads } from './response-heads.ts';
import type { Service, Wanted } from './service.ts';
import type { Requester, UpstreamConnection } from './upstream.ts';
import type { Wire } from './wire.ts';

/** Enough for 1,000 copies a second of a service that takes 60 ms; with the largest head and body 6 MB. */
const COPIES_MAX = 64;

const MARK = ascii(`${MIRROR_FIELD}: 1\r\n`);
/** The empty line that ends a head. */
const END_BYTES = 2;

export class Mirror implements Wanted {
  readonly plane: Plane;
  readonly service: Service;
  readonly #plan: MirrorPlan;
  /** The route's. */
  readonly #lane: Lane;
  #copies = 0;
  keyHash = 0;
  pinned: Endpoint | null = null;
  readonly tried: Endpoint[] = [];

  constructor(plane: Plane, plan: MirrorPlan, service: Service, lane: Lane) {
    this.plane = plane;
    this.service = service;
    this.#plan = plan;
    this.#lane = lane;
  }

  /** Sends a copy of what `exchange`, which has begun, sends for `request`; or does not. */
  copy(exchange: Exchange, request: RoutedRequest): void {
    const { plane, service } = this;
    const { retained } = exchange;
    if (retained === null || !exchange.active || !exchange.whole || exchange.upgrading) return;
    if (exchange.request.bytes > this.#plan.bodyBytesMax || plane.random.unit() >= this.#plan.share) return;
    service.read(request, this);
    // What comes of a copy is not known to a breaker, so none is a trial.
    const isOut = this.#copies >= COPIES_MAX || plane.buffers.tight || service.breaker?.isClosed === false;
    const endpoint = isOut ? null : service.pick(this);
    if (endpoint === null) {
      this.#count(routeSlots.mirrorsDropped);
      return;
    }
    const { requestHeadBytes, retainedBytes } = exchange;
    const head = requestHeadBytes - END_BYTES;
    const bytes = plane.buffers.borrow(retainedBytes + MARK.length);
    let at = copyBytes(retained, 0, head, bytes, 0);
    at = copyBytes(MARK, 0, MARK.length, bytes, at);
    at = copyBytes(retained, head, retainedBytes, bytes, at);
    this.#copies += 1;
    this.#count(routeSlots.mirrored);
    exchange.mirrored = true;
    new MirroredRequest(this, endpoint, exchange.methodId === METHOD_HEAD).begin(bytes, at);
  }

  /** A copy is over; `answered` if its service answered it. */
  over(answered: boolean): void {
    this.#copies -= 1;
    if (!answered) this.#count(routeSlots.mirrorFailures);
  }

  #count(slot: number): void {
    this.#lane[slot] = (this.#lane[slot] ?? 0) + 1;
  }
}

class MirroredRequest implements Waiter, Requester, HeadTaker, Timed {
  readonly #mirror: Mirror;
  readonly #endpoint: Endpoint;
  readonly #toHead: boolean;
  readonly #heads: ResponseHeads;
  readonly #body = new Body();
  /** Until they are handed to the wire. */
  #bytes: Uint8Array<ArrayBuffer> | null = null;
  #length = 0;
  #upstream: UpstreamConnection | null = null;
  /** The final head was read. */
  #answered = false;
  /** As far as is known, another request may follow on the connection. */
  #reusable = false;
  #over = false;
  readonly #startMs: number;
  opening: Opening | null = null;
  queuedAt: Endpoint | null = null;
  readonly deadline = new Deadline(this);

  constructor(mirror: Mirror, endpoint: Endpoint, toHead: boolean) {
    const { plane } = mirror;
    this.#mirror = mirror;
    this.#endpoint = endpoint;
    this.#toHead = toHead;
    this.#heads = new ResponseHeads(plane.responseHead, plane.buffers, this);
    this.#startMs = plane.nowMs;
  }

  /** Sets out with the request in the borrowed `bytes[0, length)`. */
  begin(bytes: Uint8Array<ArrayBuffer>, length: number): void {
    const { plane, service } = this.#mirror;
    this.#bytes = bytes;
    this.#length = length;
    this.#count(endpointSlots.requests, 1);
    this.#count(endpointSlots.inFlight, 1);
    plane.loads.started(this.#endpoint.plan.loadSlot, plane.nowMs);
    plane.wheel.arm(this.deadline, plane.nowMs + service.plan.timeouts.responseHeaderMs);
    if (!this.#endpoint.acquire(this, true)) this.#end();
  }

  // — As one who waits for a connection

  onConnecting(): void {}

  onHandshake(): void {}

  onConnection(connection: UpstreamConnection): void {
    this.#upstream = connection;
    this.#heads.begin(this.#mirror.service.responseLimits, this.#toHead);
    connection.carry(this, this.#length);
  }

  onNoConnection(): void {
    this.#end();
  }

  // — As one whose connection it is

  send(wire: Wire): void {
    const bytes = this.#bytes;
    if (bytes === null) return;
    this.#bytes = null;
    wire.give(bytes, this.#length);
  }

  onUpstreamBytes(bytes: Uint8Array, from: number, to: number): void {
    if (this.#answered) this.#drop(bytes, from, to);
    else this.#heads.read(bytes, from, to);
  }

  onUpstreamEnd(): void {
    this.#reusable = false;
    this.#end();
  }

  onUpstreamClose(): void {
    this.#upstream = null;
    this.#end();
  }

  onUpstreamDrain(): void {}

  cut(): void {
    this.#reusable = false;
    this.#end();
  }

  // — As one who takes heads

  get takesHeads(): boolean {
    return !this.#over && !this.#answered;
  }

  onHead(head: Head, bytes: Uint8Array, to: number): boolean {
    if (head.status < 200 && head.status !== 101) return true;
    const { loads, nowMs } = this.#mirror.plane;
    this.#answered = true;
    this.#reusable = head.keepAlive && head.status !== 101;
    loads.answered(this.#endpoint.plan.loadSlot, nowMs - this.#startMs, nowMs, head.status < 500);
    countStatus(this.#endpoint.lane, endpointSlots.responses1xx, head.status);
    // As if it went to somebody who takes it as it comes.
    const listed = head.bodyKind === CHUNKED ? listedNames(head) : undefined;
    const outKind = head.bodyKind === NONE ? NONE : UNTIL_CLOSE;
    this.#body.begin(head.bodyKind, head.contentLength, outKind, Number.POSITIVE_INFINITY, listed);
    this.#drop(bytes, head.end, to);
    return false;
  }

  protocolFault(problem: string): void {
    this.#endpoint.notice(problem);
    this.#count(endpointSlots.protocolErrors, 1);
    this.#end();
  }

  /** Reads the body as far as to know where it ends. */
  #drop(bytes: Uint8Array, from: number, to: number): void {
    const { buffers } = this.#mirror.plane;
    const body = this.#body;
    let taken = from;
    if (!body.done) {
      const scratch = buffers.borrow(body.room(to - from));
      body.encode(bytes, from, to, scratch, 0);
      buffers.giveBack(scratch);
      taken = body.taken;
    }
    if (body.bad || taken < to) this.#reusable = false;
    if (body.bad || body.done) this.#end();
  }

  // — The end

  onDeadline(nowMs: number): void {
    this.#mirror.plane.nowMs = nowMs;
    if (!this.#answered) this.#count(endpointSlots.timeouts, 1);
    this.#reusable = false;
    this.#end();
  }

  /** It is over, whatever it was doing. */
  #end(): void {
    if (this.#over) return;
    this.#over = true;
    const { plane } = this.#mirror;
    const { loadSlot } = this.#endpoint.plan;
    plane.wheel.remove(this.deadline);
    this.#heads.end();
    this.#endpoint.leave(this);
    if (this.#bytes !== null) plane.buffers.giveBack(this.#bytes);
    this.#bytes = null;
    this.#leaveConnection();
    this.#count(endpointSlots.inFlight, -1);
    if (!this.#answered) plane.loads.abandoned(loadSlot);
    plane.loads.finished(loadSlot);
    this.#mirror.over(this.#answered);
  }

  #leaveConnection(): void {
    const upstream = this.#upstream;
    this.#upstream = null;
    if (upstream === null) return;
    upstream.attempt = null;
    if (this.#reusable && this.#body.done && !upstream.wire.congested) this.#endpoint.release(upstream);
    else upstream.close();
  }

  #count(slot: number, change: number): void {
    const { lane } = this.#endpoint;
    lane[slot] = (lane[slot] ?? 0) + change;
  }
}
