/**
 * The wire format of protobuf: what a tag, a number, a text and a message within a message are, written and read.
 *
 * Invariants: reading looks at no byte outside the message, goes no deeper than 32 messages and throws `OTLP_INVALID` for what is malformed, and
 * nothing else. What is written is the shortest form. Numbers are doubles: exact up to 2^53, the nearest beyond.
 * Cost: O(bytes); the length of a message is put before it when it ends, which moves it if it is longer than 127 bytes.
 * Source: protobuf.dev, “Encoding”. What it is not: messages by name, which are in message-type.ts; groups, which are refused.
 */
import { SpillwayError } from '../../kernel/errors.ts';

export const wire = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;
export type Wire = (typeof wire)[keyof typeof wire];

/** OTLP nests about fifteen deep; values within values may be deeper. */
const DEPTH_MAX = 32;
const WORD = 2 ** 32;
const HALF = 2 ** 16;
const NS_PER_MS = 1e6;
/** The greatest double below 2^64. */
const UINT64_MAX = 2 ** 64 - 2 ** 11;

/** Telemetry that somebody sent is none, or too much of it. */
export function invalidOtlp(what: string): SpillwayError {
  return new SpillwayError('OTLP_INVALID', `This is no OTLP, or more than is taken: ${what}.`);
}

export class ProtobufWriter {
  #bytes = Buffer.allocUnsafe(1024);
  #length = 0;

  tag(field: number, type: number): void {
    this.varint(field * 8 + type);
  }

  /** An integer; of what is negative, the two's complement of 64 bits. What no 64 bits hold becomes the nearest that they do. */
  varint(value: number): void {
    this.#room(10);
    if (!(value >= 0 && value <= UINT64_MAX)) {
      const held = Math.trunc(Math.min(UINT64_MAX, Math.max(-(2 ** 63), value)));
      this.#varint64(BigInt.asUintN(64, BigInt(Number.isNaN(held) ? 0 : held)));
      return;
    }
    while (value >= 0x80) {
      this.#bytes[this.#length++] = (value % 0x80) | 0x80;
      value = Math.floor(value / 0x80);
    }
    this.#bytes[this.#length++] = value;
  }

  /** Near zero of either sign in few bytes (`sint32`, `sint64`). */
  zigzag(value: number): void {
    this.varint(value < 0 ? -2 * value - 1 : 2 * value);
  }

  double(value: number): void {
    this.#length = this.#room(8).writeDoubleLE(value, this.#length);
  }

  fixed32(value: number): void {
    this.#length = this.#room(4).writeUInt32LE(value >>> 0, this.#length);
  }

  fixed64(value: number): void {
    const high = Math.floor(value / WORD);
    this.fixed32(value - high * WORD);
    this.fixed32(high);
  }

  /** Milliseconds as nanoseconds of 64 bits, which no double holds: in halves. */
  nanoseconds(ms: number): void {
    const whole = Math.floor(ms);
    const lower = (whole % HALF) * NS_PER_MS + Math.round((ms - whole) * NS_PER_MS);
    const upper = Math.floor(whole / HALF) * NS_PER_MS + Math.floor(lower / HALF);
    this.fixed32((upper % HALF) * HALF + (lower % HALF));
    this.fixed32(Math.floor(upper / HALF));
  }

  text(value: string): void {
    const start = this.open();
    this.#room(3 * value.length);
    this.#length += this.#bytes.write(value, this.#length);
    this.close(start);
  }

  /** Bytes by their hexadecimal digits, up to the first that is none. */
  hex(value: string): void {
    const start = this.open();
    this.#room(value.length);
    this.#length += this.#bytes.write(value, this.#length, 'hex');
    this.close(start);
  }

