/**
 * What RedisBloom keeps: a chain of classic Bloom filters, each link larger and stricter than the one before; of a filter that does not
 * scale, one. A key is in it if it is in any link.
 *
 * The body of its image is what `BF.SCANDUMP` gives, byte for byte: a header, then the bits of one link after another.
 *
 * | offset | what, little-endian |
 * |---|---|
 * | 0 | keys that were new, u64 |
 * | 8 | links, u32; at 12 options, u32: 1 bits not rounded up, 4 hashes of 64 bits, 8 does not grow; at 16 growth, u32 |
 * | 20 + 53 i | of a link: bytes, bits, keys (u64 each), rate, bits a key (f64 each), probes (u32), capacity (u64), log2 of its bits or 0 (u8) |
 *
 * Probe i of a key is bit (a + i b) mod 2^64 mod bits, with a and b of murmur64.ts; a byte's bits count from the lowest.
 * Source: the files sb.c and bloom.c of RedisBloom 2, whose facts these are.
 * Cost: `has` divides six times a link and allocates nothing.
 */
import { sumHigh } from '../kernel/int64.ts';
import { invalid } from '../kernel/options.ts';
import { classic } from './classic.ts';
import type { Filter, FilterReport } from './filter.ts';
import { type FilterKey, type FilterKeys, keyCount } from './filter-key.ts';
import { BODY_BYTES_MAX, createImage, damaged, type Image, imageOfKind, sealedCopy } from './image.ts';
import { ones } from './layout.ts';
import { murmurPair } from './murmur64.ts';

const HEADER_BYTES = 20;
const LINK_BYTES = 53;
const HASH_64 = 4;
const NO_SCALING = 8;
/** Of the smallest double above 0, by which the module sizes a link. */
const PROBES_MAX = 1075;
const CLASSIC_BITS = 8 * classic.blockBytes;

export interface Link {
  readonly bytes: number;
  /** What an index is taken modulo of. */
  readonly bits: number;
  /** How many keys were new to it. */
  readonly count: number;
  readonly rate: number;
  readonly probes: number;
  readonly capacity: number;
}

export interface Chain {
  readonly headerBytes: number;
  readonly count: number;
  readonly scales: boolean;
  /** The rate that all links together stay below: the first has half of it if others may follow. */
  readonly rate: number;
  /** Bytes of all links. */
  readonly bytes: number;
  readonly links: readonly Link[];
  /** False if hashed by an old version, whose hashes have 32 bits. */
  readonly hashes64: boolean;
}

/** Reads the header of a dump and refuses one that cannot be. What is behind it is not looked at. */
export function decodeChain(dump: Uint8Array): Chain {
  const view = new DataView(dump.buffer, dump.byteOffset, dump.length);
  if (dump.length < HEADER_BYTES) throw damaged(`${dump.length} bytes are less than the header of a dump`);
  const u64 = (at: number): number => Number(view.getBigUint64(at, true));
  const count = view.getUint32(8, true);
  const options = view.getUint32(12, true);
  const headerBytes = HEADER_BYTES + LINK_BYTES * count;
  // Each has half of the rate of the one before: of more the rate would be 0.
  if (count === 0 || count > PROBES_MAX || dump.length < headerBytes) {
    throw damaged(`${count} links do not fit ${dump.length} bytes`);
  }
  const links = Array.from({ length: count }, (_, index): Link => {
    const at = HEADER_BYTES + LINK_BYTES * index;
    const rounded = view.getUint8(at + 52);
    const link = {
      bytes: u64(at),
      bits: rounded === 0 ? u64(at + 8) : 2 ** rounded,
      count: u64(at + 16),
      rate: view.getFloat64(at + 24, true),
      probes: view.getUint32(at + 40, true),
      capacity: u64(at + 44),
    };
    const possible =
      u64(at + 8) === 8 * link.bytes &&
      link.bytes > 0 &&
      link.bits <= 8 * link.bytes &&
      link.rate > 0 &&
      link.rate < 1 &&
      link.probes >= 1 &&
      link.probes <= PROBES_MAX &&
      Number.isSafeInteger(link.capacity);
    if (!possible) throw damaged(`link ${index} of ${count} is not one that RedisBloom makes`);
    return link;
  });
  const scales = (options & NO_SCALING) === 0;
  return {
    headerBytes,
    count: u64(0),
    scales,
    rate: scales ? Math.min(2 * links[0]!.rate, 1 - Number.EPSILON) : links[0]!.rate,
    bytes: links.reduce((sum, { bytes }) => sum + bytes, 0),
    links,
    hashes64: (options & HASH_64) !== 0,
  };
}

/** How often one of the links says yes to a key that was not added. */
export function anyOf(links: readonly Link[], rateOf: (link: Link) => number): number {
  return 1 - links.reduce((none, link) => none * (1 - rateOf(link)), 1);
}

/** The predicted rate of a link with so many keys. */
export function predictedRate({ bits, probes }: Link, keys: number): number {
  return classic.rate(keys, bits / CLASSIC_BITS, probes);
}

/** Two words modulo a number of up to 2^37, exactly. */
function modulo(high: number, low: number, bits: number): number {
  const upper = ((high >>> 0) % bits) * 65_536 + (low >>> 16);
  return ((upper % bits) * 65_536 + (low & 0xffff)) % bits;
}

interface OpenLink extends Link {
  readonly body: Uint8Array;
  /** 2^64 modulo its bits: what a sum loses when it wraps. */
  readonly wrap: number;
}

const hashes = new Int32Array(4);

