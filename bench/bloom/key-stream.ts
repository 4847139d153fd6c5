/**
 * Any number of keys without a list of them: the n-th is `user:` and n in ten digits, as bytes, written anew into the same
 * few arrays for each batch.
 */
const PREFIX = new TextEncoder().encode('user:');
const DIGITS = 10;

/** Yields the keys from `from` to `to`, `batch` at a time; what it yields is overwritten by the next. */
export function* keyStream(from: number, to: number, batch = 4096): Generator<readonly Uint8Array[]> {
  const keys = Array.from({ length: batch }, () => {
    const key = new Uint8Array(PREFIX.length + DIGITS);
    key.set(PREFIX);
    return key;
  });
  for (let at = from; at < to; at += batch) {
    const size = Math.min(batch, to - at);
    for (let index = 0; index < size; index++) writeDigits(keys[index]!, at + index);
    yield size === batch ? keys : keys.slice(0, size);
  }
}

function writeDigits(key: Uint8Array, number: number): void {
  // Two halves of five digits each are small integers, which divide faster than doubles.
  let low = (number % 1e5) | 0;
  let high = ((number - low) / 1e5) | 0;
  for (let at = 14; at > 9; at--) {
    key[at] = 48 + (low % 10);
    low = (low / 10) | 0;
  }
  for (let at = 9; at > 4; at--) {
    key[at] = 48 + (high % 10);
    high = (high / 10) | 0;
  }
}
