/**
 * What the series of a block are, as bytes: each text and each set of bounds once, and of a series which of them it has.
 *
 * Every block has its own, so that it can be read without any other. From one to the next they mostly are the same bytes, and are read once then;
 * a series is the same object in all blocks of a reader. Cost: some 10 B of a series; read anew, some 300 ns.
 */
import { STEP, type Steps } from '../../kernel/steps.ts';
import type { ByteReader, ByteWriter } from './bytes.ts';
import type { Entry, SeriesIdentity } from './entry.ts';

/** Numbers in a step: each is a byte or two. */
const ROWS_STEP = 20 * STEP;
const kindWords = ['counter', 'gauge', 'histogram'] as const;

interface Bounds {
  readonly number: number;
  readonly bounds: Float64Array;
}

export class DictionaryWriter {
  readonly #numbers = new Map<Entry, number>();
  readonly #texts = new Map<string, number>();
  readonly #bounds = new Map<string, Bounds>();
  /** Many series have the same array, which need not be made a text of for each. */
  readonly #numbersOfBounds = new Map<Float64Array, number>();
  readonly #rows: number[] = [];

  /** The number of a series in its block. */
  numberOf(entry: Entry): number {
    const known = this.#numbers.get(entry);
    if (known !== undefined) return known;
    const number = this.#numbers.size;
    this.#numbers.set(entry, number);
    const labels = Object.entries(entry.labels).flat();
    this.#rows.push(kindWords.indexOf(entry.kind) * 2 + (entry.detail === 'full' ? 1 : 0), this.#text(entry.name));
    this.#rows.push(labels.length / 2);
    for (const text of labels) this.#rows.push(this.#text(text));
    if (entry.kind === 'histogram') this.#rows.push(this.#boundsOf(entry.bounds));
    return number;
  }

  *write(out: ByteWriter): Steps<void> {
    out.varint(this.#texts.size);
    let written = 0;
    for (const text of this.#texts.keys()) {
      if (++written % STEP === 0) yield;
      out.text(text);
    }
    out.varint(this.#bounds.size);
    for (const { bounds } of this.#bounds.values()) {
      out.varint(bounds.length);
      for (const bound of bounds) out.number(bound);
    }
    out.varint(this.#numbers.size);
    for (const [at, value] of this.#rows.entries()) {
      if (at % ROWS_STEP === ROWS_STEP - 1) yield;
      out.varint(value);
    }
  }

  #text(text: string): number {
    let number = this.#texts.get(text);
    if (number === undefined) this.#texts.set(text, (number = this.#texts.size));
    return number;
  }

  #boundsOf(bounds: Float64Array): number {
    const known = this.#numbersOfBounds.get(bounds);
    if (known !== undefined) return known;
    const key = bounds.join();
    const equal = this.#bounds.get(key) ?? { number: this.#bounds.size, bounds };
    this.#bounds.set(key, equal);
    this.#numbersOfBounds.set(bounds, equal.number);
    return equal.number;
  }
}

export class DictionaryReader {
  /** Of each text and each set of bounds that any block had. */
  readonly #texts = new Map<string, number>();
  readonly #bounds = new Map<string, Bounds>();
  readonly #known = new Map<string, SeriesIdentity>();

  read(from: ByteReader): readonly SeriesIdentity[] {
    const texts = Array.from({ length: from.count() }, () => from.text());
    const bounds = Array.from({ length: from.count() }, () => this.#readBounds(from));
    return Array.from({ length: from.count() }, () => this.#readSeries(from, { texts, bounds }));
  }

  #readBounds(from: ByteReader): Bounds {
    const bounds = Float64Array.from({ length: from.count() }, () => from.number());
    const key = bounds.join();
    let known = this.#bounds.get(key);
    if (known === undefined) this.#bounds.set(key, (known = { number: this.#bounds.size + 1, bounds }));
    return known;
  }

  #readSeries(
    from: ByteReader,
    { texts, bounds }: { readonly texts: readonly string[]; readonly bounds: readonly Bounds[] },
  ): SeriesIdentity {
    const mark = from.varint();
    const kind = kindWords[mark >> 1];
    if (kind === undefined) throw new RangeError('no kind of series');
    const name = at(texts, from.varint());
    const pairs = Array.from({ length: from.count() * 2 }, () => at(texts, from.varint()));
    const own = kind === 'histogram' ? at(bounds, from.varint()) : noBounds;
    const key = [mark, own.number, this.#numberOf(name), ...pairs.map((text) => this.#numberOf(text))].join();
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const labels: Record<string, string> = {};
    for (let pair = 0; pair < pairs.length; pair += 2) labels[pairs[pair]!] = pairs[pair + 1]!;
    const identity = { kind, detail: mark % 2 === 1 ? 'full' : 'brief', name, labels, bounds: own.bounds } as const;
    this.#known.set(key, identity);
    return identity;
  }

  #numberOf(text: string): number {
    let number = this.#texts.get(text);
    if (number === undefined) this.#texts.set(text, (number = this.#texts.size));
    return number;
  }
}

const noBounds: Bounds = { number: 0, bounds: new Float64Array(0) };

function at<Value>(values: readonly Value[], number: number): Value {
  const value = values[number];
  if (value === undefined) throw new RangeError('not in the dictionary');
  return value;
}
