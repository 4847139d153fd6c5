/**
 * The store in memory that the threads of a process share: one limit for all of them, exact however they contend, without a
 * message and without a thread that must be asked. Tables and threads that die: shared-table.ts.
 *
 * Of several keys at once, what is granted is granted at one moment and never one too many, also by a thread that was stopped in the
 * middle. If it was stopped again and again, others may for a moment find taken what it then gives back.
 *
 * One memory serves any number of limiters, each by its name; or each limiter has one of its own, so that keys which are invented
 * for one push out nobody in another. Time is the monotonic clock, which threads have in common.
 * What it is not: shared with other processes, or kept when this one ends.
 */
import type { Clock } from '../kernel/clock.ts';
import { systemClock } from '../kernel/clock.ts';
import { createHashSecret, halfSipHash, type HashSecret } from '../kernel/half-sip-hash.ts';
import { createRandom } from '../kernel/random.ts';
import type { Algorithm } from './algorithm.ts';
import { checkInteger, checkKeys, invalid } from './options.ts';
import { RowCounters, type Rows } from './rows.ts';
import { createTable, type Hold, layoutFor, secretFor, SharedTable } from './shared-table.ts';
import { type Counters, hasLeases, type LocalPart, type LocalStore, StoreTime } from './store.ts';

export interface SharedMemoryOptions {
  /**
   * How many keys of all limiters together are to be remembered, from 1 to 4,194,304. Fixed: the memory, 128 to 256 bytes a key and
   * at least 16 KB, is taken at once. When it is full, keys that were not used lately are forgotten. @defaultValue 10000
   */
  readonly keysMax?: number;
  /**
   * The algorithms that will be used in it, of which only `slidingLog` and `concurrency` matter: they need larger rows.
   * @defaultValue none that needs more than three numbers a key
   */
  readonly algorithms?: readonly Algorithm[];
  /** @defaultValue the machine's */
  readonly clock?: Clock;
}

/** What token buckets and windows need. */
const WIDTH_DEFAULT = 3;
const KEYS_DEFAULT = 10_000;
const KEYS_MAX = 2 ** 22;
/** Far below what an Int32Array can index, and what anybody meant. */
const BYTES_MAX = 2 ** 32;

/**
 * Memory for the counters of all threads. Make it once, and hand it to each thread (`workerData`, `postMessage`).
 *
 * @example
 * const memory = createSharedMemory({ keysMax: 1_000 });
 * // In each thread:
 * const store = sharedMemoryStore(memory);
 * const limiter = createLimiter({ name: 'api', algorithm: tokenBucket({ capacity: 5, refillPerSecond: 1 }), store });
 * console.log(limiter.takeSync('ann').remaining); // 4
 */
export function createSharedMemory(options: SharedMemoryOptions = {}): SharedArrayBuffer {
  checkKeys('createSharedMemory', options, ['keysMax', 'algorithms', 'clock']);
  const { algorithms = [], clock = systemClock } = options;
  const keysMax = checkInteger('createSharedMemory: keysMax', options.keysMax ?? KEYS_DEFAULT, 1, KEYS_MAX);
  const width = Math.max(WIDTH_DEFAULT, ...algorithms.map((algorithm) => algorithm.width));
  const layout = layoutFor(keysMax, width);
  const bytes = layout.bytes;
  if (bytes > BYTES_MAX) {
    throw invalid(
      `createSharedMemory: ${keysMax} keys of ${width} numbers take ${bytes} bytes; at most ${BYTES_MAX} are possible.`,
    );
  }
  return createTable(layout, createHashSecret(createRandom()), new StoreTime(clock).originUs);
}

interface SharedRowsOptions {
  /** Of the limiter. */
  readonly name: string;
  readonly rank: number;
  readonly algorithm: Algorithm;
  readonly table: SharedTable;
  readonly time: StoreTime;
}

