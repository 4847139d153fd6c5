/**
 * Moving bytes. Below 24 bytes a loop beats the call into the engine (35 ns against 70 for 16 bytes, 750 against 50 for
 * 800, on the machine of docs/benchmarks.md).
 */
const LOOP_BYTES = 24;

/** Copies `from[start, end)` to `to` at `at`; returns the index after the copy. The ranges must not overlap. */
export function copyBytes(from: Uint8Array, start: number, end: number, to: Uint8Array, at: number): number {
  const count = end - start;
  if (count > LOOP_BYTES) {
    // Nearly all of what the copy costs is the view.
    to.set(count === from.length ? from : new Uint8Array(from.buffer, from.byteOffset + start, count), at);
    return at + count;
  }
  while (start < end) to[at++] = from[start++] ?? 0;
  return at;
}

/** The bytes `[start, end)` as memory of their own. `slice` of a Buffer is none: it goes on being the buffer's. */
export function ownBytes(from: Uint8Array, start: number, end: number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(end - start);
  copyBytes(from, start, end, copy, 0);
  return copy;
}

/** True if `a[start, end)` holds exactly the bytes of `b`. */
export function equalBytes(a: Uint8Array, start: number, end: number, b: Uint8Array): boolean {
  if (end - start !== b.length) return false;
  for (let index = 0; index < b.length; index++) if (a[start + index] !== b[index]) return false;
  return true;
}

/** ASCII text as bytes, for constants. */
export function ascii(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** One behind the other; copied only if there is something of both. */
export function joinBytes(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (second.length === 0) return first;
  return first.length === 0 ? second : Buffer.concat([first, second]);
}
