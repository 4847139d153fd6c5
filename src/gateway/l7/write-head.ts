/**
 * The head that goes out, made from the one that came in: fields that belong to the connection are left out, everything
 * else is copied as it was, in runs, and what this gateway adds comes last.
 *
 * Invariants: no byte of a dropped field is copied; framing fields are ours (RFC 9112 §6.1, §7): `Content-Length` only
 * when the body goes out with that length, `Transfer-Encoding: chunked` only when we chunk.
 * Cost: one copy for each run of kept fields, the start line with the first if it stays as it is; a head of which nothing is dropped is one copy.
 */
import { ascii, copyBytes } from '../../kernel/bytes.ts';
import { field } from './fields.ts';
import { ABSOLUTE_FORM, CHUNKED, type Head, METHOD_OPTIONS } from './head.ts';

const HTTP11_LINE = ascii(' HTTP/1.1\r\n');
const HOST = ascii('Host: ');
const CRLF = ascii('\r\n');
const TE_CHUNKED = ascii('Transfer-Encoding: chunked\r\n');
const TE_TRAILERS = ascii('TE: trailers\r\nConnection: TE\r\n');
const CLOSE = ascii('Connection: close\r\n');
const KEEP_ALIVE = ascii('Connection: keep-alive\r\n');
const NOTHING = new Uint8Array(0);
const UPGRADE_LISTED = ascii('Connection: Upgrade\r\n');
const UPGRADE_WEBSOCKET = ascii('Connection: Upgrade\r\nUpgrade: websocket\r\n');
const SLASH = 47;
const ASTERISK = 42;
const QUESTION = 63;

/** The most that the functions here add to the bytes of the head itself, forwarding fields not counted. */
export const HEAD_EXTRA_BYTES = 192;

/** The path as it is forwarded: bytes of the head itself, or of another buffer if it had to be normalised. */
export interface Path {
  bytes: Uint8Array;
  start: number;
  end: number;
  /** False if `[start, end)` is the head's own path. */
  changed: boolean;
}

/**
 * Request line and kept fields, with the `Host` that routing used, or `host` if that is another. What is added and the empty line are
 * the caller's.
 */
export function writeRequestHead(head: Head, path: Path, host: Uint8Array | null, out: Uint8Array, at: number): number {
  const { buffer } = head;
  const isLineKept = !path.changed && head.targetForm !== ABSOLUTE_FORM && head.minorVersion === 1;
  // RFC 9112 §3.2.2: the target's authority replaces whatever Host said.
  const isHostNew = host !== null || head.targetForm === ABSOLUTE_FORM;
  if (isHostNew && head.hostIndex >= 0) head.drop[head.hostIndex] = 1;
  if (isLineKept) {
    if (isHostNew) at = copyBytes(buffer, head.start, firstField(head), out, at);
  } else {
    at = copyBytes(buffer, head.start, head.methodEnd + 1, out, at);
    if (path.start < path.end) at = copyBytes(path.bytes, path.start, path.end, out, at);
    else out[at++] = head.methodId === METHOD_OPTIONS && head.queryStart === head.queryEnd ? ASTERISK : SLASH;
    if (head.queryStart > head.pathEnd) {
      out[at++] = QUESTION;
      at = copyBytes(buffer, head.queryStart, head.queryEnd, out, at);
    }
    at = copyBytes(HTTP11_LINE, 0, HTTP11_LINE.length, out, at);
  }
  if (host !== null) at = writeHost(host, 0, host.length, out, at);
  else if (isHostNew) at = writeHost(buffer, head.hostStart, head.hostEnd, out, at);
  at = writeLines(head, isLineKept && !isHostNew, out, at);
  if (head.bodyKind === CHUNKED) at = copyBytes(TE_CHUNKED, 0, TE_CHUNKED.length, out, at);
  if (head.teTrailers && !head.upgrade) at = copyBytes(TE_TRAILERS, 0, TE_TRAILERS.length, out, at);
  return at;
}

