/** The limits of one config as a worker runs them, and which of them a request meets: those of its listener and of its route. */
import type { Clock } from '../../kernel/clock.ts';
import { type RemoteStore, sharedMemoryStore } from '../../limit/index.ts';
import type { RoutePlan, Snapshot } from '../snapshot.ts';
import { Gate } from './gate.ts';
import type { Leases } from './leases.ts';
import type { Metered } from './members.ts';
import { type LocalMeter, Meter, type RemoteMeter } from './meter.ts';
import { floorName, type LimitPlan, type LimitUse } from './plan.ts';
import { RemoteGate } from './remote-gate.ts';
import type { Stores } from './stores.ts';

export interface LimitsOptions {
  readonly clock: Clock;
  readonly lane: number;
  readonly leases: Leases;
  /** Those of the config are open. */
  readonly stores: Stores;
}

/** Where none of the limits is in a store, or where some are. */
export type AnyGate = Gate | RemoteGate;

export class Limits {
  readonly #local = new Map<string, readonly LocalMeter[]>();
  readonly #remote = new Map<string, readonly RemoteMeter[]>();
  readonly #listeners: ReadonlyMap<string, readonly LimitUse[]>;
  readonly #leases: Leases;
  readonly #clock: Clock;
  /** By listener. */
  readonly #gates = new Map<string, Map<RoutePlan, AnyGate | null>>();

  private constructor({ limits, listeners }: Snapshot, { clock, lane, leases, stores }: LimitsOptions) {
    const memory = sharedMemoryStore(memoriesOf(limits), { clock });
    // One of each for the config: limits are asked together where they are in the same.
    const opened = new Map<string, RemoteStore>();
    for (const plan of limits) {
      const { name, store } = plan;
      if (store === null) this.#local.set(name, Meter.local(plan, memory, lane));
      else {
        const place = `${store.prefix} ${store.url}`;
        const remote = opened.get(place) ?? stores.get(store, memory);
        opened.set(place, remote);
        this.#remote.set(name, Meter.remote(plan, remote, lane));
      }
    }
    this.#listeners = new Map(listeners.map(({ id, requestLimits }) => [id, requestLimits]));
    this.#leases = leases;
    this.#clock = clock;
  }

  /** Null for a config without limits. */
  static of(snapshot: Snapshot, options: LimitsOptions): Limits | null {
    return snapshot.limits.length === 0 ? null : new Limits(snapshot, options);
  }

  /** What a request meets that came by `listener` and goes by `route`; null if that is nothing. */
  gate(listener: string, route: RoutePlan): AnyGate | null {
    let ofListener = this.#gates.get(listener);
    if (ofListener === undefined) this.#gates.set(listener, (ofListener = new Map()));
    let gate = ofListener.get(route);
    if (gate === undefined) {
      const uses = usesOf(this.#listeners.get(listener) ?? [], route.requestLimits);
      gate = this.#gateOf(uses);
      ofListener.set(route, gate);
    }
    return gate;
  }

  #gateOf(uses: readonly LimitUse[]): AnyGate | null {
    const local = uses.flatMap((use) => metered(use, this.#local.get(use.limit) ?? []));
    const remote = uses.flatMap((use) => metered(use, this.#remote.get(use.limit) ?? []));
    const leases = this.#leases;
    if (remote.length > 0) return new RemoteGate({ local, remote, leases, clock: this.#clock });
    return local.length === 0 ? null : new Gate(local, leases);
  }
}

function metered<M extends Meter>({ cost }: LimitUse, meters: readonly M[]): Metered<M>[] {
  return meters.map((meter) => ({ meter, cost }));
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
