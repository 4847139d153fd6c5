/**
 * Takes a sample of the live numbers once a second and keeps what happened in it as series: rates, durations and how full things are, of
 * routes, endpoints, listeners and workers, by the names that `/metrics` has.
 *
 * Invariants: what is kept is what a cell grew by since the sample before, so a sample that comes late holds the seconds it missed; a thing
 * that is new counts from nothing, and one that is gone is forgotten here (its series stays as long as series are kept).
 * Cost: a second of 1,000 endpoints is some 2 ms of the control thread for two workers (a pass over each lane's buckets).
 */
import { cellLanes, type Cell, type Lane, sumSlot } from '../../kernel/cells.ts';
import type { Clock, Timer } from '../../kernel/clock.ts';
import type { CounterSeries, GaugeSeries, HistogramSeries, Series } from '../../observe/series/series.ts';
import type { Labels } from '../../observe/series/entry.ts';
import type { SeriesDetail } from '../../observe/series/resolutions.ts';
import { BUCKETS, durationBuckets } from '../durations.ts';
import {
  ENDPOINT_SLOTS,
  endpointSlots,
  LISTENER_SLOTS,
  listenerSlots,
  PROCESS_SLOTS,
  processSlots,
  ROUTE_SLOTS,
  routeSlots,
} from '../slots.ts';
import { serviceNameOf, type Snapshot } from '../snapshot.ts';
import { addDurations, type DurationSlots } from './read-durations.ts';

const PERIOD_MS = 1000;

/** In seconds, as everything that Prometheus is told. */
const bounds = durationBuckets.bounds.map((ms) => ms / 1000);

/** What is sampled of one thing. */
interface Subject {
  readonly cell: Cell;
  readonly laneSlots: number;
  readonly labels: Labels;
  readonly detail: SeriesDetail;
  readonly counters: Readonly<Record<string, number>>;
  /** The slot of 1xx; the other classes follow it. */
  readonly classes: { readonly name: string; readonly first: number } | null;
  readonly gauges: Readonly<Record<string, number>>;
  readonly durations: { readonly name: string; readonly slots: DurationSlots } | null;
}

export interface SamplerOptions {
  readonly clock: Clock;
  readonly series: Series;
  /** Null while nothing is in force. */
  readonly snapshot: () => Snapshot | null;
}

export class Sampler {
  readonly #options: SamplerOptions;
  #known = new Map<string, SubjectSampler>();
  #timer: Timer | null = null;

  constructor(options: SamplerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer ??= this.#options.clock.every(PERIOD_MS, () => this.sample());
  }

  stop(): void {
    this.#timer?.clear();
    this.#timer = null;
  }

  sample(): void {
    const { clock, series, snapshot: read } = this.#options;
    const snapshot = read();
    if (snapshot === null) return;
    const atMs = clock.wallMs();
    const next = new Map<string, SubjectSampler>();
    for (const subject of subjectsOf(snapshot)) {
      const key = JSON.stringify([subject.laneSlots, subject.labels]);
      const known = this.#known.get(key);
      const sampler = known?.cell === subject.cell ? known : new SubjectSampler(subject, series);
      sampler.sample(atMs);
      next.set(key, sampler);
    }
    sampleWorkers(snapshot, series, atMs);
    this.#known = next;
    series.round(atMs);
  }
}

