/**
 * An endpoint as one worker sees it: its connections, idle or in use, and the requests that wait for one.
 *
 * Invariants: a connection carries one exchange or is idle, never both; the idle list is last in, first out, so a small set
 * stays warm and the rest times out; a request waits only when `connectionsMax` connections are open or being opened.
 * A retired endpoint (gone from the config) gives no connection and closes each as its exchange ends.
 * Cost: taking and giving back an idle connection is a pop and a push.
 */
import { cellHeader, cellLane, type Lane } from '../../kernel/cells.ts';
import { ENDPOINT_SLOTS, endpointSlots as slot } from '../slots.ts';
import type { EndpointPlan } from '../snapshot.ts';
import type { Plane } from './plane.ts';
import type { Service } from './service.ts';
import { UpstreamConnection } from './upstream.ts';
import type { Wire } from './wire.ts';

/** A request that wants a connection. Told once: with a connection, or with the errno name of why there is none. */
export interface Waiter {
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

export class Endpoint {
  readonly plane: Plane;
  service: Service;
  plan: EndpointPlan;
  readonly lane: Lane;
  readonly header: Int32Array;
  retired = false;
  readonly #idle: UpstreamConnection[] = [];
  readonly #queue = new Set<Waiter>(); // insertion order is the order of service
  #open = 0;

  constructor(plane: Plane, service: Service, plan: EndpointPlan) {
    this.plane = plane;
    this.service = service;
    this.plan = plan;
    this.lane = cellLane(plan.cell, ENDPOINT_SLOTS, plane.laneNumber);
    this.header = cellHeader(plan.cell);
  }

  /**
   * Finds a connection for `waiter`: `reuse` allows an idle one. Returns false if the queue is full; otherwise the waiter
   * is told, at once for an idle connection.
   */
  acquire(waiter: Waiter, reuse: boolean): boolean {
    if (reuse) {
      const idle = this.#idle.pop();
      if (idle !== undefined) {
        this.lane[slot.idle] = this.#idle.length;
        this.#count(slot.reuses);
        waiter.onConnection(idle, true);
        return true;
      }
    }
    const { connectionsMax, queueMax } = this.service.plan.limits;
    if (this.#open < connectionsMax) {
      this.#connect(waiter);
      return true;
    }
    if (!reuse) this.#idle.shift()?.close(); // makes room for a fresh one
    if (this.#queue.size >= queueMax) return false;
    waiter.queuedAt = this;
    this.#queue.add(waiter);
    this.lane[slot.queued] = this.#queue.size;
    return true;
  }

  /** `waiter` no longer wants a connection. */
  leave(waiter: Waiter): void {
    if (waiter.queuedAt === this) {
      waiter.queuedAt = null;
      this.#queue.delete(waiter);
      this.lane[slot.queued] = this.#queue.size;
    }
    if (waiter.opening !== null) {
      waiter.opening.cancel();
      waiter.opening = null;
      this.#opened(-1);
      this.#serveQueue();
    }
  }

  /** An exchange is over and left the connection fit for another. */
  release(connection: UpstreamConnection): void {
    const { idleConnectionsMax, requestsPerConnectionMax } = this.service.plan.limits;
    if (this.retired || this.plane.draining || connection.requests >= requestsPerConnectionMax) {
      connection.close();
      return;
    }
    const next = this.#queue.values().next().value;
    if (next !== undefined) {
      this.#leaveQueue(next);
      this.#count(slot.reuses);
      next.onConnection(connection, true);
      return;
    }
    if (this.#idle.length >= idleConnectionsMax) {
      connection.close();
      return;
    }
    connection.rest();
    this.#idle.push(connection);
    this.lane[slot.idle] = this.#idle.length;
  }

  /** A connection is gone, whatever the reason. */
  closed(connection: UpstreamConnection): void {
    const at = this.#idle.lastIndexOf(connection);
    if (at >= 0) {
      this.#idle.splice(at, 1);
      this.lane[slot.idle] = this.#idle.length;
    }
    this.#opened(-1);
    this.#serveQueue();
  }

  /** The endpoint left the config, or the gateway is ending: no new work, idle connections close. */
  retire(): void {
    this.retired = true;
    this.closeIdle();
    for (const waiter of [...this.#queue]) {
      this.#leaveQueue(waiter);
      waiter.onNoConnection('ECANCELED');
    }
  }

  closeIdle(): void {
    for (const connection of this.#idle.splice(0)) connection.close();
    this.lane[slot.idle] = 0;
  }

  #connect(waiter: Waiter): void {
    this.#opened(1);
    this.#count(slot.connects);
    waiter.opening = this.plane.connect(this, (wire: Wire | null, code: string) => {
      waiter.opening = null;
      if (wire === null) {
        this.#count(slot.connectFailures);
        this.#opened(-1);
        this.#serveQueue();
        waiter.onNoConnection(code);
        return;
      }
      waiter.onConnection(new UpstreamConnection(this, wire), false);
    });
  }

  /** A place is free: the first in the queue gets a connection of its own. */
  #serveQueue(): void {
    if (this.retired || this.#queue.size === 0 || this.#open >= this.service.plan.limits.connectionsMax) return;
    const next = this.#queue.values().next().value;
    if (next === undefined) return;
    this.#leaveQueue(next);
    this.#connect(next);
  }

  #leaveQueue(waiter: Waiter): void {
    waiter.queuedAt = null;
    this.#queue.delete(waiter);
    this.lane[slot.queued] = this.#queue.size;
  }

  #opened(change: number): void {
    this.#open += change;
    this.lane[slot.connections] = this.#open;
  }

  #count(which: number): void {
    this.lane[which] = (this.lane[which] ?? 0) + 1;
  }
}
