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

export function checkTelemetry({ otlp }: Telemetry, list: MistakeList, context: RuleContext): void {
  if (otlp === undefined) return;
  for (const [index, { secret }] of otlp.headers.entries()) {
    const path = ['telemetry', 'otlp', 'headers', index, 'secret'];
    const read = readPointed(secret, context, WHAT);
    if (!read.ok) list.error(path, { message: read.message, expected: read.expected });
    else if (secret.from === 'file')
      checkSecrecy(context.files, secret.path, (_, finding) => list.warning(path, finding));
  }
  const { protocol, hostname } = new URL(otlp.endpoint);
  const isOpen = protocol === 'http:' && !isLoopback(hostname.replace(/^\[|\]$/g, '')) && hostname !== 'localhost';
  if (!isOpen || otlp.headers.length === 0) return;
  const message = 'secrets go to the collector over a connection that others can read';
  list.warning(['telemetry', 'otlp', 'endpoint'], { message, expected: 'an address that begins with https://' });
}

/** Of a valid config: the fields with their values. */
export function otlpHeaders({ otlp }: Telemetry, places: PointedPlaces): Readonly<Record<string, string>> {
  const fields = (otlp?.headers ?? []).flatMap(({ name, secret }): [string, string][] => {
    const read = readPointed(secret, places, WHAT);
    return read.ok ? [[name.toLowerCase(), read.text]] : [];
  });
  return Object.fromEntries(fields);
}
