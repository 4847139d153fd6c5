/**
 * Texts with names in braces that a request fills in: `/v2/{rest}`, `https://{host}{path}?{query}`, `{client}`.
 *
 *     {scheme}  http or https, as the client came        {path}   the path, in its normal form
 *     {host}    the request's host without its port      {rest}   what `/*` of the route's pattern stands for
 *     {client}  the client's address                     {/rest}  the same with the slash before it; nothing without a rest
 *     {query}   what is behind the `?`                   {id}     the segment or the group that the route calls so
 *
 * `{{` and `}}` are the braces themselves.
 *
 * Invariant: whatever the request holds, a value cannot end the part of the text it stands in. Each value is written through the
 * table of its place; a byte that is not in it is percent-encoded, an escape stays one. So no value brings a line break into a field,
 * a `?` into a path, an `&` into a parameter or a `@` into a host.
 * Cost: one pass over each value, and finding those of the path (path-names.ts). No allocation after compilation.
 * Sources: RFC 3986 §2-3, RFC 9110 §5.5.
 */
import { copyBytes } from '../../kernel/bytes.ts';
import type { RoutedRequest } from '../routing/routed-request.ts';
import { isUnreserved } from '../l7/syntax.ts';
import type { PathNames, Span } from './path-names.ts';

/** What a request has to fill in. Mutable, to be filled anew for each. */
export interface ShapedRequest {
  readonly routed: RoutedRequest;
  /** The client's address, `[0, clientLength)`. */
  clientText: Uint8Array;
  clientLength: number;
  /** It came over TLS. */
  readonly secure: boolean;
}

/** Where a value stands. */
export type Place = 'path' | 'query' | 'field' | 'authority';

/** A name in braces, or a text that stands for itself. */
type TemplatePart = { readonly kind: 'text'; readonly text: string } | { readonly kind: 'name'; readonly name: string };

export const BUILT_IN_NAMES = ['scheme', 'host', 'path', 'query', 'client', 'rest', '/rest'] as const;

/** The parts of a template, or what is wrong with it. */
function parseTemplate(text: string): readonly TemplatePart[] | { readonly mistake: string } {
  const parts: TemplatePart[] = [];
  let plain = '';
  for (let at = 0; at < text.length; at++) {
    const sign = text[at]!;
    if (sign !== '{' && sign !== '}') plain += sign;
    else if (text[at + 1] === sign) {
      plain += sign;
      at++;
    } else {
      const name = sign === '{' ? /^\{(\/?[A-Za-z_]\w*)\}/.exec(text.slice(at))?.[1] : undefined;
      if (name === undefined)
        return { mistake: `a ${sign} that is no name in braces; ${sign}${sign} is the sign itself` };
      if (plain !== '') parts.push({ kind: 'text', text: plain });
      plain = '';
      parts.push({ kind: 'name', name });
      at += name.length + 1;
    }
  }
  if (plain !== '') parts.push({ kind: 'text', text: plain });
  return parts;
}

/** What keeps `text` from being used where it stands, or null. `names` are those of the route's path. */
export function mistakeInTemplate(text: string, place: Place, names: PathNames): string | null {
  const parts = parseTemplate(text);
  if ('mistake' in parts) return parts.mistake;
  const known: readonly string[] = [...BUILT_IN_NAMES, ...names.names];
  for (const { part, place: here } of placed(parts, place)) {
    if (part.kind === 'text') {
      const odd = literals[here].exec(part.text)?.[0];
      if (odd !== undefined) return `${JSON.stringify(odd)} cannot stand in a ${here}`;
    } else if (!known.includes(part.name)) {
      return `there is no {${part.name}}; there are ${known.map((name) => `{${name}}`).join(', ')}`;
    } else if (here === 'authority' && part.name !== 'scheme' && part.name !== 'host') {
      // Anything else would let whoever wrote a link say where it leads.
      return `{${part.name}} cannot be part of a host`;
    }
  }
  return null;
}

/** Each part with the place it stands in: an address goes on from its authority to its path and its query. */
function* placed(parts: readonly TemplatePart[], first: Place): Generator<{ part: TemplatePart; place: Place }> {
  let place = first;
  for (const part of parts) {
    // These begin with a slash, or are empty.
    if (place === 'authority' && part.kind === 'name' && (part.name === 'path' || part.name === '/rest'))
      place = 'path';
    yield { part, place };
    if (part.kind === 'text') place = placeAfter(part.text, place);
  }
}

