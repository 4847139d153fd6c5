/**
 * Who holds a lease: a number that nobody else draws. 52 random bits, so that any two of a million holders of one
 * key are the same with a chance of 1 in 9,000, and of a thousand 1 in 9,000 million; leases that have ended no longer matter.
 */
import { createRandom, type Random } from '../kernel/random.ts';

let random: Random | null = null;

/** Above 0, and so far below 2^53 that the numbers after it are whole as well. */
export function drawHolder(): number {
  random ??= createRandom();
  return 1 + (random.int32() >>> 0) * 2 ** 20 + (random.int32() >>> 12);
}