function linkHas({ body, bits, probes, wrap }: OpenLink): boolean {
  const stepHigh = hashes[2]!;
  const stepLow = hashes[3]!;
  const step = modulo(stepHigh, stepLow, bits);
  let high = hashes[0]!;
  let low = hashes[1]!;
  let at = modulo(high, low, bits);
  for (let probe = probes; ;) {
    if ((body[Math.floor(at / 8)]! & (1 << (at % 8))) === 0) return false;
    probe--;
    if (probe === 0) return true;
    const lastHigh = high;
    const lastLow = low;
    high = sumHigh(high, low, stepHigh, stepLow);
    low = (low + stepLow) | 0;
    const wrapped = high === lastHigh ? low >>> 0 < lastLow >>> 0 : high >>> 0 < lastHigh >>> 0;
    at += wrapped ? step - wrap : step;
    if (at >= bits) at -= bits;
    else if (at < 0) at += bits;
  }
}

/** A filter of RedisBloom, copied: it answers as the module does, and is not added to. */
export interface RedisBloomCopy extends Filter {
  readonly kind: 'redisbloom';
}

class ChainFilter implements RedisBloomCopy {
  readonly kind = 'redisbloom';
  readonly #image: Image;
  readonly #chain: Chain;
  readonly #links: readonly OpenLink[];

  constructor(image: Image) {
    const chain = decodeChain(image.body);
    if (chain.headerBytes + chain.bytes !== image.body.length) {
      throw damaged(`its links have ${chain.bytes} bytes, of which ${image.body.length - chain.headerBytes} are there`);
    }
    if (!chain.hashes64) throw damaged('its hashes have 32 bits');
    this.#image = image;
    this.#chain = chain;
    let start = chain.headerBytes;
    this.#links = chain.links.map((link) => {
      const body = image.body.subarray(start, start + link.bytes);
      start += link.bytes;
      return { ...link, body, wrap: Number(2n ** 64n % BigInt(link.bits)) };
    });
  }

  get capacity(): number {
    return this.#chain.links.reduce((sum, { capacity }) => sum + capacity, 0);
  }

  get falsePositiveRate(): number {
    return this.#image.header.falsePositiveRate;
  }

  get memory(): ArrayBufferLike {
    return this.#image.memory;
  }

  has(key: FilterKey): boolean {
    murmurPair(checkModuleKey(key), hashes);
    for (const link of this.#links) if (linkHas(link)) return true;
    return false;
  }

  hasMany(keys: FilterKeys): Uint8Array {
    const found = new Uint8Array(keyCount(keys));
    for (let at = 0; at < found.length; at++) if (this.has(moduleKeyAt(keys, at))) found[at] = 1;
    return found;
  }

  report(): FilterReport {
    const { links, count } = this.#chain;
    const fills = new Map(this.#links.map((link, at) => [links[at], fillOf(link)]));
    const bits = links.reduce((sum, link) => sum + link.bits, 0);
    return {
      kind: this.kind,
      bytes: this.memory.byteLength,
      capacity: this.capacity,
      count,
      fill: links.reduce((sum, link) => sum + fills.get(link)! * link.bits, 0) / bits,
      falsePositiveRate: {
        now: anyOf(links, (link) => fills.get(link)! ** link.probes),
        atCapacity: anyOf(links, (link) => predictedRate(link, link.capacity)),
      },
      // It grew, or it refused.
      overCapacity: false,
    };
  }

  toBytes(): Uint8Array<ArrayBuffer> {
    return sealedCopy(this.#image);
  }
}

function fillOf({ body, bits }: OpenLink): number {
  let set = 0;
  for (const byte of body) set += ones(byte);
  return set / bits;
}

/** The module hashes keys by itself, so there must be some. */
function checkModuleKey(key: FilterKey): string | Uint8Array {
  if (typeof key === 'string' || key instanceof Uint8Array) return key;
  throw invalid(
    `A key of a filter of RedisBloom is of type ${typeof key}; expected a string or a Uint8Array, not its hash.`,
  );
}

export function moduleKeyAt(keys: FilterKeys, at: number): string | Uint8Array {
  if (keys instanceof Uint32Array) return checkModuleKey(keys);
  return checkModuleKey(keys[at]!);
}

/** An image for a dump with such a header, whose links are still to be filled. */
export function chainImage(header: Uint8Array): { readonly image: Image; readonly chain: Chain } {
  const chain = decodeChain(header);
  const foreign = chain.hashes64
    ? header.length > chain.headerBytes && 'its server hashes keys in a way of its own (such as `bf-hash-seed`)'
    : 'it is of an old version, whose hashes have 32 bits';
  if (foreign !== false) throw invalid(`This filter of RedisBloom can only be asked where it is: ${foreign}.`);
  const bodyBytes = chain.headerBytes + chain.bytes;
  if (!(bodyBytes <= BODY_BYTES_MAX)) {
    throw invalid(`The filter takes ${bodyBytes} bytes; at most ${BODY_BYTES_MAX} are possible in memory.`);
  }
  const { capacity } = chain.links[0]!;
  const own = { seed: new Int32Array(2), probes: chain.links[0]!.probes, own: [] };
  const image = createImage({ kind: 'redisbloom', capacity, falsePositiveRate: chain.rate, bodyBytes, ...own }, false);
  image.body.set(header.subarray(0, chain.headerBytes));
  return { image, chain };
}

/** The body of a copy, as `BF.LOADCHUNK` takes it, and what its header says. */
export function chainOf(copy: RedisBloomCopy): { readonly body: Uint8Array; readonly chain: Chain } {
  const { body } = imageOfKind(copy.memory, 'redisbloom');
  return { body, chain: decodeChain(body) };
}

/** The copy in memory, or of bytes that `toBytes` made, in memory of its own. Bytes that were changed or cut are refused. */
export function openRedisBloomCopy(source: ArrayBufferLike | Uint8Array): RedisBloomCopy {
  return new ChainFilter(imageOfKind(source, 'redisbloom'));
}
