/**
 * The HTTP/1.1 request parser: bytes in, offsets and a verdict out; no I/O and no state between calls.
 *
 *     method SP request-target SP HTTP-version CRLF *( field-line CRLF ) CRLF
 *
 * Invariants: strict (one space, CRLF only, nothing repaired: RFC 9112 §3); the verdict does not depend on how the bytes were
 * cut; limits hold for what is incomplete too; one empty line before the request is skipped (§2.2), a second is not.
 *
 * HTTP/1.2 and above: RFC 9110 §2.5 would have them read as HTTP/1.1. They are refused (505), as node and HAProxy do: no such
 * version exists, so whoever sends one is probing for servers that disagree.
 *
 * Cost: see head.bench.ts. Sources: RFC 9112 §2.2, §2.3, §3; RFC 9110 §4.2, §7.1, §9.1.
 */
import { hostNameEnd } from './authority.ts';
import { REQUEST_DROP, REQUEST_REJECT, parseFieldLines } from './field-lines.ts';
import { finishRequest } from './framing.ts';
import {
  ABSOLUTE_FORM,
  ASTERISK_FORM,
  METHOD_DELETE,
  METHOD_GET,
  METHOD_HEAD,
  METHOD_OPTIONS,
  METHOD_OTHER,
  METHOD_PATCH,
  METHOD_POST,
  METHOD_PUT,
  MORE,
  OK as ACCEPTED,
} from './head.ts';
import type { Head, RequestLimits } from './head.ts';
import { equalsFolded, isPath as pathBytes, isQuery as queryBytes, isToken as tokenBytes } from './syntax.ts';

// Own constants, not imported ones: an import is read from memory at each use, which is 10 % of a head (head.bench.ts).
const OK = ACCEPTED;
const isToken = tokenBytes;
const isPath = pathBytes;
const isQuery = queryBytes;
const LF = 10;
const CR = 13;
const SP = 32;
const HASH = 35;
const ASTERISK = 42;
const SLASH = 47;
const ZERO = 48;
const QUESTION = 63;

/** `HTTP/1.` */
const VERSION = Uint8Array.of(72, 84, 84, 80, 47, 49, 46);
const VERSION_DIGIT = 5;

/** Parses the request head that begins at `start`. `end` is where the bytes that have arrived end. */
export function parseRequestHead(
  head: Head,
  buffer: Uint8Array,
  start: number,
  end: number,
  limits: RequestLimits,
): number {
  head.reset(buffer, start);
  if (start < end && buffer[start] === CR) {
    if (start + 1 >= end) return MORE;
    if (buffer[start + 1] !== LF) return badStart(head, 'A CR is not followed by LF (RFC 9112 §2.2).');
    start += 2;
    head.reset(buffer, start);
  }
  const headLimit = start + limits.headerBytesMax;
  const lineLimit = Math.min(start + limits.requestLineBytesMax, headLimit);
  const verdict = parseRequestLine(head, buffer, start, end < lineLimit ? end : lineLimit, end >= lineLimit);
  if (verdict !== OK) return verdict;

  const fields = parseFieldLines(
    head,
    buffer,
    head.position,
    end < headLimit ? end : headLimit,
    end >= headLimit,
    limits.headerFieldsMax,
    limits.underscoresInNames === 'drop' ? REQUEST_DROP : REQUEST_REJECT,
  );
  return fields === OK ? finishRequest(head, buffer) : fields;
}

function badStart(head: Head, problem: string): number {
  return head.refuse('bad_request_line', problem);
}

