/**
 * Exemplars: of the requests that durations were counted of, those whose traces are kept, each with the duration that was counted, so that a
 * point on a chart of latencies is a trace that can be opened.
 *
 * Beside them are those that services tell of requests they answered, of traces that the gateway told none of. Of many that fall together, in
 * the same step of time and the same octave of durations, one is told: one that failed, or the longest. So there are as many as a chart has places
 * for, and what is rare is among them. Pure. Cost: O(spans that are kept).
 */
import type { SpanRecord } from '../../observe/trace/span-record.ts';
import { GATEWAY_SERVICE } from './server-span.ts';

/** As JSON. Both ends import this. */
export interface Exemplar {
  readonly traceId: string;
  /** Of the request, as `by` saw it; may be empty of a service. */
  readonly spanId: string;
  readonly name: string;
  /** Who counted it: `gateway`, or the service that pushed it. */
  readonly by: string;
  /** Wall time at which it was over, and counted. */
  readonly atMs: number;
  readonly durationMs: number;
  readonly failed: boolean;
}

export interface ExemplarQuery {
  /** All services if undefined. */
  readonly service?: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly stepMs: number;
}

/** More than a chart has places for: 60 steps, and some ten octaves. */
export const EXEMPLARS_MAX = 1000;

/** In the order of time; of too many, the newest. `pushed` are those of services. */
export function exemplarsOf(
  spans: Iterable<SpanRecord>,
  query: ExemplarQuery,
  pushed: Iterable<Exemplar> = [],
): Exemplar[] {
  const { fromMs, service, stepMs, toMs } = query;
  const places = new Map<string, Exemplar>();
  const told = new Set<string>();
  const take = (found: Exemplar): void => {
    const { atMs, durationMs } = found;
    if (!(atMs >= fromMs && atMs < toMs)) return;
    const place = `${Math.floor(atMs / stepMs)} ${Math.floor(Math.log2(durationMs))}`;
    const before = places.get(place);
    if (before === undefined || isBetter(found, before)) places.set(place, found);
  };
  for (const span of spans) {
    if (!isCounted(span, service)) continue;
    told.add(span.traceId);
    take(exemplarOf(span));
  }
  for (const found of pushed) {
    if (!told.has(found.traceId) && (service === undefined || found.by === service)) take(found);
  }
  return [...places.values()].toSorted((one, other) => one.atMs - other.atMs).slice(-EXEMPLARS_MAX);
}

/** What the gateway sent to a service, to this one if it is given, was counted, and nothing else. */
export function isCounted({ attributes, kind, service }: SpanRecord, wanted?: string): boolean {
  const asked = attributes['spillway.service'];
  if (kind !== 'server' || service !== GATEWAY_SERVICE || typeof asked !== 'string') return false;
  return wanted === undefined || asked === wanted;
}

function exemplarOf({ traceId, spanId, name, startMs, durationMs, status }: SpanRecord): Exemplar {
  const atMs = startMs + durationMs;
  return { traceId, spanId, name, by: GATEWAY_SERVICE, atMs, durationMs, failed: status === 'error' };
}

function isBetter(one: Exemplar, than: Exemplar): boolean {
  return one.failed === than.failed ? one.durationMs > than.durationMs : one.failed;
}
