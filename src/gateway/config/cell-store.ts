/**
 * The shared memory of a running gateway, by identity: an endpoint is its service and address, a route and a listener their
 * names. Each has a cell, and an endpoint a slot in the table of loads besides.
 *
 * Compiling a new config asks for cells by identity and so gets the old ones for what stays; what is known about an endpoint
 * survives a reload. `retain` forgets what a config that has been applied no longer names, but for an endpoint that still has work: one that
 * is put back meanwhile goes on with it, so what it may have at most is one number.
 */
import { clearLane, clearSlot, createLoadTable, type LoadTable, Loads } from '../../balance/index.ts';
import { createTrafficCell } from '../../health/index.ts';
import { type Cell, cellLane, cellLanes, createCell, sumSlot } from '../../kernel/cells.ts';
import { type Clock, systemClock } from '../../kernel/clock.ts';
import { SpillwayError } from '../../kernel/errors.ts';
import { createRandom } from '../../kernel/random.ts';
import { type Algorithm, createSharedMemory } from '../../limit/index.ts';
import { createRefusedKeys } from '../../limit/refused-keys.ts';
import { clearConnections } from '../connection-count.ts';
import {
  ARM_SLOTS,
  BREAKER_SLOTS,
  ENDPOINT_GAUGES,
  ENDPOINT_SLOTS,
  LIMIT_SLOTS,
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

/** Endpoints of all services together. Memory is only taken for those that are there: 40 B and 8 B a worker each. */
export const ENDPOINTS_MAX = 65_536;

interface Kept {
  readonly cell: Cell;
  readonly slots: number;
  /** Slots [0, gauges) are gauges. */
  readonly gauges: number;
}

export class CellStore {
  /** Threads that count: control (lane 0) and the workers. */
  readonly lanes: number;
  readonly process: Cell;
  readonly loads: LoadTable;
  readonly #clock: Pick<Clock, 'wallMs'>;
  readonly #allLoads: Loads;
  #traffic = new Map<string, Cell>();
  #slots = new Map<string, number>();
  /** Of `loads`, those that endpoints have. */
  #taken = new Set<number>();
  #lastSlot = -1;
  /** So many are taken by endpoints that are there, and not by those of a config that is being made. */
  #kept = 0;
  #endpoints = new Map<string, Cell>();
  #cells = new Map<string, Kept>();
  #counters = new Map<string, SharedArrayBuffer>();
  #refusedKeys = new Map<string, SharedArrayBuffer>();

  /** By the clock each cell knows since when it counts. */
  constructor(lanes: number, clock: Pick<Clock, 'wallMs'> = systemClock) {
    this.lanes = lanes;
    this.#clock = clock;
    this.process = createCell(lanes, PROCESS_SLOTS, clock.wallMs());
    this.loads = createLoadTable(ENDPOINTS_MAX, lanes);
    this.#allLoads = new Loads(this.loads, 0);
  }

  endpoint(service: string, endpoint: string): Cell {
    const key = endpointKey(service, endpoint);
    const cell = this.#endpoints.get(key) ?? createCell(this.lanes, ENDPOINT_SLOTS, this.#clock.wallMs());
    this.#endpoints.set(key, cell);
    return cell;
  }

  /** Where the endpoint's traffic is counted, to be judged. */
  traffic(service: string, endpoint: string): Cell {
    const key = endpointKey(service, endpoint);
    const cell = this.#traffic.get(key) ?? createTrafficCell(this.lanes);
    this.#traffic.set(key, cell);
    return cell;
  }

  /** The endpoint's place in `loads`. */
  loadSlot(service: string, endpoint: string): number {
    const key = endpointKey(service, endpoint);
    const slot = this.#slots.get(key) ?? this.#freeSlot();
    this.#slots.set(key, slot);
    return slot;
  }

  route(name: string): Cell {
    return this.#cell(`route ${name}`, ROUTE_SLOTS, ROUTE_GAUGES);
  }

  /** An arm of a split. */
  arm(route: string, name: string): Cell {
    return this.#cell(armKey(route, name), ARM_SLOTS);
  }

  /** Of a service that has a breaker. */
  breaker(service: string): Cell {
    return this.#cell(`breaker ${service}`, BREAKER_SLOTS);
  }

  listener(name: string): Cell {
    return this.#cell(`listener ${name}`, LISTENER_SLOTS, LISTENER_GAUGES);
  }

  limit(name: string): Cell {
    return this.#cell(`limit ${name}`, LIMIT_SLOTS);
  }

  /** A store of limits, by its address without the password. */
  store(name: string): Cell {
    return this.#cell(`store ${name}`, STORE_SLOTS, STORE_GAUGES);
  }

  /** Where the limiter of that name counts by this algorithm; counters that cannot be gone on with are others. */
  counters(limiter: string, algorithm: Algorithm, keysMax: number): SharedArrayBuffer {
    const key = `${limiter} ${algorithm.layout} ${keysMax}`;
    const known = this.#counters.get(key) ?? createSharedMemory({ keysMax, algorithms: [algorithm] });
    this.#counters.set(key, known);
    return known;
  }

  /** Whom the limit refuses most. */
  refusedKeys(limit: string): SharedArrayBuffer {
    const known = this.#refusedKeys.get(limit) ?? createRefusedKeys(this.lanes, createRandom());
    this.#refusedKeys.set(limit, known);
    return known;
  }

  /**
   * Takes the share of a thread out of every gauge. Counters stay: what it counted did happen. Call it when the thread has ended and no other has
   * its lane yet: until then that is its own.
   */
  clearLane(lane: number): void {
    for (const cell of this.#endpoints.values()) {
      clearConnections(cell, lane);
      cellLane(cell, ENDPOINT_SLOTS, lane).fill(0, 0, ENDPOINT_GAUGES);
    }
    for (const { cell, slots, gauges } of this.#cells.values()) cellLane(cell, slots, lane).fill(0, 0, gauges);
    cellLane(this.process, PROCESS_SLOTS, lane).fill(0, 0, PROCESS_GAUGES);
    clearLane(this.loads, lane);
  }

  /** Drops every cell that none of `snapshots` uses, unless it is an endpoint's that has work. Call it when the workers have all applied them. */
  retain(...snapshots: readonly Snapshot[]): void {
    const used = new Set(snapshots.flatMap(keysOf));
    for (const [key, cell] of this.#endpoints) if (!used.has(key) && hasWork(cell)) used.add(key);
    this.#endpoints = new Map([...this.#endpoints].filter(([key]) => used.has(key)));
    this.#cells = new Map([...this.#cells].filter(([key]) => used.has(key)));
    this.#traffic = new Map([...this.#traffic].filter(([key]) => used.has(key)));
    this.#slots = new Map([...this.#slots].filter(([key]) => used.has(key)));
    this.#taken = new Set(this.#slots.values());
    this.#kept = this.#taken.size;
    const limits = snapshots.flatMap((snapshot) => snapshot.limits);
    const counting = new Set(limits.flatMap(({ memory, floor }) => [memory, floor]));
    this.#counters = new Map([...this.#counters].filter(([, memory]) => counting.has(memory)));
    const named = new Set(limits.map(({ name }) => name));
    this.#refusedKeys = new Map([...this.#refusedKeys].filter(([name]) => named.has(name)));
  }

  get size(): number {
    return this.#endpoints.size + this.#cells.size;
  }

  /**
   * One nobody has, looked for from the last one on: all have been taken once after so many endpoints that came and went. Where requests of its
   * last owner are still under way it is not free: they will count down there.
   */
  #freeSlot(): number {
    for (let at = 1; at <= ENDPOINTS_MAX; at++) {
      const slot = (this.#lastSlot + at) % ENDPOINTS_MAX;
      if (this.#taken.has(slot) || this.#allLoads.inFlight(slot) > 0) continue;
      clearSlot(this.loads, slot);
      this.#taken.add(slot);
      this.#lastSlot = slot;
      return slot;
    }
    throw this.#full();
  }

  /** Every place is taken, or is waited for. */
  #full(): SpillwayError {
    const left = ENDPOINTS_MAX - this.#taken.size;
    const room = ENDPOINTS_MAX - left - this.#kept;
    return new SpillwayError(
      'ENDPOINTS_FULL',
      `There is room for ${ENDPOINTS_MAX} endpoints, and those of before keep their places until the new ones are in force: ${this.#kept} do. ` +
        `${left} that have left have requests under way. So ${room} new ones can come now: put them in place in several steps, each with no more than that.`,
      { retryable: left > 0 },
    );
  }

  #cell(key: string, slots: number, gauges = 0): Cell {
    const known = this.#cells.get(key);
    if (known !== undefined) return known.cell;
    const cell = createCell(this.lanes, slots, this.#clock.wallMs());
    this.#cells.set(key, { cell, slots, gauges });
    return cell;
  }
}

/** Of an endpoint. */
function hasWork(cell: Cell): boolean {
  const lanes = cellLanes(cell, ENDPOINT_SLOTS);
  return Array.from({ length: ENDPOINT_GAUGES }, (_, gauge) => sumSlot(lanes, gauge)).some((sum) => sum > 0);
}

function keysOf({ limits, listeners, routes, services }: Snapshot): string[] {
  return [
    ...limits.map(({ name }) => `limit ${name}`),
    ...limits.flatMap(({ store }) => (store === null ? [] : [`store ${store.name}`])),
    ...listeners.map(({ id }) => `listener ${id}`),
    ...services.flatMap(({ name, breaker }) => (breaker === null ? [] : [`breaker ${name}`])),
    ...routes.map(({ name }) => `route ${name}`),
    ...routes.flatMap(({ name, shaping }) => (shaping?.split?.arms ?? []).map((arm) => armKey(name, arm.name))),
    ...services.flatMap(({ name, endpoints }) => endpoints.map(({ id }) => endpointKey(name, id))),
  ];
}

// An arm's name has no space, so the key has one reading.
function armKey(route: string, arm: string): string {
  return `arm ${arm} ${route}`;
}

// A service's name has no space, so the key has one reading.
function endpointKey(service: string, endpoint: string): string {
  return `endpoint ${service} ${endpoint}`;
}
