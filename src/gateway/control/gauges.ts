/**
 * Takes a dead thread's share out of every gauge. Counters stay: what it counted did happen. O(cells).
 *
 * Call only after the thread has stopped: a lane has one writer, and until then that is the thread.
 */
import { clearLane } from '../../balance/index.ts';
import { cellLane } from '../../kernel/cells.ts';
import {
  ENDPOINT_GAUGES,
  ENDPOINT_SLOTS,
  LISTENER_GAUGES,
  LISTENER_SLOTS,
  PROCESS_GAUGES,
  PROCESS_SLOTS,
  ROUTE_GAUGES,
  ROUTE_SLOTS,
  STORE_GAUGES,
  STORE_SLOTS,
} from '../slots.ts';
import type { Snapshot } from '../snapshot.ts';

export function clearGauges(snapshot: Snapshot, lane: number): void {
  for (const service of snapshot.services) {
    for (const endpoint of service.endpoints) cellLane(endpoint.cell, ENDPOINT_SLOTS, lane).fill(0, 0, ENDPOINT_GAUGES);
  }
  for (const route of snapshot.routes) cellLane(route.cell, ROUTE_SLOTS, lane).fill(0, 0, ROUTE_GAUGES);
  for (const { store } of snapshot.limits) {
    if (store !== null) cellLane(store.cell, STORE_SLOTS, lane).fill(0, 0, STORE_GAUGES);
  }
  for (const listener of snapshot.listeners) cellLane(listener.cell, LISTENER_SLOTS, lane).fill(0, 0, LISTENER_GAUGES);
  cellLane(snapshot.cell, PROCESS_SLOTS, lane).fill(0, 0, PROCESS_GAUGES);
  clearLane(snapshot.loads, lane);
}
