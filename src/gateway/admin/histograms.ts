/** The histograms of `/metrics`: durations of everything whose cell has them, each with the bounds that are shown of it. */
import { cellBornMs } from '../../kernel/cells.ts';
import { HistogramReading } from '../../observe/metrics/reading.ts';
import type { HistogramSample } from '../../observe/prometheus.ts';
import { latencyBoundsMs } from '../../observe/slo/latency-bounds.ts';
import type { EndpointOf, EndpointSeries, OtherEndpoints } from '../control/named-endpoints.ts';
import { readDurations } from '../control/read-durations.ts';
import { storesOf } from '../control/read-limits.ts';
import { BUCKETS, durationBuckets } from '../durations.ts';
import {
  ARM_SLOTS,
  armSlots,
  ENDPOINT_SLOTS,
  endpointSlots,
  LISTENER_SLOTS,
  listenerSlots,
  ROUTE_SLOTS,
  routeSlots,
  STORE_SLOTS,
  storeSlots,
} from '../slots.ts';
import { serviceNameOf, type Snapshot } from '../snapshot.ts';
import type { RouteExemplars } from '../tracing/route-exemplars.ts';
import { durations, endpointBoundsMs, shownDurations, type TimedSpec } from './duration-buckets.ts';
import type { MetricNames } from './metric-names.ts';
import { armsOf, each, labelsOfNamed, labelsOfOthers } from './metric-subjects.ts';

export type Histograms = {
  readonly [
    N in keyof MetricNames as MetricNames[N]['type'] extends 'histogram' ? N : never
  ]: Iterable<HistogramSample | null>;
};

const timed = {
  route: { laneSlots: ROUTE_SLOTS, slots: routeSlots, boundsMs: latencyBoundsMs },
  arm: { laneSlots: ARM_SLOTS, slots: armSlots, boundsMs: latencyBoundsMs },
  listener: { laneSlots: LISTENER_SLOTS, slots: listenerSlots, boundsMs: latencyBoundsMs },
  store: { laneSlots: STORE_SLOTS, slots: storeSlots, boundsMs: latencyBoundsMs },
} as const satisfies Record<string, TimedSpec>;

/** `exemplars` are of routes. */
export function histograms(
  { snapshot, endpoints }: { readonly snapshot: Snapshot; readonly endpoints: EndpointSeries },
  exemplars: RouteExemplars,
): Histograms {
  return {
    spillway_request_duration_seconds: each(snapshot.routes, (route) => [
      {
        labels: { route: route.name, service: serviceNameOf(snapshot, route) },
        ...durations(route.cell, timed.route, exemplars.get(route.name)),
      },
    ]),
    spillway_arm_duration_seconds: each(armsOf(snapshot), ({ labels, cell }) => [
      { labels, ...durations(cell, timed.arm) },
    ]),
    spillway_upstream_duration_seconds: each([...endpoints.named, ...endpoints.others], (of) => [
      'endpoint' in of
        ? {
            labels: labelsOfNamed(of),
            ...shownDurations(tellDurations(of), endpointBoundsMs, cellBornMs(of.endpoint.cell)),
          }
        : { labels: labelsOfOthers(of), ...shownDurations(readingOf(of), endpointBoundsMs, of.sinceMs) },
    ]),
    spillway_listener_duration_seconds: each(snapshot.listeners, ({ id, cell }) => [
      { labels: { listener: id }, ...durations(cell, timed.listener) },
    ]),
    spillway_store_duration_seconds: each(storesOf(snapshot), ({ name, cell }) => [
      { labels: { store: name }, ...durations(cell, timed.store) },
    ]),
  };
}

function tellDurations({ endpoint, told }: EndpointOf): HistogramReading {
  const reading = readDurations([endpoint.cell], ENDPOINT_SLOTS, endpointSlots);
  told.tellDurations(reading);
  return reading;
}

function readingOf({ counts }: OtherEndpoints): HistogramReading {
  const { buckets, durationSumMs } = endpointSlots;
  return new HistogramReading(
    durationBuckets.bounds,
    counts.subarray(buckets, buckets + BUCKETS),
    counts[durationSumMs]!,
  );
}
