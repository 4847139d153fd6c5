/** From a limit of the config to its plan: with the memory that all workers count in, and the store, if it has one. */
import type { Algorithm } from '../../limit/index.ts';
import { algorithmOf, floorName, isClaimed, type LimitPlan } from '../limits/plan.ts';
import type { CellStore } from './cell-store.ts';
import type { Limit } from './limit-schema.ts';
import { redisName } from './redis-url.ts';

/** Whoever has more clients than that in a window says so. */
const KEYS_DEFAULT = 65_536;
/** For algorithms that need much for each key: so much memory at most, by default. */
const NUMBERS_MAX = 2 ** 22;

/** `url`: of its store, as it was read. */
export function compileLimit(limit: Limit, cells: CellStore, url?: string): LimitPlan {
  const { name, algorithm, keys, withoutKey: missing, shadow, fields, showKeys } = limit;
  const store = storeOf(limit, cells, url);
  const whole = algorithmOf(algorithm);
  const counting = store === null ? whole : whole.share(store.outage.share);
  const keysMax = limit.keysMax ?? (keys.length === 0 ? 1 : keysDefault(counting));
  return {
    name,
    algorithm,
    keys,
    missing,
    shadow,
    fields,
    showKeys,
    store,
    memory: cells.counters(name, counting, keysMax),
    floor: isClaimed(limit) ? cells.counters(floorName(name), counting, keysMax) : null,
    cell: cells.limit(name),
    refusedKeys: cells.refusedKeys(name),
  };
}

function storeOf({ name, store }: Limit, cells: CellStore, url: string | undefined): LimitPlan['store'] {
  if (store === null) return null;
  if (url === undefined) throw new TypeError(`not read with the config: the store of limit ${name}`);
  const place = redisName(url);
  return { url, name: place, prefix: store.prefix, outage: store.outage, cell: cells.store(place) };
}

function keysDefault({ width }: Algorithm): number {
  return Math.min(KEYS_DEFAULT, Math.ceil(NUMBERS_MAX / width));
}
