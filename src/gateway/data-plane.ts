/**
 * One worker's data plane as a whole: the `Plane` that requests run through, the listeners in front of it, and the slow
 * periodic work beside it (deadlines, the event loop's lag, gauges).
 */
import { getHeapStatistics } from 'node:v8';
import { cellHeader, cellLane, type Lane } from '../kernel/cells.ts';
import type { Timer } from '../kernel/clock.ts';
import { Listener } from './l7/listener.ts';
import { Plane, type PlaneOptions } from './l7/plane.ts';
import { LEAVE_MS } from './l7/tunnel.ts';
import { DRAIN_CHANGES, PROCESS_SLOTS, processSlots } from './slots.ts';
import type { CanaryPlan, ListenerPlan, Snapshot } from './snapshot.ts';

/** How often gauges are written and the lag is judged. */
const GAUGE_MS = 1000;
/**
 * An event loop this late is overloaded: a request would wait longer than people do. If it was so lately too, for once it is late when the
 * machine stood still, or was moved; then all that waits is taken up at once, and nothing is won by refusing it.
 */
const LAG_MAX_MS = 1000;
const LATELY_MS = 10_000;
/**
 * How long an idle connection of a listener that left the config may still bring a request. One that is on its way when the
 * reload comes would meet a closed connection (RFC 9112 §9.5), and a client may not send every method again. At most half of
 * the time for a drain, after which all is cut.
 */
const LAST_REQUEST_MS = 5000;

export class DataPlane {
  readonly #plane: Plane;
  readonly #lane: Lane;
  readonly #header: Int32Array;
  readonly #listeners = new Map<string, Listener>();
  /** Listeners that are closed but still have connections. */
  readonly #leaving = new Set<Listener>();
  readonly #timers: Timer[];
  #nextMs: number;
  #lagMs = 0;
  #lateMs = Number.NEGATIVE_INFINITY;
  #gaugesDueMs = 0;
  #drainChanges = 0;
  #drained: Promise<void> | null = null;
  /** While draining: no connection is left. */
  readonly #empty = Promise.withResolvers<void>();
  #cut: Timer | null = null;
  #cutMs = Number.POSITIVE_INFINITY;

  constructor(options: PlaneOptions) {
    const plane = new Plane(options);
    this.#plane = plane;
    this.#lane = cellLane(options.snapshot.cell, PROCESS_SLOTS, options.lane);
    this.#header = cellHeader(options.snapshot.cell);
    this.#nextMs = plane.nowMs + plane.wheel.tickMs;
    // Who looks right after the start must not take a 0 for the truth.
    this.#writeGauges();
    this.#timers = [options.clock.every(plane.wheel.tickMs, () => this.#onTick(), { ref: true })];
  }

