/**
 * Is what a trusted proxy says fit to be passed on? The single values: scheme, host, port, request id, trace.
 *
 * Invariant: what passes has one reading and no byte that could break out of a header field, a log line or a quoted string.
 * Sources: RFC 7239 §5.3 and §5.4, W3C Trace Context §3.2.
 */
import { hexDigit } from '../../kernel/hex.ts';
import { hostNameEnd } from './authority.ts';
import { COMMA, equalsFolded, isToken, skipBlanks, SP, TAB, ZERO } from './syntax.ts';

/** Longer ids are cut by someone sooner or later; 128 is what the usual tracing systems take. */
const REQUEST_ID_BYTES_MAX = 128;
const DASH = 0x2d;
const TRACEPARENT_BYTES = 55;

/** Whether `buffer[from, to)` has the form of a value. */
export type FieldTest = (buffer: Uint8Array, from: number, to: number) => boolean;

/** `http` or `https`, or a list of them where several proxies each wrote theirs. */
export function isScheme(buffer: Uint8Array, from: number, to: number): boolean {
  for (let at = from; ; at += 1) {
    const name = skipBlanks(buffer, at, to);
    for (at = name; at < to && buffer[at] !== COMMA;) at += 1;
    let end = at;
    while (end > name && (buffer[end - 1] === SP || buffer[end - 1] === TAB)) end -= 1;
    if (!equalsFolded(buffer, name, end, 'https') && !equalsFolded(buffer, name, end, 'http')) return false;
    if (at === to) return true;
  }
}

export function isHost(buffer: Uint8Array, from: number, to: number): boolean {
  return hostNameEnd(buffer, from, to) !== -1;
}

export function isPort(buffer: Uint8Array, from: number, to: number): boolean {
  let port = 0;
  for (let at = from; at < to; at += 1) {
    const digit = buffer[at]! - ZERO;
    if (digit < 0 || digit > 9) return false;
    port = port * 10 + digit;
    if (port > 65535) return false;
  }
  return port > 0;
}

/** Token characters and the few others that ids in use have. */
export function isRequestId(buffer: Uint8Array, from: number, to: number): boolean {
  if (from === to || to - from > REQUEST_ID_BYTES_MAX) return false;
  for (let at = from; at < to; at += 1) {
    const byte = buffer[at]!;
    if (isToken[byte] === 0 && byte !== 0x3a && byte !== 0x2f && byte !== 0x3d && byte !== 0x40) return false;
  }
  return true;
}

/** `version "-" trace-id "-" parent-id "-" flags`, lower case, neither id all zeros; later versions may be longer. */
export function isTraceparent(buffer: Uint8Array, from: number, to: number): boolean {
  const version = hexRun(buffer, from, 2, to);
  if (version < 0 || version === 0xff) return false;
  if (to - from !== TRACEPARENT_BYTES && (version === 0 || buffer[from + TRACEPARENT_BYTES] !== DASH)) return false;
  if (buffer[from + 2] !== DASH || buffer[from + 35] !== DASH || buffer[from + 52] !== DASH) return false;
  return (
    hexRun(buffer, from + 3, 32, to) > 0 &&
    hexRun(buffer, from + 36, 16, to) > 0 &&
    hexRun(buffer, from + 53, 2, to) >= 0
  );
}

/** Where the 32 digits of the trace id are in a valid `traceparent`. */
export const TRACE_ID_OFFSET = 3;

/** `count` lower-case digits: 0 if all are zero, -1 if they are not that, else something above 0 (exact up to 8). */
function hexRun(buffer: Uint8Array, from: number, count: number, to: number): number {
  if (from + count > to) return -1;
  let value = 0;
  for (let at = from; at < from + count; at += 1) {
    const byte = buffer[at]!;
    const digit = byte >= 0x41 && byte <= 0x46 ? -1 : hexDigit(byte);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}
