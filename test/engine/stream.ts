/** Bodies too large to keep: pseudo-random bytes that both ends can make, and so check, piece by piece. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';

/** A prime, so that no block boundary of the engine falls on the same byte twice. */
const POOL_BYTES = 2_097_143;
const pool = randomBytes(POOL_BYTES);

/** The bytes of stream `seed`: any two streams differ nearly everywhere, so a mix-up shows in a few bytes. */
export class ByteStream {
  readonly length: number;
  at = 0;
  readonly #offset: number;

  constructor(seed: number, length: number) {
    this.length = length;
    this.#offset = (seed * 104_729) % POOL_BYTES;
  }

  get done(): boolean {
    return this.at === this.length;
  }

  /** Up to `count` of the next bytes, as one view; null at the end. */
  next(count: number): Buffer | null {
    if (this.done) return null;
    const from = (this.#offset + this.at) % POOL_BYTES;
    const size = Math.min(count, this.length - this.at, POOL_BYTES - from);
    this.at += size;
    return pool.subarray(from, from + size);
  }

  /** Checks that these are the next bytes. */
  check(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) {
      const expected = this.next(bytes.length - done);
      assert.ok(expected !== null, `${bytes.length - done} bytes too many`);
      if (expected.compare(bytes, done, done + expected.length) !== 0) {
        const wrong = expected.findIndex((byte, i) => byte !== bytes[done + i]);
        assert.fail(`byte ${this.at - expected.length + wrong} of ${this.length} is wrong`);
      }
      done += expected.length;
    }
  }
}

/** Takes a chunked body apart as it comes, without keeping it. */
export class ChunkReader {
  ended = false;
  readonly #onData: (bytes: Buffer) => void;
  #line = '';
  #remaining = -1; // of the chunk; -1 while its size line is read
  #skip = 0; // bytes of the line end behind a chunk
  #last = false;

  constructor(onData: (bytes: Buffer) => void) {
    this.#onData = onData;
  }

  read(bytes: Buffer): void {
    for (let at = 0; at < bytes.length;) {
      assert.ok(!this.ended, 'bytes behind the last chunk');
      if (this.#remaining > 0) {
        const end = Math.min(bytes.length, at + this.#remaining);
        this.#remaining -= end - at;
        this.#onData(bytes.subarray(at, end));
        at = end;
        if (this.#remaining === 0) this.#skip = 2;
        continue;
      }
      const byte = String.fromCharCode(bytes[at]!);
      at += 1;
      if (this.#skip > 0) {
        assert.equal(byte, this.#skip === 2 ? '\r' : '\n');
        this.#skip -= 1;
        if (this.#skip === 0) this.#remaining = -1;
        continue;
      }
      this.#line += byte;
      if (!this.#line.endsWith('\r\n')) continue;
      this.#endLine(this.#line.slice(0, -2));
      this.#line = '';
    }
  }

  #endLine(line: string): void {
    if (this.#last) {
      assert.equal(line, '');
      this.ended = true;
      return;
    }
    assert.match(line, /^[0-9a-f]{1,16}$/);
    this.#remaining = Number.parseInt(line, 16);
    this.#last = this.#remaining === 0;
    if (this.#last) this.#remaining = -1;
  }
}
