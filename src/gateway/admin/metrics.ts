/**
 * Turns the live numbers into metric families. Pure but for reading the cells; the table of names decides kind and help,
 * so a series that is not in it cannot be shown.
 *
 * Samples are made when a reader comes to them, one thing at a time: a scrape of 50,000 series is no work at one stretch.
 */
import { cellBornMs, cellLanes } from '../../kernel/cells.ts';
import type { Labels, MetricFamily, Sample } from '../../observe/prometheus.ts';
import type { OtlpCounts } from '../../observe/otlp/channel.ts';
import type { SloStatus } from '../../observe/slo/live/status.ts';
import type { DiscoveryState, EndpointState, GatewayState } from '../control/gateway-state.ts';
import type { Exported } from '../control/exported.ts';
import type { EndpointSeries } from '../control/named-endpoints.ts';
import { storesOf } from '../control/read-limits.ts';
import { reader } from '../control/read-cell.ts';
import {
  ARM_SLOTS,
  armSlots,
  LISTENER_SLOTS,
  listenerSlots,
  PROCESS_SLOTS,
  processSlots,
  refusals,
  ROUTE_SLOTS,
  routeSlots,
  STORE_SLOTS,
  storeSlots,
} from '../slots.ts';
import { serviceNameOf, type Snapshot } from '../snapshot.ts';
import type { RouteExemplars } from '../tracing/route-exemplars.ts';
import { breakerSamples, type CountedBreaker } from './breaker-samples.ts';
import { endpointSamples } from './endpoint-samples.ts';
import { type Histograms, histograms } from './histograms.ts';
import { limitSamples } from './limit-samples.ts';
import { metricNames } from './metric-names.ts';
import {
  armsOf,
  each,
  lazily,
  type Samples,
  type Series,
  slotSeries,
  statusSamples,
  type Subject,
  subject,
} from './metric-subjects.ts';
import { sloSamples } from './slo-samples.ts';

export interface MetricsInput {
  readonly snapshot: Snapshot;
  readonly state: Pick<GatewayState, 'version' | 'configVersion' | 'startedAt' | 'workers' | 'reloads'>;
  /** Of each service, in the order of the snapshot. */
  readonly discovery: Iterable<DiscoveryState | null>;
  /** Null: the service has none. */
  readonly breakers: Iterable<CountedBreaker | null>;
  readonly endpoints: EndpointSeries;
  /** To a collector; null if there is none. */
  readonly exported: Exported | null;
  /** Empty without `slos`. */
  readonly slos: readonly SloStatus[];
  readonly healthChanges: (service: string, endpoint: string) => EndpointState['changes'];
  readonly process: {
    /** Null: it cannot be read now. */
    readonly residentBytes: number | null;
    readonly cpuSeconds: number;
    readonly nodeVersion: string;
    /** Unix time in ms, of the process and not of the gateway in it. */
    readonly beganMs: number;
    /** Unix seconds. */
    readonly configAppliedS: number;
  };
}

/** `exemplars` are shown by formats that have room for them. */
export function gatewayMetrics(input: MetricsInput, exemplars: RouteExemplars = new Map()): MetricFamily[] {
  const { snapshot, state } = input;
  const series: Series = {
    ...routeSeries(snapshot),
    ...armSeries(snapshot),
    ...mirrorSeries(snapshot),
    ...limitSamples(snapshot.limits),
    ...storeSeries(snapshot),
    spillway_refusals_total: refusalSamples(snapshot),
    ...listenerSeries(snapshot),
    ...discoverySeries(input),
    ...breakerSamples(input.breakers),
    ...endpointSamples(input.endpoints, input.healthChanges),
    ...sloSamples(input.slos),
    ...workerSeries(snapshot, state),
    ...processSeries(input),
  };
  const shown = histograms(input, exemplars);
  return Object.entries(metricNames).map(([name, { type, help }]): MetricFamily => {
    if (type === 'histogram') return { name, type, help, samples: shown[name as keyof Histograms] };
    return { name, type, help, samples: series[name] ?? [] };
  });
}

