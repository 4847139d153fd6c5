/**
 * Four Redis servers with every key in their cache; a fifth joins under load. Counted is what a database would feel: hits, misses, and
 * which keys were loaded again.
 *
 * The requests are the same in each run: the key of request `n` follows from `n`. How many pass while the fifth server starts is up to
 * the machine, so counting begins anew when it has its first key.
 */
import { type Placement, xxh64 } from 'spillway/ring';
import { RedisServer } from '../../test/servers/redis.ts';
import { CacheCluster } from './cache.ts';

export const KEYS = 10_000;
/** Requests to a point of the curve. */
export const WINDOW = 1000;
export const [WINDOWS_BEFORE, WINDOWS_AFTER] = [5, 20];
const SERVERS = 4;
/** As many requests are under way at once. */
const LANES = 32;

export interface Run {
  readonly algorithm: string;
  /** Hits in each thousand requests. */
  readonly before: readonly number[];
  readonly after: readonly number[];
  /** Keys that the change put on another server, by asking both placements. */
  readonly moved: ReadonlySet<string>;
  /** Keys that were not in the cache any more, among all. */
  readonly missed: ReadonlySet<string>;
}

const keyOf = (number: number): string => `user:${number % KEYS}`;
const allKeys = Array.from({ length: KEYS }, (_, number) => keyOf(number));

/** Does `work` for each of `items` in so many lanes. */
async function inLanes<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const iterator = items[Symbol.iterator]();
  const lane = async (): Promise<void> => {
    for (let next = iterator.next(); next.done !== true; next = iterator.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

/** Hits by thousands of requests, from the last `begin` on. */
class Counter {
  windows: number[] = [];
  #requests = 0;
  #hits = 0;
  #reached = { windows: Number.POSITIVE_INFINITY, resolve: (): void => {} };

  count(isHit: boolean): void {
    this.#hits += isHit ? 1 : 0;
    if (++this.#requests < WINDOW) return;
    this.windows.push(this.#hits);
    this.#requests = this.#hits = 0;
    if (this.windows.length >= this.#reached.windows) this.#reached.resolve();
  }

  /** What was counted so far; counts from nothing again. */
  begin(): number[] {
    const counted = this.windows;
    this.windows = [];
    this.#requests = this.#hits = 0;
    return counted;
  }

  reach(windows: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#reached = { windows, resolve };
    return promise;
  }
}

/** One run, with servers of its own; `empty` is a placement without nodes. */
export async function addServerUnderLoad(empty: Placement): Promise<Run> {
  await using servers = new AsyncDisposableStack();
  const start = async (): Promise<number> => servers.use(await RedisServer.start()).port;
  // Stands for the database: what it would be asked is counted as a miss.
  using cluster = new CacheCluster(empty, async (key) => `the value of ${key}`);
  const ports = await Promise.all(Array.from({ length: SERVERS }, start));
  for (const [index, port] of ports.entries()) await cluster.join(`cache-${index + 1}`, port);
  await inLanes(allKeys, async (key) => void (await cluster.get(key)));

  const counter = new Counter();
  const missed = new Set<string>();
  const ask = async (key: string): Promise<void> => {
    const { isHit } = await cluster.get(key);
    counter.count(isHit);
    if (!isHit) missed.add(key);
  };
  let isOver = false;
  function* requests(): Generator<string> {
    for (let number = 0; !isOver; number++) yield keyOf(xxh64(`request ${number}`) >>> 0);
  }
  const load = inLanes(requests(), ask);
  await Promise.race([counter.reach(WINDOWS_BEFORE), load]);

  const old = cluster.placement;
  await cluster.join(`cache-${SERVERS + 1}`, await start());
  const before = counter.begin().slice(-WINDOWS_BEFORE);
  await Promise.race([counter.reach(WINDOWS_AFTER), load]);
  isOver = true;
  const after = counter.windows.slice(0, WINDOWS_AFTER);
  await load;

  // Some keys were not asked for in all that time.
  await inLanes(allKeys, ask);
  const moved = new Set(allKeys.filter((key) => old.get(key) !== cluster.placement.get(key)));
  return { algorithm: old.algorithm, before, after, moved, missed };
}
