/**
 * A set of whole numbers that mostly follow one another, as ranges: which blocks were read, and which of them others hold.
 * Invariant: ranges grow, and between two of them at least one number is missing. Cost: 16 B and O(log ranges) for each range.
 */

/** Both ends are in it. */
export type SequenceRange = readonly [from: number, to: number];

export class Sequences {
  #ranges: SequenceRange[] = [];

  get ranges(): readonly SequenceRange[] {
    return this.#ranges;
  }

  /** The greatest; 0 without any. */
  get last(): number {
    return this.#ranges.at(-1)?.[1] ?? 0;
  }

  /** Whether any number from `from` to `to` is in it. */
  overlaps(from: number, to = from): boolean {
    const found = this.#ranges[this.#at(from)];
    return found !== undefined && found[0] <= to;
  }

  add(from: number, to = from): void {
    // Those that it touches become one with it.
    const first = this.#at(from - 1);
    let end = first;
    let [low, high] = [from, to];
    for (; end < this.#ranges.length && this.#ranges[end]![0] <= to + 1; end++) {
      low = Math.min(low, this.#ranges[end]![0]);
      high = Math.max(high, this.#ranges[end]![1]);
    }
    this.#ranges.splice(first, end - first, [low, high]);
  }

  /** All of it; it is empty then. */
  take(): readonly SequenceRange[] {
    const taken = this.#ranges;
    this.#ranges = [];
    return taken;
  }

  /** The first range that ends at `number` or later. */
  #at(number: number): number {
    let [low, high] = [0, this.#ranges.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#ranges[middle]![1] < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
