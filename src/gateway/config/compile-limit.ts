/** From a limit of the config to its plan: with the memory that all workers count in. */
import type { Algorithm } from '../../limit/index.ts';
import { algorithmOf, floorName, isClaimed, type LimitPlan } from '../limits/plan.ts';
import type { CellStore } from './cell-store.ts';
import type { Limit } from './limit-schema.ts';

/** Whoever has more clients than that in a window says so. */
const KEYS_DEFAULT = 65_536;
/** For algorithms that need much for each key: so much memory at most, by default. */
const NUMBERS_MAX = 2 ** 22;

export function compileLimit(limit: Limit, cells: CellStore): LimitPlan {
  const { name, algorithm, keys, withoutKey: missing, shadow, fields, showKeys } = limit;
  const counting = algorithmOf(algorithm);
  const keysMax = limit.keysMax ?? (keys.length === 0 ? 1 : keysDefault(counting));
  return {
    name,
    algorithm,
    keys,
    missing,
    shadow,
    fields,
    showKeys,
    memory: cells.counters(name, counting, keysMax),
    floor: isClaimed(limit) ? cells.counters(floorName(name), counting, keysMax) : null,
    cell: cells.limit(name),
    refusedKeys: cells.refusedKeys(name),
  };
}

function keysDefault({ width }: Algorithm): number {
  return Math.min(KEYS_DEFAULT, Math.ceil(NUMBERS_MAX / width));
}
