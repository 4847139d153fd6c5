/** XXH64 and MurmurHash3 against the values that their authors and SMHasher publish. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import * as fc from 'fast-check';
import { keyMemory, type KeyText, keyView } from './key-bytes.ts';
import { murmur3 } from './murmur3.ts';
import { xxh64, xxh64Words } from './xxh64.ts';
import { xxh64Code } from './xxh64-code.ts';

function words(hash: (key: KeyText, out: Uint32Array) => void, count: number): (key: KeyText) => string {
  const out = new Uint32Array(count);
  return (key) => {
    hash(key, out);
    return [...out].map((word) => word.toString(16).padStart(8, '0')).join('');
  };
}

const xxhash = (key: KeyText, seed = 0): string => words((text, out) => xxh64(text, seed, out), 2)(key);
const murmur = (key: KeyText, seed = 0): string => words((text, out) => murmur3(text, out, seed), 4)(key);

/** SMHasher: keys 0, 0 1, … of each length below 256 with seed 256 − length, then a hash over all the hashes. */
function verification(hash: (key: Uint8Array, seed: number) => string): string {
  const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
  const all: number[] = [];
  for (let length = 0; length < 256; length++) {
    // The words of a half are stored lower first, each in little-endian order.
    for (const half of hash(bytes.subarray(0, length), 256 - length).match(/.{16}/g)!) {
      all.push(
        ...half
          .match(/../g)!
          .reverse()
          .map((byte) => Number.parseInt(byte, 16)),
      );
    }
  }
  return hash(Uint8Array.from(all), 0).slice(8, 16);
}

test('both have the verification word of SMHasher, which covers every length up to 255 and every seed below 257', () => {
  assert.equal(verification(xxhash), '024b7cf4');
  assert.equal(verification(murmur), '6384ba69');
});

test('XXH64 has the published check values', () => {
  // xxHash, xsum_sanity_check.c: bytes of a generator that squares itself.
  const prime = 0x9e3779b1;
  let generator = prime;
  const bytes = Uint8Array.from({ length: 101 }, () => {
    const byte = generator >>> 24;
    generator = Math.imul(generator, generator);
    return byte;
  });
  for (const [length, seed, hash] of [
    [0, 0, 'ef46db3751d8e999'],
    [0, prime, 'ac75fda2929b17ef'],
    [1, 0, '4fce394cc88952d8'],
    [1, prime, '739840cb819fa723'],
    [14, 0, 'cffa8db881bc3a3d'],
    [14, prime, '5b9611585efcc9cb'],
    [101, 0, '0eab543384f878ad'],
    [101, prime, 'caa65939306f1e21'],
  ] as const) {
    assert.equal(xxhash(bytes.subarray(0, length), seed), hash, `${length} bytes`);
  }
  assert.equal(xxhash('abc'), '44bc2cf5ad770999');
  assert.equal(xxhash('Nobody inspects the spammish repetition'), 'fbcea83c8a378bf1');
});

test('all 64 bits of a seed count: values of python-xxhash', () => {
  const bytes = Uint8Array.from({ length: 101 }, (_, index) => index);
  for (const [key, low, high] of [
    ['', '51e24c0e9077a48c', '7cc8df76db892f66'],
    ['abc', '1fc03ef74cebaa7d', 'cfe5aeff5d700cf0'],
    [bytes, '6cf305eb76f0ad5b', '68c99975ef4cd258'],
  ] as const) {
    const seeded = (...seed: number[]) =>
      words((text, out) => xxh64Words(text, Int32Array.from(seed), new Int32Array(out.buffer)), 2)(key);
    assert.equal(seeded(0x01234567, 0x89abcdef), low);
    assert.equal(seeded(0xfedcba98, 0x76543210), high);
    assert.equal(seeded(0, 7), xxhash(key, 7));
  }
});

test('a key is hashed piece by piece as in one, wherever it ends', () => {
  // Values of python-xxhash for bytes 0, 1, 2, … modulo 251.
  for (const [length, seed, hash] of [
    [32767, 0, '71dffb26afc2161f'],
    [32768, 7, 'c9f07dea46d17adf'],
    [32769, 0, '672be910f8faf3d6'],
    [65536, 7, '7bf82237de181ff2'],
    [65535, 0, 'fc26b00b70f81612'],
    [100000, 1, '0fa6c04f0bf2f121'],
    [98335, 0, 'e5aa2919330055b5'],
  ] as const) {
    const padded = Uint8Array.from({ length: length + 3 }, (_, index) => (index < 3 ? 255 : (index - 3) % 251));
    assert.equal(xxhash(padded.subarray(3), seed), hash, `${length} bytes`);
  }
});

test('the code of XXH64 is what its source says', async () => {
  const { default: createWabt } = await import('wabt');
  const wabt = await createWabt();
  const source = readFileSync(new URL('xxh64.wat', import.meta.url), 'utf8');
  const module = wabt.parseWat('xxh64.wat', source);
  try {
    assert.equal(xxh64Code, Buffer.from(module.toBinary({}).buffer).toString('base64'));
  } finally {
    module.destroy();
  }
});

