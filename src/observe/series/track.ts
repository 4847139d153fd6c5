/**
 * One series at one resolution: what happened in each step of the last so many, as bytes.
 *
 * Steps are numbered from the epoch. One in which nothing happened is not kept and reads as nothing. The newest is held open; older ones are
 * in chunks of `RECORDS`, as the distance to the step before and what was added. What comes late is added to its own step, as a clock that was
 * set back makes everything for a while: the chunk it falls into is written anew.
 *
 * The bytes of a chunk are a string, a character each: V8 holds a string in its own heap, at its length and a word or two, where a typed array is
 * some objects and a piece of `malloc`, of which tens of thousands leave more holes than they hold.
 *
 * What is too old is let go of chunk by chunk as new ones are written, two for one: memory has a bound, and a clock that leaps ahead for a
 * moment and returns costs almost nothing, where it would cost everything if what it makes old were dropped at once.
 *
 * Cost: `add` to the open step some nanoseconds, to a new one some 100; a step of a counter 2 to 4 B. `total` is O(chunks) and the steps of two.
 */
import { ByteReader, ByteWriter, bytesOfText } from './bytes.ts';
import type { StepKind } from './kinds.ts';

/** What the bookkeeping of a chunk is of its bytes at that length: a third for a counter. */
const RECORDS = 240;
/** With so many bytes waiting, the newest records go to the others: some fifteen of a counter, and with the longest there still is room. */
const TAIL_BYTES = 48;
/** Of a chunk, beside its bytes: some 100 of its objects, and what it loses of the pages that the heap is made of, as measured. */
const CHUNK_BYTES = 232;

interface Chunk {
  /** Steps. */
  first: number;
  last: number;
  records: number;
  amount: number;
  /** Of the newest chunk, all but the tail. */
  text: string;
}

export interface TrackOptions<Step> {
  readonly kind: StepKind<Step>;
  /** How many steps it reaches back. */
  readonly steps: number;
  /** Told by how much its memory has grown or shrunk. */
  readonly onBytes: (bytes: number) => void;
}

export class Track<Step> {
  readonly #kind: StepKind<Step>;
  readonly #steps: number;
  readonly #onBytes: (bytes: number) => void;
  #chunks: Chunk[] = [];
  /** The newest records of the newest chunk. */
  readonly #tail = new ByteWriter(64);
  #head: { step: number; value: Step } | null = null;
  #gone = Number.NEGATIVE_INFINITY;

  constructor({ kind, steps, onBytes }: TrackOptions<Step>) {
    this.#kind = kind;
    this.#steps = steps;
    this.#onBytes = onBytes;
  }

  /** The newest step that holds something; null: none does. */
  get last(): number | null {
    return this.#head?.step ?? null;
  }

  /** The oldest step that holds something, be it too old by now. */
  get first(): number | null {
    return this.#chunks[0]?.first ?? this.last;
  }

  /** The oldest step that holds something, of those that it reaches back to. */
  get firstWithin(): number | null {
    if (this.#head === null) return null;
    const oldest = this.#head.step - this.#steps + 1;
    const chunk = this.#chunks[this.#chunkAt(oldest)];
    return chunk === undefined ? this.#head.step : Math.max(chunk.first, oldest);
  }

  /** The newest step that was let go of. */
  get gone(): number {
    return this.#gone;
  }

  /** False if it is too late: older than the track is long. */
  add(step: number, value: Step): boolean {
    const head = this.#head;
    if (head === null) this.#open(step, value);
    else if (step === head.step) head.value = this.#kind.add(head.value, value);
    else if (step > head.step) {
      this.#append(head.step, head.value);
      this.#open(step, value);
    } else if (step > head.step - this.#steps) this.#addLate(step, value);
    else return false;
    return true;
  }

  /** Each step from `from` to `to`, both included, that holds something, in order. What is given to `visit` is not to be kept or changed. */
  each(from: number, to: number, visit: (step: number, value: Step) => void): void {
    for (let at = this.#chunkAt(from); at < this.#chunks.length; at++) {
      const chunk = this.#chunks[at]!;
      if (chunk.first > to) break;
      this.#records(chunk, (step, value) => {
        if (step >= from && step <= to) visit(step, value);
      });
    }
    const head = this.#head;
    if (head !== null && head.step >= from && head.step <= to) visit(head.step, head.value);
  }

