/**
 * A text that is written into line after line: four bytes at a time, since the keys are more than half of a line.
 *
 * Invariant: up to three bytes behind the text are overwritten, where the next text goes. Cost: a store for four bytes, no allocation; what a line
 * costs with it is measured by `npm run bench -- account`.
 */

/** Where lines are written: the same memory as bytes and as words. */
export interface LineOut {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

const WORD = 4;

export function outOver(bytes: Uint8Array): LineOut {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
}

export class FixedText {
  readonly #length: number;
  readonly #words: Int32Array;

  constructor(text: string) {
    const bytes = Buffer.from(text, 'utf8');
    this.#length = bytes.length;
    this.#words = new Int32Array(Math.ceil(bytes.length / WORD));
    new Uint8Array(this.#words.buffer).set(bytes);
    const view = new DataView(this.#words.buffer);
    for (let index = 0; index < this.#words.length; index++) this.#words[index] = view.getInt32(index * WORD, true);
  }

  /** Writes it at `at`; returns the index after it. */
  write({ view }: LineOut, at: number): number {
    const words = this.#words;
    for (let index = 0; index < words.length; index++) view.setInt32(at + index * WORD, words[index]!, true);
    return at + this.#length;
  }
}
