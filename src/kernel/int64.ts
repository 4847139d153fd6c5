/**
 * The upper words of 64-bit sums and products, numbers being two 32-bit words (`high`, `low`). The lower words need no help:
 * `(aLow + bLow) | 0` and `Math.imul(aLow, bLow)`. With both halves, 64-bit hashes and exact scaling (`position × n / 2^32`)
 * need neither BigInt, which allocates, nor doubles, which round above 2^53.
 *
 * Words are taken by their bits and given signed: V8 keeps a signed 32-bit number unboxed wherever it is stored.
 * Cost: a few instructions each, inlined; no allocation.
 */

/**
 * The upper 32 bits of `a × b`, both unsigned. Schoolbook multiplication in 16-bit digits (Knuth, TAOCP 2, 4.3.1,
 * algorithm M): nothing in between exceeds 32 bits.
 */
export function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = (Math.imul(aHigh, bLow) + (Math.imul(aLow, bLow) >>> 16)) | 0;
  const carry = (Math.imul(aLow, bHigh) + (middle & 0xffff)) | 0;
  return (Math.imul(aHigh, bHigh) + (middle >>> 16) + (carry >>> 16)) | 0;
}

/** The upper word of a 64-bit product, modulo 2^64. */
export function productHigh(aHigh: number, aLow: number, bHigh: number, bLow: number): number {
  return (multiplyHigh(aLow, bLow) + Math.imul(aHigh, bLow) + Math.imul(aLow, bHigh)) | 0;
}

/** The upper word of a 64-bit sum, modulo 2^64. */
export function sumHigh(aHigh: number, aLow: number, bHigh: number, bLow: number): number {
  const carry = (aLow + bLow) >>> 0 < aLow >>> 0 ? 1 : 0;
  return (aHigh + bHigh + carry) | 0;
}