function routeSeries(snapshot: Snapshot): Series {
  const subjects = lazily(snapshot.routes, (route) =>
    subject(
      { route: route.name, service: serviceNameOf(snapshot, route) },
      route.cell,
      ROUTE_SLOTS,
      routeSlots.buckets,
    ),
  );
  return {
    spillway_requests_total: statusSamples(subjects, routeSlots.responses1xx),
    ...slotSeries(subjects, {
      spillway_requests_limited_total: routeSlots.limited,
      spillway_requests_in_flight: routeSlots.inFlight,
      spillway_requests_broken_total: routeSlots.broken,
      spillway_requests_aborted_total: routeSlots.aborted,
      spillway_request_retries_total: routeSlots.retries,
      spillway_request_hedges_total: routeSlots.hedges,
      spillway_request_retries_denied_total: routeSlots.retriesDenied,
      spillway_request_bytes_total: routeSlots.bytesIn,
      spillway_response_bytes_total: routeSlots.bytesOut,
    }),
  };
}

function armSeries(snapshot: Snapshot): Series {
  const subjects = lazily(armsOf(snapshot), ({ labels, cell }) => subject(labels, cell, ARM_SLOTS, armSlots.buckets));
  return {
    spillway_arm_requests_total: statusSamples(subjects, armSlots.responses1xx),
    ...slotSeries(subjects, { spillway_arm_broken_total: armSlots.broken }),
  };
}

function mirrorSeries(snapshot: Snapshot): Series {
  const mirrored = snapshot.routes.flatMap(({ name: route, shaping, cell }) => {
    const mirror = shaping?.mirror ?? null;
    return mirror === null ? [] : [{ labels: { route, service: snapshot.services[mirror.service]?.name ?? '' }, cell }];
  });
  const subjects = lazily(mirrored, ({ labels, cell }) => subject(labels, cell, ROUTE_SLOTS, routeSlots.buckets));
  return slotSeries(subjects, {
    spillway_mirrored_requests_total: routeSlots.mirrored,
    spillway_mirrored_dropped_total: routeSlots.mirrorsDropped,
    spillway_mirrored_failures_total: routeSlots.mirrorFailures,
  });
}

function storeSeries(snapshot: Snapshot): Series {
  const subjects = lazily(storesOf(snapshot), ({ name, cell }) =>
    subject({ store: name }, cell, STORE_SLOTS, storeSlots.buckets),
  );
  return {
    spillway_store_up: each(subjects, ({ labels, count }) => [{ labels, value: count(storeSlots.down) === 0 ? 1 : 0 }]),
    ...slotSeries(subjects, {
      spillway_store_calls_total: storeSlots.calls,
      spillway_store_failures_total: storeSlots.failures,
    }),
  };
}

function refusalSamples(snapshot: Snapshot): Sample[] {
  const count = reader(snapshot.cell, PROCESS_SLOTS);
  return refusals.map(({ word, status }, number) => ({
    labels: { reason: word, code: String(status) },
    value: count(processSlots.refusals + number),
  }));
}

function listenerSeries(snapshot: Snapshot): Series {
  const subjects = snapshot.listeners.map(({ id, cell }) =>
    subject({ listener: id }, cell, LISTENER_SLOTS, listenerSlots.buckets),
  );
  const encrypted = subjects.filter((_, index) => snapshot.listeners[index]?.tls !== null);
  return {
    ...slotSeries(subjects, {
      spillway_connections: listenerSlots.connections,
      spillway_tunnels: listenerSlots.tunnels,
      spillway_connections_accepted_total: listenerSlots.accepted,
      spillway_connections_refused_total: listenerSlots.refused,
      spillway_listener_requests_total: listenerSlots.requests,
    }),
    spillway_listener_responses_total: statusSamples(subjects, listenerSlots.responses1xx),
    ...slotSeries(encrypted, {
      spillway_tls_handshakes_total: listenerSlots.handshakes,
      spillway_tls_resumptions_total: listenerSlots.resumptions,
      spillway_tls_handshake_failures_total: listenerSlots.handshakeFailures,
    }),
  };
}

