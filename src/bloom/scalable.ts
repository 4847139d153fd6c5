/**
 * Scalable: a filter that grows. When it is full it gets a further layer, of twice the capacity; a key is added to the newest and
 * asked of all.
 *
 * - The rate asked for is that of all layers together, however many there will be: layer i has the rate × 6/(π²·i²), and the sum
 *   of 1/i² is π²/6. (Halving the rate with each layer, as the paper does, would cost a bit and a half more a key and layer.)
 * - A key that a layer knows already is in no other one: adding it again neither fills nor grows anything.
 *
 * Body: 64 B of state (keys in the newest layer, f64), 32 times a layer's blocks and probes (u32), then the layers, the oldest first. The
 * kind's own word 0: layers.
 * Cost: at 1 %, 11 bits a key in the first layer, 20 in the sixth, 23 in the tenth; a lookup of an absent key reads a cache line of each layer,
 * the newest first, which has half of all keys. Not in shared memory: it is not of one piece. One thread writes.
 *
 * Source: Almeida and others, "Scalable Bloom Filters" (2007).
 */
import { SpillwayError } from '../kernel/errors.ts';
import { checkKeys, invalid, textOfGiven } from '../kernel/options.ts';
import { parseSize, type Size, sizeExpected } from '../kernel/units.ts';
import { BLOCK_BITS, blocked } from './blocked.ts';
import type { AddableFilter, FilterReport } from './filter.ts';
import { type FilterKey, type FilterKeys, hashKey, type SeedOption, seedWords } from './filter-key.ts';
import { BODY_BYTES_MAX, damaged, type Image, imageOfKind, sealImage, storedImage } from './image.ts';
import type { Bits } from './layout.ts';
import { addEach, type Ahead, hasEach } from './many.ts';
import { checkedSize, fewestBlocks, RATE_MIN, sizeOf, type SizeOptions } from './size.ts';

export interface ScalableOptions extends SizeOptions {
  /** Of the first layer: what is expected. It grows beyond. */
  readonly capacity: number;
  /** It grows as long as all layers take no more: bytes, or `'64mb'`, at most 8 GiB. What is new then is refused. @defaultValue '1gb' */
  readonly bytesMax?: Size | number;
  /** @defaultValue [0, 0] */
  readonly seed?: SeedOption;
}

/** 2^32 times what it began with: no image is so large. */
const LAYERS_MAX = 32;
const TABLE_AT = 64;
const LAYERS_AT = TABLE_AT + 8 * LAYERS_MAX;
const BLOCK_BYTES = BLOCK_BITS / 8;
const BYTES_MAX_DEFAULT = 2 ** 30;
const BASEL = 6 / Math.PI ** 2;

function checkedBytes(given: unknown): number {
  const parsed = typeof given === 'number' ? { ok: true, value: given } : parseSize(textOfGiven(given));
  if (parsed.ok && Number.isSafeInteger(parsed.value) && parsed.value >= BLOCK_BYTES && parsed.value <= BODY_BYTES_MAX)
    return parsed.value;
  throw invalid(
    `bytesMax is ${textOfGiven(given)}; expected ${sizeExpected}, or bytes: an integer from ${BLOCK_BYTES} to ${BODY_BYTES_MAX}.`,
  );
}

interface LayerSize {
  readonly capacity: number;
  readonly blocks: number;
  readonly probes: number;
}

interface Layer extends LayerSize {
  readonly words: Int32Array;
  readonly bits: Bits;
}

/** The rate of a layer, the first having number 0. */
function layerRate(rate: number, layer: number): number {
  return (rate * BASEL) / (layer + 1) ** 2;
}

function layerSize(capacity: number, rate: number, layer: number): LayerSize {
  const own = capacity * 2 ** layer;
  return { capacity: own, ...sizeOf(blocked, own, layerRate(rate, layer)) };
}

function openLayer(size: LayerSize, words: Int32Array): Layer {
  const { blocks, probes } = size;
  return { ...size, words, bits: blocked.open({ words, blocks, probes, atomic: false }) };
}

/** The empty layer of a number. */
function newLayer(capacity: number, rate: number, layer: number): Layer {
  const size = layerSize(capacity, rate, layer);
  return openLayer(size, new Int32Array((size.blocks * BLOCK_BYTES) / 4));
}