  /**
   * Runs by `snapshot` from now on. New listeners are bound first: a config that cannot be served changes nothing.
   * Resolves with the ports of listeners that asked for a free one.
   */
  async apply(snapshot: Snapshot, ports: Readonly<Record<string, number>>): Promise<Record<string, number>> {
    const plane = this.#plane;
    const bound: Record<string, number> = {};
    const added: Listener[] = [];
    const kept = new Set<string>();
    try {
      for (const plan of snapshot.listeners) {
        const key = keyOf(plan);
        const running = this.#listeners.get(key);
        if (running !== undefined) {
          running.check(plan);
          kept.add(key);
          bound[plan.id] = running.port;
          continue;
        }
        const listener = new Listener(plane, plan, () => this.#onLeft());
        added.push(listener);
        bound[plan.id] = await listener.listen(plan.port === 0 ? (ports[plan.id] ?? 0) : plan.port);
      }
      await plane.stores.open(snapshot);
      plane.apply(snapshot);
    } catch (error) {
      for (const listener of added) listener.close(0);
      throw error;
    } finally {
      plane.retainStores();
    }
    for (const [key, listener] of this.#listeners) {
      if (kept.has(key)) continue;
      this.#listeners.delete(key);
      listener.close(Math.min(LAST_REQUEST_MS, snapshot.drainTimeoutMs / 2));
      this.#leaving.add(listener);
      this.#endAfter(snapshot.drainTimeoutMs, new Set([listener]));
    }
    for (const listener of added) this.#listeners.set(keyOf(listener.plan), listener);
    for (const plan of snapshot.listeners) this.#listeners.get(keyOf(plan))?.apply(plan);
    for (const listener of added) listener.open();
    return bound;
  }

  /** Memory lent out at this moment; the gauge of it is written once a second. */
  get bufferedBytes(): number {
    return this.#plane.buffers.bytes;
  }

  /**
   * Finishes what runs and resolves when nothing does; after `timeoutMs` the rest is cut. Called again while it drains, it
   * can only bring the cut forward.
   */
  async drain(timeoutMs: number): Promise<void> {
    this.#drained ??= this.#drain();
    this.#cutAfter(timeoutMs);
    await this.#drained;
  }

  async #drain(): Promise<void> {
    const plane = this.#plane;
    plane.drain();
    for (const listener of this.#listeners.values()) this.#leaving.add(listener);
    this.#listeners.clear();
    for (const listener of this.#leaving) listener.close(0);
    this.#onLeft();
    await this.#empty.promise;
    for (const timer of this.#timers) timer.clear();
    this.#cut?.clear();
    await plane.stores.end();
    plane.tracer.end();
    await plane.accounts.close();
  }

  #cutAfter(timeoutMs: number): void {
    const cutMs = this.#plane.clock.nowMs() + timeoutMs;
    if (cutMs >= this.#cutMs) return;
    this.#cutMs = cutMs;
    this.#cut?.clear();
    this.#cut = this.#endAfter(timeoutMs, this.#leaving);
  }

  /** Cuts what these listeners still have when the time is over; tunnels get the last of it to say goodbye. */
  #endAfter(timeoutMs: number, listeners: ReadonlySet<Listener>): Timer {
    const { clock, tunnels } = this.#plane;
    const goodbyeMs = Math.min(LEAVE_MS, timeoutMs / 2);
    const cut = (): void => {
      for (const listener of listeners) listener.cut();
    };
    const leave = (): void => {
      this.#plane.readClock();
      for (const tunnel of tunnels) if (listeners.has(tunnel.client.listener)) tunnel.leave();
      timer = clock.after(goodbyeMs, cut, { ref: true });
    };
    let timer = clock.after(timeoutMs - goodbyeMs, leave, { ref: true });
    return { clear: () => timer.clear() };
  }

  /** A connection has gone, or none need go. */
  #onLeft(): void {
    if (!this.#plane.draining) return;
    for (const listener of this.#leaving) if (listener.connections > 0) return;
    this.#empty.resolve();
  }

  /** Puts a config on trial, or ends the trial. Throws, with nothing changed, if it cannot be run. */
  async setCanary(plan: CanaryPlan | null): Promise<void> {
    const plane = this.#plane;
    try {
      if (plan !== null) await plane.stores.open(plan.snapshot);
      plane.setCanary(plan);
    } finally {
      plane.retainStores();
    }
  }

  reopenLog(): void {
    this.#plane.accounts.reopen();
  }

  #onTick(): void {
    const plane = this.#plane;
    plane.readClock();
    const late = plane.nowMs - this.#nextMs;
    if (late > this.#lagMs) this.#lagMs = late;
    this.#nextMs = plane.nowMs + plane.wheel.tickMs;
    plane.wheel.advance(plane.nowMs);
    const isLate = late > LAG_MAX_MS;
    plane.lagging = isLate && plane.nowMs - this.#lateMs < LATELY_MS;
    if (isLate) this.#lateMs = plane.nowMs;
    plane.leases.tick(plane.nowMs);
    plane.tracer.tick();
    const drainChanges = Atomics.load(this.#header, DRAIN_CHANGES);
    if (drainChanges !== this.#drainChanges) {
      this.#drainChanges = drainChanges;
      plane.heedDrains();
    }
    if (plane.nowMs >= this.#gaugesDueMs) this.#writeGauges();
  }

  #writeGauges(): void {
    const plane = this.#plane;
    this.#gaugesDueMs = plane.nowMs + GAUGE_MS;
    this.#lane[processSlots.loopLagMs] = this.#lagMs;
    this.#lane[processSlots.memoryBytes] = plane.buffers.bytes;
    // Not of `process.memoryUsage()`, which opens a file, and throws when there is no descriptor left.
    this.#lane[processSlots.heapBytes] = getHeapStatistics().used_heap_size;
    this.#lagMs = 0;
    for (const listener of this.#leaving) if (listener.connections === 0) this.#leaving.delete(listener);
  }
}

/** A listener with the same key keeps its socket and its connections. */
function keyOf(plan: ListenerPlan): string {
  return JSON.stringify([plan.id, plan.host, plan.port, plan.tls !== null, plan.proxyProtocol]);
}
