/**
 * Series as bytes in a file that is only appended to: frames of a length, a CRC-32 and what it is of.
 *
 * A frame is whole or it is not there: what a killed process or a full disk left of one at the end is found by its length or its sum, and
 * reading ends before it. A file says what its series are before it first names one, so each can be read, and removed, by itself.
 * Adding is all that a frame means, so the order of frames, and of files, does not matter.
 */
import { crc32 } from 'node:zlib';
import { ByteReader, ByteWriter } from './bytes.ts';
import type { Entry, SeriesIdentity } from './entry.ts';
import { type AnyStep, kindOf } from './kinds.ts';

/** What is written of an entry: it was added to a step. */
export interface Added {
  readonly entry: Entry;
  readonly step: number;
  readonly value: AnyStep;
}

export interface StepsFrame {
  /** Grows with each frame of the fine kind; in one of the coarse kind, the last fine one that it holds. */
  readonly sequence: number;
  readonly added: readonly { readonly identity: SeriesIdentity; readonly step: number; readonly value: AnyStep }[];
}

const HEAD_BYTES = 8;
const DEFINITION = 1;
const STEPS = 2;
/** What claims to be longer is damaged. */
const FRAME_BYTES_MAX = 64 * 1024 * 1024;
const kindWords = ['counter', 'gauge', 'histogram'] as const;

/** Makes the frames of one file. */
export class FrameWriter {
  readonly #numbers = new Map<string, number>();

  /** What is to be appended, of which the steps are the last frame. */
  write(sequence: number, added: readonly Added[]): Uint8Array {
    const out = new ByteWriter(1024);
    const steps = new ByteWriter(1024);
    steps.varint(STEPS);
    steps.varint(sequence);
    steps.varint(added.length);
    for (const { entry, step, value } of added) {
      steps.varint(this.#numberOf(entry, out));
      steps.varint(step);
      kindOf(entry.kind).write(steps, value);
    }
    frame(out, steps);
    return out.toBytes();
  }

  #numberOf(entry: Entry, out: ByteWriter): number {
    // The same series may be made anew, with other buckets.
    const key = `${entry.kind} ${entry.bounds.length} ${entry.key}`;
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const number = this.#numbers.size;
    this.#numbers.set(key, number);
    const body = new ByteWriter(128);
    body.varint(DEFINITION);
    body.varint(kindWords.indexOf(entry.kind));
    body.varint(entry.detail === 'full' ? 1 : 0);
    body.text(entry.name);
    const labels = Object.entries(entry.labels);
    body.varint(labels.length);
    for (const text of labels.flat()) body.text(text);
    body.varint(entry.bounds.length);
    for (const bound of entry.bounds) body.number(bound);
    frame(out, body);
    return number;
  }
}

function frame(out: ByteWriter, body: ByteWriter): void {
  const bytes = body.toBytes();
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32LE(bytes.length, 0);
  head.writeUInt32LE(crc32(bytes), 4);
  out.raw(head);
  out.raw(bytes);
}

/** The frames of steps of a file, one by one, until it ends or is damaged; returns whether it was whole. */
export function* readFrames(bytes: Uint8Array): Generator<StepsFrame, boolean> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const identities: SeriesIdentity[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (at + HEAD_BYTES > bytes.length) return false;
    const length = view.getUint32(at, true);
    const end = at + HEAD_BYTES + length;
    if (length > FRAME_BYTES_MAX || end > bytes.length) return false;
    const body = bytes.subarray(at + HEAD_BYTES, end);
    if (crc32(body) !== view.getUint32(at + 4, true)) return false;
    let steps: StepsFrame | null;
    try {
      steps = readBody(new ByteReader(body), identities);
    } catch {
      // Whole by its sum, and yet no frame of ours.
      return false;
    }
    if (steps !== null) yield steps;
    at = end;
  }
  return true;
}

/** Null: it was a definition. */
function readBody(reader: ByteReader, identities: SeriesIdentity[]): StepsFrame | null {
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

function readSteps(reader: ByteReader, identities: readonly SeriesIdentity[]): StepsFrame {
  const sequence = reader.varint();
  const added: StepsFrame['added'][number][] = [];
  for (let left = reader.varint(); left > 0; left--) {
    const identity = identities[reader.varint()];
    if (identity === undefined) throw new RangeError('no such series');
    const step = reader.varint();
    added.push({ identity, step, value: kindOf(identity.kind).read(reader) });
  }
  return { sequence, added };
}
