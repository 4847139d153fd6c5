/**
 * What the fields of a head say about the message: where its body ends, whether the connection lives on, what is expected.
 *
 * Invariants: one reading or a refusal. Content-Length and Transfer-Encoding are never both believed; a length is digits
 * alone, once; a coding is `chunked`, once, alone. Fields are read as they are met (`readField`), and what depends on several
 * of them when the head is complete (`finishRequest`, `finishResponse`).
 *
 * Sources: RFC 9112 §6 and §9.3, RFC 9110 §7.2, §7.6, §8.6 and §10.1.1.
 */
import { hostNameEnd } from './authority.ts';
import { readConnection } from './connection.ts';
import { field } from './fields.ts';
import { ABSOLUTE_FORM, CHUNKED, LENGTH, METHOD_OPTIONS, NONE, OK, UNTIL_CLOSE } from './head.ts';
import type { Head } from './head.ts';
import { COMMA, ZERO, equalsFolded, skipBlanks, tokenEnd } from './syntax.ts';

/** Beyond this a hop count means nothing. */
const MAX_FORWARDS_MAX = 1e9;

/** Takes in field `index`, which has the number `id` and one of the LOOK flags. */
export function readField(head: Head, buffer: Uint8Array, id: number, index: number, isResponse: boolean): number {
  switch (id) {
    case field.connection:
      if (head.connectionCount === 0) head.connectionFirst = index;
      head.connectionCount += 1;
      return OK;
    case field.contentLength:
      return readContentLength(head, buffer, index);
    case field.transferEncoding:
      if (head.transferCodingCount === 0) head.transferCodingFirst = index;
      head.transferCodingCount += 1;
      return OK;
    case field.upgrade:
      // Two of them are no candidate for a tunnel.
      head.upgradeIndex = head.upgradeIndex === -1 ? index : -2;
      return OK;
    case field.via:
      head.viaCount += 1;
      return OK;
    default:
      return isResponse ? OK : readRequestField(head, buffer, id, index);
  }
}

function readRequestField(head: Head, buffer: Uint8Array, id: number, index: number): number {
  switch (id) {
    case field.host:
      return readHost(head, buffer, index);
    case field.te:
      if (listsTrailers(buffer, head.valueStart[index]!, head.valueEnd[index]!)) head.teTrailers = true;
      return OK;
    case field.expect:
      if (head.minorVersion === 0) {
        head.drop[index] = 1;
      } else if (
        head.expectIndex !== -1 ||
        !equalsFolded(buffer, head.valueStart[index]!, head.valueEnd[index]!, '100-continue')
      ) {
        return head.refuse('expectation', 'The only expectation is one 100-continue (RFC 9110 §10.1.1).');
      } else {
        head.expectIndex = index;
      }
      return OK;
    case field.maxForwards:
      return head.methodId === METHOD_OPTIONS ? readMaxForwards(head, buffer, index) : OK;
    default:
      return OK;
  }
}

function readContentLength(head: Head, buffer: Uint8Array, index: number): number {
  if (head.contentLengthIndex !== -1) {
    return head.refuse('bad_framing', 'There are two Content-Length fields (RFC 9112 §6.3).');
  }
  const from = head.valueStart[index]!;
  const to = head.valueEnd[index]!;
  if (from === to) return head.refuse('bad_framing', 'Content-Length is empty (RFC 9110 §8.6).');
  let length = 0;
  for (let at = from; at < to; at += 1) {
    const digit = buffer[at]! - ZERO;
    if (digit < 0 || digit > 9) {
      return head.refuse('bad_framing', 'Content-Length is not a decimal number (RFC 9110 §8.6).');
    }
    length = length * 10 + digit;
    if (length > Number.MAX_SAFE_INTEGER) {
      return head.refuse('bad_framing', 'Content-Length is larger than any message (RFC 9110 §8.6).');
    }
  }
  head.contentLengthIndex = index;
  head.contentLength = length;
  return OK;
}

function readHost(head: Head, buffer: Uint8Array, index: number): number {
  if (head.hostIndex !== -1) return head.refuse('bad_host', 'There are two Host fields (RFC 9112 §3.2).');
  const from = head.valueStart[index]!;
  const to = head.valueEnd[index]!;
  const nameEnd = hostNameEnd(buffer, from, to);
  if (nameEnd === -1) return head.refuse('bad_host', 'Host is not a host with an optional port (RFC 9112 §3.2).');
  head.hostIndex = index;
  if (head.targetForm === ABSOLUTE_FORM) {
    // The target's authority replaces it (RFC 9112 §3.2.2).
    head.drop[index] = 1;
    return OK;
  }
  head.hostStart = from;
  head.hostNameEnd = nameEnd;
  head.hostEnd = to;
  return OK;
}

function readMaxForwards(head: Head, buffer: Uint8Array, index: number): number {
  const from = head.valueStart[index]!;
  const to = head.valueEnd[index]!;
  let hops = 0;
  for (let at = from; at < to; at += 1) {
    const digit = buffer[at]! - ZERO;
    if (digit < 0 || digit > 9) return head.refuse('max_forwards', 'Max-Forwards is not a number (RFC 9110 §7.6.2).');
    hops = Math.min(hops * 10 + digit, MAX_FORWARDS_MAX);
  }
  if (from === to || head.maxForwardsIndex !== -1) {
    return head.refuse('max_forwards', 'Max-Forwards is empty or repeated (RFC 9110 §7.6.2).');
  }
  head.maxForwardsIndex = index;
  head.maxForwards = hops;
  return OK;
}