  /** Of a counter: all that was added from `from` to `to`, both included. */
  total(from: number, to: number): number {
    let total = 0;
    for (let at = this.#chunkAt(from); at < this.#chunks.length; at++) {
      const chunk = this.#chunks[at]!;
      if (chunk.first > to) break;
      if (chunk.first >= from && chunk.last <= to) total += chunk.amount;
      else {
        this.#records(chunk, (step, value) => {
          if (step >= from && step <= to) total += this.#kind.amount(value);
        });
      }
    }
    const head = this.#head;
    return head !== null && head.step >= from && head.step <= to ? total + this.#kind.amount(head.value) : total;
  }

  /** Lets go of its oldest chunk, if all of it is older than `share` of what the track is long; what is open stays. */
  shorten(share: number): void {
    const oldest = (this.#head?.step ?? 0) - this.#steps * share;
    if (this.#chunks.length > 1 && this.#chunks[0]!.last < oldest) this.#dropFirst();
  }

  /** Forgets all that is newer than `step`: a clock was ahead, and is not any more. */
  forgetAfter(step: number): void {
    const kept: [number, Step][] = [];
    if (this.#head !== null && this.#head.step > step) this.#head = null;
    while (this.#head === null && kept.length === 0 && this.#chunks.length > 0) {
      kept.push(...this.#decoded(this.#take(this.#chunks.length - 1)).filter(([at]) => at <= step));
    }
    // The newest that is left is the open one again.
    for (const [at, value] of kept) {
      if (this.#head !== null) this.#append(this.#head.step, this.#head.value);
      this.#open(at, value);
    }
  }

  /** Takes all of another track, whose memory is counted with its own: where both have something in a step, its own came later. */
  takeIn(earlier: Track<Step>): void {
    if (earlier.last === null) return;
    const own = this.#all();
    const gone = Math.max(this.#gone, earlier.#gone);
    this.clear();
    // Only what lies among its own is written anew.
    if (earlier.#chunks.length > 0) earlier.#join(earlier.#chunks.at(-1)!);
    this.#chunks = earlier.#chunks.splice(0, earlier.#chunkAt(own[0]?.[0] ?? Number.POSITIVE_INFINITY));
    const records = [...earlier.#all(), ...own].toSorted(([one], [other]) => one - other);
    earlier.clear();
    this.#gone = gone;
    const oldest = (records.at(-1)?.[0] ?? 0) - this.#steps;
    for (const [step, value] of records) if (step > oldest) this.add(step, value);
  }

  /** Gives all memory back. */
  clear(): void {
    while (this.#chunks.length > 0) this.#dropFirst();
    this.#head = null;
  }

  #open(step: number, value: Step): void {
    this.#head = { step, value: this.#kind.copy(value) };
  }

  /** The first chunk that ends at `step` or later. */
  #chunkAt(step: number): number {
    let [low, high] = [0, this.#chunks.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#chunks[middle]!.last < step) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #append(step: number, value: Step): void {
    let chunk = this.#chunks.at(-1);
    // None holds both what was before a clock leapt and what came after: the one is too old while the other is not.
    if (chunk === undefined || chunk.records >= RECORDS || step - chunk.last >= this.#steps) {
      if (chunk !== undefined) this.#join(chunk);
      chunk = this.#emptyChunk(step);
      this.#chunks.push(chunk);
      this.#letGo(step);
    }
    this.#write(this.#tail, chunk, [step, value]);
    if (this.#tail.used > TAIL_BYTES) this.#join(chunk);
  }

  #emptyChunk(step: number): Chunk {
    this.#onBytes(CHUNK_BYTES);
    return { first: step, last: step, records: 0, amount: 0, text: '' };
  }

  #write(out: ByteWriter, chunk: Chunk, [step, value]: readonly [number, Step]): void {
    const before = out.used;
    out.varint(step - chunk.last);
    this.#kind.write(out, value);
    chunk.last = step;
    chunk.records++;
    chunk.amount += this.#kind.amount(value);
    this.#onBytes(out.used - before);
  }

  /** Of the newest chunk. */
  #join(chunk: Chunk): void {
    const { bytes, used } = this.#tail;
    const { text } = chunk;
    const all = Buffer.allocUnsafe(text.length + used);
    all.write(text, 'latin1');
    bytes.copy(all, text.length, 0, used);
    chunk.text = all.toString('latin1');
    this.#tail.used = 0;
  }

  #letGo(now: number): void {
    for (let count = 0; count < 2 && (this.#chunks[0]?.last ?? now) <= now - this.#steps; count++) this.#dropFirst();
  }

  #dropFirst(): void {
    if (this.#chunks.length > 0) this.#gone = this.#take(0).last;
  }

  #addLate(step: number, value: Step): void {
    const found = this.#chunkAt(step);
    // Between two chunks it joins the one before; before all of them, or after, the nearest.
    const isInside = (this.#chunks[found]?.first ?? Number.POSITIVE_INFINITY) <= step;
    const at = isInside ? found : Math.max(0, found - 1);
    const records = at < this.#chunks.length ? this.#decoded(this.#take(at)) : [];
    const place = records.findIndex(([each]) => each >= step);
    const same = records[place];
    if (same?.[0] === step) same[1] = this.#kind.add(same[1], value);
    else records.splice(place === -1 ? records.length : place, 0, [step, this.#kind.copy(value)]);
    const chunks: Chunk[] = [];
    // Twice as long is split, so that a long time that comes late is not one chunk.
    const each = records.length >= 2 * RECORDS ? RECORDS : records.length;
    for (let from = 0; from < records.length; from += each) {
      const out = new ByteWriter(1024);
      const chunk = this.#emptyChunk(records[from]![0]);
      for (const record of records.slice(from, from + each)) this.#write(out, chunk, record);
      chunk.text = out.toText();
      chunks.push(chunk);
    }
    this.#chunks.splice(at, 0, ...chunks);
    this.#letGo(step);
  }

  #take(at: number): Chunk {
    const chunk = this.#chunks[at]!;
    if (at === this.#chunks.length - 1) this.#join(chunk);
    this.#chunks.splice(at, 1);
    this.#onBytes(-CHUNK_BYTES - chunk.text.length);
    return chunk;
  }

  #all(): [number, Step][] {
    const records = this.#chunks.flatMap((chunk) => this.#decoded(chunk));
    return this.#head === null ? records : [...records, [this.#head.step, this.#head.value]];
  }

  #decoded(chunk: Chunk): [number, Step][] {
    const records: [number, Step][] = [];
    this.#records(chunk, (step, value) => void records.push([step, value]));
    return records;
  }

  #records(chunk: Chunk, visit: (step: number, value: Step) => void): void {
    if (chunk === this.#chunks.at(-1)) this.#join(chunk);
    const reader = new ByteReader(bytesOfText(chunk.text));
    let step = chunk.first;
    while (!reader.isAtEnd) {
      step += reader.varint();
      visit(step, this.#kind.read(reader));
    }
  }
}