function* subjectsOf(snapshot: Snapshot): Generator<Subject> {
  for (const route of snapshot.routes) {
    yield {
      ...{ cell: route.cell, laneSlots: ROUTE_SLOTS, detail: 'full' },
      labels: { route: route.name, service: serviceNameOf(snapshot, route) },
      counters: {
        spillway_requests_broken_total: routeSlots.broken,
        spillway_requests_aborted_total: routeSlots.aborted,
        spillway_request_retries_total: routeSlots.retries,
      },
      classes: { name: 'spillway_requests_total', first: routeSlots.responses1xx },
      gauges: { spillway_requests_in_flight: routeSlots.inFlight },
      durations: { name: 'spillway_request_duration_seconds', slots: routeSlots },
    };
  }
  for (const service of snapshot.services) {
    for (const endpoint of service.endpoints) {
      yield {
        ...{ cell: endpoint.cell, laneSlots: ENDPOINT_SLOTS, detail: 'brief' },
        labels: { service: service.name, endpoint: endpoint.id },
        counters: {},
        classes: { name: 'spillway_endpoint_requests_total', first: endpointSlots.responses1xx },
        gauges: {
          spillway_endpoint_in_flight: endpointSlots.inFlight,
          spillway_endpoint_queued: endpointSlots.queued,
        },
        durations: { name: 'spillway_upstream_duration_seconds', slots: endpointSlots },
      };
    }
  }
  for (const listener of snapshot.listeners) {
    yield {
      ...{ cell: listener.cell, laneSlots: LISTENER_SLOTS, detail: 'full' },
      labels: { listener: listener.id },
      counters: {
        spillway_connections_accepted_total: listenerSlots.accepted,
        spillway_connections_refused_total: listenerSlots.refused,
      },
      classes: null,
      gauges: { spillway_connections: listenerSlots.connections },
      durations: null,
    };
  }
}

function sampleWorkers(snapshot: Snapshot, series: Series, atMs: number): void {
  for (const [worker, lane] of cellLanes(snapshot.cell, PROCESS_SLOTS).entries()) {
    const labels = { worker: String(worker) };
    series
      .gauge({ name: 'spillway_worker_event_loop_lag_seconds', labels })
      .set(atMs, lane[processSlots.loopLagMs]! / 1000);
  }
}

/** The numbers of one thing as they were at the sample before. */
class SubjectSampler {
  readonly cell: Cell;
  readonly #lanes: readonly Lane[];
  readonly #counters: { readonly series: CounterSeries; readonly slot: number; before: number }[];
  readonly #gauges: readonly { readonly series: GaugeSeries; readonly slot: number }[];
  readonly #durations: { readonly series: HistogramSeries; readonly slots: DurationSlots } | null;
  #before = new Float64Array(BUCKETS);
  #now = new Float64Array(BUCKETS);
  #sumMs = 0;

  constructor(subject: Subject, series: Series) {
    const { cell, laneSlots, labels, detail, counters, classes, gauges, durations } = subject;
    this.cell = cell;
    this.#lanes = cellLanes(cell, laneSlots);
    const counter = (name: string, slot: number, more: Labels = {}) => ({
      ...{ slot, before: 0 },
      series: series.counter({ name, labels: { ...labels, ...more }, detail }),
    });
    this.#counters = [
      ...Object.entries(counters).map(([name, slot]) => counter(name, slot)),
      ...(classes === null
        ? []
        : [1, 2, 3, 4, 5].map((code) => counter(classes.name, classes.first + code - 1, { code_class: `${code}xx` }))),
    ];
    this.#gauges = Object.entries(gauges).map(([name, slot]) => ({
      series: series.gauge({ name, labels, detail }),
      slot,
    }));
    this.#durations =
      durations === null
        ? null
        : { series: series.histogram({ name: durations.name, labels, detail, bounds }), slots: durations.slots };
  }

  sample(atMs: number): void {
    for (const counter of this.#counters) {
      const now = sumSlot(this.#lanes, counter.slot);
      counter.series.add(atMs, now - counter.before);
      counter.before = now;
    }
    for (const { series, slot } of this.#gauges) series.set(atMs, sumSlot(this.#lanes, slot));
    if (this.#durations !== null) this.#sampleDurations(atMs, this.#durations);
  }

  #sampleDurations(
    atMs: number,
    { series, slots }: { readonly series: HistogramSeries; readonly slots: DurationSlots },
  ): void {
    const now = this.#now.fill(0);
    const sumMs = addDurations(this.#lanes, slots, now);
    const buckets: number[] = [];
    const counts: number[] = [];
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const count = now[bucket]! - this.#before[bucket]!;
      if (count <= 0) continue;
      buckets.push(bucket);
      counts.push(count);
    }
    series.add(atMs, { buckets, counts, sum: Math.max(0, sumMs - this.#sumMs) / 1000 });
    [this.#before, this.#now] = [now, this.#before];
    this.#sumMs = sumMs;
  }
}
