/**
 * The byte classes of HTTP/1.1, as tables: what may stand in a token, a request target, a host.
 *
 * Source: RFC 9110 §5.6.2 (token), RFC 3986 §2 and §3 (target, host). Each table is 256 bytes, read once per byte.
 */

export const TAB = 9;
export const LF = 10;
export const CR = 13;
export const SP = 32;
export const PERCENT = 37;
export const COMMA = 44;
export const DOT = 46;
export const SLASH = 47;
export const ZERO = 48;
export const COLON = 58;
export const LEFT_BRACKET = 91;
export const BACKSLASH = 92;
export const RIGHT_BRACKET = 93;
export const UNDERSCORE = 95;
export const DEL = 127;

const ALPHANUMERIC = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

function tableOf(characters: string): Uint8Array {
  const table = new Uint8Array(256);
  for (let i = 0; i < characters.length; i += 1) table[characters.charCodeAt(i)] = 1;
  return table;
}

/** `tchar`. */
export const isToken = tableOf(`${ALPHANUMERIC}!#$%&'*+-.^_\`|~`);

/** `tchar` without the underscore, so that the loop over a field name stops at one. */
export const isPlainName = tableOf(`${ALPHANUMERIC}!#$%&'*+-.^\`|~`);

/** `unreserved`: what percent-encoding never changes the meaning of. */
export const isUnreserved = tableOf(`${ALPHANUMERIC}-._~`);

/**
 * A path: `pchar`, `/` and `%`, and beyond RFC 3986 what browsers leave as it is in a path (URL Standard, path
 * percent-encode set) or tools send by habit. None of them ends a path or is read in two ways, but for the backslash, which
 * the path rules refuse (target.ts). Not in it: CTL, space, `"`, `#`, `<`, `>`, DEL and bytes above.
 */
export const isPath = tableOf(`${ALPHANUMERIC}-._~!$&'()*+,;=:@/%[]|^{}\`\\`);

/** A query: as a path, and `?`. */
export const isQuery = tableOf(`${ALPHANUMERIC}-._~!$&'()*+,;=:@/%[]|^{}\`\\?`);

/**
 * One label of a host name. `reg-name` would also allow sub-delims and percent-encoding: no name in DNS has them, and they
 * read differently to different servers (`Host: a,b`), so they are refused.
 */
export const isHostLabel = tableOf(`${ALPHANUMERIC}-_~`);

/** True if the bytes `[from, to)` are `lower`, whatever their case. `lower` holds letters, digits and `-` only. */
export function equalsFolded(buffer: Uint8Array, from: number, to: number, lower: string): boolean {
  if (to - from !== lower.length) return false;
  for (let i = 0; i < lower.length; i += 1) {
    const byte = buffer[from + i]!;
    const folded = byte >= 65 && byte <= 90 ? byte | 32 : byte;
    if (folded !== lower.charCodeAt(i)) return false;
  }
  return true;
}

/** True if there is a line feed in `[from, to)`. */
export function hasNewline(buffer: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) {
    if (buffer[at] === LF) return true;
  }
  return false;
}

/** The first index in `[from, to)` that is neither space nor tab, or `to`. */
export function skipBlanks(buffer: Uint8Array, from: number, to: number): number {
  while (from < to && (buffer[from] === SP || buffer[from] === TAB)) from += 1;
  return from;
}

/** The index after the token that begins at `from`, at most `to`. */
export function tokenEnd(buffer: Uint8Array, from: number, to: number): number {
  while (from < to && isToken[buffer[from]!] === 1) from += 1;
  return from;
}
