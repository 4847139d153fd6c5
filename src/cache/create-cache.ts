/** What a cache may know for how long, read and checked: the options and the factory. */
import { STORE_DEADLINE_DEFAULT, STORE_DEADLINE_MAX_MS } from '../drivers/store-patience.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { checkDuration, checkKeys, invalid } from '../kernel/options.ts';
import { createRandom, type Random } from '../kernel/random.ts';
import { type Duration, parsePercentage, type Percentage, percentageExpected } from '../kernel/units.ts';
import type { MetricsSink } from '../observe/metrics/metrics.ts';
import type { Cache } from './cache.ts';
import { CacheAside } from './cache-aside.ts';
import { Memory, type MemoryCache, memoryCache } from './memory.ts';
import type { SharedCache } from './shared.ts';
import { SharedTier, type SharedTierOptions } from './shared-tier.ts';
import type { CurrentSpan } from '../kernel/current-span.ts';
import { Tally } from './tally.ts';

export interface StaleOptions {
  /** For how long after its end a value is served at once, while it is loaded again in the background. @defaultValue 0: not at all */
  readonly whileRevalidate?: Duration | number;
  /** For how long after its end a value is served if loading fails; both are counted from the end. @defaultValue 0: not at all */
  readonly ifError?: Duration | number;
}

export interface SharedOptions {
  /** `redisCache(client)`, or one of your own. Values go there as JSON. */
  readonly store: SharedCache;
  /**
   * How long to wait for a value that another process is loading, before it is loaded here too: up to 1 hour, and never more than half of the cache's
   * `deadline`, of which the rest is for loading. @defaultValue '5s'
   */
  readonly wait?: Duration | number;
  /**
   * How long a call to the store may take, from 1 ms to 1 minute, and never more than a quarter of the cache's `deadline`. What is not answered then is
   * loaded here. @defaultValue '500ms'
   */
  readonly deadline?: Duration | number;
}

export interface CacheOptions<Value = unknown> {
  /** What metrics and spans call it: 1 to 64 of `a-z A-Z 0-9 _ . -`. */
  readonly name: string;
  /**
   * How long a value is fresh: `'60s'`, or milliseconds, from 1 ms to 366 days. Or what says so of each value, such as of a token that knows its own end: of a
   * value whose ttl is 0 nothing is kept.
   */
  readonly ttl: Duration | number | ((value: NonNullable<Value>, key: string) => Duration | number);
  /** How long it is known that there is no value, null or undefined; 0 for not at all. It is never served after that. @defaultValue '5s', or the ttl if that is shorter */
  readonly absentTtl?: Duration | number;
  /** What is served that has ended. @defaultValue nothing */
  readonly stale?: StaleOptions;
  /**
   * How early a value that is asked for is loaded again in the background before its end: β of XFetch, from 0 (never) to 10. With 1, a value that takes 50 ms
   * to load and is asked for a thousand times a second is loaded again some 0.2 s before its end. @defaultValue 1
   */
  readonly earlyRefresh?: number;
  /** The largest share of a ttl that is taken away at random, so that what was loaded together does not end together: up to 50 %. @defaultValue '10%' */
  readonly jitter?: Percentage;
  /** How long a load may take, from 1 ms to 1 hour. After it, who waits gets an old value (`stale.ifError`) or `CACHE_LOAD_LATE`. @defaultValue '30s' */
  readonly deadline?: Duration | number;
  /** Where entries are; several caches may share it. @defaultValue a `memoryCache()` of its own */
  readonly memory?: MemoryCache;
  /** Behind the memory of each process, one store of all of them: a value is loaded once for the fleet. @defaultValue none */
  readonly shared?: SharedOptions;
  /** Where to count: the metrics of `spillway/observe`, or whatever has `counter`, `gauge` and `histogram` as they do. See docs/metrics.md. @defaultValue nowhere */
  readonly metrics?: MetricsSink;
  /** Whose current span gets an event `cache` for each request: the traces of `spillway/observe`. @defaultValue nobody's */
  readonly traces?: CurrentSpan;
  /** @defaultValue the machine's */
  readonly clock?: Clock;
  /** Of jitter and early refreshes. @defaultValue seeded by the operating system */
  readonly random?: Random;
}

const NAME = /^[\w.-]{1,64}$/;
const YEAR_MS = 366 * 86_400_000;
const ABSENT_DEFAULT_MS = 5000;
/** Longer than a query on a bad day; who waits for more has a deadline in mind. */
const DEADLINE_DEFAULT = '30s';
const DEADLINE_MAX_MS = 3_600_000;
/** Most loads are done by then; who loads for longer may be dead. */
const SHARED_WAIT_DEFAULT = '5s';
const EARLY_MAX = 10;
const JITTER_DEFAULT = '10%';
const JITTER_MAX = 0.5;

