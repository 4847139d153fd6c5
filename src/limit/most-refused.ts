/**
 * The keys that a limiter refuses most, told where it counts: a row for each key of the sketch (refused-keys.ts) that is surely one of them.
 *
 * A key has a row when more than half of what the sketch has counted in its place was its own: so of keys that come once, however many, none is told, and
 * there is no new series for each. Where another key is refused than the last time, only one in `EACH` of these is looked at, and counts for all: a
 * flood of refusals is when there is least time. So a count is right on average, and to within some `EACH` for a key that was refused a few times.
 * Cost of a refusal: a comparison and, of the same key as before, two additions; of another, every `EACH`th time that of the sketch, a hash and a look at
 * 16 numbers. Nothing for what is allowed.
 */
import { createRandom } from '../kernel/random.ts';
import type { MetricsSink } from '../observe/metrics/metrics.ts';
import type { Row, Rows } from '../observe/metrics/rows.ts';
import { createRefusedKeys, PLACES, RefusedKeys } from './refused-keys.ts';

/** All keys of twenty limiters. */
const ROWS_MAX = 320;
const EACH = 8;
/** So many are all looked at that are of another key: where few are refused, each matters and none costs anything. */
const ALL_OF_FIRST = 256;

interface Place {
  row: Row | null;
  /** From how many on a row is asked for, if there is none. */
  askFrom: number;
}

export class MostRefused {
  readonly #rows: Rows<'limit' | 'key'>;
  readonly #limit: string;
  readonly #showKeys: boolean;
  readonly #random = createRandom();
  readonly #keys = new RefusedKeys(createRefusedKeys(1, this.#random), 0);
  readonly #places: Place[] = Array.from({ length: PLACES }, () => ({ row: null, askFrom: 1 }));
  #last = '';
  /** Of the last key. */
  #row: Row | null = null;
  #looked = 0;
  /** How many are passed over until the next that is looked at. */
  #skip = 0;

  private constructor(rows: Rows<'limit' | 'key'>, limit: string, showKeys: boolean) {
    this.#rows = rows;
    this.#limit = limit;
    this.#showKeys = showKeys;
  }

  /** Null where there are no rows to tell it in. */
  static in(metrics: MetricsSink, limit: string, showKeys: boolean): MostRefused | null {
    const rows = metrics.rows?.({
      name: 'spillway_limit_most_refused',
      help: 'How often, about, the keys were refused that a limiter refuses most, or would in shadow mode; as hashes unless it shows them.',
      labels: ['limit', 'key'],
      rowsMax: ROWS_MAX,
      // Each thread has counted its own; of hashes none are equal.
      shown: 'sum',
    });
    return rows === undefined ? null : new MostRefused(rows, limit, showKeys);
  }

  count(key: string): void {
    if (key === this.#last) {
      // Nearly always, where one asks too often.
      if (this.#row !== null) this.#row.set(this.#keys.again());
      else this.#look(key, 1);
    } else if (this.#looked < ALL_OF_FIRST) {
      this.#looked += 1;
      this.#look(key, 1);
    } else if (this.#skip > 0) {
      this.#skip -= 1;
    } else {
      // Drawn, so that no order of keys is in step with it: from none to twice the mean.
      this.#skip = Math.floor(this.#random.unit() * (2 * EACH - 1));
      this.#look(key, EACH);
    }
  }

  #look(key: string, times: number): void {
    this.#last = key;
    const at = this.#keys.count(key, this.#showKeys, times);
    const place = this.#places[at]!;
    const surely = this.#keys.surely(at);
    const isNew = surely === times;
    if (isNew) {
      place.row?.close();
      place.row = null;
      place.askFrom = 1;
    }
    if (place.row !== null) place.row.set(surely);
    else if (surely >= place.askFrom && surely > this.#keys.over(at)) {
      place.row = this.#rows.open({ limit: this.#limit, key: this.#showKeys ? key : this.#keys.hash(at) }, surely);
      // Where there is no room.
      place.askFrom = 2 * surely;
    }
    this.#row = place.row;
  }
}
