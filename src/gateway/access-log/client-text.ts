/**
 * What a client sent, as part of a JSON string: escaped, cut to a length, and without the values that nobody may see.
 *
 * Invariants: quotes, backslashes, control bytes and every byte above 0x7e are escaped (as the latin1 character they are), so no
 * byte of a client can end a line, forge a key or drive a terminal. An escape is whole or not there. Values of the query
 * parameters to hide become `*`.
 *
 * Each function writes the client's bytes `[from, to)` to `out` at `at`, before `limit`, and returns the index after them.
 * Cost: a pass over the bytes; no allocation.
 */
import { ascii } from '../../kernel/bytes.ts';
import { indexOf, isSameName } from './head-text.ts';

const QUOTE = 34;
const AMPERSAND = 38;
const ASTERISK = 42;
const ZERO = 48;
const EQUALS = 61;
const QUESTION = 63;
const BACKSLASH = 92;
const LOWER_U = 117;

const HEX = ascii('0123456789abcdef');

/** The longest escape: a backslash, u and four digits. */
const ESCAPE_BYTES = 6;

/** 1 for a byte that a JSON string may hold as it is. */
const plain = new Uint8Array(256).fill(1, 0x20, 0x7f);
plain[QUOTE] = 0;
plain[BACKSLASH] = 0;

export class ClientText {
  readonly #redact: readonly Uint8Array[];
  readonly #redactAll: boolean;
  /** Whether anything did not fit; whoever begins a line takes it back. */
  cut = false;

  /** `redactQuery`: names of query parameters whose values are not shown, whatever their case; `*` is all of them. */
  constructor(redactQuery: readonly string[]) {
    this.#redactAll = redactQuery.includes('*');
    this.#redact = redactQuery.map((name) => Buffer.from(name.toLowerCase(), 'utf8'));
  }

  /** Escaped, in at most `limit - at` bytes. */
  text(from: Uint8Array, start: number, end: number, out: Uint8Array, at: number, limit: number): number {
    for (; start < end; start++) {
      // Nearly all of nearly every text.
      const fits = Math.min(end, start + limit - at);
      while (start < fits && plain[from[start]!] === 1) out[at++] = from[start++]!;
      if (start === end) return at;
      const byte = from[start]!;
      if (at + ESCAPE_BYTES > limit) {
        this.cut = true;
        return at;
      }
      out[at] = BACKSLASH;
      if (byte === QUOTE || byte === BACKSLASH) {
        out[at + 1] = byte;
        at += 2;
        continue;
      }
      out[at + 1] = LOWER_U;
      out[at + 2] = ZERO;
      out[at + 3] = ZERO;
      out[at + 4] = HEX[byte >> 4]!;
      out[at + 5] = HEX[byte & 15]!;
      at += ESCAPE_BYTES;
    }
    return at;
  }

  /** `a=1&b=2` with the values of some names replaced. */
  query(head: Uint8Array, from: number, to: number, out: Uint8Array, at: number, limit: number): number {
    if (this.#redact.length === 0) return this.text(head, from, to, out, at, limit);
    for (;;) {
      const end = indexOf(head, AMPERSAND, from, to);
      const equals = indexOf(head, EQUALS, from, end);
      if (equals < end && this.#isRedacted(head, from, equals)) {
        at = this.text(head, from, equals + 1, out, at, limit);
        if (at < limit) out[at++] = ASTERISK;
      } else at = this.text(head, from, end, out, at, limit);
      if (end >= to) return at;
      if (at >= limit) {
        this.cut = true;
        return at;
      }
      out[at++] = AMPERSAND;
      from = end + 1;
    }
  }

  /** A URL, its query as `query` shows it. */
  url(head: Uint8Array, from: number, to: number, out: Uint8Array, at: number, limit: number): number {
    const query = indexOf(head, QUESTION, from, to);
    at = this.text(head, from, query, out, at, limit);
    if (query === to) return at;
    if (at + ESCAPE_BYTES <= limit) {
      out[at++] = QUESTION;
      return this.query(head, query + 1, to, out, at, limit);
    }
    this.cut = true;
    return at;
  }

  /** Whether a parameter's name, percent-decoded as a server would, is one of those to hide. */
  #isRedacted(head: Uint8Array, from: number, to: number): boolean {
    if (this.#redactAll) return true;
    for (const name of this.#redact) if (isSameName(head, from, to, name)) return true;
    return false;
  }
}