const names = ['name', 'ttl', 'absentTtl', 'stale', 'earlyRefresh', 'jitter', 'deadline', 'memory', 'shared', 'metrics', 'traces', 'clock', 'random']; // prettier-ignore

/**
 * A cache.
 *
 * @example
 * const products = createCache<{ title: string }>({ name: 'products', ttl: '60s', stale: { whileRevalidate: '30s', ifError: '10m' } });
 * const product = await products.get('42', async () => ({ title: 'Chair' }));
 * console.log(product.title, products.counts.loads); // Chair 1
 */
export function createCache<Value = unknown>(options: CacheOptions<Value>): Cache<Value> {
  checkKeys('createCache', options, names);
  const { name, ttl, memory = memoryCache(), metrics, traces, clock = systemClock, random = createRandom() } = options;
  if (typeof name !== 'string' || !NAME.test(name))
    throw invalid(`createCache: name is “${name}”; expected 1 to 64 of the characters a-z A-Z 0-9 _ . -`);
  if (!(memory instanceof Memory)) throw invalid('createCache: memory is none; expected memoryCache({ … }).');
  const fixedMs = typeof ttl === 'function' ? YEAR_MS : checkDuration('createCache: ttl', ttl, 1, YEAR_MS);
  const absentDefaultMs = Math.min(fixedMs, ABSENT_DEFAULT_MS);
  const { whileRevalidate, ifError, earlyRefresh, jitter } = readFreshness(options);
  const deadlineMs = checkDuration('createCache: deadline', options.deadline ?? DEADLINE_DEFAULT, 1, DEADLINE_MAX_MS);
  const tally = new Tally({ name, metrics: metrics ?? null, traces: traces ?? null });
  const shared = options.shared === undefined ? null : readShared(options.shared, deadlineMs);
  return new CacheAside<Value>({
    name,
    ttlMs: typeof ttl === 'function' ? ttlFrom(ttl as (value: Value, key: string) => Duration | number) : () => fixedMs,
    absentMs: checkDuration('createCache: absentTtl', options.absentTtl ?? absentDefaultMs, 0, YEAR_MS),
    freshness: { earlyRefresh, jitter, whileRevalidateMs: whileRevalidate, ifErrorMs: ifError },
    deadlineMs,
    memory,
    shared: shared && new SharedTier({ ...shared, name, loadMs: deadlineMs, tally, clock, random }),
    tally,
    clock,
    random,
  });
}

function readFreshness({ stale = {}, earlyRefresh = 1, jitter = JITTER_DEFAULT }: CacheOptions<never>): {
  readonly whileRevalidate: number;
  readonly ifError: number;
  readonly earlyRefresh: number;
  readonly jitter: number;
} {
  checkKeys('createCache: stale', stale, ['whileRevalidate', 'ifError']);
  if (!(earlyRefresh >= 0 && earlyRefresh <= EARLY_MAX))
    throw invalid(`createCache: earlyRefresh is ${earlyRefresh}; expected a number from 0 to ${EARLY_MAX}.`);
  const share = parsePercentage(jitter);
  if (!share.ok || share.value > JITTER_MAX)
    throw invalid(`createCache: jitter is “${jitter}”; expected ${percentageExpected}, and at most 50%.`);
  return {
    whileRevalidate: checkDuration('createCache: stale.whileRevalidate', stale.whileRevalidate ?? 0, 0, YEAR_MS),
    ifError: checkDuration('createCache: stale.ifError', stale.ifError ?? 0, 0, YEAR_MS),
    earlyRefresh,
    jitter: share.value,
  };
}

/** Who waits for others and for the store is to have time left to load by himself. */
function readShared(shared: SharedOptions, loadMs: number): Pick<SharedTierOptions, 'store' | 'waitMs' | 'deadlineMs'> {
  checkKeys('createCache: shared', shared, ['store', 'wait', 'deadline']);
  const { store, wait = SHARED_WAIT_DEFAULT, deadline = STORE_DEADLINE_DEFAULT } = shared;
  if (typeof store?.ask !== 'function')
    throw invalid('createCache: shared.store is none; expected one such as redisCache(client).');
  return {
    store,
    waitMs: Math.min(loadMs / 2, checkDuration('createCache: shared.wait', wait, 0, DEADLINE_MAX_MS)),
    deadlineMs: Math.min(loadMs / 4, checkDuration('createCache: shared.deadline', deadline, 1, STORE_DEADLINE_MAX_MS)),
  };
}

/** Of each value, as its function says. */
function ttlFrom<Value>(ttl: (value: Value, key: string) => Duration | number): (value: Value, key: string) => number {
  return (value, key) => checkDuration(`ttl of “${key}”`, ttl(value, key), 0, YEAR_MS);
}
