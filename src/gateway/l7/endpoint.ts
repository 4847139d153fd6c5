/**
 * An endpoint as one worker sees it: its connections, idle or in use, and the requests that wait for one.
 *
 * Invariants: a connection carries one exchange or is idle, never both; the idle list is last in, first out, so a small set
 * stays warm and the rest times out; a request waits only when `connectionsMax` connections are open or being opened and
 * none is idle, or when all workers together have as many as the endpoint takes (`connection-room.ts`); who waits is served in order, and
 * whoever must have a fresh connection gets one. One whose answer has just ended settles first (`upstream.ts`), neither idle nor in use: it is
 * room for one request, which waits for it beside the queue, where nobody need leave before.
 * An endpoint that is retired (gone from the config, or connected to in another way) or drains keeps no idle connection: what
 * was sent its way, and waits, is still served, until the drain has no more time: then all of it is cut. One that no config has
 * any more has the time of a drain for it (`endAfter`), unless one has it again before that is over.
 * Gauges are added to, never set: while a retired endpoint lasts, its successor may count in the same cell.
 * Cost: taking and giving back an idle connection is a pop and a push.
 */
import { TrafficRecorder, type TrafficResult } from '../../health/index.ts';
import { cellHeader, cellLane, type Lane } from '../../kernel/cells.ts';
import { Deadline, type Timed } from '../../kernel/timer-wheel.ts';
import { CUT, DRAIN, ENDPOINT_SLOTS, endpointSlots as slot, SERVING } from '../slots.ts';
import type { EndpointPlan } from '../snapshot.ts';
import { ConnectionCount } from '../connection-count.ts';
import { ConnectionRoom } from './connection-room.ts';
import type { Plane } from './plane.ts';
import type { Service } from './service.ts';
import { UpstreamConnection } from './upstream.ts';

/** What goes on being wrong is said once in this time, anything else at most as often as the second says. */
const SAME_NOTICE_MS = 60_000;
const NOTICE_MS = 1000;
/** Why there is no connection: the drain of the endpoint has no more time. */
export const DRAIN_OVER = 'ECANCELED';

/** A request that wants a connection. Told once: with a connection, or with the errno name of why there is none. */
export interface Waiter {
  /** A connection is being opened for it: at once, or when it has stood in the queue. */
  onConnecting(): void;
  /** The connection is there, and its TLS handshake begins. */
  onHandshake(): void;
  onConnection(connection: UpstreamConnection, reused: boolean): void;
  onNoConnection(code: string): void;
  /** Set while a connection is being opened for this waiter. */
  opening: Opening | null;
  /** Set while it stands in the queue. */
  queuedAt: Endpoint | null;
}

/** A connection on its way; cancelling it is silent. */
export interface Opening {
  cancel(): void;
}

export class Endpoint implements Timed {
  readonly plane: Plane;
  readonly service: Service;
  plan: EndpointPlan;
  readonly lane: Lane;
  /** The `DRAIN` word is here. */
  readonly #header: Int32Array;
  readonly #connections = new Set<UpstreamConnection>();
  readonly #idle: UpstreamConnection[] = [];
  /** In order of service; true if a connection that served others will do. */
  readonly #queue = new Map<Waiter, boolean>();
  /** Connections that settle: so many of those in the queue are served in a turn. */
  #settling = 0;
  /** Connections, those being opened included. */
  #open = 0;
  /** The same with those of all workers. */
  readonly #count: ConnectionCount;
  #retired = false;
  /** It was retired, and its time is over. */
  #ended = false;
  readonly deadline = new Deadline(this);
  #recorder: TrafficRecorder | null;
  /** Null unless the endpoint has a limit over all workers. */
  #room: ConnectionRoom | null;
  #noticed = '';
  #noticedMs = Number.NEGATIVE_INFINITY;

  constructor(plane: Plane, service: Service, plan: EndpointPlan) {
    this.plane = plane;
    this.service = service;
    this.plan = plan;
    this.lane = cellLane(plan.cell, ENDPOINT_SLOTS, plane.laneNumber);
    this.#header = cellHeader(plan.cell);
    this.#count = new ConnectionCount(plan.cell, plane.laneNumber);
    this.#recorder = recorderOf(this);
    this.#room = this.#roomOf(null);
  }

  /** It drains or has left, and has no more time to finish what it has. */
  get isCut(): boolean {
    return this.#ended || Atomics.load(this.#header, DRAIN) === CUT;
  }

  get retired(): boolean {
    return this.#retired;
  }

  /** What came of an attempt. */
  record(result: TrafficResult, answerMs: number): void {
    if (this.#recorder?.record(result, answerMs) === true) this.plane.rowFull();
  }

  /** A request that came now would not stand in the queue, or only until a connection has settled. */
  get hasRoom(): boolean {
    return this.#idle.length > 0 || this.#settling > this.#queue.size || this.#hasPlace();
  }

