/**
 * Finding things in a head, and in a query: by loops over its bytes, because they are few and a call into the engine is not free.
 */
import { hexDigit } from '../../kernel/hex.ts';

const HT = 9;
const LF = 10;
const CR = 13;
const SP = 32;
const PERCENT = 37;

/**
 * Where the line with this name begins: at `guess`, if it is there, else the first behind `fields`, else `to`. A guess is
 * wrong where the head that was sent has a line in front that the client's had not.
 */
export function lineAt(head: Uint8Array, fields: number, guess: number, to: number, name: Uint8Array): number {
  if (head[guess - 1] === LF && startsWith(head, guess, to, name)) return guess;
  for (let line = fields; line < to; line = indexOf(head, LF, line, to) + 1) {
    if (startsWith(head, line, to, name)) return line;
  }
  return to;
}

/** Where `byte` is in `[from, to)`, or `to`. */
export function indexOf(head: Uint8Array, byte: number, from: number, to: number): number {
  while (from < to && head[from] !== byte) from++;
  return from;
}

export function valueStart(head: Uint8Array, from: number, to: number): number {
  while (from < to && (head[from] === SP || head[from] === HT)) from++;
  return from;
}

/** Before the CR of the line that `from` is in. */
export function valueEnd(head: Uint8Array, from: number, to: number): number {
  return indexOf(head, CR, from, to);
}

/** Without regard to case, for a lower-case name. */
function startsWith(head: Uint8Array, from: number, to: number, name: Uint8Array): boolean {
  if (to - from < name.length) return false;
  for (let index = 0; index < name.length; index++) {
    const byte = head[from + index]!;
    if ((byte >= 65 && byte <= 90 ? byte | 32 : byte) !== name[index]) return false;
  }
  return true;
}

/** Whether `[from, to)` is `name` (lower case) after percent-decoding. */
export function isSameName(head: Uint8Array, from: number, to: number, name: Uint8Array): boolean {
  let index = 0;
  for (; from < to; from++, index++) {
    let byte = head[from]!;
    if (byte === PERCENT && from + 2 < to) {
      const high = hexDigit(head[from + 1]!);
      const low = hexDigit(head[from + 2]!);
      if (high >= 0 && low >= 0) {
        byte = high * 16 + low;
        from += 2;
      }
    }
    if ((byte >= 65 && byte <= 90 ? byte | 32 : byte) !== name[index]) return false;
  }
  return index === name.length;
}
