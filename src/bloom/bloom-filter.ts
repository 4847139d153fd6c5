/**
 * Bloom filters of a fixed size: bits in memory, of one thread or shared by all, in one of three layouts.
 *
 * Invariant: bits are only ever set. So a reader beside writers may miss what is being added at this moment and nothing else,
 * and threads that add the same key at once may all be told that it was new.
 * Cost: `has` about 50 ns in the cache on a quiet machine and one wait for memory beyond it (`npm run bench -- bloom`); no allocation.
 */
import { checkKeys, checkParts, invalid } from '../kernel/options.ts';
import { blocked } from './blocked.ts';
import { classic } from './classic.ts';
import type { AddableFilter, FilterReport } from './filter.ts';
import { type FilterKey, type FilterKeys, hashKey, type SeedOption, seedWords } from './filter-key.ts';
import { type LoadOptions, readImage } from './file-image.ts';
import {
  createImage,
  damaged,
  type Image,
  type ImageHeader,
  imageOfKind,
  memoryBytes,
  openImage,
  sealedCopy,
} from './image.ts';
import { type Bits, countOf, exceeds, type Layout } from './layout.ts';
import { addEach, hasEach } from './many.ts';
import { parquet } from './parquet.ts';
import { checkedSize, sizeOf, type SizeOptions } from './size.ts';

export const layouts = { blocked, classic, parquet } as const satisfies Record<string, Layout>;

export type LayoutName = keyof typeof layouts;

const layoutNames = Object.keys(layouts) as LayoutName[];

export interface FilterOptions extends SizeOptions {
  /**
   * Where the bits of a key are. `blocked`: in one cache line, the fastest. `classic`: anywhere, 3 % smaller. `parquet`: as in
   * Parquet files. @defaultValue 'blocked'
   */
  readonly layout?: LayoutName;
  /**
   * What the hash starts from. `'random'` where people who choose keys might choose them so that they fall into one block;
   * filters merge only if their seeds are equal. @defaultValue [0, 0]
   */
  readonly seed?: SeedOption;
  /** Builds in shared memory, which other threads open with `openFilter`; any may add. @defaultValue false */
  readonly shared?: boolean;
}

export interface BloomFilter extends AddableFilter {
  readonly kind: LayoutName;
  /** The bits alone: in the layout `parquet` the bitset of a Parquet file. */
  readonly bits: Uint8Array;
  /** Adds all that another filter of the same size, layout and seed holds. */
  merge(other: BloomFilter): void;
}

/** In a buffer of its own, which stays where it is: its address is then a part of the compiled code. */
const pair = new Int32Array(new ArrayBuffer(8));

class ImageFilter implements BloomFilter {
  readonly kind: LayoutName;
  readonly #image: Image;
  readonly #layout: Layout;
  readonly #words: Int32Array;
  readonly #blocks: number;
  readonly #bits: Bits;
  readonly #seed: Int32Array;

