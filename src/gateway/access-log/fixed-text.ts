/**
 * A text that is written into line after line: eight bytes at a time, since the keys are more than half of a line.
 *
 * Invariant: nothing behind the text is overwritten: its last eight bytes are written over some of those before. The bytes are moved as doubles,
 * which come out as they went in unless they are NaN: that ends in 0x7f or 0xff behind a byte from 0xf0 on, which no UTF-8 has.
 * Cost: a store for eight bytes, no allocation; what a line costs with it is measured by `npm run bench -- account`.
 */

/** Where lines are written: the same memory as bytes and as words. */
export interface LineOut {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

const WORD = 8;

export function outOver(bytes: Uint8Array): LineOut {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
}

export class FixedText {
  readonly #bytes: Uint8Array;
  /** One after the other, but for the last; none for a text that is shorter than one. */
  readonly #words: Float64Array;

  constructor(text: string) {
    const bytes = Buffer.from(text, 'utf8');
    const { length } = bytes;
    this.#bytes = bytes;
    this.#words = new Float64Array(length < WORD ? 0 : Math.ceil(length / WORD));
    for (let index = 0; index < this.#words.length; index++) {
      this.#words[index] = bytes.readDoubleLE(Math.min(index * WORD, length - WORD));
    }
  }

  /** Writes it at `at`; returns the index after it. */
  write({ bytes, view }: LineOut, at: number): number {
    const words = this.#words;
    const { length } = this.#bytes;
    const last = words.length - 1;
    if (last < 0) for (let index = 0; index < length; index++) bytes[at + index] = this.#bytes[index]!;
    else {
      for (let index = 0; index < last; index++) view.setFloat64(at + index * WORD, words[index]!, true);
      view.setFloat64(at + length - WORD, words[last]!, true);
    }
    return at + length;
  }
}
