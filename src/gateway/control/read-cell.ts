/** What a cell counts, as one number a slot, whichever threads wrote it. */
import { type Cell, cellLanes, type Lane, sumSlot } from '../../kernel/cells.ts';

/** Reads a slot's sum over all lanes of a cell. */
export function reader(cell: Cell, slots: number): (slot: number) => number {
  const lanes: readonly Lane[] = cellLanes(cell, slots);
  return (slot) => sumSlot(lanes, slot);
}