/** True if `trailers` is a member of the list in a TE field (RFC 9110 §10.1.4). */
function listsTrailers(buffer: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) {
    at = skipBlanks(buffer, at, to);
    const member = at;
    at = tokenEnd(buffer, at, to);
    const end = at;
    at = skipBlanks(buffer, at, to);
    if ((at === to || buffer[at] === COMMA) && equalsFolded(buffer, member, end, 'trailers')) return true;
    while (at < to && buffer[at] !== COMMA) at += 1;
  }
  return false;
}

/** One `chunked` and nothing else. */
const CODING_CHUNKED = 0;
/** A list that ends in `chunked` after codings we do not know. */
const CODING_UNKNOWN = 1;
/** `chunked` not last, twice, with parameters; no coding; not a list of tokens. */
const CODING_FAULTY = 2;

/** Reads all Transfer-Encoding fields as the one list they are. */
function transferCoding(head: Head, buffer: Uint8Array): number {
  let codings = 0;
  let chunked = 0;
  let lastIsChunked = false;
  for (let i = head.transferCodingFirst; i !== -1; i = head.find(field.transferEncoding, i + 1)) {
    const to = head.valueEnd[i]!;
    let at = head.valueStart[i]!;
    for (;;) {
      const coding = skipBlanks(buffer, at, to);
      const end = tokenEnd(buffer, coding, to);
      at = skipBlanks(buffer, end, to);
      if (end === coding || (at < to && buffer[at] !== COMMA)) return CODING_FAULTY;
      lastIsChunked = equalsFolded(buffer, coding, end, 'chunked');
      codings += 1;
      if (lastIsChunked) chunked += 1;
      if (at === to) break;
      at += 1;
    }
  }
  if (chunked !== 1 || !lastIsChunked) return CODING_FAULTY;
  return codings === 1 ? CODING_CHUNKED : CODING_UNKNOWN;
}

/** What needs the whole head. */
export function finishRequest(head: Head, buffer: Uint8Array): number {
  if (head.hostIndex === -1 && head.minorVersion === 1) {
    return head.refuse('bad_host', 'There is no Host field (RFC 9112 §3.2).');
  }
  if (head.transferCodingCount > 0) {
    const verdict = frameByCoding(head, buffer);
    if (verdict !== OK) return verdict;
  } else if (head.contentLength > 0) {
    head.bodyKind = LENGTH;
  }
  if (head.connectionCount > 0) {
    const verdict = readConnection(head, buffer);
    if (verdict !== OK) return verdict;
  }
  head.keepAlive = !head.closeListed && (head.minorVersion === 1 || head.keepAliveListed);
  if (head.expectIndex !== -1) {
    head.expectContinue = head.bodyKind !== NONE;
    // Nothing is held back that a 100 could set free, so nobody need wait for one.
    if (!head.expectContinue) head.drop[head.expectIndex] = 1;
  }
  if (head.upgradeIndex !== -1) readUpgrade(head);
  return OK;
}

function frameByCoding(head: Head, buffer: Uint8Array): number {
  if (head.contentLengthIndex !== -1) {
    return head.refuse('bad_framing', 'There are both Content-Length and Transfer-Encoding (RFC 9112 §6.1).');
  }
  if (head.minorVersion === 0) {
    return head.refuse('bad_framing', 'An HTTP/1.0 message has Transfer-Encoding (RFC 9112 §6.1).');
  }
  switch (transferCoding(head, buffer)) {
    case CODING_CHUNKED:
      head.bodyKind = CHUNKED;
      return OK;
    case CODING_UNKNOWN:
      return head.refuse('transfer_coding', 'A transfer coding other than chunked is applied (RFC 9112 §6.1).');
    default:
      return head.refuse('bad_framing', 'Transfer-Encoding does not end in one chunked (RFC 9112 §6.3).');
  }
}

/** Upgrade counts in HTTP/1.1 only (RFC 9110 §7.8), once, non-empty, and where no body would stand in the tunnel's way. */
function readUpgrade(head: Head): void {
  if (head.upgradeIndex < 0) {
    head.upgradeIndex = -1;
    return;
  }
  const empty = head.valueStart[head.upgradeIndex] === head.valueEnd[head.upgradeIndex];
  head.upgrade = head.upgradeListed && head.minorVersion === 1 && head.bodyKind === NONE && !empty;
}

/** The same for a response. `toHead`: the request's method was HEAD. */
export function finishResponse(head: Head, buffer: Uint8Array, toHead: boolean): number {
  const { status } = head;
  let coded = false;
  if (head.transferCodingCount > 0) {
    const verdict = frameByCoding(head, buffer);
    if (verdict !== OK) return verdict;
    coded = true;
  }
  if (head.connectionCount > 0) {
    const verdict = readConnection(head, buffer);
    if (verdict !== OK) return verdict;
  }
  if (status < 200 || status === 204) {
    head.bodyKind = NONE;
    // No body follows and none would for GET either, so a length could only mislead (RFC 9110 §8.6).
    if (head.contentLengthIndex !== -1) head.drop[head.contentLengthIndex] = 1;
  } else if (toHead || status === 304) {
    head.bodyKind = NONE;
  } else if (!coded) {
    if (head.contentLengthIndex === -1) head.bodyKind = UNTIL_CLOSE;
    else head.bodyKind = head.contentLength === 0 ? NONE : LENGTH;
  }
  head.keepAlive =
    !head.closeListed && (head.minorVersion === 1 || head.keepAliveListed) && head.bodyKind !== UNTIL_CLOSE;
  if (head.upgradeIndex !== -1) readUpgrade(head);
  return OK;
}
