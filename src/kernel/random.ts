/**
 * Randomness as a value that is passed in: jitter, sampling, picks and identifiers take a `Random`, so a test can replay it.
 *
 * The generator is sfc32 (Chris Doty-Humphrey, PractRand): 128 bits of state, one a counter, so no seed leads into a
 * cycle shorter than 2^32. About 2 ns a draw, no allocation: `int32` is signed because a signed 32-bit number is never boxed.
 *
 * Not for secrets: its state follows from a few outputs. Tokens and keys come from `node:crypto`.
 */
import { randomFillSync } from 'node:crypto';

export interface Random {
  /** 32 uniform bits, as a signed integer. */
  int32(): number;
  /** Uniform in [0, 1), with 32 bits of resolution. */
  unit(): number;
}

class Sfc32 implements Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(a: number, b: number, c: number) {
    this.#a = a | 0;
    this.#b = b | 0;
    this.#c = c | 0;
    // The author's own warm-up: after 12 steps each seed bit has reached every state bit.
    for (let step = 0; step < 12; step += 1) this.int32();
  }

  int32(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum;
  }

  unit(): number {
    return (this.int32() >>> 0) / 2 ** 32;
  }
}

/** A generator that nobody can foresee: seeded by the operating system. */
export function createRandom(): Random {
  const seed = randomFillSync(new Int32Array(3));
  return new Sfc32(seed[0] ?? 0, seed[1] ?? 0, seed[2] ?? 0);
}

/** The same numbers for the same seed, for tests and simulations. */
export function seededRandom(seed: number): Random {
  return new Sfc32(0, seed, seed < 0 ? -1 : Math.floor(seed / 2 ** 32));
}
