/**
 * Exemplars: of the requests that durations were counted of, those whose traces are kept, each with the duration that was counted, so that a
 * point on a chart of latencies is a trace that can be opened.
 *
 * Of many that fall together, in the same step of time and the same octave of durations, one is told: one that failed, or the longest. So
 * there are as many as a chart has places for, and what is rare is among them. Pure. Cost: O(spans that are kept).
 */
import type { SpanRecord } from '../../observe/trace/span-record.ts';
import { GATEWAY_SERVICE } from './server-span.ts';

/** As JSON. Both ends import this. */
export interface Exemplar {
  readonly traceId: string;
  /** Of the request, as the gateway saw it. */
  readonly spanId: string;
  readonly name: string;
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

/** In the order of time; of too many, the newest. */
export function exemplarsOf(spans: Iterable<SpanRecord>, query: ExemplarQuery): Exemplar[] {
  const { fromMs, toMs, stepMs } = query;
  const places = new Map<string, Exemplar>();
  for (const span of spans) {
    const atMs = span.startMs + span.durationMs;
    if (!isCounted(span, query.service) || !(atMs >= fromMs && atMs < toMs)) continue;
    const found = exemplarOf(span, atMs);
    const place = `${Math.floor(atMs / stepMs)} ${Math.floor(Math.log2(found.durationMs))}`;
    const before = places.get(place);
    if (before === undefined || isBetter(found, before)) places.set(place, found);
  }
  return [...places.values()].toSorted((one, other) => one.atMs - other.atMs).slice(-EXEMPLARS_MAX);
}

/** What the gateway sent to a service, to this one if it is given, was counted, and nothing else. */
export function isCounted({ attributes, kind, service }: SpanRecord, wanted?: string): boolean {
  const asked = attributes['spillway.service'];
  if (kind !== 'server' || service !== GATEWAY_SERVICE || typeof asked !== 'string') return false;
  return wanted === undefined || asked === wanted;
}

function exemplarOf({ traceId, spanId, name, durationMs, status }: SpanRecord, atMs: number): Exemplar {
  return { traceId, spanId, name, atMs, durationMs, failed: status === 'error' };
}

function isBetter(one: Exemplar, than: Exemplar): boolean {
  return one.failed === than.failed ? one.durationMs > than.durationMs : one.failed;
}
