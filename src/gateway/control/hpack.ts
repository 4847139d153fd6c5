/**
 * Fields of HTTP/2 heads: as much of HPACK as one unary call needs, and no state.
 *
 * We announce a dynamic table of size 0 (SETTINGS_HEADER_TABLE_SIZE), so a server cannot refer to earlier fields, and what refers
 * to any is an error. What is sent is literal, without Huffman's code, and marked as never to be indexed: it may be a credential.
 * Of the static table only `:status` and `content-type` are read by their name; fields by other names of it come out nameless.
 * Of Huffman's code the signs of up to 15 bits are known, which are those of ASCII text but the backslash; a value with others
 * comes out empty.
 *
 * Pure, and what is not HPACK is null. O(bytes). Source: RFC 7541.
 */

export type Field = readonly [name: string, value: string];

/** Index 8 to 14 of the static table. */
const STATUSES = ['200', '204', '206', '304', '400', '404', '500'] as const;
const STATUS = 8;
const CONTENT_TYPE = 31;
const STATIC_MAX = 61;

export function encodeFields(fields: readonly Field[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.of(0x10), literal(name), literal(value)]));
}

function literal(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  return Buffer.concat([integer(bytes.length, 7), bytes]);
}

/** With all bits above the prefix 0. RFC 7541 §5.1. */
function integer(value: number, prefixBits: number): Buffer {
  const full = 2 ** prefixBits - 1;
  if (value < full) return Buffer.of(value);
  const bytes = [full];
  for (let rest = value - full; ; rest >>>= 7) {
    if (rest < 0x80) return Buffer.of(...bytes, rest);
    bytes.push(0x80 | (rest & 0x7f));
  }
}

/** Null if `block` is not one, or refers to a dynamic table. */
export function decodeFields(block: Uint8Array): Field[] | null {
  const reader = new Reader(block);
  const fields: Field[] = [];
  while (!reader.atEnd) {
    const first = reader.peek();
    if (first >= 0x80) {
      const index = reader.integer(7);
      if (index === 0 || index > STATIC_MAX) return null;
      fields.push([nameOf(index), STATUSES[index - STATUS] ?? '']);
    } else if (first >= 0x20 && first < 0x40) {
      // The size of the dynamic table: 0 it is.
      if (reader.integer(5) !== 0) return null;
    } else {
      const index = reader.integer(first >= 0x40 ? 6 : 4);
      if (index > STATIC_MAX) return null;
      const name = index === 0 ? reader.text() : nameOf(index);
      fields.push([name, reader.text()]);
    }
    if (reader.broken) return null;
  }
  return fields;
}

function nameOf(index: number): string {
  if (index >= STATUS && index < STATUS + STATUSES.length) return ':status';
  return index === CONTENT_TYPE ? 'content-type' : '';
}

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;
  /** It ended within something, or had a number that is none. */
  broken = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  peek(): number {
    return this.#bytes[this.#at] ?? 0;
  }

  /** An index or a length; none that is right needs more than three bytes. */
  integer(prefixBits: number): number {
    const full = 2 ** prefixBits - 1;
    let value = this.#next() & full;
    if (value === full) {
      for (let shift = 0; ; shift += 7) {
        const byte = this.#next();
        value += (byte & 0x7f) << shift;
        if (byte < 0x80) break;
        if (shift === 14) {
          this.broken = true;
          break;
        }
      }
    }
    return value;
  }

  text(): string {
    const isCoded = this.peek() >= 0x80;
    const length = this.integer(7);
    const end = this.#at + length;
    if (end > this.#bytes.length) this.broken = true;
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return isCoded ? (decodeHuffman(bytes) ?? '') : Buffer.from(bytes).toString('latin1');
  }

  #next(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) this.broken = true;
    return byte ?? 0;
  }
}

/** Signs by the length of their code. The code is canonical: in this order, each is the one before plus 1. RFC 7541 B. */
const codes: readonly (readonly [bits: number, signs: string])[] = [
  [5, '012aceiost'],
  [6, ' %-./3456789=A_bdfghlmnpru'],
  [7, ':BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz'],
  [8, '&*,;XZ'],
  [10, '!"()?'],
  [11, "'+|"],
  [12, '#>'],
  [13, '\0$@[]~'],
  [14, '^}'],
  [15, '<`{'],
];

interface Row {
  readonly bits: number;
  readonly first: number;
  readonly signs: string;
}

const rows: readonly Row[] = rowsOf();

function rowsOf(): Row[] {
  let next = 0;
  let length = 0;
  return codes.map(([bits, signs]) => {
    const first = next * 2 ** (bits - length);
    [next, length] = [first + signs.length, bits];
    return { bits, first, signs };
  });
}

/** Null if there is a sign in it that is not known. */
function decodeHuffman(bytes: Uint8Array): string | null {
  let text = '';
  let code = 0;
  let bits = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      code = (code << 1) | ((byte >> bit) & 1);
      bits += 1;
      if (bits > 15) return null;
      const sign = signOf(code, bits);
      if (sign === undefined) continue;
      text += sign;
      [code, bits] = [0, 0];
    }
  }
  // The rest of the last byte is filled with ones.
  return bits < 8 && code === 2 ** bits - 1 ? text : null;
}

function signOf(code: number, bits: number): string | undefined {
  const row = rows.find((each) => each.bits === bits);
  return row === undefined || code < row.first ? undefined : row.signs[code - row.first];
}
