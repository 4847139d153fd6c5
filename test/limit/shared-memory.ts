/** Shared memory for tests that say where keys lie. */
import { systemClock } from '../../src/kernel/clock.ts';
import { createTable, layoutOf } from '../../src/limit/shared-table.ts';
import { StoreTime } from '../../src/limit/store.ts';

/** Memory in which keys lie the same in every run; with one set, all of them in that. */
export function memoryOf(sets: number): SharedArrayBuffer {
  return createTable(layoutOf(sets, 3), Int32Array.of(1, 2), new StoreTime(systemClock).originUs);
}
