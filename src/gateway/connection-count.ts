/**
 * How many connections there are to an endpoint, by all workers: one number that they change at once, and of it the part of each in its lane, so
 * that what a worker had that died can be taken off (`clearConnections`). The two are changed in one breath, without a call or a loop
 * at which a thread can be ended.
 *
 * Invariant: of workers that want the last place at the same moment one has it, and nobody is kept from a place by one who does not get it.
 * Cost: an atomic instruction or two for a connection that is opened, and one for each that ends.
 */
import { type Cell, cellHeader, cellLane, type Lane } from '../kernel/cells.ts';
import { CONNECTIONS, ENDPOINT_SLOTS, endpointSlots as slot } from './slots.ts';

export class ConnectionCount {
  readonly #header: Int32Array;
  readonly #lane: Lane;

  /** As the thread at `lane` counts. */
  constructor(cell: Cell, lane: number) {
    this.#header = cellHeader(cell);
    this.#lane = cellLane(cell, ENDPOINT_SLOTS, lane);
  }

  /** Of all workers. */
  get total(): number {
    return Atomics.load(this.#header, CONNECTIONS);
  }

  /** Counts one more, unless there are `max`. */
  take(max: number): boolean {
    for (;;) {
      const { total } = this;
      if (total >= max) return false;
      if (Atomics.compareExchange(this.#header, CONNECTIONS, total, total + 1) !== total) continue;
      this.#lane[slot.connections]! += 1;
      return true;
    }
  }

  giveBack(): void {
    Atomics.sub(this.#header, CONNECTIONS, 1);
    this.#lane[slot.connections]! -= 1;
  }
}

/** Takes off those of a thread that has ended, before another has its lane. */
export function clearConnections(cell: Cell, lane: number): void {
  const counts = cellLane(cell, ENDPOINT_SLOTS, lane);
  Atomics.sub(cellHeader(cell), CONNECTIONS, counts[slot.connections]!);
  counts[slot.connections] = 0;
}
