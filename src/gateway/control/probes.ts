/**
 * What is sampled of a gateway. Names and labels are those of `/metrics` (docs/metrics.md), so that a chart of what was and a query of what
 * is are about the same.
 *
 * A probe lives as long as its cell: a reload that keeps a thing keeps its cell, and so nothing is counted twice or lost. That of a thing which a
 * reload removed lives `LEAVING_MS` more: what was under way there still ends.
 *
 * Kept in full are listeners, limits, workers, and up to `FULL_MAX` routes and endpoints each. With more of them, and of the durations of
 * endpoints always, it is the last hour and day; and of more endpoints than that no durations at all: those of their routes tell.
 */
import { isDeepStrictEqual } from 'node:util';
import { type Cell, cellLanes, type Lane } from '../../kernel/cells.ts';
import type { SeriesDetail } from '../../observe/series/resolutions.ts';
import type { GaugeSeries, Series } from '../../observe/series/series.ts';
import {
  ENDPOINT_SLOTS,
  endpointSlots,
  filledSlots,
  LIMIT_SLOTS,
  limitSlots,
  LISTENER_SLOTS,
  listenerSlots,
  PROCESS_SLOTS,
  processSlots,
  refusals,
  ROUTE_SLOTS,
  routeSlots,
} from '../slots.ts';
import { serviceNameOf, type Snapshot } from '../snapshot.ts';
import { CellProbe, type CellSpec, type Probed } from './cell-probe.ts';

/** Of each, up to a megabyte after five weeks with traffic in each second; more of them share what memory there is. */
const FULL_MAX = 256;
/** Almost every request is over by then. */
const LEAVING_MS = 60_000;
/** As many as there may be at once: of endpoints that are found anew each second the oldest are let go of. */
const LEAVING_MAX = 10_000;

const statuses = (name: string, first: number): CellSpec['counters'] =>
  [1, 2, 3, 4, 5].map((hundreds, at) => ({ slot: first + at, name, labels: { code_class: `${hundreds}xx` } }));

const routeSpec: CellSpec = {
  slots: ROUTE_SLOTS,
  counters: [
    ...statuses('spillway_requests_total', routeSlots.responses1xx),
    { slot: routeSlots.broken, name: 'spillway_requests_broken_total' },
    { slot: routeSlots.aborted, name: 'spillway_requests_aborted_total' },
    { slot: routeSlots.retries, name: 'spillway_request_retries_total' },
  ],
  gauges: [{ slot: routeSlots.inFlight, name: 'spillway_requests_in_flight' }],
  durations: { name: 'spillway_request_duration_seconds', first: routeSlots.buckets, sum: routeSlots.durationSumMs },
};

const manyEndpointsSpec: CellSpec = {
  slots: ENDPOINT_SLOTS,
  counters: [
    ...statuses('spillway_endpoint_requests_total', endpointSlots.responses1xx),
    { slot: endpointSlots.connectFailures, name: 'spillway_upstream_connect_failures_total' },
    { slot: endpointSlots.timeouts, name: 'spillway_upstream_timeouts_total' },
    { slot: endpointSlots.resets, name: 'spillway_upstream_resets_total' },
  ],
  gauges: [
    { slot: endpointSlots.inFlight, name: 'spillway_endpoint_in_flight' },
    { slot: endpointSlots.queued, name: 'spillway_endpoint_queued' },
  ],
  durations: null,
};

const endpointSpec: CellSpec = {
  ...manyEndpointsSpec,
  durations: {
    name: 'spillway_upstream_duration_seconds',
    first: endpointSlots.buckets,
    sum: endpointSlots.durationSumMs,
    detail: 'brief',
  },
};

const listenerSpec: CellSpec = {
  slots: LISTENER_SLOTS,
  counters: [
    { slot: listenerSlots.requests, name: 'spillway_listener_requests_total' },
    { slot: listenerSlots.accepted, name: 'spillway_connections_accepted_total' },
    { slot: listenerSlots.refused, name: 'spillway_connections_refused_total' },
  ],
  gauges: [{ slot: listenerSlots.connections, name: 'spillway_connections' }],
  durations: null,
};

const limitSpec: CellSpec = {
  slots: LIMIT_SLOTS,
  counters: [
    ...(['allowed', 'refused', 'shadowed'] as const).map((outcome) => ({
      slot: limitSlots[outcome],
      name: 'spillway_limit_requests_total',
      labels: { outcome },
    })),
    // Ten of each limit.
    ...filledSlots.map(({ filled, slot }) => ({
      ...{ slot, name: 'spillway_limit_filled_total', labels: { filled } },
      detail: 'brief' as const,
    })),
  ],
  gauges: [],
  durations: null,
};

const processSpec: CellSpec = {
  slots: PROCESS_SLOTS,
  counters: refusals.map(({ word, status }, number) => ({
    slot: processSlots.refusals + number,
    name: 'spillway_refusals_total',
    labels: { reason: word, code: String(status) },
  })),
  gauges: [],
  durations: null,
};

export interface Probe {
  sample(atMs: number): void;
}