  /** What is written until `close` goes behind its length. Returns what to close it with. */
  open(): number {
    this.#room(1);
    return (this.#length += 1);
  }

  close(start: number): void {
    const length = this.#length - start;
    let more = 0;
    for (let rest = length; rest >= 0x80; rest = Math.floor(rest / 0x80)) more += 1;
    // Here, for the length too: in front of what it belongs to, more room would be made without that.
    const bytes = this.#room(10);
    if (more > 0) bytes.copyWithin(start + more, start, this.#length);
    this.#length = start - 1;
    this.varint(length);
    this.#length += length;
  }

  /** What was written. It is the writer's: the next write may change it. */
  get written(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  #varint64(value: bigint): void {
    for (; value >= 0x80n; value >>= 7n) this.#bytes[this.#length++] = Number(value & 0x7fn) | 0x80;
    this.#bytes[this.#length++] = Number(value);
  }

  #room(bytes: number): Buffer<ArrayBuffer> {
    if (this.#length + bytes > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#length + bytes, 2 * this.#bytes.length));
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    return this.#bytes;
  }
}

export class ProtobufReader {
  readonly #bytes: Buffer;
  readonly #depth: number;
  #at: number;
  readonly #end: number;
  /** Of the field that `next` has come to. */
  field = 0;
  wire: Wire = wire.varint;

  constructor(bytes: Uint8Array, from = 0, to = bytes.length, depth = 1) {
    if (depth > DEPTH_MAX) throw invalidOtlp(`a message lies ${DEPTH_MAX} deep in others`);
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#depth = depth;
    this.#at = from;
    this.#end = to;
  }

  get ended(): boolean {
    return this.#at === this.#end;
  }

  /** Goes to the next field, whose value must be read or skipped; false at the end. */
  next(): boolean {
    if (this.ended) return false;
    const tag = this.varint();
    if (tag < 8 || tag >= WORD) throw invalidOtlp(`${tag} is no tag`);
    const type = tag % 8;
    if (type !== 0 && type !== 1 && type !== 2 && type !== 5) throw invalidOtlp(`a field of wire type ${type}`);
    this.field = Math.floor(tag / 8);
    this.wire = type;
    return true;
  }

  /** Unsigned. */
  varint(): number {
    let value = 0;
    for (let scale = 1, count = 1; ; scale *= 0x80, count += 1) {
      const byte = this.#bytes[this.#skip(1)]!;
      value += (byte % 0x80) * scale;
      if (byte < 0x80) return value;
      if (count === 10) throw invalidOtlp('a number of more than ten bytes');
    }
  }

  /** Of 64 bits with a sign. */
  signedVarint(): number {
    const start = this.#at;
    const value = this.varint();
    if (value < 2 ** 63) return value;
    const last = this.#at - 1;
    // Nine bytes are not negative, nor are ten without the 64th bit; what has more bits is no number of these.
    if (last - start < 9 || this.#bytes[last]! % 2 === 0) return value % 2 ** 64;
    // Near 2^64 a double knows no difference: what is missing to it, which is exact.
    let missing = 0;
    for (let at = last - 1; at >= start; at -= 1) missing = missing * 0x80 + (0x7f - (this.#bytes[at]! % 0x80));
    return -missing - 1;
  }

  zigzag(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  double(): number {
    return this.#bytes.readDoubleLE(this.#skip(8));
  }

  fixed32(): number {
    return this.#bytes.readUInt32LE(this.#skip(4));
  }

  fixed64(): number {
    const low = this.fixed32();
    return this.fixed32() * WORD + low;
  }

  signedFixed64(): number {
    const low = this.fixed32();
    return (this.fixed32() | 0) * WORD + low;
  }

  /** Nanoseconds as milliseconds. */
  nanoseconds(): number {
    const low = this.fixed32();
    const upper = this.fixed32() * HALF + Math.floor(low / HALF);
    const lower = (upper % NS_PER_MS) * HALF + (low % HALF);
    return Math.floor(upper / NS_PER_MS) * HALF + Math.floor(lower / NS_PER_MS) + (lower % NS_PER_MS) / NS_PER_MS;
  }

  /** What is no UTF-8 becomes U+FFFD. */
  text(): string {
    const length = this.varint();
    const from = this.#skip(length);
    return this.#bytes.toString('utf8', from, from + length);
  }

  hex(): string {
    const length = this.varint();
    const from = this.#skip(length);
    return this.#bytes.toString('hex', from, from + length);
  }

  /** A reader of the message that is the value here. */
  message(): ProtobufReader {
    const length = this.varint();
    const from = this.#skip(length);
    return new ProtobufReader(this.#bytes, from, from + length, this.#depth + 1);
  }

  skip(): void {
    if (this.wire === wire.varint) this.varint();
    else if (this.wire === wire.bytes) this.#skip(this.varint());
    else this.#skip(this.wire === wire.fixed64 ? 8 : 4);
  }

  #skip(bytes: number): number {
    if (bytes > this.#end - this.#at) throw invalidOtlp(`it ends ${bytes - (this.#end - this.#at)} bytes too early`);
    this.#at += bytes;
    return this.#at - bytes;
  }
}
