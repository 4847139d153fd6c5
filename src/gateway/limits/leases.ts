/**
 * The leases that requests of this worker hold of limits on concurrency: given back when the request ends, however it ends, and
 * renewed while it lasts. Those of a worker that dies end by themselves.
 *
 * Invariant: of each meter, leases are in the order of their renewal.
 * Cost: an object a lease; once in a while a look at the oldest lease of each limit.
 */
import type { Meter } from './meter.ts';

/** Renewed when so much of it is over: twice more may fail before it ends. */
const RENEW_AT = 1 / 3;

export interface Lease {
  readonly meter: Meter;
  readonly key: string;
  readonly lease: number;
  /** When it is to be renewed. */
  dueMs: number;
  /** Another that the same request holds. */
  readonly next: Lease | null;
}

export class Leases {
  readonly #held = new Map<Meter, Set<Lease>>();
  /** Of exchanges that are under way. */
  readonly #kept = new Map<object, Lease>();
  readonly #nowMs: () => number;

  /** `nowMs` is read once an event. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  hold(meter: Meter, key: string, lease: number, next: Lease | null): Lease {
    const held: Lease = { meter, key, lease, dueMs: this.#nowMs() + periodMs(meter), next };
    let ofMeter = this.#held.get(meter);
    if (ofMeter === undefined) this.#held.set(meter, (ofMeter = new Set()));
    ofMeter.add(held);
    return held;
  }

  /** The exchange holds the lease, and those that came with it, until it has `ended`. */
  keep(exchange: object, lease: Lease): void {
    this.#kept.set(exchange, lease);
  }

  ended(exchange: object): void {
    if (this.#kept.size === 0) return;
    this.release(this.#kept.get(exchange) ?? null);
    this.#kept.delete(exchange);
  }

  /** Gives back a lease and those that came with it. */
  release(first: Lease | null): void {
    for (let held = first; held !== null; held = held.next) {
      const ofMeter = this.#held.get(held.meter);
      ofMeter?.delete(held);
      // A meter of a config that is over.
      if (ofMeter?.size === 0) this.#held.delete(held.meter);
      held.meter.release(held.key, held.lease);
    }
  }

  /** Renews what is due. */
  tick(nowMs: number): void {
    for (const [meter, leases] of this.#held) {
      for (const held of leases) {
        if (held.dueMs > nowMs) break;
        leases.delete(held);
        held.dueMs = nowMs + periodMs(meter);
        leases.add(held);
        meter.renew(held.key, held.lease);
      }
    }
  }
}

function periodMs({ limiter }: Meter): number {
  return limiter.algorithm.windowMs * RENEW_AT;
}