function placeAfter(text: string, place: Place): Place {
  if (place === 'field') return place;
  const behind = place === 'authority' ? text.replace(/^(https?)?:\/\//, '') : text;
  if (/[?#]/.test(behind)) return 'query';
  return behind.includes('/') ? 'path' : place;
}

/** A character that a literal text may not have. An address is looked at as a whole: its first part leads to the others. */
const literals: Readonly<Record<Place, RegExp>> = {
  path: /[^A-Za-z0-9\-._~%/!$&'()*+,;=:@?#[\]]|%(?![0-9A-Fa-f]{2})/,
  query: /[^A-Za-z0-9\-._~%/!$&'()*+,;=:@?#[\]]|%(?![0-9A-Fa-f]{2})/,
  authority: /[^A-Za-z0-9\-._~%/!$&'()*+,;=:@?#[\]]|%(?![0-9A-Fa-f]{2})/,
  field: /[^\t\u0020-\u007e]/,
};

/** Bytes that stand for themselves in each place. A `%` does: what it begins was an escape before. */
const tables: Readonly<Record<Place, Uint8Array>> = {
  // As the parser lets through, but for the backslash, which some take for a slash.
  path: tableWith("%/!$&'()*+,;=:@[]|^{}`"),
  // Not `&`, `=`, `+` and `;`, which divide one parameter from another for some server.
  query: tableWith("%!$'()*,:@/"),
  field: new Uint8Array(256).fill(1, 0x20, 0x7f),
  authority: tableWith('[]:'),
};
/** The query as a whole has all its signs. */
const wholeQuery = tableWith("%!$&'()*+,;=:@/?[]|^{}`\\");

function tableWith(signs: string): Uint8Array {
  const table = isUnreserved.slice();
  for (const sign of signs) table[sign.charCodeAt(0)] = 1;
  return table;
}

type Read = (request: ShapedRequest, into: Span) => void;

interface Value {
  readonly literal: Uint8Array;
  /** What follows the literal, if anything does. */
  readonly read: Read | null;
  readonly table: Uint8Array;
}

const NOTHING = new Uint8Array(0);
const ROOT = Uint8Array.of(0x2f);
const HTTP = Buffer.from('http');
const HTTPS = Buffer.from('https');
const DIGITS = Buffer.from('0123456789ABCDEF');
const span: Span = { bytes: NOTHING, start: 0, end: 0 };

export class Template {
  readonly #values: readonly Value[];
  /** The text, if it is the same for each request. */
  readonly fixed: Uint8Array | null;

  /** `place` is where it begins. Throws TypeError for a text that is none. */
  constructor(text: string, place: Place, names: PathNames) {
    const parts = parseTemplate(text);
    if ('mistake' in parts) throw new TypeError(`not a template: ${parts.mistake}`);
    const values: Value[] = [];
    let literal = '';
    for (const { part, place: here } of placed(parts, place)) {
      if (part.kind === 'text') literal += part.text;
      else {
        const table = part.name === 'query' && here === 'query' ? wholeQuery : tables[here];
        values.push({ literal: Buffer.from(literal, 'latin1'), read: readerOf(part.name, names), table });
        literal = '';
      }
    }
    const last = Buffer.from(literal, 'latin1');
    this.fixed = values.length === 0 ? last : null;
    values.push({ literal: last, read: null, table: NOTHING });
    this.#values = values;
  }

  /** The most bytes that `write` writes. */
  room(request: ShapedRequest): number {
    let room = 0;
    for (const { literal, read } of this.#values) {
      room += literal.length;
      if (read === null) continue;
      read(request, span);
      room += 3 * (span.end - span.start);
    }
    return room;
  }

  /** Writes the text at `at`; returns the index after it. */
  write(request: ShapedRequest, out: Uint8Array, at: number): number {
    for (const { literal, read, table } of this.#values) {
      at = copyBytes(literal, 0, literal.length, out, at);
      if (read === null) continue;
      read(request, span);
      at = writeSafe(span, table, out, at);
    }
    return at;
  }
}

function writeSafe({ bytes, start, end }: Span, table: Uint8Array, out: Uint8Array, at: number): number {
  for (let index = start; index < end; index++) {
    const byte = bytes[index]!;
    if (table[byte] === 1) {
      out[at++] = byte;
      continue;
    }
    out[at] = 0x25;
    out[at + 1] = DIGITS[byte >> 4]!;
    out[at + 2] = DIGITS[byte & 15]!;
    at += 3;
  }
  return at;
}

function readerOf(name: string, names: PathNames): Read {
  const read = names.reader(name);
  if (read !== null) return ({ routed: { path } }, into) => read(path, into);
  switch (name) {
    case 'scheme':
      return ({ secure }, into) => set(into, secure ? HTTPS : HTTP, 0, secure ? 5 : 4);
    case 'host':
      return ({ routed: { head } }, into) => set(into, head.buffer, head.hostStart, head.hostNameEnd);
    case 'client':
      return ({ clientText, clientLength }, into) => set(into, clientText, 0, clientLength);
    case 'query':
      return ({ routed: { head } }, into) => set(into, head.buffer, head.queryStart, head.queryEnd);
    case 'path':
      return ({ routed: { path } }, into) => {
        if (path.start === path.end) set(into, ROOT, 0, 1);
        else set(into, path.bytes, path.start, path.end);
      };
    default:
      throw new TypeError(`not a template: there is no {${name}}`);
  }
}

function set(into: Span, bytes: Uint8Array, start: number, end: number): void {
  into.bytes = bytes;
  into.start = start;
  into.end = end;
}
