/**
 * Series as bytes in a file that is only appended to: blocks of a mark, a length, two checksums and what was added to which steps.
 *
 * A block is whole or it is not there, and can be read without any other. So a byte that is changed, missing or too much costs the blocks that it
 * is in and none besides: whoever reads looks for the next mark behind it. The mark is no UTF-8, so it is in no name and no label; where numbers look like one, the
 * checksum of the head says no, at 16 B each, and a sum of the rest is made only behind a head that is right.
 * Adding is all that a block means, so the order of blocks, and of files, does not matter; of one that is there twice, its sequence tells.
 */
import { crc32 } from 'node:zlib';
import { STEP, type Steps } from '../../kernel/steps.ts';
import type { AddedOf, Block, Damage, Taken } from './block.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import { DictionaryReader, DictionaryWriter } from './dictionary.ts';
import type { SeriesIdentity } from './entry.ts';
import { kindOf } from './kinds.ts';
import { isOldFile, readFrames } from './old-frames.ts';
import type { SequenceRange } from './sequences.ts';

const MARK = Buffer.from([0xff, 0x53, 0x42, 0xfe]);
const HEAD = { length: 4, bodySum: 8, ownSum: 12, bytes: 16 };
/** What claims to be longer is damaged. */
const BODY_BYTES_MAX = 64 * 1024 * 1024;

export interface BlockToWrite {
  readonly sequence: number;
  readonly holds: readonly SequenceRange[];
  readonly added: Taken;
}

/** In steps: of thousands of series it is milliseconds. */
export function* writeBlock(block: BlockToWrite): Steps<Uint8Array> {
  const body = new ByteWriter(1024);
  body.varint(block.sequence);
  body.varint(block.holds.length);
  for (const [from, to] of block.holds) {
    body.varint(from);
    body.varint(to - from);
  }
  const [dictionary, steps] = [new DictionaryWriter(), new ByteWriter(1024)];
  let first = Number.MAX_SAFE_INTEGER;
  for (const { step } of block.added) first = Math.min(first, step);
  yield;
  steps.varint(block.added.size);
  steps.varint(first);
  let written = 0;
  for (const { entry, step, value } of block.added) {
    if (++written % STEP === 0) yield;
    steps.varint(dictionary.numberOf(entry));
    steps.varint(step - first);
    kindOf(entry.kind).write(steps, value);
  }
  const words = new ByteWriter(1024);
  yield* dictionary.write(words);
  body.block(words);
  body.block(steps);
  yield;
  return withHead(body.toBytes());
}

function withHead(body: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(HEAD.bytes + body.length);
  MARK.copy(bytes);
  bytes.writeUInt32LE(body.length, HEAD.length);
  bytes.writeUInt32LE(crc32(body), HEAD.bodySum);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, HEAD.ownSum)), HEAD.ownSum);
  bytes.set(body, HEAD.bytes);
  return bytes;
}

/** Reads the files of a folder: what they say again and again is kept once. */
export class BlockReader {
  readonly #dictionary = new DictionaryReader();
  #words: Buffer = Buffer.alloc(0);
  #series: readonly SeriesIdentity[] = [];

  /** The blocks of a file that are whole, one by one; returns what is not. */
  *read(bytes: Buffer): Generator<Block, Damage> {
    if (isOldFile(bytes)) return yield* readFrames(bytes);
    let [places, lost, from] = [0, 0, 0];
    for (let at = bytes.indexOf(MARK); at !== -1; at = bytes.indexOf(MARK, at)) {
      const end = endOf(bytes, at);
      const block = end === null ? null : this.#blockOf(bytes.subarray(at + HEAD.bytes, end));
      if (block === null || end === null) {
        at++;
        continue;
      }
      if (at > from) places++;
      lost += at - from;
      yield block;
      at = from = end;
    }
    const rest = bytes.length - from;
    const isTorn = rest > 0 && isBegun(bytes.subarray(from));
    return { places: places + (rest > 0 && !isTorn ? 1 : 0), bytes: lost + rest, isTorn };
  }

  #blockOf(body: Buffer): Block | null {
    try {
      return this.#readBody(new ByteReader(body));
    } catch {
      // Whole by its sum, and yet no block of ours.
      return null;
    }
  }

  #readBody(from: ByteReader): Block {
    const sequence = from.varint();
    const holds = Array.from({ length: from.count() }, (): SequenceRange => {
      const first = from.varint();
      return [first, first + from.varint()];
    });
    const words = from.block();
    if (!words.equals(this.#words)) {
      this.#series = this.#dictionary.read(new ByteReader(words));
      // Not a part of its file, which would be in memory for as long.
      this.#words = Buffer.from(words);
    }
    const steps = new ByteReader(from.block());
    const length = steps.count();
    const first = steps.varint();
    const added: AddedOf[] = [];
    for (let at = 0; at < length; at++) {
      const identity = this.#series[steps.varint()];
      if (identity === undefined) throw new RangeError('no such series');
      const step = first + steps.varint();
      added.push({ identity, step, value: kindOf(identity.kind).read(steps) });
    }
    return { sequence, holds, isOld: false, added };
  }
}

/** Where the block at `at` ends, if it is whole. */
function endOf(bytes: Buffer, at: number): number | null {
  const length = lengthOf(bytes.subarray(at));
  if (length === null || at + HEAD.bytes + length > bytes.length) return null;
  const end = at + HEAD.bytes + length;
  return crc32(bytes.subarray(at + HEAD.bytes, end)) === bytes.readUInt32LE(at + HEAD.bodySum) ? end : null;
}

/** Of the body behind a head; null: it is none. */
function lengthOf(head: Buffer): number | null {
  if (head.length < HEAD.bytes || !head.subarray(0, MARK.length).equals(MARK)) return null;
  if (head.readUInt32LE(HEAD.ownSum) !== crc32(head.subarray(0, HEAD.ownSum))) return null;
  const length = head.readUInt32LE(HEAD.length);
  return length > BODY_BYTES_MAX ? null : length;
}

/** Whether these are the first bytes of a block, and the others are missing. */
function isBegun(rest: Buffer): boolean {
  if (rest.length < HEAD.bytes) return MARK.subarray(0, rest.length).equals(rest.subarray(0, MARK.length));
  const length = lengthOf(rest);
  return length !== null && HEAD.bytes + length > rest.length;
}