function discoverySeries({ snapshot, discovery }: MetricsInput): Series {
  function* sources(): Generator<{ readonly service: string; readonly state: DiscoveryState | null }> {
    let at = 0;
    for (const state of discovery) yield { service: snapshot.services[at++]?.name ?? '', state };
  }
  const ofEach = (read: (state: DiscoveryState) => number | null): Samples =>
    each(sources(), ({ service, state }) => {
      if (state === null) return [];
      const value = read(state);
      const sinceMs = Date.parse(state.since);
      return value === null ? [] : [{ labels: { service, source: state.source }, sinceMs, value }];
    });
  return {
    spillway_service_endpoints: each(snapshot.services, ({ name: service, endpoints }) =>
      [...Map.groupBy(endpoints, ({ source }) => source)].map(([source, { length }]): Sample => ({
        labels: { service, source },
        value: length,
      })),
    ),
    spillway_discovery_answers_total: ofEach(({ answers }) => answers),
    spillway_discovery_failures_total: ofEach(({ failures }) => failures),
    spillway_discovery_age_seconds: ofEach(({ ageMs }) => (ageMs === null ? null : ageMs / 1000)),
    spillway_discovery_failing: ofEach(({ problem }) => (problem === null ? 0 : 1)),
  };
}

function workerSeries(snapshot: Snapshot, { workers }: MetricsInput['state']): Series {
  const lanes = cellLanes(snapshot.cell, PROCESS_SLOTS);
  const subjects = workers.map(({ lane }): Subject => ({
    labels: { worker: String(lane) },
    sinceMs: cellBornMs(snapshot.cell),
    count: (slot) => lanes[lane]?.[slot] ?? 0,
  }));
  const own = (read: (worker: GatewayState['workers'][number]) => number): Sample[] =>
    workers.map((worker) => ({ labels: { worker: String(worker.lane) }, value: read(worker) }));
  return {
    spillway_worker_up: own(({ phase }) => (phase === 'serving' || phase === 'draining' ? 1 : 0)),
    spillway_worker_restarts_total: own(({ restarts }) => restarts),
    ...slotSeries(subjects, { spillway_worker_event_loop_lag_seconds: processSlots.loopLagMs }, 0.001),
    ...slotSeries(subjects, {
      spillway_worker_heap_bytes: processSlots.heapBytes,
      spillway_worker_buffer_bytes: processSlots.memoryBytes,
      spillway_worker_parked_requests: processSlots.parked,
      spillway_worker_fast_path: processSlots.fastPath,
    }),
  };
}

function processSeries({ snapshot, state, process, exported }: MetricsInput): Series {
  const count = reader(snapshot.cell, PROCESS_SLOTS);
  const one = (value: number, labels: Labels = {}): Sample[] => [{ labels, value }];
  return {
    spillway_reloads_total: [
      ...one(state.reloads.applied, { outcome: 'applied' }),
      ...one(state.reloads.refused, { outcome: 'refused' }),
    ],
    spillway_reload_last_successful: one(state.reloads.lastOutcome === 'refused' ? 0 : 1),
    spillway_config_version: one(state.configVersion),
    spillway_config_last_applied_timestamp_seconds: one(process.configAppliedS),
    spillway_access_log_lines_total: one(count(processSlots.logLines)),
    spillway_access_log_dropped_total: one(count(processSlots.logDropped)),
    spillway_access_log_errors_total: one(count(processSlots.logErrors)),
    spillway_traces_kept_total: one(count(processSlots.tracesKept)),
    spillway_traces_dropped_total: one(count(processSlots.tracesDropped)),
    ...exportedSeries(exported),
    spillway_build_info: one(1, { version: state.version, node: process.nodeVersion }),
    process_start_time_seconds: one(Date.parse(state.startedAt) / 1000),
    process_resident_memory_bytes: process.residentBytes === null ? [] : one(process.residentBytes),
    process_cpu_seconds_total: [{ labels: {}, sinceMs: process.beganMs, value: process.cpuSeconds }],
  };
}

function exportedSeries(exported: Exported | null): Series {
  if (exported === null) return {};
  const { sinceMs, spans, metrics } = exported;
  const outcomes = (counts: OtlpCounts): Sample[] =>
    (['sent', 'rejected', 'dropped', 'failed'] as const).map((outcome) => ({
      labels: { outcome },
      sinceMs,
      value: counts[outcome],
    }));
  return {
    spillway_otlp_spans_total: outcomes(spans),
    spillway_otlp_points_total: metrics === null ? [] : outcomes(metrics),
    spillway_otlp_pushes_skipped_total: metrics === null ? [] : [{ labels: {}, sinceMs, value: metrics.skipped }],
  };
}
