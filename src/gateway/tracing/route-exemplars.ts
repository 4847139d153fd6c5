/**
 * Exemplars of a scrape: for each route and bound of its durations, the newest request whose trace is kept, so that a bucket leads to a trace that
 * can be opened. Pure. Cost: a look at each span that is kept, some 3 ms for 40,000.
 */
import type { Exemplar } from '../../observe/prometheus.ts';
import { latencyBoundsMs } from '../../observe/slo/latency-bounds.ts';
import type { SpanRecord } from '../../observe/trace/span-record.ts';
import { isCounted } from './exemplars.ts';

/** By route, then by bound as in `latencyBoundsMs`, the last for what is above all. */
export type RouteExemplars = ReadonlyMap<string, readonly (Exemplar | undefined)[]>;

export function routeExemplars(spans: Iterable<SpanRecord>): RouteExemplars {
  const found = new Map<string, (Exemplar | undefined)[]>();
  for (const span of spans) {
    const route = span.attributes['http.route'];
    if (!isCounted(span) || typeof route !== 'string') continue;
    const { durationMs, startMs, traceId } = span;
    const place = latencyBoundsMs.findIndex((bound) => durationMs <= bound);
    const bound = place === -1 ? latencyBoundsMs.length : place;
    const ofRoute = found.get(route) ?? [];
    if (ofRoute.length === 0) found.set(route, ofRoute);
    const timeS = (startMs + durationMs) / 1000;
    if (timeS > (ofRoute[bound]?.timeS ?? 0)) ofRoute[bound] = { traceId, value: durationMs / 1000, timeS };
  }
  return found;
}
