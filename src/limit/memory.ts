/**
 * The store in the memory of this thread: nothing to install, nothing to wait for, and as exact as its clock.
 *
 * Each limiter has its own table (memory-rows.ts; wide-rows.ts for a long `slidingLog`). Nothing runs in the background: no timer, no sweep.
 * What it is not: shared. Every thread and process that has one admits the whole limit.
 */
import type { Clock } from '../kernel/clock.ts';
import { systemClock } from '../kernel/clock.ts';
import { createRandom, type Random } from '../kernel/random.ts';
import type { Algorithm } from './algorithm.ts';
import { MemoryRows, type MemoryRowsOptions } from './memory-rows.ts';
import { checkInteger, checkKeys } from './options.ts';
import { RowCounters } from './rows.ts';
import { type Counters, type LocalPart, type LocalStore, StoreTime } from './store.ts';
import { isWide, WideRows } from './wide-rows.ts';

export interface MemoryStoreOptions {
  /**
   * Keys remembered for each limiter, from 1 to 16,777,216. Beyond it the least recently used are forgotten, so that whoever sends
   * ever new keys fills no memory, and gets no more than a new key would get anyway. A key of three numbers takes 40 to 54 bytes.
   * @defaultValue 100000
   */
  readonly keysMax?: number;
  /** @defaultValue the machine's */
  readonly clock?: Clock;
  /** Where the secret of the tables comes from. @defaultValue the operating system */
  readonly random?: Random;
}

export interface MemoryStore extends LocalStore {
  /** Keys remembered under a limiter's name, and the bytes of their table. */
  size(name: string): { readonly keys: number; readonly bytes: number };
}

/** 6 MB where every key is used; a service whose own clients are more knows it. */
const KEYS_DEFAULT = 100_000;
const KEYS_MAX = 2 ** 24;

/** Of one name: whoever changes a limiter from one algorithm to another again and again leaves no more behind. */
const LAYOUTS_MAX = 4;

interface Table {
  readonly rows: MemoryRows | WideRows;
  algorithm: Algorithm;
}

class ThreadMemory implements MemoryStore {
  readonly local = true;
  readonly clock: Clock;
  readonly #time: StoreTime;
  readonly #keysMax: number;
  readonly #random: Random;
  /** By name and layout, those of a name in the order of their making. */
  readonly #tables = new Map<string, Map<string, Table>>();

  constructor({ keysMax = KEYS_DEFAULT, clock = systemClock, random = createRandom() }: MemoryStoreOptions) {
    this.clock = clock;
    this.#time = new StoreTime(clock);
    this.#keysMax = checkInteger('memoryStore: keysMax', keysMax, 1, KEYS_MAX);
    this.#random = random;
  }

  open(name: string, algorithm: Algorithm): Counters {
    let ofName = this.#tables.get(name);
    if (ofName === undefined) this.#tables.set(name, (ofName = new Map()));
    const table = ofName.get(algorithm.layout) ?? this.#create(algorithm);
    table.algorithm = algorithm;
    ofName.set(algorithm.layout, table);
    if (ofName.size > LAYOUTS_MAX) ofName.delete(ofName.keys().next().value!);
    return new RowCounters(table.rows, algorithm, this.#time);
  }

  takeAll(parts: readonly LocalPart[]): boolean {
    // One thread: nothing comes between these lines, and one moment is that of all.
    const nowUs = this.#time.nowUs();
    let room = true;
    for (let index = 0; index < parts.length; index++) {
      const { counters, key, ask, out } = parts[index]!;
      ask.nowUs = nowUs;
      // The last is looked at by taking from it, if that is all that is missing.
      if (room && index === parts.length - 1) (counters as RowCounters).takeAt(key, ask, out);
      else (counters as RowCounters).peekAt(key, ask, out);
      room &&= out.granted === ask.times;
    }
    if (!room) return false;
    for (let index = 0; index < parts.length - 1; index++) {
      const { counters, key, ask, out } = parts[index]!;
      (counters as RowCounters).takeAt(key, ask, out);
    }
    return true;
  }

  size(name: string): { readonly keys: number; readonly bytes: number } {
    const tables = [...(this.#tables.get(name)?.values() ?? [])];
    return {
      keys: tables.reduce((sum, { rows }) => sum + rows.size, 0),
      bytes: tables.reduce((sum, { rows }) => sum + rows.bytes, 0),
    };
  }

  #create(algorithm: Algorithm): Table {
    const options: MemoryRowsOptions = {
      width: algorithm.width,
      keysMax: this.#keysMax,
      random: this.#random,
      // By what the limit is now.
      idle: (numbers, at, nowUs) => table.algorithm.idle(numbers, at, nowUs),
      nowUs: () => this.#time.nowUs(),
    };
    const rows = isWide(algorithm.width) ? new WideRows(options) : new MemoryRows(options);
    const table: Table = { algorithm, rows };
    return table;
  }
}

/**
 * Counters in the memory of this thread.
 *
 * @example
 * const store = memoryStore({ keysMax: 1_000_000 });
 * const limiter = createLimiter({ name: 'api', algorithm: tokenBucket({ capacity: 5, refillPerSecond: 1 }), store });
 * limiter.takeSync('ann');
 * console.log(store.size('api').keys); // 1
 */
export function memoryStore(options: MemoryStoreOptions = {}): MemoryStore {
  checkKeys('memoryStore', options, ['keysMax', 'clock', 'random']);
  return new ThreadMemory(options);
}
