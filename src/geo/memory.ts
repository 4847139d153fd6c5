/**
 * The store in the memory of this process: what the stores on servers answer, without a server. For tests, and for a service that is one
 * process today: whoever writes to `GeoStore` changes the line that makes the store and nothing else.
 *
 * Texts are given numbers, and a quadtree has the numbers. An index with numbers of your own answers without a promise, and without looking
 * twice: where there will be no server, take that.
 *
 * Cost: that of quadtree.ts, and for each thing its text twice in a list and a map; putting in is O(depth), and all or nothing.
 */
import { SpillwayError } from '../kernel/errors.ts';
import { checkKeys } from '../kernel/options.ts';
import type { GeoStore, Placed } from './geo-index.ts';
import { EARTH_RADIUS_M, haversine, type Measure } from './measure.ts';
import type { Box, Position } from './position.ts';
import { createQuadtree, type Quadtree } from './quadtree.ts';
import { angleOfKth } from './reach.ts';
import { ANSWERS_MAX, type Backend, checkAnswersMax, type Search, ServerStore, tooMany } from './server-store.ts';

export interface MemoryStoreOptions {
  /** How many things there can be: 1 to 67,108,864. One more is refused with `STORE_REFUSED`. */
  readonly capacity: number;
  /** How distances are measured. @defaultValue haversine() */
  readonly measure?: Measure;
  /** A question that finds more fails with `ANSWER_TOO_LARGE`: 1 to 10,000,000. @defaultValue 100,000 */
  readonly answersMax?: number;
}

/** More than anything rounds: what is too much is measured again. */
const MARGIN_M = 1e-3;

class MemoryBackend implements Backend {
  readonly #index: Quadtree;
  readonly #answersMax: number;
  readonly #numbers = new Map<string, number>();
  /** By their numbers. */
  readonly #ids: string[] = [];
  readonly #free: number[] = [];

  constructor(capacity: number, answersMax: number) {
    this.#index = createQuadtree({ capacity });
    this.#answersMax = answersMax;
  }

  async set(placed: readonly Placed<string>[], signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { capacity } = this.#index;
    const more = new Set(placed.map(({ id }) => id).filter((id) => !this.#numbers.has(id))).size;
    if (this.#numbers.size + more > capacity) {
      const room = `${this.#numbers.size} things are in the store and ${more} more are too many for its capacity, ${capacity}`;
      throw new SpillwayError('STORE_REFUSED', `${room}: remove some, or give it more.`);
    }
    for (const each of placed) this.#index.set(this.#numberOf(each.id), each);
  }

  #numberOf(id: string): number {
    const known = this.#numbers.get(id);
    if (known !== undefined) return known;
    const number = this.#free.pop() ?? this.#ids.length;
    this.#ids[number] = id;
    this.#numbers.set(id, number);
    return number;
  }

  async remove(id: string, signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    const number = this.#numbers.get(id);
    if (number === undefined) return false;
    this.#index.remove(number);
    this.#numbers.delete(id);
    this.#ids[number] = '';
    this.#free.push(number);
    return true;
  }

  async around(center: Position, angle: number, signal: AbortSignal): Promise<Placed<string>[]> {
    signal.throwIfAborted();
    return this.#named(this.#index.within(center, angle * EARTH_RADIUS_M + MARGIN_M, { limit: this.#answersMax + 1 }));
  }

  async nearest({ center, k, angleMax, stretch }: Search, signal: AbortSignal): Promise<Placed<string>[]> {
    signal.throwIfAborted();
    const some = this.#index.nearest(center, Math.min(k, this.#answersMax + 1));
    // Those as far as the last, and by another measure those not much farther, may come before it.
    return this.around(center, Math.min(angleMax, angleOfKth(center, k, some) * stretch), signal);
  }

  async inBox(box: Box, signal: AbortSignal): Promise<Placed<string>[]> {
    signal.throwIfAborted();
    return this.#named(this.#index.inBox(box));
  }

  #named(found: readonly Placed[]): Placed<string>[] {
    if (found.length > this.#answersMax) throw tooMany(this.#answersMax);
    return found.map(({ id, lat, lon }) => ({ id: this.#ids[id]!, lat, lon }));
  }
}

/**
 * Positions in this process.
 *
 * @example
 * const drivers = memoryStore({ capacity: 1000 });
 * await drivers.set('anna', { lat: 48.2082, lon: 16.3738 });
 * console.log((await drivers.nearest({ lat: 48.21, lon: 16.37 }, 5)).map(({ id }) => id)); // [ 'anna' ]
 */
export function memoryStore(options: MemoryStoreOptions): GeoStore {
  checkKeys('memoryStore', options, ['capacity', 'measure', 'answersMax']);
  const { capacity, measure = haversine(), answersMax = ANSWERS_MAX } = options;
  checkAnswersMax(answersMax);
  return new ServerStore(new MemoryBackend(capacity, answersMax), measure);
}