/** The layers in an image. */
function layersOf({ body, header, memory }: Image): Layer[] {
  const count = header.own[0]!;
  if (count < 1 || count > LAYERS_MAX || body.length < LAYERS_AT) throw damaged(`it has ${count} layers`);
  const state = new DataView(memory, body.byteOffset, LAYERS_AT);
  let at = LAYERS_AT;
  const layers = Array.from({ length: count }, (_, layer) => {
    const blocks = state.getUint32(TABLE_AT + 8 * layer, true);
    const probes = state.getUint32(TABLE_AT + 8 * layer + 4, true);
    const end = at + blocks * BLOCK_BYTES;
    if (blocks < 1 || !blocked.probes.includes(probes) || end > body.length) {
      throw damaged(`layer ${layer} cannot have ${blocks} blocks and ${probes} probes`);
    }
    const words = new Int32Array(body.slice(at, end).buffer);
    at = end;
    return openLayer({ capacity: header.capacity * 2 ** layer, blocks, probes }, words);
  });
  if (at !== body.length) throw damaged(`${body.length} bytes are not ${count} layers`);
  return layers;
}

interface ScalableParts {
  readonly capacity: number;
  readonly rate: number;
  readonly seed: Int32Array;
  readonly bytesMax: number;
  readonly layers: Layer[];
  readonly newestCount: number;
}

class ScalableFilter implements AddableFilter {
  readonly kind = 'scalable';
  readonly falsePositiveRate: number;
  /** Of the first layer. */
  readonly #capacity: number;
  readonly #seed: Int32Array;
  readonly #bytesMax: number;
  readonly #layers: Layer[];
  /** Why it cannot grow, once that was asked: whoever goes on adding to a full one is answered at once. */
  #full: string | null = null;
  /** Keys in the newest layer. */
  #newestCount: number;
  readonly #hash = new Int32Array(2);

  constructor({ capacity, rate, seed, bytesMax, layers, newestCount }: ScalableParts) {
    this.falsePositiveRate = rate;
    this.#capacity = capacity;
    this.#seed = seed;
    this.#bytesMax = bytesMax;
    this.#layers = layers;
    this.#newestCount = newestCount;
  }

  /** Of all layers so far. */
  get capacity(): number {
    return this.#layers.reduce((sum, { capacity }) => sum + capacity, 0);
  }

  /** A copy: what grows is not of one piece. */
  get memory(): ArrayBuffer {
    return this.#image().memory as ArrayBuffer;
  }

  #image(): Image {
    const image = storedImage({
      kind: 'scalable',
      seed: this.#seed,
      capacity: this.#capacity,
      falsePositiveRate: this.falsePositiveRate,
      bodyBytes: LAYERS_AT + this.#bytes(),
      probes: 0,
      own: [this.#layers.length],
    });
    const state = new DataView(image.memory, image.body.byteOffset, LAYERS_AT);
    state.setFloat64(0, this.#newestCount, true);
    let at = LAYERS_AT;
    for (const [layer, { blocks, probes, words }] of this.#layers.entries()) {
      state.setUint32(TABLE_AT + 8 * layer, blocks, true);
      state.setUint32(TABLE_AT + 8 * layer + 4, probes, true);
      image.body.set(new Uint8Array(words.buffer, words.byteOffset, words.byteLength), at);
      at += words.byteLength;
    }
    return image;
  }

  #bytes(): number {
    return this.#layers.reduce((sum, { words }) => sum + words.byteLength, 0);
  }