/** The rows of one limiter, of which it holds one at a time. */
class SharedRows implements Rows {
  readonly numbers: Float64Array;
  readonly shared = true;
  /** Of several memories, which is held before which; the same for all of one. */
  readonly rank: number;
  readonly algorithm: Algorithm;
  readonly table: SharedTable;
  readonly time: StoreTime;
  readonly hold: Hold;
  /** Of the key that was sought last, the two words of its hash. */
  upper = 0;
  lower = 0;
  readonly #secret: HashSecret;
  readonly #hash = new Int32Array(2);
  /** Whose hash that is: a limit on everybody has but one key. */
  #hashed = '';

  constructor({ name, rank, algorithm, table, time }: SharedRowsOptions) {
    this.rank = rank;
    this.algorithm = algorithm;
    this.table = table;
    this.time = time;
    this.#secret = secretFor(table, `${name}\n${algorithm.layout}`);
    this.numbers = new Float64Array(algorithm.width);
    this.hold = { row: -1, word: 0, numbers: this.numbers };
  }

  /** Of several keys, before the first is held: their order is that of their hashes. */
  seek(key: string): void {
    if (key === this.#hashed) return;
    this.#hashed = key;
    halfSipHash(key, this.#secret, this.#hash);
    this.upper = this.#hash[0]!;
    this.lower = this.#hash[1]!;
  }

  /** Holds the row of the key that was sought last, made if there is none. */
  holdSought(): void {
    this.table.hold(this.upper, this.lower, true, this.hold);
  }

  enter(key: string, create: boolean): number {
    this.seek(key);
    return this.table.hold(this.upper, this.lower, create, this.hold) ? 0 : -1;
  }

  leave(changed: boolean): boolean {
    return this.table.letGo(this.hold, changed);
  }

  remove(key: string): void {
    if (this.enter(key, false) >= 0) this.table.free(this.hold);
  }
}

/** One memory for all limiters, or one for each by its name. */
export type SharedMemoryFor = SharedArrayBuffer | Readonly<Record<string, SharedArrayBuffer>>;

/** The counters are those that this store opened. */
function rowsOf({ counters }: LocalPart): SharedRows {
  return (counters as RowCounters<SharedRows>).rows;
}

/** A thread that loses its rows as often, having been stopped for long each time or needing more than a set has, takes in turn. */
const TRIES_MAX = 3;

class SharedMemory implements LocalStore {
  readonly local = true;
  readonly clock: Clock;
  readonly #tables = new Map<SharedArrayBuffer, SharedTable>();
  readonly #memoryOf: (name: string) => SharedArrayBuffer;
  /** Limiters in one memory are ordered by their rows alone, those of several by their names first: here in order. */
  readonly #names: readonly string[];
  /** Those of the take that is under way, in the order in which they are held. */
  readonly #held: LocalPart[] = [];

  constructor(memory: SharedMemoryFor, clock: Clock) {
    this.clock = clock;
    this.#names = memory instanceof SharedArrayBuffer ? [] : Object.keys(memory).toSorted();
    const memories = memory instanceof SharedArrayBuffer ? [memory] : Object.values(memory);
    for (const each of memories) this.#tables.set(each, new SharedTable(each));
    this.#memoryOf = (name) => {
      if (memory instanceof SharedArrayBuffer) return memory;
      if (Object.hasOwn(memory, name)) return memory[name]!;
      throw invalid(
        `sharedMemoryStore: there is no memory for limiter “${name}”; there is some for ${Object.keys(memory).join(', ')}.`,
      );
    };
  }

  open(name: string, algorithm: Algorithm): Counters {
    const table = this.#tables.get(this.#memoryOf(name))!;
    if (algorithm.width > table.width) {
      throw invalid(
        `sharedMemoryStore: limiter “${name}” needs ${algorithm.width} numbers a key, and this memory has ${table.width}; ` +
          'name its algorithm in the option algorithms of createSharedMemory.',
      );
    }
    const time = new StoreTime(this.clock, table.originUs);
    const rank = this.#names.indexOf(name);
    return new RowCounters(new SharedRows({ name, rank, algorithm, table, time }), algorithm, time);
  }

  takeAll(parts: readonly LocalPart[]): boolean {
    const held = this.#inOrder(parts);
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const taken = takeHeld(held, this.clock);
      if (taken !== null) return taken;
    }
    return takeInTurn(held);
  }

