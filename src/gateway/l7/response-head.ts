/**
 * The HTTP/1.1 response parser: the same strictness as for requests, because a server that is misread desynchronises a pooled
 * connection just as a client does. Every refusal is `upstream_protocol`; `problem` says what it was.
 *
 *     HTTP-version SP status-code [ SP [ reason-phrase ] ] CRLF *( field-line CRLF ) CRLF
 *
 * One thing is taken that the grammar has not: a status line without the space after the code, which many servers send and
 * nobody reads otherwise (RFC 9112 §4).
 *
 * Sources: RFC 9112 §4 and §6.3, RFC 9110 §15 and §6.4.1.
 */
import { RESPONSE, parseFieldLines } from './field-lines.ts';
import { finishResponse } from './framing.ts';
import { MORE, OK as ACCEPTED } from './head.ts';
import type { Head, ResponseLimits } from './head.ts';
import { refusalNumber } from '../slots.ts';

// Own constants, not imported ones: an import is read from memory at each use, which is 10 % of a head (head.bench.ts).
const OK = ACCEPTED;
const TAB = 9;
const LF = 10;
const CR = 13;
const SP = 32;
const ZERO = 48;
const DEL = 127;

/** `HTTP/1.` */
const VERSION = Uint8Array.of(72, 84, 84, 80, 47, 49, 46);
const NINE = 57;

/** Parses the response head that begins at `start`. `toHead`: it answers a HEAD. */
export function parseResponseHead(
  head: Head,
  buffer: Uint8Array,
  start: number,
  end: number,
  limits: ResponseLimits,
  toHead: boolean,
): number {
  head.reset(buffer, start);
  const limit = start + limits.headerBytesMax;
  const atLimit = end >= limit;
  const stop = atLimit ? limit : end;
  let verdict = parseStatusLine(head, buffer, start, stop, atLimit);
  if (verdict === OK) {
    verdict = parseFieldLines(head, buffer, head.position, stop, atLimit, limits.headerFieldsMax, RESPONSE);
  }
  if (verdict === OK) verdict = finishResponse(head, buffer, toHead);
  // What a client did wrong has many names and statuses; what a server did wrong has one.
  return verdict === OK || verdict === MORE ? verdict : refusalNumber('upstream_protocol');
}

function parseStatusLine(head: Head, buffer: Uint8Array, at: number, stop: number, atLimit: boolean): number {
  for (let i = 0; i < VERSION.length; i += 1, at += 1) {
    if (at >= stop) return incomplete(head, stop, atLimit);
    if (buffer[at] !== VERSION[i])
      return bad(head, at, 'The status line does not begin with HTTP/1.0 or HTTP/1.1 (RFC 9112 §4).');
  }
  if (at >= stop) return incomplete(head, stop, atLimit);
  const minor = buffer[at]! - ZERO;
  if (minor !== 0 && minor !== 1) return bad(head, at, 'The version is not HTTP/1.0 or HTTP/1.1 (RFC 9112 §2.3).');
  head.minorVersion = minor;
  at += 1;
  if (at >= stop) return incomplete(head, stop, atLimit);
  if (buffer[at] !== SP) return bad(head, at, 'There is no space after the version (RFC 9112 §4).');
  at += 1;

  let status = 0;
  for (let digits = 0; digits < 3; digits += 1, at += 1) {
    if (at >= stop) return incomplete(head, stop, atLimit);
    const byte = buffer[at]!;
    if (byte < ZERO || byte > NINE) return bad(head, at, 'The status is not three digits (RFC 9112 §4).');
    status = status * 10 + byte - ZERO;
    if (digits === 0 && (status < 1 || status > 5))
      return bad(head, at, 'The status is not in 100-599 (RFC 9110 §15).');
  }
  head.status = status;
  if (at >= stop) return incomplete(head, stop, atLimit);
  if (buffer[at] === SP) at += 1;
  else if (buffer[at] !== CR) return bad(head, at, 'The status is not three digits (RFC 9112 §4).');

  head.reasonStart = at;
  while (at < stop && isReason(buffer[at]!)) at += 1;
  head.reasonEnd = at;
  if (at >= stop) return incomplete(head, stop, atLimit);
  if (buffer[at] !== CR)
    return bad(head, at, 'The reason has a control character, or the line a bare LF (RFC 9112 §4).');
  at += 1;
  if (at >= stop) return incomplete(head, stop, atLimit);
  if (buffer[at] !== LF) return bad(head, at, 'A CR is not followed by LF (RFC 9112 §2.2).');
  head.position = at + 1;
  return OK;
}

function isReason(byte: number): boolean {
  return (byte >= SP && byte !== DEL) || byte === TAB;
}

function incomplete(head: Head, stop: number, atLimit: boolean): number {
  return atLimit ? bad(head, stop, 'The head has more bytes than the limit.') : MORE;
}

function bad(head: Head, at: number, problem: string): number {
  head.position = at;
  return head.refuse('upstream_protocol', problem);
}
