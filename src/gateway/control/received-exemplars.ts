/**
 * Exemplars of what services push: single requests out of their histograms of durations, each with its trace, so that a chart leads to one of them.
 *
 * Only of requests that a service answered, told from others by the names that OpenTelemetry has for them, in seconds or milliseconds. A push tells
 * what the one before it told until something newer took its bucket, so each is kept once. Invariants: at most so many, those that were new last; a
 * duration is one that an axis can show. Cost: 0.5 KB each, at most 2 KB.
 */
import type { MetricRecord } from '../../observe/otlp/metric-record.ts';
import { cutText } from '../../observe/trace/span-bounds.ts';
import type { Attributes } from '../../observe/trace/span-record.ts';
import type { Exemplar } from '../tracing/exemplars.ts';
import { GATEWAY_SERVICE } from '../tracing/server-span.ts';

/** Of a hundred series with ten of them each, some new at each push, so many are minutes. */
const KEPT_MAX = 4096;
const TEXT_MAX = 256;
const unitMs: Readonly<Record<string, number>> = { s: 1000, ms: 1 };
const traceIds = /^(?!0{32})[0-9a-f]{32}$/;
/** Whatever else is sent as one may be of any length. */
const spanIds = /^[0-9a-f]{16}$/;
/** No request takes as long: whoever says so counts in another unit. */
const DAY_MS = 86_400_000;
const NS_PER_MS = 1e6;

export class ReceivedExemplars {
  readonly #max: number;
  readonly #kept: Exemplar[] = [];
  readonly #keys = new Set<string>();
  /** Where the next is put: over the oldest, once there are so many. */
  #next = 0;

  constructor(max = KEPT_MAX) {
    this.#max = max;
  }

  add(record: MetricRecord): void {
    const factor = Object.hasOwn(unitMs, record.unit) ? unitMs[record.unit]! : null;
    if (record.type !== 'histogram' || factor === null || !isOfRequests(record.name)) return;
    // What this gateway counted nobody tells it.
    if (record.service === GATEWAY_SERVICE) return;
    for (const { attributes, timeMs, value } of record.points) {
      if (typeof value === 'number') continue;
      for (const { spanId, traceId, value: took, timeMs: atMs } of value.exemplars) {
        // What is less than a nanosecond is nothing: an axis of logarithms has an end.
        const durationMs = Math.round(took * factor * NS_PER_MS) / NS_PER_MS;
        if (!traceIds.test(traceId) || !(took >= 0 && durationMs <= DAY_MS)) continue;
        this.#keep({
          ...{
            traceId,
            spanId: spanIds.test(spanId) ? spanId : '',
            name: nameOf(record.name, attributes),
            by: record.service,
          },
          // Not all say when.
          ...{ atMs: atMs > 0 ? atMs : timeMs, durationMs, failed: hasFailed(attributes) },
        });
      }
    }
  }

  /** In no order. */
  get all(): readonly Exemplar[] {
    return this.#kept;
  }

  #keep(exemplar: Exemplar): void {
    const key = keyOf(exemplar);
    if (this.#keys.has(key)) return;
    const over = this.#kept[this.#next];
    if (over !== undefined) this.#keys.delete(keyOf(over));
    this.#keys.add(key);
    this.#kept[this.#next] = exemplar;
    this.#next = (this.#next + 1) % this.#max;
  }
}

function keyOf({ atMs, by, durationMs, traceId }: Exemplar): string {
  return `${traceId} ${atMs} ${durationMs} ${by}`;
}

/** `http.server.request.duration`, `rpc.server.duration`, `http_request_duration_seconds`; not those of clients. */
function isOfRequests(name: string): boolean {
  return /duration/i.test(name) && /server|request/i.test(name) && !/client/i.test(name);
}

/** By the names of OpenTelemetry, those of before, and as Prometheus spells them. */
function textOf(attributes: Attributes, ...names: readonly string[]): string {
  for (const name of names.flatMap((each) => [each, each.replaceAll('.', '_')])) {
    if (Object.hasOwn(attributes, name)) return cutText(String(attributes[name]), TEXT_MAX);
  }
  return '';
}

function nameOf(metric: string, attributes: Attributes): string {
  const method = textOf(attributes, 'http.request.method', 'http.method', 'rpc.method');
  const name = `${method} ${textOf(attributes, 'http.route', 'rpc.service')}`.trim();
  return name === '' ? cutText(metric, TEXT_MAX) : name;
}

function hasFailed(attributes: Attributes): boolean {
  const status = textOf(attributes, 'http.response.status_code', 'http.status_code');
  return status === '' ? textOf(attributes, 'error.type') !== '' : Number(status) >= 500;
}