// WHY five parameters: the hot path; an options object would be made for each request.
function writeHost(host: Uint8Array, from: number, to: number, out: Uint8Array, at: number): number {
  at = copyBytes(HOST, 0, HOST.length, out, at);
  at = copyBytes(host, from, to, out, at);
  return copyBytes(CRLF, 0, 2, out, at);
}

/** Digits of a deadline. */
const DEADLINE_DIGITS = 10;

/** A field whose value `writeDeadline` writes. Returns the index after it, by which it is found again. */
export function writeDeadlineField(name: string, out: Uint8Array, at: number): number {
  return writeField(name, '0'.repeat(DEADLINE_DIGITS), out, at);
}

/** Writes whole ms into the field that ends at `at`. */
export function writeDeadline(ms: number, out: Uint8Array, at: number): void {
  let rest = Math.max(0, Math.ceil(ms));
  for (let digit = at - 3; digit > at - 3 - DEADLINE_DIGITS; digit--) {
    out[digit] = 48 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
}

/** Asks the server for the tunnel the client asked for. */
export function writeUpgrade(out: Uint8Array, at: number): number {
  return copyBytes(UPGRADE_WEBSOCKET, 0, UPGRADE_WEBSOCKET.length, out, at);
}

/** `Name: value` of a field that is written anew. */
export function writeField(name: string, value: string, out: Uint8Array, at: number): number {
  const line = ascii(`${name}: ${value}\r\n`);
  return copyBytes(line, 0, line.length, out, at);
}

export const CONNECTION_NONE = 0;
export const CONNECTION_CLOSE = 1;
export const CONNECTION_KEEP_ALIVE = 2;
export const CONNECTION_UPGRADE = 3;

/**
 * A whole response head, its empty line included. `bodyKind` is how the body goes out, `connection` what we say of it, `added`
 * whole lines of ours.
 */
export function writeResponseHead(
  head: Head,
  bodyKind: number,
  connection: number,
  added: Uint8Array,
  out: Uint8Array,
  at: number,
): number {
  const line = at;
  at = writeLines(head, true, out, at);
  out[line + 7] = 49; // our version is 1.1, whatever the server's (RFC 9112 §2.3)
  at = copyBytes(added, 0, added.length, out, at);
  if (bodyKind === CHUNKED) at = copyBytes(TE_CHUNKED, 0, TE_CHUNKED.length, out, at);
  if (connection === CONNECTION_CLOSE) at = copyBytes(CLOSE, 0, CLOSE.length, out, at);
  else if (connection === CONNECTION_KEEP_ALIVE) at = copyBytes(KEEP_ALIVE, 0, KEEP_ALIVE.length, out, at);
  else if (connection === CONNECTION_UPGRADE) at = writeUpgrade(out, at);
  return endHead(out, at);
}

/**
 * A 426 says what to upgrade to, and is nothing without it (RFC 9110 §15.5.22): lets its Upgrade through, and returns what
 * must be added for it (§7.8). Of any other answer Upgrade is the server's word to us alone.
 */
export function upgradeRequired(head: Head): Uint8Array {
  if (head.status !== 426) return NOTHING;
  let index = head.find(field.upgrade);
  const added = index < 0 ? NOTHING : UPGRADE_LISTED;
  for (; index >= 0; index = head.find(field.upgrade, index + 1)) head.drop[index] = 0;
  return added;
}

/** The empty line. */
export function endHead(out: Uint8Array, at: number): number {
  out[at] = 13;
  out[at + 1] = 10;
  return at + 2;
}

/** Where the fields begin, or the empty line. */
function firstField(head: Head): number {
  return head.count > 0 ? head.lineStart[0]! : head.end - 2;
}

/** Fields with `drop` 0, each run of neighbours in one copy; `withStart`: with the start line before them. */
function writeLines(head: Head, withStart: boolean, out: Uint8Array, at: number): number {
  const { buffer, count, drop, lineEnd } = head;
  let to = firstField(head);
  let from = withStart ? head.start : to;
  for (let index = 0; index < count; index++) {
    if (drop[index] !== 0) {
      at = copyBytes(buffer, from, to, out, at);
      from = lineEnd[index]!;
    }
    to = lineEnd[index]!;
  }
  return copyBytes(buffer, from, to, out, at);
}
