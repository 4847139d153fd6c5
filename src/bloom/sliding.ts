/**
 * Sliding: a filter that forgets. What was added is remembered for the window, and gone at most one generation later.
 *
 * Several blocked filters of equal size, the generations, take turns: all that is added goes to the newest, all are asked. When the
 * newest has had its time, the oldest, by then older than the window, is emptied and becomes the newest. With G generations each
 * has its time for window / (G − 1): fewer forget later, more take more room and more time to ask.
 *
 * - Never a false negative within the window, for each key from the last time it was added.
 * - The rate asked for is that of all generations together, when each window brings `capacity` different keys evenly. What comes in
 *   a burst makes one generation fuller than the others, and `report` says so.
 * - Time is the monotonic clock of the process; an image keeps the wall clock beside it, by which it ages while it is stored. If that
 *   clock was set back meanwhile it forgets later, if it was set forward, sooner.
 *
 * Body: 64 B of state (wall time at which the newest began, f64; its number, u32), then the generations. The kind's own words:
 * generations, blocks of each, the window in ms (two words, upper first).
 * Cost: a lookup reads up to G cache lines; a turn empties one generation, about 0.1 ms a MB. One thread writes.
 */
import { type Clock, systemClock } from '../kernel/clock.ts';
import { checkInteger, checkKeys, invalid, textOfGiven } from '../kernel/options.ts';
import { type Duration, durationExpected, parseDuration } from '../kernel/units.ts';
import { BLOCK_BITS, blocked } from './blocked.ts';
import type { AddableFilter, FilterReport } from './filter.ts';
import { type FilterKey, type FilterKeys, hashKey, type SeedOption, seedWords } from './filter-key.ts';
import { createImage, damaged, type Image, imageOfKind, openImage, sealedCopy } from './image.ts';
import { type Bits, countOf, exceeds } from './layout.ts';
import { addEach, type Ahead, hasEach } from './many.ts';
import { checkedSize, sizeOf, type SizeOptions } from './size.ts';

export interface SlidingOptions extends SizeOptions {
  /** How many different keys one window brings. */
  readonly capacity: number;
  /** How long a key is remembered at least: from 1 ms to 366 days, as `'10m'` or in milliseconds. */
  readonly window: Duration | number;
  /** From 2 to 16. A key is forgotten at most window / (generations − 1) after the window. @defaultValue 5 */
  readonly generations?: number;
  /** @defaultValue [0, 0] */
  readonly seed?: SeedOption;
  /** @defaultValue the machine's */
  readonly clock?: Clock;
}

const STATE_BYTES = 64;
const GENERATIONS_MAX = 16;
const WINDOW_MS_MAX = 366 * 86_400_000;
/**
 * Times are rounded, large ones by a quarter of this: a generation is so much longer, and a key not forgotten early. A filter that is opened again
 * goes by the wall clock, which may say a millisecond too much, or have been set.
 */
const ROUNDING_MS = 0.001;

function windowMs(given: unknown): number {
  const parsed = typeof given === 'number' ? { ok: true, value: given } : parseDuration(textOfGiven(given));
  if (parsed.ok && Number.isInteger(parsed.value) && parsed.value >= 1 && parsed.value <= WINDOW_MS_MAX) {
    return parsed.value;
  }
  throw invalid(
    `window is ${textOfGiven(given)}; expected ${durationExpected}, or milliseconds: an integer from 1 to ${WINDOW_MS_MAX}.`,
  );
}

/** The capacity and the rate of each generation, so that all together have those asked for. */
function shareOf(capacity: number, rate: number, generations: number): { capacity: number; rate: number } {
  return { capacity: Math.ceil(capacity / (generations - 1)), rate: 1 - (1 - rate) ** (1 / generations) };
}

