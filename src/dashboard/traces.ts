/** Where traces are told, which span of one is looked at, and what is said where there are none. */
import type { ExemplarAnswer } from '../gateway/admin/traces-api.ts';
import type { SpanRecord } from '../observe/trace/span-record.ts';
import { isNarrow } from './browser.ts';
import { durationText } from './charts/format.ts';
import { mainRoot } from './charts/critical-path.ts';
import type { Dot } from './charts/reading.ts';
import type { Trace } from './charts/waterfall.ts';
import { live } from './feed.ts';
import { hashOf, place, setQuery } from './router.ts';
import type { TimeSpan } from './series.ts';

/** As in the address; empty is all. */
export interface TracesWanted {
  readonly service?: string;
  readonly route?: string;
  readonly status?: string;
  readonly minMs?: string;
  readonly text?: string;
  readonly order?: string;
  readonly limit?: string;
}

export interface WholeTrace {
  readonly traceId: string;
  readonly spans: readonly SpanRecord[];
  /** Spans that there was no room for. */
  readonly dropped: number;
}

export function tracesPath(wanted: TracesWanted): string {
  return `/api/traces?${queryOf(wanted)}`;
}

export function tracePath(traceId: string): string {
  return `/api/traces/${encodeURIComponent(traceId)}`;
}

/** The row of the span that the address names, or another wish, or of the root. By its id: spans that come late move rows. */
export function chosenRow({ rows }: Trace, wanted = place.value.query.get('span')): number {
  const found = rows.findIndex(({ span }) => span.spanId === wanted);
  return found < 0 ? Math.max(0, mainRoot(rows)) : found;
}

export function chooseRow({ rows }: Trace, row: number): void {
  setQuery({ span: rows[row]!.span.spanId });
}

/** A place on a chart is somewhat wider than a dot. */
const PLACES = { narrow: 20, wide: 60 };

/** Of requests whose traces are kept, for a chart of latencies. */
export function dotsPath(service: string, { spanMs }: TimeSpan): string {
  const seconds = spanMs / 1000;
  const places = isNarrow() ? PLACES.narrow : PLACES.wide;
  return `/api/exemplars?${queryOf({ service, from: `-${seconds}s`, step: `${seconds / places}s` })}`;
}

/** Of all services, those that the gateway sends to. */
export function dotsOf({ exemplars }: ExemplarAnswer): readonly Dot[] {
  const services = ['gateway', ...(live.peek()?.tables.services.name ?? [])];
  return exemplars
    .filter(({ by }) => services.includes(by))
    .map(({ traceId, spanId, name, by, atMs, durationMs, failed }) => ({
      ...{ atMs, failed, value: durationMs },
      href: hashOf('traces', { id: traceId, span: spanId }),
      what: `${name}, ${durationText(durationMs)}${by === 'gateway' ? '' : ` as ${by} counted it`}${failed ? ', failed' : ''}`,
    }));
}

function queryOf(wanted: object): URLSearchParams {
  const given = Object.entries(wanted).filter(
    (pair): pair is [string, string] => typeof pair[1] === 'string' && pair[1] !== '',
  );
  return new URLSearchParams(given);
}

/** 32 hexadecimal digits, as they are copied from a header or a line of a log; null: it is none. */
export function traceIdIn(text: string): string | null {
  return /(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])/.exec(text.trim().toLowerCase())?.[0] ?? null;
}

export const noTraces = {
  what: 'No trace is kept that fits.',
  how: [
    'Requests are traced once the config has ',
    'telemetry: { traces: {} }',
    '; services add theirs by sending OTLP to /v1/traces here.',
  ],
} as const;
