/**
 * Series on disk as they were before there were blocks: frames of a length, a CRC-32 and what it is of, without a mark; what a series is stands before the first
 * frame that names it. So what follows damage in such a file cannot be told from it. They are read and no longer written: 37 days after the change none is left.
 */
import { crc32 } from 'node:zlib';
import type { AddedOf, Block, Damage } from './block.ts';
import { ByteReader } from './bytes.ts';
import type { SeriesIdentity } from './entry.ts';
import { kindOf } from './kinds.ts';

const HEAD_BYTES = 8;
const DEFINITION = 1;
/** What claims to be longer is damaged. */
const FRAME_BYTES_MAX = 64 * 1024 * 1024;
const kindWords = ['counter', 'gauge', 'histogram'] as const;

export function isOldFile(bytes: Buffer): boolean {
  return bodyAt(bytes, 0)?.[0] === DEFINITION;
}

/** The frames of steps of a file, one by one, until it ends or is damaged; returns what was not read. */
export function* readFrames(bytes: Buffer): Generator<Block, Damage> {
  const identities: SeriesIdentity[] = [];
  let at = 0;
  for (let body = bodyAt(bytes, at); body !== null; body = bodyAt(bytes, at)) {
    let block: Block | null;
    try {
      block = readBody(new ByteReader(body), identities);
    } catch {
      // Whole by its sum, and yet no frame of ours.
      break;
    }
    if (block !== null) yield block;
    at += HEAD_BYTES + body.length;
  }
  const rest = bytes.length - at;
  const isTorn = rest > 0 && (rest < HEAD_BYTES || at + HEAD_BYTES + bytes.readUInt32LE(at) > bytes.length);
  return { places: rest > 0 && !isTorn ? 1 : 0, bytes: rest, isTorn };
}

/** Null: there is none that is whole. */
function bodyAt(bytes: Buffer, at: number): Buffer | null {
  if (at + HEAD_BYTES > bytes.length) return null;
  const length = bytes.readUInt32LE(at);
  if (length > FRAME_BYTES_MAX || at + HEAD_BYTES + length > bytes.length) return null;
  const body = bytes.subarray(at + HEAD_BYTES, at + HEAD_BYTES + length);
  return crc32(body) === bytes.readUInt32LE(at + 4) ? body : null;
}

/** Null: it was a definition. */
function readBody(reader: ByteReader, identities: SeriesIdentity[]): Block | null {
  if (reader.varint() !== DEFINITION) return readSteps(reader, identities);
  identities.push(readIdentity(reader));
  return null;
}

function readIdentity(reader: ByteReader): SeriesIdentity {
  const kind = kindWords[reader.varint()];
  if (kind === undefined) throw new RangeError('no kind of series');
  const detail = reader.varint() === 1 ? 'full' : 'brief';
  const name = reader.text();
  const labels: Record<string, string> = {};
  for (let left = reader.varint(); left > 0; left--) {
    const label = reader.text();
    labels[label] = reader.text();
  }
  const bounds = Array.from({ length: reader.varint() }, () => reader.number());
  return { kind, detail, name, labels, bounds: Float64Array.from(bounds) };
}

/** Of a fine one, what it is numbered; of a coarse one, the last fine one that is in it. */
function readSteps(reader: ByteReader, identities: readonly SeriesIdentity[]): Block {
  const number = reader.varint();
  const added: AddedOf[] = [];
  for (let left = reader.varint(); left > 0; left--) {
    const identity = identities[reader.varint()];
    if (identity === undefined) throw new RangeError('no such series');
    const step = reader.varint();
    added.push({ identity, step, value: kindOf(identity.kind).read(reader) });
  }
  return { sequence: number, holds: [[0, number]], isOld: true, added };
}