test('MurmurHash3 of "hello" is that of Guava and mmh3', () => {
  assert.equal(murmur('hello'), 'cbd8a7b341bd9b025b1e906a48ae1d19');
});

test('a string is hashed as its UTF-8, whatever its length and script', () => {
  assert.equal(xxhash('Müller-Lüdenscheidt'), '433cc11f2992dede');
  assert.equal(xxhash('😀 smile'), '4167a535b5fade73');
  assert.equal(xxhash('ä'.repeat(2000)), '2a54752b342f8700');
  assert.equal(xxhash('x'.repeat(1025)), 'b631dc69e37288f6');
  const units = { unit: 'binary' as const, maxLength: 1500, size: 'max' as const };
  fc.assert(
    fc.property(fc.oneof(fc.string(units), fc.string({ maxLength: 80 })), fc.nat(7), (text, offset) => {
      const padded = Buffer.concat([Buffer.alloc(offset), Buffer.from(text)]).subarray(offset);
      assert.equal(xxhash(text), xxhash(padded));
      assert.equal(murmur(text), murmur(padded));
    }),
    { numRuns: 200 },
  );
});

test('a short key is hashed as itself, whatever was before it in the same memory', () => {
  // Values of other lengths and scripts in between, some of them longer.
  for (const letter of ['x', '\x7f', 'ä', '語']) {
    for (let length = 0; length < 70; length++) {
      const text = 'y'.repeat(length) + letter;
      const expected = xxhash(new Uint8Array(Buffer.from(text)));
      xxhash('\xff'.repeat(90));
      assert.equal(xxhash(text), expected, text);
      xxhash('z'.repeat(48));
      assert.equal(xxhash(Buffer.from(text)), expected, text);
      assert.equal(murmur(text), murmur(Buffer.from(text)), text);
    }
  }
});

test('a text is hashed as its characters, however the engine keeps them', () => {
  const wide = 'a text kept in 16 bits a character, 語';
  for (let length = 0; length <= 48; length++) {
    const letters = 'abcdefghijklmnopqrstuvwxyz'.repeat(2);
    const text = letters.slice(1, 1 + length);
    const expected = xxhash(new Uint8Array(Buffer.from(text)));
    const half = length >> 1;
    assert.equal(xxhash(text.slice(0, half) + text.slice(half)), expected, `${length}, in two pieces`);
    assert.equal(xxhash(`語${text}語`.slice(1, -1)), expected, `${length}, out of a text of wider characters`);
    assert.equal(xxhash(wide.slice(0, length)), xxhash(Buffer.from(wide.slice(0, length))), `${length}, wide`);
  }
  // Characters whose lower bits are those of ASCII, anywhere in the text.
  for (const letter of ['\u0161', '\u6100', '\ud800', '\x80', '\xff']) {
    for (let at = 0; at < 40; at++) {
      const text = 'x'.repeat(at) + letter + 'y'.repeat(39 - at);
      for (const each of [text, text.slice(0, at + 1)]) assert.equal(xxhash(each), xxhash(Buffer.from(each)), each);
    }
  }
});

test('a text has the same hash in an engine whose WebAssembly has no builtins for strings', async () => {
  const keys = ['', 'a', 'user:42', 'x'.repeat(48), 'x'.repeat(49), 'Müller', 'a\ud800', '語'];
  // Such an engine does not know the second argument.
  const without = `
    const { parentPort, workerData } = require('node:worker_threads');
    const { Module } = WebAssembly;
    WebAssembly.Module = function (code) { return new Module(code); };
    import(workerData.url).then(({ xxh64 }) => parentPort.postMessage(workerData.keys.map((key) => xxh64(key))));`;
  const url = new URL('xxh64.ts', import.meta.url).href;
  const worker = new Worker(without, { eval: true, workerData: { url, keys } });
  const [hashes] = await once(worker, 'message');
  assert.deepEqual(
    hashes,
    keys.map((key) => xxh64(key)),
  );
  await worker.terminate();
});

test('what is no key is refused and not taken for one', () => {
  for (const key of [5, null, undefined, ['a'], new Uint16Array(2), new ArrayBuffer(4)]) {
    assert.throws(() => xxh64(key as unknown as string), { code: 'OPTIONS_INVALID' });
    assert.throws(() => murmur(key as unknown as string), { code: 'OPTIONS_INVALID' });
  }
});

test('a long key is not kept once it is hashed', () => {
  for (const hash of [xxhash, murmur]) {
    hash(new Uint8Array(2 ** 20));
    assert.equal(keyView().buffer, keyMemory.buffer);
  }
});

test('the returned word is the upper one, signed', () => {
  assert.equal(xxh64(''), 0xef46db37 | 0);
});