  /** The parts in the order that is the same in every thread. Few are sorted soonest by insertion, and nothing is allocated. */
  #inOrder(parts: readonly LocalPart[]): readonly LocalPart[] {
    const held = this.#held;
    if (held.length > parts.length) held.length = parts.length;
    for (let index = 0; index < parts.length; index++) {
      const part = parts[index]!;
      const rows = rowsOf(part);
      rows.seek(part.key);
      let place = index;
      for (; place > 0 && isBefore(rows, rowsOf(held[place - 1]!)); place--) held[place] = held[place - 1]!;
      held[place] = part;
    }
    return held;
  }
}

function isBefore(a: SharedRows, b: SharedRows): boolean {
  if (a.rank !== b.rank) return a.rank < b.rank;
  return a.upper === b.upper ? a.lower < b.lower : a.upper < b.upper;
}

/**
 * Takes while the rows of all parts are held. Null if one was taken from under it, because this thread was stopped for so long that it was
 * thought dead: then nothing counts.
 */
function takeHeld(held: readonly LocalPart[], clock: Clock): boolean | null {
  for (let index = 0; index < held.length; index++) rowsOf(held[index]!).holdSought();
  // Once all are held, so that no row has an earlier moment after a later one; and one moment for all.
  const nowMs = clock.nowMs();
  let room = true;
  for (let index = 0; index < held.length; index++) {
    const part = held[index]!;
    const { algorithm, numbers, time } = rowsOf(part);
    part.ask.nowUs = time.atUs(nowMs);
    algorithm.take(numbers, 0, part.ask, part.out);
    room &&= part.out.granted === part.ask.times;
  }
  if (!room) lookAgain(held);
  // Before the first is written: what was decided by rows that others have taken from since would be one too many.
  let whole = true;
  for (let index = 0; index < held.length; index++) {
    const { table, hold } = rowsOf(held[index]!);
    whole &&= table.holds(hold);
  }
  if (!whole || !room) {
    for (const part of held) rowsOf(part).leave(whole);
    return whole ? false : null;
  }
  for (let index = 0; index < held.length; index++) {
    if (rowsOf(held[index]!).leave(true)) continue;
    for (const other of held.slice(index + 1)) rowsOf(other).leave(false);
    for (const taken of held.slice(0, index)) giveBack(taken);
    return null;
  }
  return true;
}

/** What each says if nothing is taken. */
function lookAgain(held: readonly LocalPart[]): void {
  for (const part of held) {
    const { algorithm, table, hold } = rowsOf(part);
    table.reread(hold);
    algorithm.peek(hold.numbers, 0, part.ask, part.out);
  }
}

/** Takes from one after another, holding one row at a time, and gives back if one refuses: never one too many, at no one moment. */
function takeInTurn(held: readonly LocalPart[]): boolean {
  for (const [index, { counters, key, ask, out }] of held.entries()) {
    counters.take(key, ask, out);
    if (out.granted === ask.times) continue;
    for (const taken of held.slice(0, index)) giveBack(taken);
    for (const other of held) other.counters.peek(other.key, other.ask, other.out);
    return false;
  }
  return true;
}

function giveBack(part: LocalPart): void {
  if (hasLeases(rowsOf(part).algorithm)) part.counters.release(part.key, part.ask);
  else part.counters.refund(part.key, part.ask);
}

/**
 * Counters in memory made by `createSharedMemory`; every thread makes its own store over the same memory. Memory that is given by
 * the names of limiters is one for each, and they can still be taken from together.
 */
export function sharedMemoryStore(memory: SharedMemoryFor, options: { readonly clock?: Clock } = {}): LocalStore {
  checkKeys('sharedMemoryStore', options, ['clock']);
  const memories: readonly unknown[] = memory instanceof SharedArrayBuffer ? [memory] : Object.values(memory ?? {});
  if (memories.length === 0 || !memories.every((each) => each instanceof SharedArrayBuffer)) {
    throw invalid('sharedMemoryStore: expected the SharedArrayBuffer that createSharedMemory made, or a map of them.');
  }
  return new SharedMemory(memory, options.clock ?? systemClock);
}
