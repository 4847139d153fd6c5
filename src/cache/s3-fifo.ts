/**
 * Which entry leaves when there is no room: S3-FIFO, three queues in which whoever came first is looked at first. What is new waits in a
 * small queue, a tenth of the room; if it was asked for more than once there it moves to the main queue, else it leaves and only its key is
 * remembered, in the *ghosts*. Whoever comes back while its key is there goes to the main queue at once. What was asked for in the main
 * queue gets another turn in it, up to three.
 *
 * - Resistant to scans: what is asked for once, however much of it there is, passes through a tenth of the room.
 * - A use is a number that grows to 3. No list is touched, which is what a use costs in LRU.
 * - Weights are counted beside entries: the room has a bound for each, and the small queue a tenth of either.
 *
 * Why it and not another: SIEVE is simpler and, as its authors say, not resistant to scans; W-TinyLFU is as good and needs a sketch that
 * ages, and moves entries at each use. `npm run bench -- cache --only policy` measures hit ratios beside LRU.
 *
 * Cost: O(1) a use and an insertion; an eviction O(1) in the long run, though a single one may give turns to all of the main queue. At most as many
 * ghosts as entries in the main queue, whose keys take no more than a tenth of the weight that there is room for, of two a letter.
 * Source: Yang, Zhang, Qiu, Yue, Rashmi, “FIFO queues are all you need for cache eviction”, SOSP 2023, algorithm 1. Pure: it holds links, and no
 * values and no time. What it is not: a map; who puts an entry in has found that it is not there.
 */

/** What is linked: an entry of a cache. The policy writes all but the key. */
export interface Queued {
  /** By which it is known when it comes back. */
  readonly key: string;
  weight: number;
  /** How often it was asked for since it came or had its last turn: up to `USES_MAX`. */
  uses: number;
  queue: Queue | null;
  newer: Queued | null;
  older: Queued | null;
}

/** Two bits in the paper. */
export const USES_MAX = 3;
/** From so many uses in the small queue on, it moves to the main one. */
const USES_TO_STAY = 2;
const SMALL_RATIO = 0.1;
/** Of the letters of a ghost, as of those of an entry's key. */
const LETTER_WEIGHT = 2;
/** When there are too many ghosts so many are left. */
const GHOSTS_LEFT = 7 / 8;

/** Doubly linked, so that what is deleted leaves at once. */
class Queue {
  newest: Queued | null = null;
  oldest: Queued | null = null;
  count = 0;
  weight = 0;

  push(entry: Queued): void {
    entry.queue = this;
    entry.newer = null;
    entry.older = this.newest;
    if (this.newest === null) this.oldest = entry;
    else this.newest.newer = entry;
    this.newest = entry;
    this.count += 1;
    this.weight += entry.weight;
  }

  remove(entry: Queued): void {
    if (entry.newer === null) this.newest = entry.older;
    else entry.newer.older = entry.older;
    if (entry.older === null) this.oldest = entry.newer;
    else entry.older.newer = entry.newer;
    entry.queue = entry.newer = entry.older = null;
    this.count -= 1;
    this.weight -= entry.weight;
  }
}

export class S3Fifo<Entry extends Queued> {
  readonly #countMax: number;
  readonly #weightMax: number;
  readonly #small = new Queue();
  readonly #main = new Queue();
  /** Their keys, the oldest first. */
  readonly #ghosts = new Set<string>();
  #ghostWeight = 0;

  constructor(countMax: number, weightMax: number) {
    this.#countMax = countMax;
    this.#weightMax = weightMax;
  }

  get count(): number {
    return this.#small.count + this.#main.count;
  }

  get weight(): number {
    return this.#small.weight + this.#main.weight;
  }

  get ghosts(): number {
    return this.#ghosts.size;
  }

  /** Takes an entry in, and tells who leaves for it: never the entry itself, whose weight must be within the room. */
  add(entry: Entry, leaves: (evicted: Entry) => void): void {
    while (this.count + 1 > this.#countMax || this.weight + entry.weight > this.#weightMax) leaves(this.#evict());
    entry.uses = 0;
    const knownBefore = this.#ghosts.has(entry.key);
    if (knownBefore) this.#forget(entry.key);
    (knownBefore ? this.#main : this.#small).push(entry);
  }

  /** It is heavier or lighter than it was, and may itself be who leaves. */
  reweigh(entry: Entry, weight: number, leaves: (evicted: Entry) => void): void {
    entry.queue!.weight += weight - entry.weight;
    entry.weight = weight;
    while (this.weight > this.#weightMax) leaves(this.#evict());
  }

  /** It was deleted: it leaves no ghost. */
  remove(entry: Entry): void {
    entry.queue?.remove(entry);
  }

  #evict(): Entry {
    for (;;) {
      const small = this.#small.oldest;
      const isSmallsTurn =
        this.#main.oldest === null ||
        this.#small.count > SMALL_RATIO * this.#countMax ||
        this.#small.weight > SMALL_RATIO * this.#weightMax;
      if (small !== null && isSmallsTurn) {
        this.#small.remove(small);
        if (small.uses < USES_TO_STAY) {
          this.#remember(small.key);
          return small as Entry;
        }
        this.#move(small, 0);
      } else {
        const oldest = this.#main.oldest!;
        this.#main.remove(oldest);
        if (oldest.uses === 0) return oldest as Entry;
        this.#move(oldest, oldest.uses - 1);
      }
    }
  }

  #move(entry: Queued, uses: number): void {
    entry.uses = uses;
    this.#main.push(entry);
  }

  #remember(key: string): void {
    if (!this.#ghosts.has(key)) this.#ghostWeight += LETTER_WEIGHT * key.length;
    this.#ghosts.add(key);
    // As many as the main queue has, and some at the beginning, when it has none.
    const max = Math.max(this.#main.count, Math.ceil(SMALL_RATIO * this.#countMax));
    const weightMax = SMALL_RATIO * this.#weightMax;
    if (this.#ghosts.size <= max && this.#ghostWeight <= weightMax) return;
    // WHY many at once: to get at the oldest of a set is to pass the places of all that have left it.
    for (const oldest of this.#ghosts) {
      this.#forget(oldest);
      if (this.#ghosts.size <= Math.ceil(GHOSTS_LEFT * max) && this.#ghostWeight <= GHOSTS_LEFT * weightMax) break;
    }
  }

  #forget(ghost: string): void {
    this.#ghosts.delete(ghost);
    this.#ghostWeight -= LETTER_WEIGHT * ghost.length;
  }
}