/** Leaves `position` behind the line. */
function parseRequestLine(head: Head, buffer: Uint8Array, start: number, stop: number, atLimit: boolean): number {
  // Method
  let at = start;
  while (at < stop && isToken[buffer[at]!] === 1) at += 1;
  if (at >= stop) return incomplete(head, stop, atLimit);
  if (buffer[at] !== SP || at === start) return badLine(head, buffer, at, 'The method is not a token');
  head.methodEnd = at;
  head.methodId = methodId(buffer, start, at);
  if (head.methodId === METHOD_OTHER && isRefusedMethod(buffer, start, at)) {
    head.position = at;
    return head.refuse('method_refused', 'CONNECT and TRACE are not served (RFC 9110 §9.3.6, §9.3.8).');
  }

  // Target
  at += 1;
  head.targetStart = at;
  if (at >= stop) return incomplete(head, stop, atLimit);
  if (buffer[at] === SLASH) {
    head.pathStart = at;
  } else {
    const verdict = parseTargetStart(head, buffer, at, stop, atLimit);
    if (verdict !== OK) return verdict;
    at = head.position;
  }
  while (at < stop && isPath[buffer[at]!] === 1) at += 1;
  head.pathEnd = at;
  head.queryStart = at;
  if (at < stop && buffer[at] === QUESTION && head.targetForm !== ASTERISK_FORM) {
    at += 1;
    head.queryStart = at;
    while (at < stop && isQuery[buffer[at]!] === 1) at += 1;
  }
  head.queryEnd = at;
  head.targetEnd = at;
  if (at >= stop) return incomplete(head, stop, atLimit);
  if (buffer[at] !== SP) return badTarget(head, buffer, at);
  if (head.targetForm === ASTERISK_FORM && at !== head.targetStart + 1)
    return badTarget(head, buffer, head.targetStart);
  if (head.targetForm === ABSOLUTE_FORM && !readTargetAuthority(head, buffer)) return badTarget(head, buffer, at);
  return parseVersion(head, buffer, at + 1, stop, atLimit);
}

function parseVersion(head: Head, buffer: Uint8Array, at: number, stop: number, atLimit: boolean): number {
  const version = at;
  for (let i = 0; i < VERSION.length; i += 1, at += 1) {
    if (at >= stop) return incomplete(head, stop, atLimit);
    const byte = buffer[at]!;
    if (byte === VERSION[i]) continue;
    if (i === VERSION_DIGIT && isDigit(byte)) return badVersion(head, at);
    return badLine(head, buffer, at, 'After the target comes HTTP/1.0 or HTTP/1.1 (RFC 9112 §2.3)');
  }
  if (at >= stop) return incomplete(head, stop, atLimit);
  const minor = buffer[at]! - ZERO;
  if (minor !== 0 && minor !== 1) {
    if (minor > 1 && minor <= 9) return badVersion(head, at);
    return badLine(head, buffer, at, 'After the target comes HTTP/1.0 or HTTP/1.1 (RFC 9112 §2.3)');
  }
  head.minorVersion = minor;
  at += 1;
  if (at >= stop) return incomplete(head, stop, atLimit);
  if (buffer[at] !== CR) return badLine(head, buffer, at, 'The request line does not end after the version');
  at += 1;
  if (at >= stop) return incomplete(head, stop, atLimit);
  if (buffer[at] !== LF) return badLine(head, buffer, at, 'A CR is not followed by LF');
  if (head.targetForm === ASTERISK_FORM && head.methodId !== METHOD_OPTIONS) {
    head.position = version;
    return head.refuse('bad_target', 'Only OPTIONS has the target * (RFC 9112 §3.2.4).');
  }
  head.position = at + 1;
  return OK;
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= ZERO + 9;
}

/** What is not origin-form: `*`, or `http://authority` with the path left for the caller, from `position`. */
function parseTargetStart(head: Head, buffer: Uint8Array, at: number, stop: number, atLimit: boolean): number {
  if (buffer[at] === ASTERISK) {
    head.targetForm = ASTERISK_FORM;
    head.pathStart = at + 1;
    head.position = at + 1;
    return OK;
  }
  const scheme = at;
  let slashes = 0;
  for (let i = 0; slashes < 2; i += 1, at += 1) {
    if (at >= stop) return incomplete(head, stop, atLimit);
    const byte = buffer[at]!;
    const secure = i === 4 && (byte | 32) === 115;
    if (secure) {
      head.targetSecure = true;
      continue;
    }
    const expected = 'http://'.charCodeAt(head.targetSecure ? i - 1 : i);
    if (byte !== expected && !(i < 4 && (byte | 32) === expected)) return badTarget(head, buffer, at);
    if (byte === SLASH) slashes += 1;
  }
  head.targetForm = ABSOLUTE_FORM;
  head.hostStart = at;
  while (at < stop && buffer[at] !== SLASH && isPath[buffer[at]!] === 1) at += 1;
  head.hostEnd = at;
  head.pathStart = at;
  head.position = at;
  return scheme < at ? OK : badTarget(head, buffer, at);
}

