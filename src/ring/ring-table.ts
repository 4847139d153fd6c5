/**
 * The sorted points of a ring in one block of memory: lookups in constant time, readable by every thread when the block is
 * shared, and a file when it is saved.
 *
 *     [ header: 8 words ][ points ][ buckets ][ owners ][ description: UTF-8 ]
 *
 * A position belongs to the first point that is not before it; behind the last point the ring begins again.
 * `buckets[k]` is the first point whose upper bits are at least k, for as many buckets as points (rounded up to a power of
 * two): a lookup reads one bucket, then on average one point and a half.
 *
 * Invariants: points ascend; each owner is below the number of nodes; the checksum covers all behind the header.
 * Cost: 10 to 14 B a point. What is opened is checked as a whole first: a damaged block is refused, never half read. Words
 * are in the byte order of the machine; a block of the other order is refused by its magic number.
 */
import { invalid } from '../kernel/options.ts';
import { xxh64 } from '../kernel/xxh64.ts';

const MAGIC = 0x676e6952; // "Ring"
const VERSION = 1;
const HEADER_WORDS = 8;
/** As many as Envoy takes; beyond it a table costs 100 MB and gains nothing. */
export const POINTS_MAX = 2 ** 23;

export interface RingTable {
  readonly memory: ArrayBufferLike;
  readonly points: Uint32Array;
  readonly owners: Uint16Array;
  readonly buckets: Uint32Array;
  /** What the caller wants to find again beside the points. */
  readonly description: string;
}

interface Sizes {
  readonly points: number;
  readonly bucketBits: number;
  readonly descriptionBytes: number;
}

function byteLength({ points, bucketBits, descriptionBytes }: Sizes): number {
  return HEADER_WORDS * 4 + points * 4 + 2 ** bucketBits * 4 + points * 2 + descriptionBytes;
}

/** The parts of a block; their sizes are taken on trust. */
function layOut(memory: ArrayBufferLike, { points, bucketBits, descriptionBytes }: Sizes) {
  const bucketsAt = (HEADER_WORDS + points) * 4;
  const ownersAt = bucketsAt + 2 ** bucketBits * 4;
  return {
    header: new Uint32Array(memory, 0, HEADER_WORDS),
    points: new Uint32Array(memory, HEADER_WORDS * 4, points),
    buckets: new Uint32Array(memory, bucketsAt, 2 ** bucketBits),
    owners: new Uint16Array(memory, ownersAt, points),
    text: new Uint8Array(memory, ownersAt + points * 2, descriptionBytes),
    body: new Uint8Array(memory, HEADER_WORDS * 4),
  };
}

/** A table of packed points (see points.ts), which it sorts; `owners` says which node has a rank. */
export function createRingTable(
  packed: Float64Array,
  owners: readonly number[],
  { description, shared }: { readonly description: string; readonly shared: boolean },
): RingTable {
  if (packed.length > POINTS_MAX) {
    throw invalid(`The weights make ${packed.length} points; at most ${POINTS_MAX} are possible: divide them.`);
  }
  packed.sort();
  const text = new TextEncoder().encode(description);
  const bucketBits = Math.max(1, Math.ceil(Math.log2(Math.max(1, packed.length))));
  const sizes = { points: packed.length, bucketBits, descriptionBytes: text.length };
  const memory = shared ? new SharedArrayBuffer(byteLength(sizes)) : new ArrayBuffer(byteLength(sizes));
  const parts = layOut(memory, sizes);
  for (let at = 0; at < packed.length; at++) {
    const both = packed[at]!;
    const point = Math.floor(both / 2 ** 16);
    parts.points[at] = point;
    parts.owners[at] = owners[both - point * 2 ** 16]!;
  }
  fillBuckets(parts.points, parts.buckets);
  parts.text.set(text);
  parts.header.set([MAGIC, VERSION, packed.length, bucketBits, text.length, 0, ...checksum(parts.body)]);
  return { memory, points: parts.points, owners: parts.owners, buckets: parts.buckets, description };
}

function fillBuckets(points: Uint32Array, buckets: Uint32Array): void {
  const width = 2 ** 32 / buckets.length;
  let at = 0;
  for (let bucket = 0; bucket < buckets.length; bucket++) {
    while (at < points.length && points[at]! < bucket * width) at++;
    buckets[bucket] = at;
  }
}

function checksum(body: Uint8Array): Uint32Array {
  const words = new Uint32Array(2);
  xxh64(body, 0, words);
  return words;
}

/** The table in a block that `createRingTable` made, in this or another process. */
export function openRingTable(memory: ArrayBufferLike): RingTable {
  const refused = (what: string): Error => invalid(`This is not the memory of a ring: ${what}.`);
  if (memory.byteLength < HEADER_WORDS * 4) throw refused(`${memory.byteLength} bytes are less than a header`);
  const [magic, version, points = 0, bucketBits = 0, descriptionBytes = 0] = new Uint32Array(memory, 0, HEADER_WORDS);
  if (magic !== MAGIC) throw refused('it does not begin as one');
  if (version !== VERSION) throw refused(`its version is ${version}, expected ${VERSION}`);
  const sizes = { points, bucketBits, descriptionBytes };
  if (points > POINTS_MAX || bucketBits > 23 || byteLength(sizes) !== memory.byteLength) {
    throw refused(`${memory.byteLength} bytes are not its size`);
  }
  const parts = layOut(memory, sizes);
  const [high, low] = checksum(parts.body);
  if (parts.header[6] !== high || parts.header[7] !== low) throw refused('its checksum is wrong, it is damaged');
  // A decoder takes no shared memory: a copy.
  const description = new TextDecoder('utf-8', { fatal: true }).decode(parts.text.slice());
  return { memory, points: parts.points, owners: parts.owners, buckets: parts.buckets, description };
}
