/**
 * Finding values in a request by name: header fields, query parameters, cookies.
 *
 * A field that is not forwarded is not looked at, so a client cannot pass for a proxy with an `X-Forwarded-…` of its own;
 * `Upgrade` is the exception, because routing WebSockets apart is common. Names of fields know no case; names of parameters and
 * cookies do. Parameters are seen after percent-decoding, `+` being a space (HTML's form encoding).
 *
 * Cost: one pass over the fields, the query or the cookies; no allocation.
 */
import { equalBytes } from '../../kernel/bytes.ts';
import { hexDigit } from '../../kernel/hex.ts';
import { field } from '../l7/fields.ts';
import type { Head } from '../l7/head.ts';
import { equalsFolded } from '../l7/syntax.ts';

/** Looks at a value, `bytes[from, to)`, which is there for the call only; true ends the search. */
export type Takes = (bytes: Uint8Array, from: number, to: number) => boolean;
/** Is there a value of this name that `takes` takes? Asked in the order of the request. */
export type Some = (head: Head, name: Name, takes: Takes) => boolean;

export interface Name {
  readonly lower: string;
  readonly bytes: Uint8Array;
}

export function nameOf(name: string): Name {
  return { lower: name.toLowerCase(), bytes: Buffer.from(name) };
}

export function someField(head: Head, { lower }: Name, takes: Takes): boolean {
  for (let index = 0; index < head.count; index++) {
    if (head.drop[index] === 1 && head.id[index] !== field.upgrade) continue;
    const isNamed = equalsFolded(head.buffer, head.nameStart[index]!, head.nameEnd[index]!, lower);
    if (isNamed && takes(head.buffer, head.valueStart[index]!, head.valueEnd[index]!)) return true;
  }
  return false;
}

const AMPERSAND = 0x26;
const EQUALS = 0x3d;
const SEMICOLON = 0x3b;
const SPACE = 0x20;
const TAB = 0x09;

/** Where names and values are decoded to. The thread's own: a look never nests. */
let decoded = new Uint8Array(4096);

export function someParameter(head: Head, name: Name, takes: Takes): boolean {
  const { buffer, queryStart, queryEnd } = head;
  if (decoded.length < queryEnd - queryStart) decoded = new Uint8Array(2 * (queryEnd - queryStart));
  for (let at = queryStart; at < queryEnd; at++) {
    const start = at;
    let equals = -1;
    for (; at < queryEnd && buffer[at] !== AMPERSAND; at++) if (equals < 0 && buffer[at] === EQUALS) equals = at;
    const nameEnd = decode(buffer, start, equals < 0 ? at : equals);
    if (!equalBytes(decoded, 0, nameEnd, name.bytes)) continue;
    const valueEnd = equals < 0 ? 0 : decode(buffer, equals + 1, at);
    if (takes(decoded, 0, valueEnd)) return true;
  }
  return false;
}

/** Writes the decoded bytes to `decoded` and returns how many; an escape that is none stays as it is. */
function decode(bytes: Uint8Array, from: number, to: number): number {
  let length = 0;
  for (let at = from; at < to; at++) {
    let byte = bytes[at]!;
    if (byte === 0x2b) byte = SPACE;
    else if (byte === 0x25 && at + 2 < to) {
      const high = hexDigit(bytes[at + 1]!);
      const low = hexDigit(bytes[at + 2]!);
      if (high >= 0 && low >= 0) {
        byte = high * 16 + low;
        at += 2;
      }
    }
    decoded[length] = byte;
    length += 1;
  }
  return length;
}

export function someCookie(head: Head, name: Name, takes: Takes): boolean {
  for (let index = head.find(field.cookie); index >= 0; index = head.find(field.cookie, index + 1)) {
    if (head.drop[index] === 0 && someCookieIn(head, index, name, takes)) return true;
  }
  return false;
}

/** `a=b; c=d` (RFC 6265 §4.2.1). What has no `=` is a value without a name. */
function someCookieIn(head: Head, index: number, name: Name, takes: Takes): boolean {
  const { buffer } = head;
  const end = head.valueEnd[index]!;
  for (let at = head.valueStart[index]!; at < end; at++) {
    while (at < end && isBlank(buffer[at]!)) at++;
    const start = at;
    let equals = -1;
    for (; at < end && buffer[at] !== SEMICOLON; at++) if (equals < 0 && buffer[at] === EQUALS) equals = at;
    if (equals < 0 || !equalBytes(buffer, start, equals, name.bytes)) continue;
    let valueEnd = at;
    while (valueEnd > equals + 1 && isBlank(buffer[valueEnd - 1]!)) valueEnd--;
    if (takes(buffer, equals + 1, valueEnd)) return true;
  }
  return false;
}

export function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}