  /** There may be one connection more. */
  #hasPlace(): boolean {
    return this.#open < this.service.plan.limits.connectionsMax && this.#room?.isFree !== false;
  }

  /**
   * Finds a connection for `waiter`: `reuse` allows one that served others. Returns false if the queue is full; otherwise
   * the waiter is told, at once for an idle connection.
   */
  acquire(waiter: Waiter, reuse: boolean): boolean {
    const idle = reuse ? this.#idle.pop() : undefined;
    if (idle !== undefined) {
      this.#add(slot.idle, -1);
      idle.wake();
      this.#reuse(waiter, idle);
      return true;
    }
    // Of no use to this waiter, the one that has been idle longest makes room.
    if (!this.#hasPlace()) this.#idle[0]?.close();
    // A place that another worker gave back is seen by whoever comes first, and is for those who wait.
    if (this.#queue.size > 0) this.#serveQueue();
    if (this.#queue.size === 0 && this.#takePlace()) {
      this.#connect(waiter);
      return true;
    }
    if (this.#queue.size >= this.service.plan.limits.queueMax + this.#settling) return false;
    waiter.queuedAt = this;
    this.#queue.set(waiter, reuse);
    this.#add(slot.queued, 1);
    this.#changed();
    this.#room?.watch();
    return true;
  }

  /** `waiter` no longer wants a connection. */
  leave(waiter: Waiter): void {
    if (waiter.queuedAt === this) this.#leaveQueue(waiter);
    if (waiter.opening !== null) {
      waiter.opening.cancel();
      waiter.opening = null;
      this.#givePlaceBack();
      this.#serveQueue();
    }
  }

  /** An exchange is over and, as far as is known, left the connection fit for another. */
  release(connection: UpstreamConnection): void {
    this.#settling += 1;
    connection.settle();
  }

  /** Some request stands in the queue. */
  get isAwaited(): boolean {
    return this.#queue.size > 0;
  }

  /** Nothing came behind the answer. */
  settled(connection: UpstreamConnection): void {
    this.#settling -= 1;
    const { connectionsMax, requestsPerConnectionMax } = this.service.plan.limits;
    const room = this.#room;
    const waiting = this.#queue.size;
    if (connection.requests >= requestsPerConnectionMax || this.#open > connectionsMax || room?.isOver === true) {
      connection.close();
    } else if (waiting > 0 && room?.mustShare(this.#open, waiting) === true) {
      room.giveUp();
      connection.close();
    } else if (waiting > 0) this.#handOver(connection);
    else this.#keep(connection);
  }

  /** A connection is gone, whatever the reason. */
  closed(connection: UpstreamConnection): void {
    this.#connections.delete(connection);
    if (connection.isSettling) this.#settling -= 1;
    const at = this.#idle.lastIndexOf(connection);
    if (at >= 0) {
      this.#idle.splice(at, 1);
      this.#add(slot.idle, -1);
    }
    this.#givePlaceBack();
    this.#serveQueue();
  }

  /** The limits of the service may be others: what is over them closes, and who waits gets the room there is. */
  limitsChanged(): void {
    this.#recorder = recorderOf(this);
    this.#room = this.#roomOf(this.#room);
    const { connectionsMax, idleConnectionsMax } = this.service.plan.limits;
    const isOver = (): boolean =>
      this.#open > connectionsMax || this.#idle.length > idleConnectionsMax || this.#room?.isOver === true;
    while (this.#idle.length > 0 && isOver()) this.#idle[0]?.close();
    this.#serveQueue();
  }

  /** `before`, if the limit is what it was. */
  #roomOf(before: ConnectionRoom | null): ConnectionRoom | null {
    const { cell, connectionsMax } = this.plan;
    if (before?.connectionsMax === connectionsMax) return before;
    before?.discard();
    if (connectionsMax === null) return null;
    const look = (): boolean => this.#lookAround();
    const room = new ConnectionRoom({ plane: this.plane, count: this.#count, cell, connectionsMax, look });
    if (this.#idle.length + this.#queue.size > 0) room.watch();
    return room;
  }

  /** What other workers do is known by looking: there may be a place for who waits here, or somebody there waits for what is unused here. */
  #lookAround(): boolean {
    this.#serveQueue();
    const [oldest] = this.#idle;
    // Beside an idle one waits only who must have a fresh one: it makes room, as when that request came.
    if (this.#queue.size > 0) oldest?.close();
    else if (oldest !== undefined && this.#room?.isWanted === true) {
      this.#room.giveUp();
      oldest.close();
    }
    return this.#idle.length + this.#queue.size > 0;
  }

  retire(): void {
    this.#retired = true;
    this.closeIdle();
  }

  /** What it still has is cut after this time. The first call counts. */
  endAfter(ms: number): void {
    const { plane } = this;
    if (this.deadline.atMs === Number.POSITIVE_INFINITY) plane.wheel.arm(this.deadline, plane.nowMs + ms);
  }

  /** Some config has it again. */
  endNever(): void {
    this.plane.wheel.disarm(this.deadline);
  }

  onDeadline(): void {
    this.#ended = true;
    this.plane.heedDrainsSoon();
  }

  /** A drain may have begun or ended here, or have no more time. */
  heedDrain(): void {
    if (this.#drains()) this.closeIdle();
    if (!this.isCut) return;
    for (const waiter of [...this.#queue.keys()]) {
      this.#leaveQueue(waiter);
      waiter.onNoConnection(DRAIN_OVER);
    }
    for (const { attempt } of [...this.#connections]) attempt?.cut();
  }

  #drains(): boolean {
    return Atomics.load(this.#header, DRAIN) !== SERVING;
  }

  closeIdle(): void {
    while (this.#idle.length > 0) this.#idle.at(-1)?.close();
  }

  /** Something that an operator may want to know; said no more often than a person can read. */
  notice(problem: string): void {
    const { plane } = this;
    const quietMs = problem === this.#noticed ? SAME_NOTICE_MS : NOTICE_MS;
    if (plane.nowMs - this.#noticedMs < quietMs) return;
    this.#noticed = problem;
    this.#noticedMs = plane.nowMs;
    plane.notice(`endpoint ${this.plan.id} of ${this.service.plan.name}: ${problem}`);
  }

  /** To the first in the queue, unless that one must have a fresh connection: then this one makes room. */
  #handOver(connection: UpstreamConnection): void {
    for (const [next, reuse] of this.#queue) {
      if (!reuse) break;
      this.#leaveQueue(next);
      this.#reuse(next, connection);
      return;
    }
    connection.close();
  }

  #keep(connection: UpstreamConnection): void {
    const full = this.#idle.length >= this.service.plan.limits.idleConnectionsMax;
    if (full || this.#retired || this.#drains() || this.plane.draining) {
      connection.close();
      return;
    }
    connection.rest();
    this.#idle.push(connection);
    this.#add(slot.idle, 1);
    this.#room?.watch();
  }

  #reuse(waiter: Waiter, connection: UpstreamConnection): void {
    this.#add(slot.reuses, 1);
    waiter.onConnection(connection, true);
  }

  /** Counts one connection more, if there may be one. */
  #takePlace(): boolean {
    if (!this.#hasPlace() || !this.#count.take(this.plan.connectionsMax ?? Number.POSITIVE_INFINITY)) return false;
    this.#open += 1;
    this.#changed();
    return true;
  }

  #givePlaceBack(): void {
    this.#open -= 1;
    this.#count.giveBack();
    this.#changed();
  }

  /** Its place is taken. */
  #connect(waiter: Waiter): void {
    this.#add(slot.connects, 1);
    waiter.onConnecting();
    const onHandshake = (): void => waiter.onHandshake();
    waiter.opening = this.service.connect(this.plan, onHandshake, (wire, code, reason) => {
      waiter.opening = null;
      if (wire === null) {
        this.notice(`no connection: ${reason}`);
        this.#add(slot.connectFailures, 1);
        this.#noConnection(waiter, code);
        return;
      }
      if (this.service.plan.tls !== null) this.#add(slot.tlsHandshakes, 1);
      if (this.isCut) {
        wire.close();
        this.#noConnection(waiter, DRAIN_OVER);
        return;
      }
      const connection = new UpstreamConnection(this, wire);
      this.#connections.add(connection);
      waiter.onConnection(connection, false);
    });
  }

  #noConnection(waiter: Waiter, code: string): void {
    this.#givePlaceBack();
    this.#serveQueue();
    waiter.onNoConnection(code);
  }

  /** Where there is room, the next in the queue gets a connection of its own. */
  #serveQueue(): void {
    for (const next of this.#queue.keys()) {
      if (!this.#takePlace()) return;
      this.#leaveQueue(next);
      this.#connect(next);
    }
  }

  #leaveQueue(waiter: Waiter): void {
    waiter.queuedAt = null;
    this.#queue.delete(waiter);
    this.#add(slot.queued, -1);
    this.#changed();
  }

  /** It has something now, or has no more. */
  #changed(): void {
    const { busy, wheel } = this.plane;
    if (this.#open + this.#queue.size > 0) busy.add(this);
    else {
      busy.delete(this);
      wheel.remove(this.deadline);
    }
  }

  #add(which: number, change: number): void {
    this.lane[which] = (this.lane[which] ?? 0) + change;
  }
}

/** Null where traffic is not judged. */
function recorderOf({ plan, plane, service }: Endpoint): TrafficRecorder | null {
  const { judged } = service.plan;
  if (judged === null) return null;
  return new TrafficRecorder({ cell: plan.traffic, lane: plane.laneNumber, row: judged.row });
}
