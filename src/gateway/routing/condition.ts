/**
 * What a route asks of a request beyond its host and path: method, header fields, query, cookies, content type, client.
 *
 * Semantics: all conditions of a route must hold. A header, parameter or cookie that comes several times satisfies a condition
 * if any of them does; `absent` holds if none is there. A field that is not forwarded is not looked at, so a client cannot pass for
 * a proxy with an `X-Forwarded-…` of its own; `Upgrade` is the exception, because routing WebSockets apart is common. Names of
 * fields know no case; names of parameters and cookies do. Parameters are compared after percent-decoding, `+` being a space
 * (HTML's form encoding).
 *
 * Cost: one pass over the fields (or the query, or the cookies) for each condition, 1 to 3 ns a field; no allocation.
 */
import { equalBytes } from '../../kernel/bytes.ts';
import { hexDigit } from '../../kernel/hex.ts';
import { AddressSet } from '../../kernel/ip-address.ts';
import { field } from '../l7/fields.ts';
import type { Head } from '../l7/head.ts';
import { equalsFolded } from '../l7/syntax.ts';
import type { RoutePlan, ValueMatch } from '../snapshot.ts';
import { RegexMatcher } from './regex.ts';
import type { RoutedRequest } from './routed-request.ts';
import { createValueTest } from './value-test.ts';

export interface Condition {
  holds(request: RoutedRequest): boolean;
  /** What it asks, such as `header x-beta is 1`. */
  readonly words: string;
}

/** The conditions of a route, cheap ones before those that read the head. */
export function createConditions(match: RoutePlan['match']): Condition[] {
  const conditions: Condition[] = [];
  if (match.pathRegex !== null) conditions.push(pathMatches(match.pathRegex));
  if (match.methods !== null) conditions.push(methodIn(match.methods));
  if (match.clients !== null) conditions.push(clientIn(match.clients));
  if (match.contentTypes !== null) conditions.push(contentTypeIn(match.contentTypes));
  for (const asked of match.headers) conditions.push(valueOf('header', asked, someField));
  for (const asked of match.query) conditions.push(valueOf('query parameter', asked, someParameter));
  for (const asked of match.cookies) conditions.push(valueOf('cookie', asked, someCookie));
  return conditions;
}

function pathMatches(text: string): Condition {
  const matcher = new RegexMatcher(text);
  return { holds: ({ path }) => matcher.test(path.bytes, path.start, path.end), words: `path matches ${text}` };
}

function methodIn(methods: readonly string[]): Condition {
  const wanted = methods.map((method) => Buffer.from(method));
  return {
    holds: ({ head }) => {
      for (const method of wanted) if (equalBytes(head.buffer, head.start, head.methodEnd, method)) return true;
      return false;
    },
    words: `method is ${methods.join(' or ')}`,
  };
}

function clientIn(ranges: readonly string[]): Condition {
  const set = AddressSet.compile(ranges);
  if ('mistake' in set) throw new TypeError(`not a range of addresses: ${set.mistake}`);
  return { holds: ({ client }) => set.has(client), words: `the client's address is in ${ranges.join(', ')}` };
}

function contentTypeIn(types: readonly string[]): Condition {
  const wanted = types.map((type) => type.toLowerCase());
  const takes: Takes = (bytes, from, to) => {
    const end = mediaTypeEnd(bytes, from, to);
    for (const type of wanted) if (isMediaType(bytes, from, end, type)) return true;
    return false;
  };
  return {
    holds: ({ head }) => someField(head, CONTENT_TYPE, takes),
    words: `content type is ${types.join(' or ')}`,
  };
}

type Takes = (bytes: Uint8Array, from: number, to: number) => boolean;
/** Is there a value of this name that `takes` takes? */
type Some = (head: Head, name: Name, takes: Takes) => boolean;

interface Name {
  readonly lower: string;
  readonly bytes: Uint8Array;
}

const nameOf = (name: string): Name => ({ lower: name.toLowerCase(), bytes: Buffer.from(name) });
const CONTENT_TYPE = nameOf('content-type');

function valueOf(what: string, asked: ValueMatch, some: Some): Condition {
  const name = nameOf(asked.name);
  const test = createValueTest(asked);
  const takes: Takes = (bytes, from, to) => test.takes(bytes, from, to);
  if (asked.kind === 'absent') {
    return { holds: ({ head }) => !some(head, name, takes), words: `${what} ${asked.name} is absent` };
  }
  return { holds: ({ head }) => some(head, name, takes), words: `${what} ${asked.name} ${test.words}` };
}

function someField(head: Head, { lower }: Name, takes: Takes): boolean {
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

function someParameter(head: Head, name: Name, takes: Takes): boolean {
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

function someCookie(head: Head, name: Name, takes: Takes): boolean {
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

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}

/** The end of the type in `text/html; charset=utf-8`. */
function mediaTypeEnd(bytes: Uint8Array, from: number, to: number): number {
  let end = from;
  while (end < to && bytes[end] !== SEMICOLON) end++;
  while (end > from && isBlank(bytes[end - 1]!)) end--;
  return end;
}

/** `image/*` takes every type that begins with `image/`. */
function isMediaType(bytes: Uint8Array, from: number, to: number, type: string): boolean {
  if (!type.endsWith('/*')) return equalsFolded(bytes, from, to, type);
  const prefix = type.slice(0, -1);
  return to - from > prefix.length && equalsFolded(bytes, from, from + prefix.length, prefix);
}