/** A route, by which objectives are counted. */
export interface RouteProbe {
  readonly service: string;
  readonly route: string;
  readonly probe: CellProbe;
}

export interface Probes {
  readonly all: readonly Probe[];
  readonly routes: readonly RouteProbe[];
  /** By the clock that is never set: some of them are over then. */
  readonly untilMs: number;
}

export const noProbes: Probes = { all: [], routes: [], untilMs: Number.POSITIVE_INFINITY };

/** Makes the probes of a snapshot; those of things that were there already are the same. */
export class ProbeMaker {
  readonly #series: Series;
  #known = new Map<Cell, CellProbe>();
  #routes: readonly RouteProbe[] = [];
  /** When those are over that are leaving. */
  #ends = new Map<CellProbe, number>();
  #workers: { readonly cell: Cell; readonly probes: readonly Probe[] } | null = null;

  constructor(series: Series) {
    this.#series = series;
  }

  make(snapshot: Snapshot, nowMs: number): Probes {
    const next = new Map<Cell, CellProbe>();
    const probeOf = (probed: Probed): CellProbe => {
      const known = this.#known.get(probed.cell) ?? null;
      const probe = known !== null && isSame(known.probed, probed) ? known : new CellProbe(probed, this.#series, known);
      next.set(probed.cell, probe);
      return probe;
    };
    const present = snapshot.routes.map(({ name, cell }, at): RouteProbe => {
      const labels = { route: name, service: serviceNameOf(snapshot, snapshot.routes[at]!) };
      const probe = probeOf({ cell, spec: routeSpec, labels, detail: detailOf(snapshot.routes.length) });
      return { service: labels.service, route: name, probe };
    });
    const rest = others(snapshot).map(probeOf);
    const ends = this.#leave(next, nowMs);
    const routes = [...this.#routes.filter(({ probe }) => ends.has(probe)), ...present];
    // Those that leave are first: where one has come back under its name, its gauges are those of now.
    const all = [...ends.keys(), ...present.map(({ probe }) => probe), ...rest, ...this.#workersOf(snapshot.cell)];
    this.#known = next;
    this.#routes = routes;
    this.#ends = ends;
    return { all, routes, untilMs: Math.min(...ends.values()) };
  }

  /** Adds to `next` those that it does not have, as long as they still count, and says how long. The newest first, of which the routes. */
  #leave(next: Map<Cell, CellProbe>, nowMs: number): Map<CellProbe, number> {
    const ends = new Map<CellProbe, number>();
    for (const [cell, probe] of this.#known) {
      if (next.has(cell)) continue;
      const endMs = this.#ends.get(probe) ?? nowMs + LEAVING_MS;
      if (endMs <= nowMs || ends.size === LEAVING_MAX) continue;
      next.set(cell, probe);
      ends.set(probe, endMs);
    }
    return ends;
  }

  /** Each by its own lane; the last one is control's. */
  #workersOf(cell: Cell): readonly Probe[] {
    if (this.#workers?.cell !== cell) {
      const lanes = cellLanes(cell, PROCESS_SLOTS).slice(0, -1);
      this.#workers = { cell, probes: lanes.map((lane, worker) => new WorkerProbe(lane, worker, this.#series)) };
    }
    return this.#workers.probes;
  }
}

function others({ services, listeners, limits, cell }: Snapshot): Probed[] {
  const endpoints = services.flatMap((service) =>
    service.endpoints.map(({ id, cell }) => ({ cell, labels: { service: service.name, endpoint: id } })),
  );
  const detail = detailOf(endpoints.length);
  const spec = detail === 'full' ? endpointSpec : manyEndpointsSpec;
  return [
    ...endpoints.map((endpoint) => ({ ...endpoint, spec, detail })),
    ...listeners.map(({ id, cell }): Probed => ({
      cell,
      spec: listenerSpec,
      labels: { listener: id },
      detail: 'full',
    })),
    ...limits.map(({ name, cell }): Probed => ({ cell, spec: limitSpec, labels: { limit: name }, detail: 'full' })),
    { cell, spec: processSpec, labels: {}, detail: 'full' },
  ];
}

function detailOf(count: number): SeriesDetail {
  return count > FULL_MAX ? 'brief' : 'full';
}

function isSame(known: Probed, wanted: Probed): boolean {
  return known.spec === wanted.spec && known.detail === wanted.detail && isDeepStrictEqual(known.labels, wanted.labels);
}

class WorkerProbe implements Probe {
  readonly #lane: Lane;
  readonly #lag: GaugeSeries;
  readonly #heap: GaugeSeries;

  constructor(lane: Lane, worker: number, series: Series) {
    const labels = { worker: String(worker) };
    this.#lane = lane;
    this.#lag = series.gauge({ name: 'spillway_worker_event_loop_lag_seconds', labels });
    this.#heap = series.gauge({ name: 'spillway_worker_heap_bytes', labels });
  }

  sample(atMs: number): void {
    this.#lag.set(atMs, this.#lane[processSlots.loopLagMs]! / 1000);
    this.#heap.set(atMs, this.#lane[processSlots.heapBytes]!);
  }
}
