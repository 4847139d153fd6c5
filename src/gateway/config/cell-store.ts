/**
 * The cells of a running gateway, by identity: an endpoint is its service and address, a route and a listener their names.
 *
 * Compiling a new config asks for cells by identity and so gets the old ones for what stays; what is known about an endpoint
 * survives a reload. `retain` forgets what a config that has been applied no longer names.
 */
import { createCell } from '../../kernel/cells.ts';
import type { Cell } from '../../kernel/cells.ts';
import { ENDPOINT_SLOTS, LISTENER_SLOTS, PROCESS_SLOTS, ROUTE_SLOTS } from '../slots.ts';
import type { Snapshot } from '../snapshot.ts';

export class CellStore {
  /** Threads that count: control (lane 0) and the workers. */
  readonly lanes: number;
  readonly process: Cell;
  #cells = new Map<string, Cell>();

  constructor(lanes: number) {
    this.lanes = lanes;
    this.process = createCell(lanes, PROCESS_SLOTS);
  }

  endpoint(service: string, endpoint: string): Cell {
    return this.#cell(endpointKey(service, endpoint), ENDPOINT_SLOTS);
  }

  route(name: string): Cell {
    return this.#cell(`route ${name}`, ROUTE_SLOTS);
  }

  listener(name: string): Cell {
    return this.#cell(`listener ${name}`, LISTENER_SLOTS);
  }

  /** Drops every cell that `snapshot` does not use. Call it when the workers have all applied it. */
  retain(snapshot: Snapshot): void {
    const used = new Set([
      ...snapshot.listeners.map(({ id }) => `listener ${id}`),
      ...snapshot.routes.map(({ name }) => `route ${name}`),
      ...snapshot.services.flatMap(({ name, endpoints }) => endpoints.map(({ id }) => endpointKey(name, id))),
    ]);
    this.#cells = new Map([...this.#cells].filter(([key]) => used.has(key)));
  }

  get size(): number {
    return this.#cells.size;
  }

  #cell(key: string, slots: number): Cell {
    const known = this.#cells.get(key);
    if (known !== undefined) return known;
    const cell = createCell(this.lanes, slots);
    this.#cells.set(key, cell);
    return cell;
  }
}

// A service's name has no space, so the key has one reading.
function endpointKey(service: string, endpoint: string): string {
  return `endpoint ${service} ${endpoint}`;
}
