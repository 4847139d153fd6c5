/**
 * Jute, the encoding of ZooKeeper's messages: big-endian numbers, strings and buffers with a length of 32 bits before them.
 *
 * Invariants: reading looks at no byte outside the message and makes nothing larger than it; what is malformed throws
 * `STORE_UNAVAILABLE` and nothing else. A length of -1 stands for none, which is read as empty.
 * Cost: O(bytes); buffers that are read are parts of the message, not copies.
 * Source: zookeeper-jute of Apache ZooKeeper 3.8 (BinaryInputArchive, BinaryOutputArchive).
 */
import { SpillwayError } from '../../kernel/errors.ts';

/** What a server sent is no message of ZooKeeper. Another server may do better. */
export function malformed(what: string): SpillwayError {
  return new SpillwayError('STORE_UNAVAILABLE', `A server of ZooKeeper sent what is no answer: ${what}.`, {
    retryable: true,
  });
}

export class JuteWriter {
  #bytes = Buffer.allocUnsafe(256);
  #length = 0;

  int(value: number): this {
    this.#length = this.#room(4).writeInt32BE(value, this.#length);
    return this;
  }

  long(value: bigint): this {
    this.#length = this.#room(8).writeBigInt64BE(value, this.#length);
    return this;
  }

  bool(value: boolean): this {
    this.#length = this.#room(1).writeUInt8(value ? 1 : 0, this.#length);
    return this;
  }

  buffer(value: Uint8Array): this {
    this.int(value.length).#room(value.length).set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  string(value: string): this {
    return this.buffer(Buffer.from(value));
  }

  strings(values: readonly string[]): this {
    this.int(values.length);
    for (const value of values) this.string(value);
    return this;
  }

  /** What was written, behind its length: as it goes over the wire. */
  frame(): Buffer {
    const frame = Buffer.allocUnsafe(4 + this.#length);
    frame.writeInt32BE(this.#length, 0);
    this.#bytes.copy(frame, 4, 0, this.#length);
    return frame;
  }

  #room(bytes: number): Buffer {
    const needed = this.#length + bytes;
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#bytes.length));
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    return this.#bytes;
  }
}

export class JuteReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes that are left. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  int(): number {
    return this.#bytes.readInt32BE(this.#skip(4));
  }

  long(): bigint {
    return this.#bytes.readBigInt64BE(this.#skip(8));
  }

  bool(): boolean {
    return this.#bytes[this.#skip(1)] !== 0;
  }

  buffer(): Buffer {
    const length = this.#count();
    const at = this.#skip(length);
    return this.#bytes.subarray(at, at + length);
  }

  string(): string {
    return this.buffer().toString('utf8');
  }

  strings(): string[] {
    const values: string[] = [];
    for (let count = this.#count(); count > 0; count--) values.push(this.string());
    return values;
  }

  #count(): number {
    const count = this.int();
    if (count < -1) throw malformed(`a length of ${count}`);
    return Math.max(0, count);
  }

  #skip(bytes: number): number {
    if (bytes > this.left) throw malformed(`a message ends ${bytes - this.left} bytes too early`);
    this.#at += bytes;
    return this.#at - bytes;
  }
}

/** Cuts what arrives into messages. A length above the maximum throws as soon as it is there; nothing is kept for it. */
export class FrameSplitter {
  readonly #bytesMax: number;
  readonly #parts: Buffer[] = [];
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  push(bytes: Buffer): void {
    this.#parts.push(bytes);
    this.#bytes += bytes.length;
  }

  /** The next message without its length; null if it has not arrived in full. */
  next(): Buffer | null {
    if (this.#bytes < 4) return null;
    const length = this.#head(4).readInt32BE(0);
    if (length < 0 || length > this.#bytesMax) {
      throw malformed(`a message of ${length} bytes; at most ${this.#bytesMax} are taken`);
    }
    if (this.#bytes < 4 + length) return null;
    const head = this.#head(4 + length);
    this.#parts[0] = head.subarray(4 + length);
    this.#bytes -= 4 + length;
    return head.subarray(4, 4 + length);
  }

  /** The first part, with at least so many bytes; joined only when a message is there, so each byte is copied once or twice. */
  #head(bytes: number): Buffer {
    if ((this.#parts[0]?.length ?? 0) < bytes) this.#parts.splice(0, this.#parts.length, Buffer.concat(this.#parts));
    return this.#parts[0] ?? Buffer.alloc(0);
  }
}
