/**
 * The chains that proxies before this one wrote, `X-Forwarded-For` and `Forwarded`, read from the right: who the client is,
 * and how much of the chain is fit to be passed on.
 *
 * Invariants: nothing of a chain is passed on that does not have the form its standard gives it, so no reader behind us can
 * be led astray by it; what stands left of a malformed place is cut off with it, because the proxy that passed it on did not
 * look. `Forwarded` is read line by line from the left, since a comma may stand in a quoted string; a line that is
 * malformed anywhere is cut off whole, because a stray quote shifts the meaning of all that follows it.
 *
 * Cost: O(bytes of the chain), no allocation. Sources: RFC 7239 §4 to §6, RFC 9110 §5.6.1 and §5.6.4.
 */
import { Address } from '../../kernel/ip-address.ts';
import { copyBytes } from '../../kernel/bytes.ts';
import { type ClientFinder, parseNode } from '../../kernel/client-address.ts';
import { field } from './fields.ts';
import type { Head } from './head.ts';
import { BACKSLASH, COMMA, DEL, equalsFolded, isToken, skipBlanks, SP, TAB, tokenEnd, UNDERSCORE } from './syntax.ts';

/** Hops kept of a chain; what is left of them is cut off. */
const HOPS_MAX = 32;

const QUOTE = 34;
const SEMICOLON = 59;
const EQUALS = 61;

const scratch = new Address();

/** What `read` found: pass on from `[line]` at `at` to the end of the last line. `line` is `head.count` for nothing. */
export class Chain {
  line = 0;
  at = 0;
  /** Room for what is passed on, separators included. */
  bytes = 0;

  /** Nothing to pass on. */
  clear(head: Head): void {
    this.line = head.count;
    this.at = 0;
    this.bytes = 0;
  }

  #keep(head: Head, line: number, at: number): void {
    // A line counts once, with its separator, when its first (rightmost) hop is kept.
    this.bytes += line === this.line ? this.at - at : head.valueEnd[line]! - at + 2;
    this.line = line;
    this.at = at;
  }

  /** Reads the `X-Forwarded-For` lines of a trusted peer and, with a finder, looks for the client in them. */
  readForwardedFor(head: Head, finder: ClientFinder | null): void {
    this.clear(head);
    const { buffer } = head;
    let hops = 0;
    for (let line = head.count - 1; line >= 0; line -= 1) {
      if (head.id[line] !== field.xForwardedFor) continue;
      const first = head.valueStart[line]!;
      let end = head.valueEnd[line]!;
      for (;;) {
        const comma = commaBefore(buffer, first, end);
        const from = skipBlanks(buffer, comma + 1, end);
        const to = blanksBefore(buffer, from, end);
        hops += 1;
        if (hops > HOPS_MAX || !isHop(buffer, from, to)) return;
        this.#keep(head, line, from);
        if (finder?.hop(buffer, from, to) === false) finder = null;
        if (comma < first) break;
        end = comma;
      }
    }
  }

  /** The same for `Forwarded`. */
  readForwarded(head: Head, finder: ClientFinder | null): void {
    this.clear(head);
    const { buffer } = head;
    for (let line = head.count - 1; line >= 0; line -= 1) {
      if (head.id[line] !== field.forwarded) continue;
      const hops = readForwardedLine(buffer, head.valueStart[line]!, head.valueEnd[line]!);
      if (hops <= 0) return;
      this.#keep(head, line, head.valueStart[line]!);
      for (let hop = hops - 1; hop >= 0 && finder !== null; hop -= 1) {
        if (!finder.hop(buffer, nodes[hop * 2]!, nodes[hop * 2 + 1]!)) finder = null;
      }
    }
  }

  /** Writes what is passed on, a separator after each line; nothing if there is nothing. */
  write(head: Head, id: number, out: Uint8Array, at: number): number {
    for (let line = this.line; line < head.count; line += 1) {
      if (head.id[line] !== id) continue;
      at = copyBytes(head.buffer, line === this.line ? this.at : head.valueStart[line]!, head.valueEnd[line]!, out, at);
      out[at] = COMMA;
      out[at + 1] = SP;
      at += 2;
    }
    return at;
  }
}

/** The index of the last comma in `[from, end)`, or `from - 1`. */
function commaBefore(buffer: Uint8Array, from: number, end: number): number {
  let at = end - 1;
  while (at >= from && buffer[at] !== COMMA) at -= 1;
  return at;
}

function blanksBefore(buffer: Uint8Array, from: number, end: number): number {
  while (end > from && (buffer[end - 1] === SP || buffer[end - 1] === TAB)) end -= 1;
  return end;
}

/** An address with or without a port, `unknown`, or an obfuscated `_name` (RFC 7239 §6). */
function isHop(buffer: Uint8Array, from: number, to: number): boolean {
  if (parseNode(buffer, from, to, scratch)) return true;
  if (buffer[from] === UNDERSCORE) return to - from > 1 && to - from < 64 && tokenEnd(buffer, from, to) === to;
  return equalsFolded(buffer, from, to, 'unknown');
}

/** Where the `for` of each element of the line being read begins and ends, without its quotes; empty if it has none. */
const nodes = new Int32Array(HOPS_MAX * 2);

/**
 *     Forwarded = 1#( [ pair ] *( ";" [ pair ] ) ),  pair = token "=" ( token / quoted-string )
 *
 * How many elements the line has, or -1 if it is malformed or has too many.
 */
function readForwardedLine(buffer: Uint8Array, from: number, to: number): number {
  let count = 0;
  nodes[0] = from;
  nodes[1] = from;
  let at = from;
  for (;;) {
    const name = at;
    at = tokenEnd(buffer, at, to);
    if (at === name || at === to || buffer[at] !== EQUALS) return -1;
    const isFor = equalsFolded(buffer, name, at, 'for');
    const value = at + 1;
    at = valueEnd(buffer, value, to);
    if (at < 0) return -1;
    if (isFor) {
      if (nodes[count * 2 + 1] !== nodes[count * 2]) return -1; // two `for` in one element
      const quoted = buffer[value] === QUOTE ? 1 : 0;
      nodes[count * 2] = value + quoted;
      nodes[count * 2 + 1] = at - quoted;
    }
    if (at < to && buffer[at] === SEMICOLON) {
      at += 1;
      continue;
    }
    count += 1;
    at = skipBlanks(buffer, at, to);
    if (at === to) return count;
    if (buffer[at] !== COMMA || count === HOPS_MAX) return -1;
    at = skipBlanks(buffer, at + 1, to);
    nodes[count * 2] = at;
    nodes[count * 2 + 1] = at;
  }
}

/** The index after the token or quoted string at `at`, or -1 if neither is there. */
function valueEnd(buffer: Uint8Array, at: number, to: number): number {
  if (at < to && isToken[buffer[at]!] === 1) return tokenEnd(buffer, at, to);
  if (at >= to || buffer[at] !== QUOTE) return -1;
  for (at += 1; at < to; at += 1) {
    const byte = buffer[at]!;
    if (byte === QUOTE) return at + 1;
    if (byte === BACKSLASH) at += 1;
    else if ((byte < SP && byte !== TAB) || byte >= DEL) return -1;
  }
  return -1;
}
