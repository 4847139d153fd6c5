/** The limits of one config as a worker runs them, and which of them a request meets: those of its listener and of its route. */
import type { Clock } from '../../kernel/clock.ts';
import { sharedMemoryStore } from '../../limit/index.ts';
import type { RoutePlan, Snapshot } from '../snapshot.ts';
import { Gate, type Metered } from './gate.ts';
import type { Leases } from './leases.ts';
import { Meter } from './meter.ts';
import { floorName, type LimitPlan, type LimitUse } from './plan.ts';

export interface LimitsOptions {
  readonly clock: Clock;
  readonly lane: number;
  readonly leases: Leases;
}

export class Limits {
  readonly #meters: ReadonlyMap<string, readonly Meter[]>;
  readonly #listeners: ReadonlyMap<string, readonly LimitUse[]>;
  readonly #leases: Leases;
  /** By listener. */
  readonly #gates = new Map<string, Map<RoutePlan, Gate | null>>();

  private constructor({ limits, listeners }: Snapshot, { clock, lane, leases }: LimitsOptions) {
    const store = sharedMemoryStore(memoriesOf(limits), { clock });
    this.#meters = new Map(limits.map((plan) => [plan.name, Meter.of(plan, store, lane)]));
    this.#listeners = new Map(listeners.map(({ id, requestLimits }) => [id, requestLimits]));
    this.#leases = leases;
  }

  /** Null for a config without limits. */
  static of(snapshot: Snapshot, options: LimitsOptions): Limits | null {
    return snapshot.limits.length === 0 ? null : new Limits(snapshot, options);
  }

  /** What a request meets that came by `listener` and goes by `route`; null if that is nothing. */
  gate(listener: string, route: RoutePlan): Gate | null {
    let ofListener = this.#gates.get(listener);
    if (ofListener === undefined) this.#gates.set(listener, (ofListener = new Map()));
    let gate = ofListener.get(route);
    if (gate === undefined) {
      const uses = usesOf(this.#listeners.get(listener) ?? [], route.requestLimits);
      const metered = uses.flatMap(({ limit, cost }) =>
        this.#metersOf(limit).map((meter): Metered => ({ meter, cost })),
      );
      gate = metered.length === 0 ? null : new Gate(metered, this.#leases);
      ofListener.set(route, gate);
    }
    return gate;
  }

  #metersOf(limit: string): readonly Meter[] {
    const meters = this.#meters.get(limit);
    if (meters === undefined) throw new RangeError(`no such limit: ${limit}`);
    return meters;
  }
}

/** Each limit once: where both name it, the route says what it costs. */
export function usesOf(ofListener: readonly LimitUse[], ofRoute: readonly LimitUse[]): readonly LimitUse[] {
  const named = new Set(ofRoute.map(({ limit }) => limit));
  return [...ofListener.filter(({ limit }) => !named.has(limit)), ...ofRoute];
}

/** Where each limiter counts, by its name. */
export function memoriesOf(limits: readonly LimitPlan[]): Record<string, SharedArrayBuffer> {
  return Object.fromEntries(
    limits.flatMap(({ name, memory, floor }): [string, SharedArrayBuffer][] =>
      floor === null
        ? [[name, memory]]
        : [
            [name, memory],
            [floorName(name), floor],
          ],
    ),
  );
}
