/** Requests for the router, without a connection. */
import { addressFrom } from '../../src/kernel/ip-address.ts';
import { Head, OK } from '../../src/gateway/l7/head.ts';
import { parseRequestHead } from '../../src/gateway/l7/request-head.ts';
import type { RoutedRequest } from '../../src/gateway/routing/routed-request.ts';
import type { ShapedRequest } from '../../src/gateway/shaping/template.ts';

export interface RequestText {
  readonly method?: string;
  /** Without port; may be what no parser would let through. */
  readonly host?: string;
  /** In its normal form, or what no parser would let through. */
  readonly path?: string;
  readonly query?: string;
  readonly fields?: readonly (readonly [name: string, value: string])[];
  readonly client?: string;
}

const LIMITS = {
  headerBytesMax: 65_536,
  headerFieldsMax: 100,
  requestLineBytesMax: 8192,
  underscoresInNames: 'reject',
} as const;

export function routed({
  method = 'GET',
  host = 'h',
  path = '/',
  query,
  fields = [],
  client,
}: RequestText): RoutedRequest {
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const target = query === undefined ? '/' : `/?${query}`;
  const text = `${method} ${target} HTTP/1.1\r\nHost: parsed.example\r\n${lines}\r\n`;
  // Host and path stand behind the head: they are what the router is to see, whatever a parser would say of them.
  const buffer = Buffer.from(text + host + path, 'latin1');
  const head = new Head();
  if (parseRequestHead(head, buffer, 0, text.length, LIMITS) !== OK) throw new TypeError(head.problem);
  head.hostStart = text.length;
  head.hostNameEnd = text.length + host.length;
  head.hostEnd = head.hostNameEnd;
  const address = addressFrom(client ?? '192.0.2.1');
  if (address === null) throw new TypeError(`not an address: ${client}`);
  return { head, path: { bytes: buffer, start: head.hostEnd, end: buffer.length, changed: true }, client: address };
}

/** The same for what is made of a request that was routed. */
export function shaped(request: RequestText): ShapedRequest {
  const clientText = Buffer.from(request.client ?? '192.0.2.1');
  return { routed: routed(request), clientText, clientLength: clientText.length, secure: false };
}