  has(key: FilterKey): boolean {
    hashKey(key, this.#seed, this.#hash);
    return this.#has(this.#hash[0]!, this.#hash[1]!);
  }

  hasMany(keys: FilterKeys): Uint8Array {
    return hasEach(keys, this.#seed, { has: (high, low) => this.#has(high, low) }, this.#ahead);
  }

  add(key: FilterKey): boolean {
    hashKey(key, this.#seed, this.#hash);
    return this.#add(this.#hash[0]!, this.#hash[1]!);
  }

  addMany(keys: FilterKeys): number {
    return addEach(keys, this.#seed, { add: (high, low) => this.#add(high, low) }, this.#ahead);
  }

  /** Half of all keys are in the newest layer. */
  get #ahead(): Ahead {
    return this.#layers.at(-1)!.bits;
  }

  #has(high: number, low: number): boolean {
    for (let layer = this.#layers.length - 1; layer >= 0; layer--) {
      if (this.#layers[layer]!.bits.has(high, low)) return true;
    }
    return false;
  }

  #add(high: number, low: number): boolean {
    if (this.#has(high, low)) return false;
    if (this.#newestCount >= this.#layers.at(-1)!.capacity) this.#grow();
    this.#layers.at(-1)!.bits.add(high, low);
    this.#newestCount++;
    return true;
  }

  #grow(): void {
    this.#full ??= this.#whyFull();
    if (this.#full !== '') {
      throw new SpillwayError(
        'FILTER_FULL',
        `The scalable filter holds ${this.capacity} keys and cannot grow: ${this.#full}.`,
      );
    }
    this.#layers.push(newLayer(this.#capacity, this.falsePositiveRate, this.#layers.length));
    this.#newestCount = 0;
    this.#full = null;
  }

  /** What keeps it from growing; nothing: an empty text. */
  #whyFull(): string {
    const layer = this.#layers.length;
    const rate = layerRate(this.falsePositiveRate, layer);
    if (layer === LAYERS_MAX || rate < RATE_MIN) {
      return `layer ${layer + 1} would need a rate of ${rate.toPrecision(2)}, begin larger`;
    }
    const size = fewestBlocks(blocked, this.#capacity * 2 ** layer, rate);
    if (size === null) return `a further layer would take more than the ${BODY_BYTES_MAX} bytes that a filter can have`;
    const bytes = this.#bytes() + size.blocks * BLOCK_BYTES;
    return bytes > this.#bytesMax ? `it would take ${bytes} bytes and bytesMax is ${this.#bytesMax}` : '';
  }

  estimateCount(): number {
    return this.#layers.slice(0, -1).reduce((sum, { capacity }) => sum + capacity, this.#newestCount);
  }

  report(): FilterReport {
    const { capacity } = this;
    let [set, saysNo, saysNoAtCapacity] = [0, 1, 1];
    for (const { words, blocks, probes, capacity: own } of this.#layers) {
      const { fill, rate } = blocked.measure(words, probes);
      set += fill * words.byteLength;
      saysNo *= 1 - rate;
      saysNoAtCapacity *= 1 - blocked.rate(own, blocks, probes);
    }
    return {
      kind: this.kind,
      bytes: this.#bytes(),
      capacity,
      count: this.estimateCount(),
      fill: set / this.#bytes(),
      falsePositiveRate: { now: 1 - saysNo, atCapacity: 1 - saysNoAtCapacity },
      // It grows before that.
      overCapacity: false,
    };
  }

  toBytes(): Uint8Array<ArrayBuffer> {
    return sealImage(this.#image());
  }
}

/**
 * A filter that begins with room for so many keys and grows as more come, at a rate that stays below the one asked for.
 *
 * @example
 * const seen = createScalableFilter({ capacity: 10_000, falsePositiveRate: '1%' });
 * for (let user = 0; user < 1_000_000; user++) seen.add(`user-${user}`);
 * console.log(seen.report().falsePositiveRate.now < 0.01); // true
 */
export function createScalableFilter(options: ScalableOptions): AddableFilter {
  checkKeys('A scalable filter', options, ['capacity', 'falsePositiveRate', 'bytesMax', 'seed']);
  const { capacity, rate } = checkedSize(options);
  const bytesMax = checkedBytes(options.bytesMax ?? BYTES_MAX_DEFAULT);
  const first = newLayer(capacity, rate, 0);
  if (first.words.byteLength > bytesMax) {
    throw invalid(`bytesMax is ${bytesMax}; the first layer takes ${first.words.byteLength} bytes.`);
  }
  return new ScalableFilter({
    capacity,
    rate,
    seed: seedWords(options.seed),
    bytesMax,
    layers: [first],
    newestCount: 0,
  });
}

/** The filter in the bytes that `toBytes` made, or a copy of one in memory. */
export function openScalableFilter(
  source: ArrayBufferLike | Uint8Array,
  options: { readonly bytesMax?: Size | number } = {},
): AddableFilter {
  checkKeys('openScalableFilter', options, ['bytesMax']);
  const image = imageOfKind(source, 'scalable');
  const { capacity, falsePositiveRate: rate, seed } = image.header;
  const layers = layersOf(image);
  const newestCount = new DataView(image.memory, image.body.byteOffset).getFloat64(0, true);
  if (!(newestCount >= 0)) throw damaged(`its newest layer has ${newestCount} keys`);
  const bytesMax = checkedBytes(options.bytesMax ?? BYTES_MAX_DEFAULT);
  return new ScalableFilter({ capacity, rate, seed, bytesMax, layers, newestCount });
}