function readTargetAuthority(head: Head, buffer: Uint8Array): boolean {
  head.hostNameEnd = hostNameEnd(buffer, head.hostStart, head.hostEnd);
  return head.hostNameEnd !== -1;
}

function incomplete(head: Head, stop: number, atLimit: boolean): number {
  head.position = stop;
  return atLimit ? head.refuse('line_too_long', 'The request line has more bytes than the limit (RFC 9112 §3).') : MORE;
}

function badVersion(head: Head, at: number): number {
  head.position = at;
  return head.refuse('bad_version', 'Only HTTP/1.0 and HTTP/1.1 are spoken here (RFC 9110 §2.5, §15.6.6).');
}

function badLine(head: Head, buffer: Uint8Array, at: number, problem: string): number {
  head.position = at;
  if (buffer[at] === LF) return badStart(head, 'A line ends with a bare LF (RFC 9112 §2.2).');
  if (buffer[at] === CR && at === head.start)
    return badStart(head, 'There are empty lines before the request (RFC 9112 §2.2).');
  return badStart(head, problem.endsWith(')') ? `${problem}.` : `${problem} (RFC 9112 §3).`);
}

function badTarget(head: Head, buffer: Uint8Array, at: number): number {
  head.position = at;
  const byte = buffer[at];
  // `GET /` and a line end: HTTP/0.9.
  if (byte === CR) return badStart(head, 'There is no version: HTTP/0.9 is not spoken here (RFC 9112 §3).');
  if (byte === LF) return badStart(head, 'A line ends with a bare LF (RFC 9112 §2.2).');
  if (byte === SP && head.targetStart === at)
    return badStart(head, 'There are two spaces after the method (RFC 9112 §3).');
  if (byte === HASH) return head.refuse('bad_target', 'The target has a fragment (RFC 9112 §3.2).');
  if (head.targetForm === ABSOLUTE_FORM && byte === SP) {
    return head.refuse(
      'bad_target',
      'The authority in the target is not a host with an optional port (RFC 9110 §4.2).',
    );
  }
  return head.refuse('bad_target', 'The target is not a path, an http URL, or * (RFC 9112 §3.2).');
}

function methodId(buffer: Uint8Array, from: number, to: number): number {
  const first = buffer[from]!;
  switch (to - from) {
    case 3:
      if (first === 71 && buffer[from + 1] === 69 && buffer[from + 2] === 84) return METHOD_GET;
      return isMethod(buffer, from, 'PUT') ? METHOD_PUT : METHOD_OTHER;
    case 4:
      if (isMethod(buffer, from, 'POST')) return METHOD_POST;
      return isMethod(buffer, from, 'HEAD') ? METHOD_HEAD : METHOD_OTHER;
    case 5:
      return isMethod(buffer, from, 'PATCH') ? METHOD_PATCH : METHOD_OTHER;
    case 6:
      return isMethod(buffer, from, 'DELETE') ? METHOD_DELETE : METHOD_OTHER;
    case 7:
      return isMethod(buffer, from, 'OPTIONS') ? METHOD_OPTIONS : METHOD_OTHER;
    default:
      return METHOD_OTHER;
  }
}

/** Methods are told apart by case (RFC 9110 §9.1): `get` is another method than GET. */
function isMethod(buffer: Uint8Array, from: number, method: string): boolean {
  for (let i = 0; i < method.length; i += 1) {
    if (buffer[from + i] !== method.charCodeAt(i)) return false;
  }
  return true;
}

/** Here case does not matter: a server that takes `trace` for TRACE is no reason to pass it on. */
function isRefusedMethod(buffer: Uint8Array, from: number, to: number): boolean {
  return equalsFolded(buffer, from, to, 'connect') || equalsFolded(buffer, from, to, 'trace');
}
