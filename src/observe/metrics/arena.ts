/**
 * The memory of metrics: records of numbers that any thread adds and every thread reads, without a lock or a message.
 *
 *     [ header: 64 B ][ record ][ record ] …      a record begins on a cache line of its own
 *     record: previous · owner · metric · textBytes · slots, 32 B · slots × float64 · text
 *
 * Invariants. A record has one writer, the thread that owns it, so a counter is one plain load and store, as in a lane of a cell
 * (kernel/cells.ts); the same series counted by five threads is five records, which a reader adds up. Records form a list whose
 * head moves by compare-and-exchange, and are complete before they are in it: a thread that dies in between leaves a gap of its
 * own and holds up nobody. Records are never removed. One whose thread has ended has no owner, and the next thread
 * that counts the same series goes on with it: threads that come and go take no more memory than those that live at once.
 *
 * What a record means (a definition, a series of it) is decided by registry.ts.
 * Cost: 32 B + 8 B a slot + text, in whole lines of 64 B. Adding one: a claim and an exchange.
 */
import { invalid } from '../../kernel/options.ts';

const LINE_BYTES = 64;
const LINE_WORDS = LINE_BYTES / 4;
const LINE_SLOTS = LINE_BYTES / 8;
const HEAD_BYTES = 32;
const MAGIC = 0x5350_4d31;

/** Words of the header. */
const MAGIC_AT = 0;
const CLAIMED_AT = 1; // lines
const NEWEST_AT = 2; // line of the head of the list; 0 is none, since the header is there
const REFUSED_AT = 4; // as many as there are causes

/** Words of a record. */
const PREVIOUS = 0;
const OWNER = 1;
const METRIC = 2;
const TEXT_BYTES = 3;
const SLOTS = 4;

/** Why something was not counted where it belongs; the order is that of words in the header. */
export const refusalCauses = ['series', 'memory', 'value'] as const;
export type RefusalCause = (typeof refusalCauses)[number];

/** Nobody; a thread is its `threadId` + 1. */
export const NO_OWNER = 0;

export interface NewRecord {
  readonly owner: number;
  /** The line of the definition it belongs to; 0 for a definition. */
  readonly metric: number;
  readonly slots: number;
  readonly text: string;
}

const encoder = new TextEncoder();

export function createArenaMemory(bytes: number): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(Math.ceil(bytes / LINE_BYTES) * LINE_BYTES);
  const words = new Int32Array(memory);
  words[MAGIC_AT] = MAGIC;
  words[CLAIMED_AT] = 1;
  return memory;
}

export class Arena {
  readonly memory: SharedArrayBuffer;
  readonly numbers: Float64Array<SharedArrayBuffer>;
  /** The same memory; slot s is words 2s and 2s + 1. */
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly #bytes: Uint8Array<SharedArrayBuffer>;

  constructor(memory: SharedArrayBuffer) {
    const isOurs = memory instanceof SharedArrayBuffer && memory.byteLength >= LINE_BYTES;
    if (!isOurs || new Int32Array(memory, 0, 1)[0] !== MAGIC) {
      throw invalid('createMetrics: shared is not the memory of metrics; expected what `metrics.shared` gave.');
    }
    this.memory = memory;
    this.numbers = new Float64Array(memory);
    this.words = new Int32Array(memory);
    this.#bytes = new Uint8Array(memory);
  }

  /** The line of the newest record, 0 if there is none. */
  newest(): number {
    return Atomics.load(this.words, NEWEST_AT);
  }

  /** The record that was the newest before `line`. */
  previous(line: number): number {
    return this.words[line * LINE_WORDS + PREVIOUS]!;
  }

  metricOf(line: number): number {
    return this.words[line * LINE_WORDS + METRIC]!;
  }

  ownerOf(line: number): number {
    return Atomics.load(this.words, line * LINE_WORDS + OWNER);
  }

  /** Makes `owner` the writer of a record that has none; false if another was first. */
  adopt(line: number, owner: number): boolean {
    return Atomics.compareExchange(this.words, line * LINE_WORDS + OWNER, NO_OWNER, owner) === NO_OWNER;
  }

  disown(line: number): void {
    Atomics.store(this.words, line * LINE_WORDS + OWNER, NO_OWNER);
  }

  /** The index in `numbers` of a record's first. */
  slotOf(line: number): number {
    return line * LINE_SLOTS + HEAD_BYTES / 8;
  }

  textOf(line: number): string {
    const word = line * LINE_WORDS;
    const from = line * LINE_BYTES + HEAD_BYTES + 8 * this.words[word + SLOTS]!;
    // A decoder takes no shared memory.
    return Buffer.from(this.#bytes.slice(from, from + this.words[word + TEXT_BYTES]!)).toString();
  }

  /** Takes memory for a record and fills it; nobody sees it before `publish`. Returns its line, or 0 if there is no room. */
  claim({ owner, metric, slots, text }: NewRecord): number {
    const bytes = encoder.encode(text);
    const lines = Math.ceil((HEAD_BYTES + 8 * slots + bytes.length) / LINE_BYTES);
    const line = this.#take(lines);
    if (line === 0) return 0;
    const word = line * LINE_WORDS;
    this.words[word + OWNER] = owner;
    this.words[word + METRIC] = metric;
    this.words[word + TEXT_BYTES] = bytes.length;
    this.words[word + SLOTS] = slots;
    this.#bytes.set(bytes, line * LINE_BYTES + HEAD_BYTES + 8 * slots);
    return line;
  }

  /** Puts a claimed record before `newest`; false if that is not the newest any more, and so something new may matter. */
  publish(line: number, newest: number): boolean {
    this.words[line * LINE_WORDS + PREVIOUS] = newest;
    return Atomics.compareExchange(this.words, NEWEST_AT, newest, line) === newest;
  }

  refuse(cause: RefusalCause): void {
    Atomics.add(this.words, REFUSED_AT + refusalCauses.indexOf(cause), 1);
  }

  refused(cause: RefusalCause): number {
    return Atomics.load(this.words, REFUSED_AT + refusalCauses.indexOf(cause)) >>> 0;
  }

  get bytesUsed(): number {
    return Atomics.load(this.words, CLAIMED_AT) * LINE_BYTES;
  }

  #take(lines: number): number {
    const total = this.memory.byteLength / LINE_BYTES;
    while (true) {
      const line = Atomics.load(this.words, CLAIMED_AT);
      if (line + lines > total) return 0;
      if (Atomics.compareExchange(this.words, CLAIMED_AT, line, line + lines) === line) return line;
    }
  }
}
