/**
 * Counters over rows: an algorithm applied to the numbers of a key, wherever a local store keeps them.
 *
 * `Rows` is what a local store is: it finds the numbers of a key and holds them still while they are worked on.
 */
import type { Algorithm, Ask, Outcome } from './algorithm.ts';
import { invalid } from './options.ts';
import { type Counters, hasLeases, type StoreTime } from './store.ts';

export interface Rows {
  /** The numbers of the row that was entered last, from the offset that `enter` gave. */
  readonly numbers: Float64Array;
  /** Others work on the rows as well, so that time must be read while a row is held: later takes of a key never have an earlier one. */
  readonly shared: boolean;
  /** Finds the row of a key and holds it; makes one if `create` says so, else answers -1 where there is none. */
  enter(key: string, create: boolean): number;
  /**
   * Lets go of the row that was entered last; `changed` says whether its numbers were written. False if what was done to it does
   * not count, because the row was taken from under it: enter again.
   */
  leave(changed: boolean): boolean;
  /** Forgets a key. */
  remove(key: string): void;
}

export class RowCounters<R extends Rows = Rows> implements Counters {
  readonly rows: R;
  readonly #algorithm: Algorithm;
  readonly #time: StoreTime;
  /** A key that nobody has used: what `peek` looks at where there is no row. */
  readonly #untouched: Float64Array;

  constructor(rows: R, algorithm: Algorithm, time: StoreTime) {
    this.rows = rows;
    this.#algorithm = algorithm;
    this.#time = time;
    this.#untouched = new Float64Array(algorithm.width);
  }

  take(key: string, ask: Ask, out: Outcome): void {
    const { rows } = this;
    // Where that may be, before the row is sought: who reads the clock waits for all memory that was asked for before.
    if (!rows.shared) ask.nowUs = this.#time.nowUs();
    do {
      const at = rows.enter(key, true);
      if (rows.shared) ask.nowUs = this.#time.nowUs();
      this.#algorithm.take(rows.numbers, at, ask, out);
    } while (!rows.leave(true));
  }

  /** As `take`, at the moment that `ask` says, of rows that are of this thread alone. */
  takeAt(key: string, ask: Ask, out: Outcome): void {
    const { rows } = this;
    const at = rows.enter(key, true);
    this.#algorithm.take(rows.numbers, at, ask, out);
    rows.leave(true);
  }

  peek(key: string, ask: Ask, out: Outcome): void {
    const at = this.rows.enter(key, false);
    ask.nowUs = this.#time.nowUs();
    this.#look(at, ask, out);
  }

  /** As `peek`, at the moment that `ask` says. */
  peekAt(key: string, ask: Ask, out: Outcome): void {
    this.#look(this.rows.enter(key, false), ask, out);
  }

  #look(at: number, ask: Ask, out: Outcome): void {
    const { rows } = this;
    if (at < 0) {
      this.#algorithm.peek(this.#untouched, 0, ask, out);
      return;
    }
    this.#algorithm.peek(rows.numbers, at, ask, out);
    rows.leave(true);
  }

  refund(key: string, ask: Ask): void {
    const algorithm = this.#algorithm;
    if (hasLeases(algorithm)) throw invalid(`refund: ${algorithm.kind} has leases; release gives back what was taken.`);
    this.#change(key, ask, (numbers, at) => {
      algorithm.refund(numbers, at, ask);
      return true;
    });
  }

  reset(key: string): void {
    this.rows.remove(key);
  }

  release(key: string, ask: Ask): boolean {
    const algorithm = this.#algorithm;
    if (!hasLeases(algorithm))
      throw invalid(`release: ${algorithm.kind} has no leases; refund gives back what was taken.`);
    return this.#change(key, ask, (numbers, at) => algorithm.release(numbers, at, ask));
  }

  renew(key: string, ask: Ask): boolean {
    const algorithm = this.#algorithm;
    if (!hasLeases(algorithm)) throw invalid(`renew: ${algorithm.kind} has no leases.`);
    return this.#change(key, ask, (numbers, at) => algorithm.renew(numbers, at, ask));
  }

  #change(key: string, ask: Ask, change: (numbers: Float64Array, at: number) => boolean): boolean {
    const { rows } = this;
    for (;;) {
      const at = rows.enter(key, false);
      if (at < 0) return false;
      ask.nowUs = this.#time.nowUs();
      const changed = change(rows.numbers, at);
      if (rows.leave(true)) return changed;
    }
  }
}
