/**
 * The header fields that the gateway itself acts on, as small numbers, and how a name in a message becomes one.
 *
 * Invariants: 0 is every other field; a name is matched without regard to case, without making a string; only names with a
 * meaning here have a number, so that nearly any other costs one look and no comparison.
 *
 * Cost: one look by length and first letter and, for a known name, one comparison: 2 to 15 ns. The tables are 2 KB.
 * Sources: RFC 9110 §5.1 (names), §7.6.1 (what belongs to a connection), §6.5.1 (what may not be a trailer field).
 */

export const field = {
  other: 0,
  connection: 1,
  host: 2,
  contentLength: 3,
  transferEncoding: 4,
  keepAlive: 5,
  proxyConnection: 6,
  te: 7,
  trailer: 8,
  upgrade: 9,
  http2Settings: 10,
  proxy: 11,
  expect: 12,
  maxForwards: 13,
  via: 14,
  forwarded: 15,
  xForwardedFor: 16,
  xForwardedProto: 17,
  xForwardedHost: 18,
  xForwardedPort: 19,
  xRealIp: 20,
  xRequestId: 21,
  traceparent: 22,
  tracestate: 23,
  userAgent: 24,
  referer: 25,
  cookie: 26,
  setCookie: 27,
  server: 28,
  date: 29,
  secWebsocketKey: 30,
  secWebsocketVersion: 31,
  secWebsocketAccept: 32,
  proxyStatus: 33,
  retryAfter: 34,
  spillwayMirror: 35,
} as const;

/** Removed from every request that is forwarded, whatever `Connection` says. */
export const DROP_REQUEST = 1;
/** The same for responses. */
export const DROP_RESPONSE = 2;
/** The request parser reads its value. */
export const LOOK_REQUEST = 4;
/** The response parser reads its value. */
export const LOOK_RESPONSE = 8;
/** Meant for everyone on the way: a `Connection` that names it is an attempt to have it removed. */
const PROTECTED = 16;
/** May be in a trailer section. No other known field may: all of them frame, route, or belong to a connection. */
const TRAILER_ALLOWED = 32;

const HOP = DROP_REQUEST | DROP_RESPONSE;
const LOOK = LOOK_REQUEST | LOOK_RESPONSE;

const known: readonly (readonly [id: number, name: string, flags: number])[] = [
  [field.connection, 'connection', HOP | LOOK],
  [field.host, 'host', LOOK_REQUEST | PROTECTED],
  [field.contentLength, 'content-length', LOOK | PROTECTED],
  [field.transferEncoding, 'transfer-encoding', HOP | LOOK],
  [field.keepAlive, 'keep-alive', HOP],
  [field.proxyConnection, 'proxy-connection', HOP],
  [field.te, 'te', HOP | LOOK_REQUEST],
  [field.trailer, 'trailer', 0],
  [field.upgrade, 'upgrade', HOP | LOOK],
  [field.http2Settings, 'http2-settings', HOP],
  // A CGI program takes this field for the variable HTTP_PROXY ("httpoxy").
  [field.proxy, 'proxy', DROP_REQUEST],
  [field.expect, 'expect', LOOK_REQUEST | PROTECTED],
  [field.maxForwards, 'max-forwards', LOOK_REQUEST | PROTECTED],
  [field.via, 'via', LOOK | PROTECTED],
  [field.forwarded, 'forwarded', PROTECTED],
  [field.xForwardedFor, 'x-forwarded-for', PROTECTED],
  [field.xForwardedProto, 'x-forwarded-proto', PROTECTED],
  [field.xForwardedHost, 'x-forwarded-host', PROTECTED],
  [field.xForwardedPort, 'x-forwarded-port', PROTECTED],
  [field.xRealIp, 'x-real-ip', PROTECTED],
  [field.xRequestId, 'x-request-id', PROTECTED],
  [field.traceparent, 'traceparent', PROTECTED],
  [field.tracestate, 'tracestate', PROTECTED],
  [field.userAgent, 'user-agent', PROTECTED],
  [field.referer, 'referer', PROTECTED],
  [field.cookie, 'cookie', PROTECTED],
  [field.setCookie, 'set-cookie', PROTECTED],
  [field.server, 'server', PROTECTED],
  [field.date, 'date', PROTECTED],
  [field.secWebsocketKey, 'sec-websocket-key', PROTECTED],
  [field.secWebsocketVersion, 'sec-websocket-version', PROTECTED],
  [field.secWebsocketAccept, 'sec-websocket-accept', PROTECTED],
  [field.proxyStatus, 'proxy-status', PROTECTED | TRAILER_ALLOWED],
  [field.retryAfter, 'retry-after', PROTECTED],
  [field.spillwayMirror, 'x-spillway-mirror', PROTECTED],
];

