/** What a cell counts, as one number a slot, whichever threads wrote it. */
import { type Cell, cellLanes, type Lane, sumSlot } from '../../kernel/cells.ts';

/** Reads a slot's sum over all lanes of a cell. */
export function reader(cell: Cell, slots: number): (slot: number) => number {
  const lanes: readonly Lane[] = cellLanes(cell, slots);
  return (slot) => sumSlot(lanes, slot);
}

/**
 * The sums of the first `count` slots as they are now, for numbers that are subtracted from each other at different times. Read from the last slot
 * to the first: a part is counted after the whole and has a later slot, so it is never more than the whole.
 */
export function readNow(cell: Cell, slots: number, count: number): (slot: number) => number {
  const lanes: readonly Lane[] = cellLanes(cell, slots);
  const sums = new Float64Array(count);
  for (let slot = count - 1; slot >= 0; slot -= 1) sums[slot] = sumSlot(lanes, slot);
  return (slot) => sums[slot]!;
}
