import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createHashSecret, halfSipHash, type HashSecret } from './half-sip-hash.ts';
import { createRandom } from './random.ts';

function words(key: string, secret: HashSecret = Int32Array.of(0x03020100, 0x07060504)): string {
  const out = new Int32Array(2);
  halfSipHash(key, secret, out);
  return [...out].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
}

/** Linux, siphash_kunit.c, for machines of 32 bits: the bytes 0 to n - 1 under the secret 00 01 … 07. */
const published = `
  5814c896 e7e864ca bc4b0e30 01539939 7e059ea6 88e3d89b a0080b65 9d38d9d6 577999b1 c839caed e4fa32cf 959246ee 6b28096c
  66dd9cd6 16658a7c d0257b04 8b31d501 2b1cd04b 06712339 522aca67 911bb605 90a65f0e f826ef7b 62512deb 57150ad7 5d473507
  1ec47442 ab64afd3 0a4100d0 6d2ce652 2331b6a3 08d8791a bc6dda8d e0f6c934 b0652033 9b9851cc 7c46fb7f 732ba8cb f142997a
  fcc9aa1b 05327eb2 e110131c f9e5e7c0 a7d708a6 11795ab1 65671619 9f5fff91 d89c5267 007783eb 95766243 ab639262 9c7e1390
  c368dda6 38ddc455 fa13d379 979ea4e8 53ecd77e 2ee80657 33dbb66a ae3f0577 88b4c4cc 3e7f480b 74c1ebf8 87178304`;

test('the first word has the published values, for each length below 64', () => {
  const bytes = Array.from({ length: 64 }, (_, byte) => String.fromCharCode(byte));
  published
    .trim()
    .split(/\s+/)
    .forEach((value, length) => {
      assert.equal(words(bytes.slice(0, length).join('')).slice(0, 8), value, `${length} bytes`);
    });
});

test('two strings that differ have different hashes, whatever is in them', () => {
  const secret = createHashSecret(createRandom());
  const text = fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) });
  fc.assert(
    fc.property(fc.oneof(text, fc.string()), fc.oneof(text, fc.string()), (a, b) => {
      assert.equal(words(a, secret) === words(b, secret), a === b);
    }),
    { numRuns: 2000 },
  );
  // What the bytes of one are the units of the other.
  assert.notEqual(words('\u0101\u0202', secret), words('\u0001\u0001\u0002\u0002', secret));
  assert.notEqual(words('\ud83d', secret), words('\ufffd', secret));
});

test('each bit of the key and of the secret changes about half of each word', () => {
  const base = 'user:000042';
  let flipped = 0;
  let cases = 0;
  const count = (a: string, b: string): void => {
    flipped += (BigInt(`0x${a}`) ^ BigInt(`0x${b}`)).toString(2).replaceAll('0', '').length;
    cases += 1;
  };
  for (let at = 0; at < base.length; at++) {
    for (let bit = 0; bit < 7; bit++) {
      const other = String.fromCharCode(base.charCodeAt(at) ^ (1 << bit));
      count(words(base), words(base.slice(0, at) + other + base.slice(at + 1)));
    }
  }
  for (let bit = 0; bit < 64; bit++) {
    const secret = Int32Array.of(0x03020100, 0x07060504);
    secret[bit >>> 5]! ^= 1 << (bit & 31);
    count(words(base), words(base, secret));
  }
  const mean = flipped / cases;
  assert.ok(mean > 30 && mean < 34, `${mean} bits of 64`);
});
