/**
 * What a route asks of a request beyond its host and path: method, header fields, query, cookies, content type, client.
 *
 * Semantics: all conditions of a route must hold. A header, parameter or cookie that comes several times satisfies a condition
 * if any of them does; `absent` holds if none is there. What is found under a name: request-values.ts.
 *
 * Cost: one pass over the fields (or the query, or the cookies) for each condition, 1 to 3 ns a field; no allocation.
 */
import { equalBytes } from '../../kernel/bytes.ts';
import { AddressSet } from '../../kernel/ip-address.ts';
import { equalsFolded } from '../l7/syntax.ts';
import type { RoutePlan, ValueMatch } from '../snapshot.ts';
import { RegexMatcher } from './regex.ts';
import { isBlank, nameOf, type Some, someCookie, someField, someParameter, type Takes } from './request-values.ts';
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

const CONTENT_TYPE = nameOf('content-type');
const SEMICOLON = 0x3b;

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

function valueOf(what: string, asked: ValueMatch, some: Some): Condition {
  const name = nameOf(asked.name);
  const test = createValueTest(asked);
  const takes: Takes = (bytes, from, to) => test.takes(bytes, from, to);
  if (asked.kind === 'absent') {
    return { holds: ({ head }) => !some(head, name, takes), words: `${what} ${asked.name} is absent` };
  }
  return { holds: ({ head }) => some(head, name, takes), words: `${what} ${asked.name} ${test.words}` };
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
