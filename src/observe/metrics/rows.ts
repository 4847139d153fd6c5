/**
 * Rows: a gauge whose series come and go, as the locks that are held now. So many at once in each thread, whatever their labels were before: for
 * what has names without end, of which only those of the moment matter.
 *
 * A row is a record like that of any series, but its labels are in it beside its value, and who has it next writes them anew.
 *
 *     value: float64 · sequence, bytes of the text: int32 · text of the labels
 *
 * Invariants: a record is the thread's that opened it; a row whose value is 0 is nobody's and not shown, as is one of a thread that has ended; what is
 * read while it is written is left out (a sequence lock: odd while writing); of rows with equal labels one is shown, with the greatest value, the least, or the sum.
 * Cost: `set` is a store; to open one is a look at each that is in use, and some µs; 512 B a row, taken when it is first used.
 */
import type { Sample } from '../prometheus.ts';
import { invalid } from '../../kernel/options.ts';
import type { Arena } from './arena.ts';
import { type Definition, labelValue, type RowsShown } from './definition.ts';
import { formatPairs } from '../prometheus.ts';

/** So that a record is 512 B: a name of some hundred characters beside a few shorter labels. */
const TEXT_BYTES = 464;
const LENGTH_MAX = 256;
/** Slots that a row takes. */
export const ROW_SLOTS = 2 + TEXT_BYTES / 8;

/** One that is open. */
export class Row {
  readonly #arena: Arena;
  #slot: number;

  constructor(arena: Arena, slot: number) {
    this.#arena = arena;
    this.#slot = slot;
  }

  /** @param value above 0; after `close` nothing is set */
  set(value: number): void {
    if (!isValue(value)) this.#arena.refuse('value');
    else if (this.#slot !== 0) this.#arena.numbers[this.#slot] = value;
  }

  /** It is not shown any more. */
  close(): void {
    if (this.#slot !== 0) this.#arena.numbers[this.#slot] = 0;
    this.#slot = 0;
  }
}

export interface RowsOf {
  readonly arena: Arena;
  readonly labels: readonly string[];
  readonly rowsMax: number;
  /** The line of this thread's record of a row; 0 if there is no memory left. */
  readonly lineOf: (row: number) => number;
}

export class Rows<Label extends string = string> {
  readonly #of: RowsOf;
  /** Of each row that this thread has used. */
  readonly #slots: number[] = [];

  constructor(of: RowsOf) {
    this.#of = of;
  }

  /**
   * A row with these labels, or null if as many as there may be are open. Values of labels are cut so that they fit in 464 bytes together.
   * @param value above 0
   */
  open(labels: Readonly<Record<Label, string | number>>, value: number): Row | null {
    const { arena, rowsMax } = this.#of;
    if (!isValue(value)) {
      arena.refuse('value');
      return null;
    }
    for (let row = 0; row < rowsMax; row++) {
      const slot = (this.#slots[row] ??= this.#slotOf(row));
      if (slot === 0) {
        // Asked for again the next time: another thread's may have become free.
        this.#slots.length = row;
        arena.refuse('memory');
        return null;
      }
      if (arena.numbers[slot] !== 0) continue;
      write(arena, slot, this.#textOf(labels), value);
      return new Row(arena, slot);
    }
    return null;
  }

  #slotOf(row: number): number {
    const { arena, lineOf } = this.#of;
    const line = lineOf(row);
    return line === 0 ? 0 : arena.slotOf(line);
  }

  #textOf(labels: Readonly<Record<string, string | number>>): Uint8Array {
    if (labels === null) throw invalid('Rows.open: its labels are null; expected an object with a value for each.');
    const values = this.#of.labels.map((label) => labels[label] ?? '');
    for (let lengthMax = LENGTH_MAX; ; lengthMax /= 2) {
      const text = Buffer.from(JSON.stringify(values.map((value) => labelValue(value, lengthMax))));
      if (text.length <= TEXT_BYTES) return text;
    }
  }
}

function isValue(value: number): boolean {
  return Number.isFinite(value) && value > 0;
}

function write({ memory, numbers, words }: Arena, slot: number, text: Uint8Array, value: number): void {
  const sequenceAt = 2 * (slot + 1);
  // Odd already if a thread before this one died while it wrote.
  const sequence = Atomics.load(words, sequenceAt) | 1;
  Atomics.store(words, sequenceAt, sequence);
  words[sequenceAt + 1] = text.length;
  new Uint8Array(memory, 8 * (slot + 2), TEXT_BYTES).set(text);
  numbers[slot] = value;
  Atomics.store(words, sequenceAt, (sequence + 1) | 0);
}

interface ReadRow {
  readonly text: string;
  readonly value: number;
}

function read({ memory, numbers, words }: Arena, slot: number): ReadRow | null {
  const sequenceAt = 2 * (slot + 1);
  const sequence = Atomics.load(words, sequenceAt);
  const value = numbers[slot]!;
  if (value === 0) return null;
  // A decoder takes no shared memory.
  const bytes = new Uint8Array(memory, 8 * (slot + 2), TEXT_BYTES).slice(0, words[sequenceAt + 1]);
  const isWhole = sequence % 2 === 0 && Atomics.load(words, sequenceAt) === sequence;
  return isWhole ? { text: Buffer.from(bytes).toString(), value } : null;
}

const together: Readonly<Record<RowsShown, (a: number, b: number) => number>> = {
  greatest: Math.max,
  least: Math.min,
  sum: (a, b) => a + b,
};

/** What is open, of all threads; `lines` are those of their records. */
export function* rowSamples(arena: Arena, definition: Definition, lines: Iterable<number>): Generator<Sample> {
  const shown = together[definition.rows ?? 'greatest'];
  const found = new Map<string, number>();
  for (const line of lines) {
    const row = read(arena, arena.slotOf(line));
    if (row === null) continue;
    const before = found.get(row.text);
    found.set(row.text, before === undefined ? row.value : shown(row.value, before));
  }
  for (const [text, value] of found) {
    const values = JSON.parse(text) as readonly string[];
    const pairs = definition.labels.map((name, at) => [name, values[at]!] as const);
    yield { labels: Object.fromEntries(pairs), pairs: formatPairs(pairs), value };
  }
}
