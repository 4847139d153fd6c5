/**
 * A message body on its way through: how it comes in, how it goes out, and where it ends.
 *
 * A body whose framing does not change is passed on as it is; one that is chunked, or becomes chunked, is framed anew:
 * chunk headers, extensions and forbidden trailer fields of the sender never reach the receiver (RFC 9112 §7.1).
 *
 * Invariants: `encode` never takes a byte beyond the end of the message (`taken` says where it stopped); `done` only when
 * the sender's framing says so; a chunked output ends (`0 CRLF CRLF`) only when the input did.
 */
import { copyBytes } from '../../kernel/bytes.ts';
import { CHUNK_BAD, CHUNK_DATA, CHUNK_END, ChunkedDecoder, TRAILER_BYTES_MAX, writeChunkHead } from './chunked.ts';
import { CHUNKED, LENGTH, NONE } from './head.ts';

/** What `encode` may add to the bytes it is given: chunk sizes and line ends around one read, and the end. */
const FRAMING_BYTES = 32;

const CR = 13;
const LF = 10;
const ZERO = 48;

export class Body {
  /** `NONE`, `LENGTH`, `CHUNKED` or `UNTIL_CLOSE`: how the sender says where it ends. */
  kind: number = NONE;
  /** How the receiver is told. */
  outKind: number = NONE;
  done = true;
  /** The sender's framing is broken. */
  bad = false;
  /** More content than `bytesMax` came in. */
  tooLarge = false;
  /** Content bytes so far, framing not counted. */
  bytes = 0;
  /** After `encode`: the index of the first byte that was not taken. */
  taken = 0;
  #remaining = 0;
  #bytesMax = Number.POSITIVE_INFINITY;
  #decoder: ChunkedDecoder | null = null;

  /** `listed`: names in the message's Connection field, which concern its trailer too. */
  begin(kind: number, length: number, outKind: number, bytesMax: number, listed?: readonly string[]): void {
    this.kind = kind;
    this.outKind = outKind;
    this.bad = false;
    this.bytes = 0;
    this.#remaining = length;
    this.#bytesMax = bytesMax;
    this.tooLarge = kind === LENGTH && length > bytesMax;
    this.done = kind === NONE || (kind === LENGTH && length === 0);
    if (kind === CHUNKED) {
      this.#decoder ??= new ChunkedDecoder();
      this.#decoder.reset(listed);
    }
  }

  /** Content bytes still to come, as far as is known. */
  get remaining(): number {
    return this.kind === LENGTH ? this.#remaining : Number.POSITIVE_INFINITY;
  }

  /** True if bytes go out as they came in, so that `pass` can be used. */
  get unframed(): boolean {
    return this.kind !== CHUNKED && this.outKind !== CHUNKED;
  }

  /** How many of the bytes `[from, to)` belong to this body, for one that is `unframed`; they count as passed on. */
  pass(from: number, to: number): number {
    let count = to - from;
    if (this.kind === LENGTH) {
      if (count > this.#remaining) count = this.#remaining;
      this.#remaining -= count;
      this.done = this.#remaining === 0;
    }
    this.#count(count);
    return count;
  }

  /** Room that `encode` needs for `bytes` bytes of input. */
  room(bytes: number): number {
    return bytes + FRAMING_BYTES + (this.kind === CHUNKED ? TRAILER_BYTES_MAX : 0);
  }

  /** Puts what belongs to this body into `out` at `at`, framed for the receiver. Returns the index after it. */
  encode(bytes: Uint8Array, from: number, to: number, out: Uint8Array, at: number): number {
    if (this.kind === CHUNKED) return this.#encodeChunked(bytes, from, to, out, at);
    const count = this.pass(from, to);
    this.taken = from + count;
    if (this.outKind !== CHUNKED) {
      return copyBytes(bytes, from, from + count, out, at);
    }
    if (count > 0) {
      at = writeChunkHead(out, at, count);
      at = endLine(out, copyBytes(bytes, from, from + count, out, at));
    }
    return this.done ? this.finish(out, at) : at;
  }

  /** The end of a chunked output. For an `UNTIL_CLOSE` body it is called when the sender has closed cleanly. */
  finish(out: Uint8Array, at: number): number {
    this.done = true;
    if (this.outKind !== CHUNKED) return at;
    out[at++] = ZERO;
    at = endLine(out, at);
    const decoder = this.#decoder;
    if (this.kind === CHUNKED && decoder !== null && decoder.trailerBytes > 0) {
      at = copyBytes(decoder.trailers, 0, decoder.trailerBytes, out, at);
    }
    return endLine(out, at);
  }

  /** All data of one read becomes one chunk: gathered behind room for a size, which is then filled in. */
  #encodeChunked(bytes: Uint8Array, from: number, to: number, out: Uint8Array, at: number): number {
    const decoder = this.#decoder;
    if (decoder === null) return at;
    const framed = this.outKind === CHUNKED;
    const first = framed ? at + CHUNK_HEAD_BYTES : at;
    let end = first;
    for (;;) {
      const event = decoder.next(bytes, from, to);
      from = decoder.position;
      if (event === CHUNK_DATA) {
        end = copyBytes(bytes, decoder.dataStart, decoder.dataEnd, out, end);
        continue;
      }
      if (event === CHUNK_END) this.done = true;
      else if (event === CHUNK_BAD) this.bad = true;
      break;
    }
    this.taken = from;
    this.#count(end - first);
    if (!framed) return end;
    if (end > first) {
      fillChunkHead(out, at, end - first);
      at = endLine(out, end);
    }
    return this.done ? this.finish(out, at) : at;
  }

  #count(bytes: number): void {
    this.bytes += bytes;
    if (this.bytes > this.#bytesMax) this.tooLarge = true;
  }
}

/** Five hexadecimal digits, enough for a read of 64 KiB, and a line end. Leading zeros are allowed (RFC 9112 §7.1). */
const CHUNK_HEAD_BYTES = 7;

function fillChunkHead(out: Uint8Array, at: number, length: number): void {
  for (let shift = 16; shift >= 0; shift -= 4) {
    const digit = (length >> shift) & 15;
    out[at++] = digit < 10 ? ZERO + digit : 87 + digit;
  }
  endLine(out, at);
}

function endLine(out: Uint8Array, at: number): number {
  out[at] = CR;
  out[at + 1] = LF;
  return at + 2;
}
