/** Rules about `telemetry`: secrets that can be read, and are not told to whoever listens on the way. */
import type { MistakeList } from '../../reading/mistakes.ts';
import type { ConfigValues } from './schema.ts';
import type { RuleContext } from './rule-context.ts';
import { checkSecrecy } from './pem.ts';
import { isLoopback } from './address.ts';
import { type PointedPlaces, readPointed } from './secret.ts';
import { headerSecret } from './telemetry-schema.ts';

type Telemetry = ConfigValues['telemetry'];

const WHAT = { what: 'field value', ...headerSecret };

type Otlp = NonNullable<Telemetry['otlp']>;
type Fields = Otlp['headers'];

/** Of each collector the fields with their values; a signal has none if it has no collector of its own. */
export interface OtlpHeaders {
  readonly all: Readonly<Record<string, string>>;
  readonly traces?: Readonly<Record<string, string>>;
  readonly metrics?: Readonly<Record<string, string>>;
}

export function checkTelemetry({ otlp }: Telemetry, list: MistakeList, context: RuleContext): void {
  if (otlp === undefined) return;
  const { headers, traces, metrics } = otlp;
  checkCollector(otlp, ['telemetry', 'otlp'], { list, context, sent: headers });
  if (traces !== undefined) {
    checkCollector(traces, ['telemetry', 'otlp', 'traces'], { list, context, sent: traces.headers ?? headers });
  }
  if (metrics?.endpoint !== undefined) {
    const { endpoint } = metrics;
    const given = { endpoint, headers: metrics.headers };
    checkCollector(given, ['telemetry', 'otlp', 'metrics'], { list, context, sent: metrics.headers ?? headers });
  } else if (metrics?.headers !== undefined) {
    const message = 'these are for an endpoint of its own, and there is none';
    list.error(['telemetry', 'otlp', 'metrics', 'headers'], { message, expected: 'endpoint beside it, or no headers' });
  }
}

function checkCollector(
  { endpoint, headers = [] }: { readonly endpoint: string; readonly headers?: Fields | undefined },
  at: readonly string[],
  { list, context, sent }: { readonly list: MistakeList; readonly context: RuleContext; readonly sent: Fields },
): void {
  for (const [index, { secret }] of headers.entries()) {
    const path = [...at, 'headers', index, 'secret'];
    const read = readPointed(secret, context, WHAT);
    if (!read.ok) list.error(path, { message: read.message, expected: read.expected });
    else if (secret.from === 'file')
      checkSecrecy(context.files, secret.path, (_, finding) => list.warning(path, finding));
  }
  const { protocol, hostname } = new URL(endpoint);
  const isOpen = protocol === 'http:' && !isLoopback(hostname.replace(/^\[|\]$/g, '')) && hostname !== 'localhost';
  if (!isOpen || sent.length === 0) return;
  const message = 'secrets go to the collector over a connection that others can read';
  list.warning([...at, 'endpoint'], { message, expected: 'an address that begins with https://' });
}

/** Of a valid config: the fields with their values. */
export function otlpHeaders({ otlp }: Telemetry, places: PointedPlaces): OtlpHeaders {
  const read = (fields: Fields): Record<string, string> =>
    Object.fromEntries(
      fields.flatMap(({ name, secret }): [string, string][] => {
        const value = readPointed(secret, places, WHAT);
        return value.ok ? [[name.toLowerCase(), value.text]] : [];
      }),
    );
  return {
    all: read(otlp?.headers ?? []),
    ...(otlp?.traces?.headers !== undefined && { traces: read(otlp.traces.headers) }),
    ...(otlp?.metrics?.headers !== undefined && { metrics: read(otlp.metrics.headers) }),
  };
}
