/**
 * Whether bytes that arrive in pieces contain a word, wherever the pieces are cut.
 *
 * Knuth, Morris and Pratt (SIAM J. Comput. 6(2), 1977): O(bytes) whatever the word and whoever chose the bytes, and what is
 * kept of the past is one number. A regular expression would need all of it, and some take exponential time.
 *
 * It looks at `bytesMax` bytes at most, and keeps the first `HEAD_BYTES` for the reason that a person reads.
 */

const HEAD_BYTES = 60;

export interface ByteSearchOptions {
  /** Not empty. */
  readonly word: Uint8Array;
  /** What comes after so many bytes is not looked at. */
  readonly bytesMax: number;
}

export class ByteSearch {
  readonly #word: Uint8Array;
  readonly #bytesMax: number;
  readonly #borders: Uint32Array;
  readonly #head = new Uint8Array(HEAD_BYTES);
  #matched = 0;
  #bytes = 0;

  constructor({ word, bytesMax }: ByteSearchOptions) {
    this.#word = word;
    this.#bytesMax = bytesMax;
    this.#borders = bordersOf(word);
  }

  get found(): boolean {
    return this.#matched === this.#word.length;
  }

  /** More bytes cannot change `found`. */
  get done(): boolean {
    return this.found || this.#bytes >= this.#bytesMax;
  }

  /** How many bytes were looked at. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How it began, as printable ASCII: it goes to terminals and logs. */
  get head(): string {
    const bytes = this.#head.subarray(0, Math.min(this.#bytes, HEAD_BYTES));
    const text = Array.from(bytes, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ' ')).join('');
    return text.trim() + (this.#bytes > HEAD_BYTES ? '…' : '');
  }

  push(chunk: Uint8Array): void {
    for (let index = 0; index < chunk.length && !this.done; index++) {
      const byte = chunk[index]!;
      if (this.#bytes < HEAD_BYTES) this.#head[this.#bytes] = byte;
      this.#bytes += 1;
      while (this.#matched > 0 && this.#word[this.#matched] !== byte) this.#matched = this.#borders[this.#matched - 1]!;
      if (this.#word[this.#matched] === byte) this.#matched += 1;
    }
  }
}

/** For each prefix of a word, the length of the longest part that it both begins and ends with. */
function bordersOf(word: Uint8Array): Uint32Array {
  const borders = new Uint32Array(word.length);
  let length = 0;
  for (let index = 1; index < word.length; index++) {
    while (length > 0 && word[index] !== word[length]) length = borders[length - 1]!;
    if (word[index] === word[length]) length += 1;
    borders[index] = length;
  }
  return borders;
}
