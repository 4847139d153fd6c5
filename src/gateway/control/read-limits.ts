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
  const atListeners = usersOf(listeners.map(({ id, requestLimits }) => ({ name: id, requestLimits })));
  const atRoutes = usersOf(routes);
  return limits.map((plan) => {
    const { name, algorithm, shadow, cell, refusedKeys, store } = plan;
    const count = reader(cell, LIMIT_SLOTS);
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
      listeners: atListeners.get(name) ?? [],
      routes: atRoutes.get(name) ?? [],
      allowed: count(limitSlots.allowed),
      refused: count(limitSlots.refused),
      shadowed: count(limitSlots.shadowed),
      topRefused: topRefusedKeys(refusedKeys, TOP),
    };
  });
}

/** Of each limit, the names of those that have it. */
function usersOf(
  all: readonly Pick<Snapshot['routes'][number], 'name' | 'requestLimits'>[],
): ReadonlyMap<string, readonly string[]> {
  const uses = all.flatMap(({ name, requestLimits }) => requestLimits.map(({ limit }) => ({ limit, name })));
  const byLimit = Map.groupBy(uses, ({ limit }) => limit);
  return new Map([...byLimit].map(([limit, of]) => [limit, of.map(({ name }) => name)]));
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