class SlidingFilter implements AddableFilter {
  readonly kind = 'sliding';
  readonly capacity: number;
  readonly falsePositiveRate: number;
  readonly #image: Image;
  readonly #clock: Clock;
  readonly #spanMs: number;
  readonly #generations: readonly { readonly words: Int32Array; readonly bits: Bits }[];
  readonly #state: DataView;
  readonly #blocks: number;
  #newest: number;
  /** By the monotonic clock, when the newest began. */
  #startMs: number;
  readonly #hash = new Int32Array(2);

  constructor(image: Image, clock: Clock) {
    const { body, header, memory } = image;
    const [count = 0, blocks = 0, upper = 0, lower = 0] = header.own;
    const generationBytes = (blocks * BLOCK_BITS) / 8;
    const window = upper * 2 ** 32 + lower;
    if (
      !(count >= 2 && count <= GENERATIONS_MAX && blocks >= 1 && window >= 1 && window <= WINDOW_MS_MAX) ||
      !blocked.probes.includes(header.probes) ||
      STATE_BYTES + count * generationBytes !== body.length
    ) {
      throw damaged(`${body.length} bytes cannot have ${count} generations of ${blocks} blocks`);
    }
    this.#image = image;
    ({ capacity: this.capacity, falsePositiveRate: this.falsePositiveRate } = header);
    this.#clock = clock;
    this.#spanMs = window / (count - 1) + ROUNDING_MS;
    this.#blocks = blocks;
    this.#state = new DataView(memory, body.byteOffset, STATE_BYTES);
    this.#generations = Array.from({ length: count }, (_, index) => {
      const at = body.byteOffset + STATE_BYTES + index * generationBytes;
      const words = new Int32Array(memory, at, generationBytes / 4);
      return { words, bits: blocked.open({ words, blocks, probes: header.probes, atomic: false }) };
    });
    this.#newest = this.#state.getUint32(8, true) % count;
    const startWallMs = this.#state.getFloat64(0, true);
    if (!Number.isFinite(startWallMs)) throw damaged('it does not say when it was');
    // By a clock that was set back the start may be still to come.
    this.#startMs = clock.nowMs() - Math.max(0, clock.wallMs() - startWallMs);
  }

  /** As of now: the wall clock may have been set since the newest began. */
  get memory(): ArrayBufferLike {
    this.#turn();
    this.#write();
    return this.#image.memory;
  }

  has(key: FilterKey): boolean {
    this.#turn();
    hashKey(key, this.#image.header.seed, this.#hash);
    return this.#has(this.#hash[0]!, this.#hash[1]!);
  }

  hasMany(keys: FilterKeys): Uint8Array {
    this.#turn();
    return hasEach(keys, this.#image.header.seed, { has: (high, low) => this.#has(high, low) }, this.#ahead);
  }

  add(key: FilterKey): boolean {
    this.#turn();
    hashKey(key, this.#image.header.seed, this.#hash);
    return this.#add(this.#hash[0]!, this.#hash[1]!);
  }

  addMany(keys: FilterKeys): number {
    this.#turn();
    return addEach(keys, this.#image.header.seed, { add: (high, low) => this.#add(high, low) }, this.#ahead);
  }

  /** The newest first: what was seen lately is asked most. */
  #has(high: number, low: number): boolean {
    const generations = this.#generations;
    for (let at = this.#newest, left = generations.length; left > 0; left--) {
      if (generations[at]!.bits.has(high, low)) return true;
      at = at === 0 ? generations.length - 1 : at - 1;
    }
    return false;
  }

  /** Only in the newest: all of them together would be read for nothing where the first has the key. */
  get #ahead(): Ahead {
    return this.#generations[this.#newest]!.bits;
  }

  /** Also what is remembered is added: it is then remembered anew. */
  #add(high: number, low: number): boolean {
    const fresh = !this.#has(high, low);
    this.#generations[this.#newest]!.bits.add(high, low);
    return fresh;
  }

  /** Forgets what has had its time. */
  #turn(): void {
    const nowMs = this.#clock.nowMs();
    const due = Math.floor((nowMs - this.#startMs) / this.#spanMs);
    if (due <= 0) return;
    const count = this.#generations.length;
    for (let turns = Math.min(due, count); turns > 0; turns--) {
      this.#newest = (this.#newest + 1) % count;
      this.#generations[this.#newest]!.words.fill(0);
    }
    this.#startMs += due * this.#spanMs;
    this.#write();
  }

  #write(): void {
    const ageMs = this.#clock.nowMs() - this.#startMs;
    this.#state.setFloat64(0, this.#clock.wallMs() - ageMs, true);
    this.#state.setUint32(8, this.#newest, true);
  }

  /** A key that was added in several generations counts in each. */
  estimateCount(): number {
    return this.report().count;
  }

  report(): FilterReport {
    this.#turn();
    const { capacity, falsePositiveRate } = this;
    const { probes } = this.#image.header;
    const generations = this.#generations.length;
    const share = shareOf(capacity, falsePositiveRate, generations).capacity;
    let [count, fill, saysNo, overCapacity] = [0, 0, 1, false];
    for (const { words } of this.#generations) {
      const own = blocked.measure(words, probes);
      const keys = countOf(blocked, own.fill, this.#blocks, probes);
      count += keys;
      fill += own.fill / generations;
      saysNo *= 1 - own.rate;
      if (exceeds(keys, share)) overCapacity = true;
    }
    return {
      kind: this.kind,
      bytes: this.#image.memory.byteLength,
      capacity,
      count,
      fill,
      falsePositiveRate: {
        now: 1 - saysNo,
        atCapacity: 1 - (1 - blocked.rate(share, this.#blocks, probes)) ** generations,
      },
      overCapacity,
    };
  }

  toBytes(): Uint8Array<ArrayBuffer> {
    this.#turn();
    this.#write();
    return sealedCopy(this.#image);
  }
}

/**
 * A filter that remembers each key for a window of time after it was last added, and then forgets it.
 *
 * @example
 * const seen = createSlidingFilter({ capacity: 1_000_000, falsePositiveRate: '0.1%', window: '10m' });
 * if (seen.add('message-17')) console.log('first time in ten minutes');
 */
export function createSlidingFilter(options: SlidingOptions): AddableFilter {
  checkKeys('A sliding filter', options, ['capacity', 'falsePositiveRate', 'window', 'generations', 'seed', 'clock']);
  const { generations = 5, clock = systemClock } = options;
  const { capacity, rate } = checkedSize(options);
  checkInteger('generations', generations, 2, GENERATIONS_MAX);
  const window = windowMs(options.window);
  const share = shareOf(capacity, rate, generations);
  const { blocks, probes } = sizeOf(blocked, share.capacity, share.rate);
  const image = createImage(
    {
      kind: 'sliding',
      seed: seedWords(options.seed),
      capacity,
      falsePositiveRate: rate,
      bodyBytes: STATE_BYTES + (generations * blocks * BLOCK_BITS) / 8,
      probes,
      own: [generations, blocks, Math.floor(window / 2 ** 32), window >>> 0],
    },
    false,
  );
  new DataView(image.memory, image.body.byteOffset).setFloat64(0, clock.wallMs(), true);
  return new SlidingFilter(image, clock);
}

/**
 * The filter in the bytes that `toBytes` made, or a copy of one in memory: two that empty generations of the same memory would
 * empty them twice. What was due to be forgotten meanwhile is forgotten.
 */
export function openSlidingFilter(
  source: ArrayBufferLike | Uint8Array,
  options: { readonly clock?: Clock } = {},
): AddableFilter {
  checkKeys('openSlidingFilter', options, ['clock']);
  const image = imageOfKind(source, 'sliding');
  const own = source instanceof Uint8Array ? image : openImage(sealedCopy(image).buffer);
  return new SlidingFilter(own, options.clock ?? systemClock);
}
