/**
 * A set of byte strings, looked up by a slice of a buffer and a hash the caller has made on the way: no string, no copy.
 * Filled once from the config, then only read.
 *
 * Invariants: entry numbers are 0, 1, 2, … in the order of first addition; at most half of the slots are taken, so a probe
 * ends. Keys come from the config alone: a client chooses what is looked up, never what is stored, so it cannot make probes
 * long. Cost: O(1) slots and O(length) bytes a look-up; 8 B a slot and the key's bytes.
 */

/** Hash of the empty string: FNV-1a, 32 bits (Fowler, Noll, Vo). */
export const HASH_START = 0x811c9dc5 | 0;

/** One step of FNV-1a. */
export function hashByte(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, 0x01000193);
}

/** A key as `ByteTable.add` wants it, hashed from its start. Latin-1 text. */
export function keyOf(text: string): { readonly hash: number; readonly bytes: Uint8Array } {
  const bytes = Buffer.from(text, 'latin1');
  let hash = HASH_START;
  for (const byte of bytes) hash = hashByte(hash, byte);
  return { hash, bytes };
}

export class ByteTable {
  /** Length of the longest key; -1 when there is none. */
  keyBytesMax = -1;
  readonly #keys: Uint8Array[] = [];
  readonly #hashes: number[] = [];
  /** Entry number + 1; 0 is free. */
  #slots = new Int32Array(4);
  #mask = 3;

  /** The number of this key, new or known. */
  add(key: { readonly hash: number; readonly bytes: Uint8Array }): number {
    const known = this.find(key.hash, key.bytes, 0, key.bytes.length);
    if (known >= 0) return known;
    const number = this.#keys.push(key.bytes) - 1;
    this.#hashes.push(key.hash);
    this.keyBytesMax = Math.max(this.keyBytesMax, key.bytes.length);
    if (this.#keys.length * 2 > this.#slots.length) this.#grow();
    else this.#place(number);
    return number;
  }

  #grow(): void {
    this.#slots = new Int32Array(this.#slots.length * 2);
    this.#mask = this.#slots.length - 1;
    for (let number = 0; number < this.#keys.length; number++) this.#place(number);
  }

  #place(number: number): void {
    let slot = spread(this.#hashes[number]!) & this.#mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & this.#mask;
    this.#slots[slot] = number + 1;
  }

  /** The number of the key that equals `bytes[start, end)` and has this hash, or -1. */
  find(hash: number, bytes: Uint8Array, start: number, end: number): number {
    let slot = spread(hash) & this.#mask;
    for (;;) {
      const number = this.#slots[slot]! - 1;
      if (number < 0) return -1;
      if (this.#hashes[number] === hash && equal(this.#keys[number]!, bytes, start, end)) return number;
      slot = (slot + 1) & this.#mask;
    }
  }

  /** As `find`, the letters of `bytes` taken as lower case. Keys and hash must be lower case already. */
  findFolded(hash: number, bytes: Uint8Array, start: number, end: number): number {
    let slot = spread(hash) & this.#mask;
    for (;;) {
      const number = this.#slots[slot]! - 1;
      if (number < 0) return -1;
      if (this.#hashes[number] === hash && equalFolded(this.#keys[number]!, bytes, start, end)) return number;
      slot = (slot + 1) & this.#mask;
    }
  }
}

/** FNV's low bits know little of the first bytes; the high ones do. */
function spread(hash: number): number {
  return hash ^ (hash >>> 15);
}

function equal(key: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (key.length !== end - start) return false;
  for (let at = 0; at < key.length; at++) if (key[at] !== bytes[start + at]) return false;
  return true;
}

function equalFolded(key: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (key.length !== end - start) return false;
  for (let at = 0; at < key.length; at++) {
    const byte = bytes[start + at]!;
    if (key[at] !== (byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte)) return false;
  }
  return true;
}
