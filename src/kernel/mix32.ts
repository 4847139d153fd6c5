/**
 * MurmurHash3's finaliser for 32 bits (fmix32, A. Appleby): one to one, and each bit of the word changes half of those that come out.
 * Cost: two multiplications, inlined.
 */
export function mix32(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