  constructor(image: Image) {
    const { header, memory, body } = image;
    const { name, layout, blocks } = layoutOf(header);
    this.kind = name;
    this.#image = image;
    this.#layout = layout;
    this.#words = new Int32Array(memory, body.byteOffset, body.length / 4);
    this.#blocks = blocks;
    this.#seed = header.seed;
    this.#bits = this.#layout.open({
      words: this.#words,
      blocks: this.#blocks,
      probes: header.probes,
      atomic: memory instanceof SharedArrayBuffer,
    });
  }

  get capacity(): number {
    return this.#image.header.capacity;
  }

  get falsePositiveRate(): number {
    return this.#image.header.falsePositiveRate;
  }

  get memory(): ArrayBufferLike {
    return this.#image.memory;
  }

  get bits(): Uint8Array {
    return this.#image.body;
  }

  has(key: FilterKey): boolean {
    hashKey(key, this.#seed, pair);
    return this.#bits.has(pair[0]!, pair[1]!);
  }

  add(key: FilterKey): boolean {
    hashKey(key, this.#seed, pair);
    return this.#bits.add(pair[0]!, pair[1]!);
  }

  hasMany(keys: FilterKeys): Uint8Array {
    return hasEach(keys, this.#seed, this.#bits, this.#bits);
  }

  addMany(keys: FilterKeys): number {
    return addEach(keys, this.#seed, this.#bits, this.#bits);
  }

  merge(other: BloomFilter): void {
    checkParts('merge: the other filter', other, 'one of createFilter', []);
    const theirs = openImage(other.memory);
    checkSameBits(this.#image.header, theirs.header);
    const from = new Int32Array(other.memory, theirs.body.byteOffset, this.#words.length);
    const words = this.#words;
    const atomic = this.memory instanceof SharedArrayBuffer;
    for (let at = 0; at < words.length; at++) {
      const bits = from[at]!;
      if (bits === 0) continue;
      if (atomic) Atomics.or(words, at, bits);
      else words[at]! |= bits;
    }
  }

  estimateCount(): number {
    const { probes } = this.#image.header;
    return countOf(this.#layout, this.#layout.measure(this.#words, probes).fill, this.#blocks, probes);
  }

  report(): FilterReport {
    const { capacity, probes } = this.#image.header;
    const { fill, rate } = this.#layout.measure(this.#words, probes);
    const count = countOf(this.#layout, fill, this.#blocks, probes);
    return {
      kind: this.kind,
      bytes: this.memory.byteLength,
      capacity,
      count,
      fill,
      falsePositiveRate: { now: rate, atCapacity: this.#layout.rate(capacity, this.#blocks, probes) },
      overCapacity: exceeds(count, capacity),
    };
  }

  toBytes(): Uint8Array<ArrayBuffer> {
    return sealedCopy(this.#image);
  }
}

/** Refuses two filters whose bits do not mean the same keys. */
export function checkSameBits(own: ImageHeader, theirs: ImageHeader): void {
  const differs = [
    theirs.kind !== own.kind && 'layout',
    theirs.bodyBytes !== own.bodyBytes && 'size',
    theirs.probes !== own.probes && 'number of probes',
    theirs.seed.some((word, at) => word !== own.seed[at]) && 'seed',
  ].find((what) => what !== false);
  if (differs !== undefined) throw invalid(`Filters merge only if their bits mean the same; their ${differs} differs.`);
}

/** What a filter of these options is, checked. */
export function headerOf(layout: LayoutName, options: Pick<FilterOptions, keyof SizeOptions | 'seed'>): ImageHeader {
  const { capacity, rate } = checkedSize(options);
  const { blocks, probes } = sizeOf(layouts[layout], capacity, rate);
  return {
    kind: layout,
    seed: seedWords(options.seed),
    capacity,
    falsePositiveRate: rate,
    bodyBytes: blocks * layouts[layout].blockBytes,
    probes,
    own: [],
  };
}

/** What a filter would take, without making it. Options are those of `createFilter`. */
export function filterSize(options: Pick<FilterOptions, keyof SizeOptions | 'layout'>): {
  readonly bytes: number;
  readonly bitsPerKey: number;
  /** Bits that each key sets. */
  readonly probes: number;
} {
  checkKeys('A size', options, ['capacity', 'falsePositiveRate', 'layout']);
  const { bodyBytes, probes, capacity } = headerOf(checkedLayout(options.layout), options);
  return { bytes: memoryBytes(bodyBytes), bitsPerKey: (8 * bodyBytes) / capacity, probes };
}

function checkedLayout(layout: LayoutName = 'blocked'): LayoutName {
  if (Object.hasOwn(layouts, layout)) return layout;
  throw invalid(`layout is “${layout}”; expected one of: ${layoutNames.join(', ')}.`);
}

/**
 * A filter for so many keys at such a rate of false positives.
 *
 * @example
 * const taken = createFilter({ capacity: 1_000_000, falsePositiveRate: '1%' });
 * taken.add('ada');
 * console.log(taken.has('ada'), taken.has('grace')); // true false
 */
export function createFilter(options: FilterOptions): BloomFilter {
  checkKeys('A filter', options, ['capacity', 'falsePositiveRate', 'layout', 'seed', 'shared']);
  const layout = checkedLayout(options.layout);
  return new ImageFilter(createImage(headerOf(layout, options), options.shared ?? false));
}

/**
 * The filter in memory that this or another thread made, so that both see what either adds; or of bytes that `toBytes` made, in
 * memory of its own. Bytes that were changed or cut are refused.
 */
export function openFilter(source: ArrayBufferLike | Uint8Array): BloomFilter {
  return new ImageFilter(imageOfKind(source, ...layoutNames));
}

/** The filter in a file, wholly in memory. A file that was changed or cut is refused. */
export async function loadFilter(path: string, options: LoadOptions = {}): Promise<BloomFilter> {
  return new ImageFilter(await readImage(path, options));
}

/**
 * The filter of a column chunk of a Parquet file, from its bitset. Keys are the values as Parquet's plain encoding has them: of a
 * string its UTF-8. Such a file does not say for how many keys it was made; `capacity` is how many it holds at 1 %.
 */
export function filterFromParquet(bits: Uint8Array): BloomFilter {
  if (!(bits instanceof Uint8Array)) throw invalid(`The bitset is of type ${typeof bits}; expected a Uint8Array.`);
  const blocks = bits.length / parquet.blockBytes;
  if (!Number.isInteger(blocks) || blocks === 0) {
    throw damaged(`${bits.length} bytes are not the bitset of a Parquet file, which has whole blocks of 32`);
  }
  const falsePositiveRate = 0.01;
  const [probes = 0] = parquet.probes;
  let capacity = 1;
  for (let step = 2 ** 36; step >= 1; step /= 2) {
    if (parquet.rate(capacity + step, blocks, probes) <= falsePositiveRate) capacity += step;
  }
  const header = { kind: 'parquet', seed: seedWords(undefined), capacity, falsePositiveRate, probes } as const;
  const image = createImage({ ...header, bodyBytes: bits.length, own: [] }, false);
  image.body.set(bits);
  return new ImageFilter(image);
}

/** The memory of a filter of any kind from its file, checked, for the function that opens its kind. */
export async function loadMemory(path: string, options: LoadOptions = {}): Promise<ArrayBufferLike> {
  return (await readImage(path, options)).memory;
}

/** The layout that a header names, and how many blocks it has; a header that cannot be is refused. */
export function layoutOf({ kind, bodyBytes, probes }: ImageHeader): {
  readonly name: LayoutName;
  readonly layout: Layout;
  readonly blocks: number;
} {
  if (!Object.hasOwn(layouts, kind)) throw invalid(`This is a ${kind} filter, which its own function opens.`);
  const name = kind as LayoutName;
  const layout: Layout = layouts[name];
  if (bodyBytes === 0 || bodyBytes % layout.blockBytes !== 0 || !layout.probes.includes(probes)) {
    throw damaged(`${bodyBytes} bytes and ${probes} probes are not possible in the layout ${name}`);
  }
  return { name, layout, blocks: bodyBytes / layout.blockBytes };
}
