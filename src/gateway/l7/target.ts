/**
 * The one form of a path by which it is routed, checked and forwarded.
 *
 *     /a/./b/../%63%2d%e9   →   /a/c-%E9
 *
 * What is encoded without need is decoded, hexadecimal digits are upper case, dot segments are removed, on request empty
 * segments too. What servers decode differently is refused, unless kept by option: `%2F`, `%5C` and the backslash. `%00` and
 * a `%` without two digits are always refused. The query is not part of it and never altered (RFC 9110 §7.7).
 *
 * Invariants: the result begins with `/`, has no dot segment, is no longer than the input, and is its own normal form.
 * Dot segments are found after decoding (`%2e%2e` is one), as the servers behind would.
 *
 * Cost: a path with nothing to do is one pass over its bytes and no write. Sources: RFC 3986 §5.2.4, §6.2.2; RFC 9110 §4.2.3.
 */
import { BACKSLASH, DOT, PERCENT, SLASH, isUnreserved } from './syntax.ts';

/** The path is in normal form already. */
export const PATH_SAME = -1;
/** The path is refused: `bad_path`. */
export const PATH_REFUSED = -2;

export interface PathRules {
  /** `%2F`, `%5C` and `\`. */
  readonly escapedSlashes: 'reject' | 'keep';
  readonly mergeSlashes: boolean;
}

/** 1: a byte after which the path may need work; 2: the slash, which depends on what follows. */
const isSuspect = new Uint8Array(256);
isSuspect[PERCENT] = 1;
isSuspect[BACKSLASH] = 1;
isSuspect[SLASH] = 2;

/**
 * Brings the path `buffer[from, to)`, which begins with `/`, into normal form. Returns PATH_SAME, PATH_REFUSED, or the length of
 * the normal form, which is then in `out` from 0. `out` holds at least `to - from` bytes.
 */
export function normalizePath(buffer: Uint8Array, from: number, to: number, out: Uint8Array, rules: PathRules): number {
  for (let at = from; at < to; at += 1) {
    const suspect = isSuspect[buffer[at]!];
    if (suspect === 0) continue;
    if (suspect === 1 || needsWork(buffer, at + 1, to, rules)) return rewrite(buffer, from, to, out, rules);
  }
  return PATH_SAME;
}

/** Is there a segment at `at`, behind a slash, that the loop cannot pass over? */
function needsWork(buffer: Uint8Array, at: number, to: number, rules: PathRules): boolean {
  if (at >= to) return false;
  const byte = buffer[at];
  return byte === DOT || (byte === SLASH && rules.mergeSlashes);
}

function rewrite(buffer: Uint8Array, from: number, to: number, out: Uint8Array, rules: PathRules): number {
  let length = 0;
  let at = from;
  // Each turn takes one segment with the slash before it.
  while (at < to) {
    out[length] = SLASH;
    const segment = length + 1;
    length = segment;
    at += 1;
    while (at < to && buffer[at] !== SLASH) {
      const byte = buffer[at]!;
      if (byte === PERCENT) {
        const decoded = decode(buffer, at, to);
        if (decoded <= 0 || (isSlash(decoded) && rules.escapedSlashes === 'reject')) return PATH_REFUSED;
        length = writeEscape(out, length, decoded);
        at += 3;
      } else if (byte === BACKSLASH && rules.escapedSlashes === 'reject') {
        return PATH_REFUSED;
      } else {
        out[length] = byte;
        length += 1;
        at += 1;
      }
    }
    length = closeSegment(out, segment, length, at >= to, rules.mergeSlashes);
  }
  return isSame(buffer, from, to, out, length) ? PATH_SAME : length;
}

/** Removes the segment `[segment, length)` again if it is a dot segment, or empty and merged. Returns the new length. */
function closeSegment(out: Uint8Array, segment: number, length: number, last: boolean, mergeSlashes: boolean): number {
  const size = length - segment;
  if (size === 0) return mergeSlashes && !last ? segment - 1 : length;
  if (out[segment] !== DOT || size > 2 || (size === 2 && out[segment + 1] !== DOT)) return length;
  // `.` leaves what is before its slash; `..` takes the segment before with it, if there is one.
  let end = segment - 1;
  if (size === 2) {
    while (end > 0 && out[end - 1] !== SLASH) end -= 1;
    if (end > 0) end -= 1;
  }
  if (!last) return end;
  // A path that ends in a dot segment names a folder: `/a/.` is `/a/`.
  out[end] = SLASH;
  return end + 1;
}

function isSlash(byte: number): boolean {
  return byte === SLASH || byte === BACKSLASH;
}

/** The byte that the escape at `at` stands for, -1 if it is none. */
function decode(buffer: Uint8Array, at: number, to: number): number {
  if (to - at < 3) return -1;
  const high = hexDigit(buffer[at + 1]!);
  const low = hexDigit(buffer[at + 2]!);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}

/** Writes a decoded byte as itself if it is unreserved, else as an escape. */
function writeEscape(out: Uint8Array, at: number, byte: number): number {
  if (isUnreserved[byte] === 1) {
    out[at] = byte;
    return at + 1;
  }
  out[at] = PERCENT;
  out[at + 1] = upperDigit(byte >> 4);
  out[at + 2] = upperDigit(byte & 15);
  return at + 3;
}

function upperDigit(digit: number): number {
  return digit < 10 ? 48 + digit : 55 + digit;
}

function isSame(buffer: Uint8Array, from: number, to: number, out: Uint8Array, length: number): boolean {
  if (length !== to - from) return false;
  for (let i = 0; i < length; i += 1) {
    if (out[i] !== buffer[from + i]) return false;
  }
  return true;
}
