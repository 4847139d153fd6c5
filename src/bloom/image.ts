/**
 * The one format of filters, the same in memory, in memory shared by threads, in bytes that are sent and in files:
 *
 *     [ header: 128 B ][ body ][ CRC-32 of each MiB of the body: 4 B each ]
 *
 * All numbers are little-endian, whatever the machine. The header has a CRC-32 of its own. In a file the body begins on a cache line, and in large memory that is made here too,
 * with `GAP_BYTES` before it. In living memory the checksums at the end are not kept up; they are made when the image leaves it (`sealImage`), and compared when it
 * comes to life again.
 *
 * | offset | what |
 * |---|---|
 * | 0 | `spwbloom` |
 * | 8 | version, u32: 1 |
 * | 12 | kind, u32: see `kinds` |
 * | 16 | seed of the hash, two u32, the upper first |
 * | 24 | capacity, f64 |
 * | 32 | false-positive rate at capacity, f64 |
 * | 40 | bytes of the body, f64 |
 * | 48 | probes of a key, u32 |
 * | 52 | hash, u32: 1 is XXH64; 2, of the kind `redisbloom` alone, MurmurHash64A as that module takes it |
 * | 56 | state, u32, see `states`: only in the first are the checksums those of the body |
 * | 60 | twelve words, u32, of the kind's own |
 * | 108 | bytes between header and body, u32: only in living memory there are any |
 * | 112 | zero |
 * | 124 | CRC-32 of the 124 bytes before, u32 |
 *
 * Cost: the checksums take about 1 ms for a MiB. CRC-32 (that of zlib) finds every flip of up to 32 neighbouring bits and
 * any other damage but for one in 2^32; it is no protection against people.
 */
import { crc32 } from 'node:zlib';
import { ascii } from '../kernel/bytes.ts';
import { SpillwayError } from '../kernel/errors.ts';
import { invalid } from '../kernel/options.ts';

export const HEADER_BYTES = 128;
export const CHUNK_BYTES = 2 ** 20;
/**
 * Between header and body in memory that is made here, so that a block of 64 bytes is in one cache line and not in two: glibc gives large
 * memory from 16 bytes behind the beginning of a page on. Where large memory begins with the page none is needed.
 */
const GAP_BYTES = process.platform === 'linux' ? 48 : 0;
/** A 32-bit number can then say any word of it. */
export const BODY_BYTES_MAX = 2 ** 33;
const OWN_WORDS = 12;

const MAGIC = ascii('spwbloom');
const VERSION = 1;
const HASH_XXH64 = 1;
const HASH_MURMUR64A = 2;
const OWN_AT = 60;
const GAP_AT = 108;
const CRC_AT = HEADER_BYTES - 4;

/** What may be in a body. Numbers are for good. */
export const kinds = {
  blocked: 1,
  classic: 2,
  parquet: 3,
  counting: 4,
  scalable: 5,
  sliding: 6,
  cuckoo: 7,
  fuse8: 8,
  fuse16: 9,
  redisbloom: 10,
} as const satisfies Record<string, number>;

export type FilterKind = keyof typeof kinds;

/** At rest; a file that somebody adds to, or did when the process ended; memory that lives. */
const states = { sealed: 0, adding: 1, living: 2 } as const satisfies Record<string, number>;

type ImageState = keyof typeof states;

const hashOf = (kind: FilterKind): number => (kind === 'redisbloom' ? HASH_MURMUR64A : HASH_XXH64);

export interface ImageHeader {
  readonly kind: FilterKind;
  /** Upper and lower word. */
  readonly seed: Int32Array;
  readonly capacity: number;
  readonly falsePositiveRate: number;
  readonly bodyBytes: number;
  readonly probes: number;
  /** Twelve words of the kind's own; what is not given is 0. */
  readonly own: readonly number[];
}

export interface StoredHeader extends ImageHeader {
  readonly state: ImageState;
}

/** A refusal of bytes that are not what was written. */
export function damaged(what: string, cause?: unknown): SpillwayError {
  return new SpillwayError('FILTER_DAMAGED', `This is not a whole filter: ${what}.`, { cause });
}

/** The size of the checksums of a body. */
export function checksumBytes(bodyBytes: number): number {
  return 4 * Math.ceil(bodyBytes / CHUNK_BYTES);
}

/** The size of a stored image whose body has so many bytes. */
function imageBytes(bodyBytes: number): number {
  return HEADER_BYTES + bodyBytes + checksumBytes(bodyBytes);
}