/** End-to-end fields that need no number, but may not be named by `Connection` or, as most of these, sent as a trailer. */
const protectedNames: ReadonlySet<string> = new Set([
  'accept',
  'accept-charset',
  'accept-encoding',
  'accept-language',
  'age',
  'allow',
  'authorization',
  'cache-control',
  'content-encoding',
  'content-language',
  'content-location',
  'content-range',
  'content-security-policy',
  'content-type',
  'etag',
  'expires',
  'from',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'last-modified',
  'location',
  'origin',
  'pragma',
  'range',
  'strict-transport-security',
  'vary',
  'www-authenticate',
]);

/** Of those, the ones that change nothing about how a message is read or who may read it (RFC 9110 §8.8.3, RFC 9530 §6). */
const trailerNames: ReadonlySet<string> = new Set(['content-digest', 'etag', 'last-modified', 'repr-digest']);

/** Fields of authentication, cookies, routing and conditions that have no place in a trailer section. */
const trailerRefused: ReadonlySet<string> = new Set([
  'authentication-info',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
]);

const NAME_BYTES_MAX = 32;
const idMax = Math.max(...known.map(([id]) => id));
const names = new Uint8Array((idMax + 1) * NAME_BYTES_MAX);
/** By length and first letter: the first field with both, and for each field the next. */
const firstOf = new Uint8Array(NAME_BYTES_MAX * 32);
const nextOf = new Uint8Array(idMax + 1);
/** How names are found, for field-scan.ts, which has a copy. */
export const nameTables = { names, firstOf, nextOf };

/** The flags of each field number. */
export const fieldFlags = new Uint8Array(idMax + 1);

/** The lower-case name of each field number. */
export const fieldNames: readonly string[] = fillTables();

function fillTables(): readonly string[] {
  const byId: string[] = [''];
  for (const [id, name, flags] of known) {
    byId[id] = name;
    fieldFlags[id] = flags;
    for (let i = 0; i < name.length; i += 1) names[id * NAME_BYTES_MAX + i] = name.charCodeAt(i);
    const slot = (name.length << 5) | (name.charCodeAt(0) & 31);
    nextOf[id] = firstOf[slot]!;
    firstOf[slot] = id;
  }
  return byId;
}

/** The number of the field named by the bytes `[from, to)`, which must be a token; 0 if it has none. */
export function fieldId(buffer: Uint8Array, from: number, to: number): number {
  const length = to - from;
  if (length >= NAME_BYTES_MAX) return 0;
  let id = firstOf[(length << 5) | (buffer[from]! & 31)]!;
  while (id !== 0 && !isName(buffer, from, to, id << 5)) id = nextOf[id]!;
  return id;
}

/** `| 32` folds A-Z to a-z and, of the other bytes of a token in these names (`-`, digits), changes none. */
function isName(buffer: Uint8Array, from: number, to: number, name: number): boolean {
  for (let at = from; at < to; at += 1, name += 1) {
    if ((buffer[at]! | 32) !== names[name]) return false;
  }
  return true;
}

/** True if `Connection` may not name this field. For names that are rare there; makes a string. */
export function isProtected(buffer: Uint8Array, from: number, to: number): boolean {
  const id = fieldId(buffer, from, to);
  if (id !== 0) return (fieldFlags[id]! & PROTECTED) !== 0;
  const name = lowerCase(buffer, from, to);
  return protectedNames.has(name) || name.startsWith('x-forwarded-');
}

/** True if a trailer field of this name is passed on (RFC 9110 §6.5.1). Makes a string; trailers are rare. */
export function isTrailerAllowed(buffer: Uint8Array, from: number, to: number): boolean {
  const id = fieldId(buffer, from, to);
  if (id !== 0) return (fieldFlags[id]! & TRAILER_ALLOWED) !== 0;
  const name = lowerCase(buffer, from, to);
  if (trailerNames.has(name)) return true;
  return !protectedNames.has(name) && !trailerRefused.has(name) && !/^(?:x-forwarded|sec|content)-/.test(name);
}

/** True if both names are the same, whatever their case. Both must be tokens. */
export function sameName(
  left: Uint8Array,
  leftFrom: number,
  leftTo: number,
  right: Uint8Array,
  rightFrom: number,
): boolean {
  for (let at = leftFrom, other = rightFrom; at < leftTo; at += 1, other += 1) {
    if (lowerByte(left[at]!) !== lowerByte(right[other]!)) return false;
  }
  return true;
}

function lowerByte(byte: number): number {
  return byte >= 65 && byte <= 90 ? byte | 32 : byte;
}

function lowerCase(buffer: Uint8Array, from: number, to: number): string {
  let text = '';
  for (let at = from; at < to; at += 1) text += String.fromCharCode(lowerByte(buffer[at]!));
  return text;
}
