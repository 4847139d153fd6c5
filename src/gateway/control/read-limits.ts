/** What limits have decided, and about whom, and how their stores do, read out of the memory that workers count in. */
import { limitSlots, LIMIT_SLOTS, STORE_SLOTS, storeSlots } from '../slots.ts';
import { describeAlgorithm, describeKey, describeOutage } from '../limits/describe.ts';
import type { StorePlan } from '../limits/stores.ts';
import { topRefusedKeys } from '../../limit/refused-keys.ts';
import type { Snapshot } from '../snapshot.ts';
import type { LimitState, StoreState } from './gateway-state.ts';
import { readDurations } from './read-durations.ts';
import { reader } from './read-cell.ts';

/** How many of the keys that are refused most are told. */
const TOP = 10;

export function readLimits({ limits, listeners, routes }: Snapshot): LimitState[] {
  return limits.map((plan) => {
    const { name, algorithm, shadow, cell, refusedKeys, store } = plan;
    const count = reader(cell, LIMIT_SLOTS);
    const names = ({ requestLimits }: Snapshot['listeners'][number] | Snapshot['routes'][number]): boolean =>
      requestLimits.some(({ limit }) => limit === name);
    return {
      name,
      algorithm: describeAlgorithm(algorithm),
      key: describeKey(plan),
      shadow,
      store:
        store === null
          ? null
          : {
              name: store.name,
              outage: describeOutage(store.outage),
              decisions: {
                store: count(limitSlots.byStore),
                cache: count(limitSlots.byCache),
                fallback: count(limitSlots.byFallback),
                open: count(limitSlots.byOpen),
                closed: count(limitSlots.byClosed),
              },
            },
      listeners: listeners.filter(names).map(({ id }) => id),
      routes: routes.filter(names).map((route) => route.name),
      allowed: count(limitSlots.allowed),
      refused: count(limitSlots.refused),
      shadowed: count(limitSlots.shadowed),
      topRefused: topRefusedKeys(refusedKeys, TOP),
    };
  });
}

/** Each server once, however many limits are counted in it. */
export function storesOf({ limits }: Snapshot): StorePlan[] {
  const stores = limits.flatMap(({ store }) => (store === null ? [] : [store]));
  return [...new Map(stores.map((store) => [store.name, store])).values()];
}

export function readStores(snapshot: Snapshot): StoreState[] {
  return storesOf(snapshot).map(({ name, cell }) => {
    const count = reader(cell, STORE_SLOTS);
    const [calls, failures] = [count(storeSlots.calls), count(storeSlots.failures)];
    const answers = readDurations([cell], STORE_SLOTS, storeSlots);
    const meanMs = answers.count > 0 ? answers.mean : null;
    return { name, downFor: count(storeSlots.down), calls, failures, meanMs };
  });
}