/** The size of an image in memory that is made here. */
export function memoryBytes(bodyBytes: number): number {
  return imageBytes(bodyBytes) + GAP_BYTES;
}

export function encodeHeader(header: ImageHeader, state: ImageState, gapBytes = 0): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint32(8, VERSION, true);
  view.setUint32(12, kinds[header.kind], true);
  view.setInt32(16, header.seed[0]!, true);
  view.setInt32(20, header.seed[1]!, true);
  view.setFloat64(24, header.capacity, true);
  view.setFloat64(32, header.falsePositiveRate, true);
  view.setFloat64(40, header.bodyBytes, true);
  view.setUint32(48, header.probes, true);
  view.setUint32(52, hashOf(header.kind), true);
  view.setUint32(56, states[state], true);
  for (const [at, word] of header.own.entries()) view.setUint32(OWN_AT + 4 * at, word, true);
  view.setUint32(GAP_AT, gapBytes, true);
  view.setUint32(CRC_AT, crc32(bytes.subarray(0, CRC_AT)), true);
  return bytes;
}

/** Reads a header and refuses one that was not written so; `size` is that of the whole image. */
export function decodeHeader(bytes: Uint8Array, size: number): StoredHeader {
  if (bytes.length < HEADER_BYTES) throw damaged(`${bytes.length} bytes are less than a header`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  if (!MAGIC.every((letter, at) => bytes[at] === letter)) throw damaged('it does not begin as one');
  const version = view.getUint32(8, true);
  if (version !== VERSION) throw damaged(`its version is ${version}, expected ${VERSION}`);
  if (view.getUint32(CRC_AT, true) !== crc32(bytes.subarray(0, CRC_AT))) throw damaged('the header is not as written');
  const kind = view.getUint32(12, true);
  const name = (Object.keys(kinds) as FilterKind[]).find((each) => kinds[each] === kind);
  if (name === undefined) throw damaged(`this version knows no kind ${kind}`);
  const hash = view.getUint32(52, true);
  if (hash !== hashOf(name)) throw damaged(`its keys were hashed by function ${hash}, expected ${hashOf(name)}`);
  const capacity = view.getFloat64(24, true);
  const falsePositiveRate = view.getFloat64(32, true);
  if (!(Number.isSafeInteger(capacity) && capacity >= 0 && falsePositiveRate > 0 && falsePositiveRate < 1)) {
    throw damaged(`${capacity} keys at a false-positive rate of ${falsePositiveRate} are not possible`);
  }
  const number = view.getUint32(56, true);
  const state = (Object.keys(states) as ImageState[]).find((each) => states[each] === number);
  if (state === undefined) throw damaged(`it is in no possible state, ${number}`);
  const bodyBytes = view.getFloat64(40, true);
  if (!(Number.isInteger(bodyBytes) && bodyBytes >= 0 && bodyBytes <= BODY_BYTES_MAX)) {
    throw damaged(`a body of ${bodyBytes} bytes is not possible`);
  }
  const gapBytes = view.getUint32(GAP_AT, true);
  if (gapBytes % 8 !== 0 || (gapBytes > 0 && state !== 'living')) {
    throw damaged(`a body ${gapBytes} bytes behind its header is not possible`);
  }
  const wholeBytes = imageBytes(bodyBytes) + gapBytes;
  if (wholeBytes !== size) throw damaged(`it has ${size} bytes where ${wholeBytes} were written`);
  return {
    kind: name,
    seed: Int32Array.of(view.getInt32(16, true), view.getInt32(20, true)),
    capacity,
    falsePositiveRate,
    bodyBytes,
    probes: view.getUint32(48, true),
    state,
    own: Array.from({ length: OWN_WORDS }, (_, at) => view.getUint32(OWN_AT + 4 * at, true)),
  };
}

/** An image in memory: what it says and its body. */
export interface Image {
  readonly memory: ArrayBufferLike;
  readonly header: ImageHeader;
  readonly body: Uint8Array;
}

function newImage(header: ImageHeader, gapBytes: number, shared: boolean): Image {
  const { bodyBytes } = header;
  if (bodyBytes > BODY_BYTES_MAX) {
    throw invalid(`The filter would take ${bodyBytes} bytes; at most ${BODY_BYTES_MAX} are possible: use several.`);
  }
  const size = imageBytes(bodyBytes) + gapBytes;
  const memory = shared ? new SharedArrayBuffer(size) : new ArrayBuffer(size);
  new Uint8Array(memory, 0, HEADER_BYTES).set(encodeHeader(header, 'living', gapBytes));
  return imageIn(memory, header);
}

/** A zeroed image. */
export function createImage(header: ImageHeader, shared: boolean): Image {
  return newImage(header, GAP_BYTES, shared);
}

/** A zeroed image to be sealed, laid out as it is stored. */
export function storedImage(header: ImageHeader): Image {
  return newImage(header, 0, false);
}

function imageIn(memory: ArrayBufferLike, header: ImageHeader): Image {
  const gap = memory.byteLength - imageBytes(header.bodyBytes);
  return { memory, header, body: new Uint8Array(memory, HEADER_BYTES + gap, header.bodyBytes) };
}

/** The header of an image that nobody is writing to a file. */
function wholeHeader(bytes: Uint8Array, size: number): StoredHeader {
  const header = decodeHeader(bytes.subarray(0, HEADER_BYTES), size);
  if (header.state === 'adding') throw damaged('it is from a file that somebody adds to');
  return header;
}

/**
 * The image in memory: that of a filter of this or another thread, whose body lives and has no checksums; or one that was sealed,
 * which is compared with them, and from then on lives too.
 */
export function openImage(memory: ArrayBufferLike): Image {
  if (!(memory instanceof ArrayBuffer || memory instanceof SharedArrayBuffer)) {
    throw invalid(
      `A filter is opened from an ArrayBuffer, a SharedArrayBuffer or a Uint8Array; this is of type ${typeof memory}.`,
    );
  }
  const bytes = new Uint8Array(memory);
  const { state, ...header } = wholeHeader(bytes, bytes.length);
  const image = imageIn(memory, header);
  if (state === 'sealed') {
    verifyBody(image.body, bytes.subarray(HEADER_BYTES + header.bodyBytes));
    bytes.set(encodeHeader(header, 'living'));
  }
  return image;
}

/** The image in bytes that `sealedCopy` made, in memory of its own. */
function copyImage(bytes: Uint8Array): Image {
  const { state, ...header } = wholeHeader(bytes, bytes.length);
  if (state === 'living') throw damaged('it was copied out of memory without checksums; `toBytes` makes them');
  const image = createImage(header, false);
  image.body.set(bytes.subarray(HEADER_BYTES, HEADER_BYTES + header.bodyBytes));
  verifyBody(image.body, bytes.subarray(HEADER_BYTES + header.bodyBytes));
  return image;
}

/** The checksums of a body, one for each MiB, as they are stored. */
function chunkChecksums(body: Uint8Array): Uint8Array<ArrayBuffer> {
  const sums = new DataView(new ArrayBuffer(checksumBytes(body.length)));
  for (let chunk = 0; chunk * CHUNK_BYTES < body.length; chunk++) {
    const at = chunk * CHUNK_BYTES;
    sums.setUint32(4 * chunk, crc32(body.subarray(at, at + CHUNK_BYTES)), true);
  }
  return new Uint8Array(sums.buffer);
}

/** Writes the checksums of the body as it is now behind it: the stored image is at rest. Nobody may add meanwhile. */
export function sealImage({ memory, header, body }: Image): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(memory as ArrayBuffer);
  bytes.set(encodeHeader(header, 'sealed'));
  bytes.set(chunkChecksums(body), HEADER_BYTES + body.length);
  return bytes;
}

/** Refuses a body that is not the one whose checksums were written. */
function verifyBody(body: Uint8Array, written: Uint8Array): void {
  const found = chunkChecksums(body);
  const at = written.findIndex((byte, index) => byte !== found[index]);
  if (at >= 0) throw damaged(`the bytes from ${HEADER_BYTES + (at >>> 2) * CHUNK_BYTES} on are not as written`);
}

/** A copy with its checksums, for wherever an image goes from here. */
export function sealedCopy({ header, body }: Image): Uint8Array<ArrayBuffer> {
  const copy = storedImage(header);
  copy.body.set(body);
  return sealImage(copy);
}

/**
 * The image in memory, or that of bytes that `sealedCopy` made, in memory of its own. Changed or cut bytes are refused, and so is
 * another kind than those expected.
 */
export function imageOfKind(source: ArrayBufferLike | Uint8Array, ...expected: readonly FilterKind[]): Image {
  const image = source instanceof Uint8Array ? copyImage(source) : openImage(source);
  if (expected.includes(image.header.kind)) return image;
  throw invalid(`This is a ${image.header.kind} filter; expected ${expected.join(' or ')}.`);
}
