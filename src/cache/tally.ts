/**
 * What becomes of requests and loads of a cache: counted always, in numbers; where somebody wants it, also in metrics; and told to the span that
 * runs. The key is never a label nor an attribute: there are as many as there are things, and they may be secrets.
 *
 * Invariant: no answer depends on who counts it: what metrics or spans of a user's own throw goes no further.
 * Series: 8 results, 12 loads and 7 others a cache at most. Cost of a hit: an addition, with metrics another, and for a span that is kept an event
 * (`npm run bench -- cache --only hit`).
 */
import { quietly } from '../kernel/quietly.ts';
import type { Counter, Gauge, Histogram } from '../observe/metrics/instruments.ts';
import type { Family, MetricsSink } from '../observe/metrics/metrics.ts';
import type { CurrentSpan, EventSpan } from '../kernel/current-span.ts';
import type { EvictionCause, ShelfWitness } from './memory.ts';

/**
 * How a request ended. At once: `hit`, `absent` (known not to exist), `stale` (ended, and being refreshed), `stale_error` (ended, and loading
 * fails). After a load: `miss` (began it), `joined` (waited for one that another had begun), `stale_error` too, `failed`. Or `aborted` by its signal.
 */
export const results = ['hit', 'absent', 'stale', 'stale_error', 'miss', 'joined', 'failed', 'aborted'] as const;
export type CacheResult = (typeof results)[number];

/** How a load ended: `found` in the shared store, where another process had brought it; `late` at its deadline, `outdated` when the key was set or deleted meanwhile, `abandoned` when nobody waited any more. */
export type LoadOutcome = 'loaded' | 'found' | 'absent' | 'outdated' | 'failed' | 'late' | 'abandoned';

/** How a call to a shared store ended: `late` is one whose deadline was over first. */
export type StoreOutcome = 'answered' | 'failed' | 'late';

/** For whom it was: who asked waits for it, or has been answered already. */
export type LoadReason = 'miss' | 'refresh';

export type CacheCounts = Readonly<
  Record<CacheResult, number> & {
    /** Loads that were begun, those in the background included. */
    readonly loads: number;
    /** Of them, refreshes in the background that failed or were late: nobody was told. */
    readonly refreshesFailed: number;
    readonly evictions: number;
  }
>;

/** From what a map in memory answers to a report. */
const LOAD_BOUNDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export class CacheMetrics {
  readonly #cache: string;
  readonly #requests: Family<Counter, number, 'cache' | 'result'>;
  readonly #loads: Family<Histogram, unknown, 'cache' | 'reason' | 'outcome'>;
  readonly #evictions: Family<Counter, number, 'cache' | 'cause'>;
  readonly #calls: Family<Histogram, unknown, 'cache' | 'store' | 'outcome'>;
  readonly #entries: Gauge;
  readonly #bytes: Gauge;
  readonly #bound: { [result in CacheResult]?: Counter } = {};

  constructor(metrics: MetricsSink, cache: string) {
    this.#cache = cache;
    this.#requests = metrics.counter({
      name: 'spillway_cache_requests_total',
      help: 'Requests to a cache: hit, absent, stale, stale_error (loading failed), miss (began a load), joined (waited for the same), failed or aborted.',
      labels: ['cache', 'result'],
    });
    this.#loads = metrics.histogram({
      name: 'spillway_cache_load_duration_seconds',
      help: 'Loads of a cache, for who waits (miss) or in the background (refresh): loaded, found (in the shared store), absent, outdated (set or deleted meanwhile), failed, late or abandoned.',
      labels: ['cache', 'reason', 'outcome'],
      bounds: LOAD_BOUNDS,
    });
    this.#evictions = metrics.counter({
      name: 'spillway_cache_evictions_total',
      help: 'Entries that left a cache because their room was wanted (room), or that are larger than all of it (size).',
      labels: ['cache', 'cause'],
    });
    this.#calls = metrics.histogram({
      name: 'spillway_cache_store_duration_seconds',
      help: 'From a call of a cache to its shared store to its answer, its failure, or its deadline.',
      labels: ['cache', 'store', 'outcome'],
      // A store is near: most answers come within a millisecond.
      bounds: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
    });
    const labels = ['cache'] as const;
    this.#entries = metrics
      .gauge({ name: 'spillway_cache_entries', help: 'Entries in the memory of a cache.', labels })
      .bind({ cache });
    this.#bytes = metrics
      .gauge({
        name: 'spillway_cache_bytes',
        help: 'What the entries of a cache take in memory, by their sizes.',
        labels,
      })
      .bind({ cache });
  }

  answered(result: CacheResult, requests: number): void {
    try {
      const counter = (this.#bound[result] ??= this.#requests.bind({ cache: this.#cache, result }));
      counter.add(requests);
    } catch {
      // WHY nothing is said: the metrics, where it could be said, are what failed.
    }
  }

  loaded(reason: LoadReason, outcome: LoadOutcome, tookMs: number): void {
    quietly(() => this.#loads.bind({ cache: this.#cache, reason, outcome }).observe(tookMs / 1000));
  }

  called(store: string, outcome: StoreOutcome, tookMs: number): void {
    quietly(() => this.#calls.bind({ cache: this.#cache, store, outcome }).observe(tookMs / 1000));
  }

  changed(entries: number, bytes: number): void {
    quietly(() => {
      this.#entries.add(entries);
      this.#bytes.add(bytes);
    });
  }

  evicted(cause: EvictionCause): void {
    quietly(() => this.#evictions.bind({ cache: this.#cache, cause }).add());
  }
}

export interface TallyOptions {
  readonly name: string;
  readonly metrics: MetricsSink | null;
  readonly traces: CurrentSpan | null;
}

export class Tally implements ShelfWitness {
  readonly #counts: Record<CacheResult, number>;
  readonly #metrics: CacheMetrics | null;
  readonly #traces: CurrentSpan | null;
  readonly #attributes: Readonly<Record<CacheResult, Readonly<Record<string, string>>>>;
  #loads = 0;
  #refreshesFailed = 0;
  #evictions = 0;

  constructor({ name, metrics, traces }: TallyOptions) {
    this.#metrics = metrics === null ? null : new CacheMetrics(metrics, name);
    this.#traces = traces;
    this.#counts = ofResults(() => 0);
    this.#attributes = ofResults((result) => ({ cache: name, result }));
  }

  read(): CacheCounts {
    return {
      ...this.#counts,
      loads: this.#loads,
      refreshesFailed: this.#refreshesFailed,
      evictions: this.#evictions,
    };
  }

  /** Counts how requests were answered; whoever is answered later is told by `tell`. */
  count(result: CacheResult, requests: number): void {
    this.#counts[result] += requests;
    this.#metrics?.answered(result, requests);
  }

  /** The request that runs is answered now. */
  answer(result: CacheResult): void {
    this.#counts[result] += 1;
    this.#metrics?.answered(result, 1);
    if (this.#traces !== null) this.tell(this.span, result);
  }

  /** The span that runs, if it wants to be told. */
  get span(): EventSpan | null {
    try {
      const span = this.#traces?.current ?? null;
      return span?.isRecording === true ? span : null;
    } catch {
      return null;
    }
  }

  tell(span: EventSpan | null, result: CacheResult): void {
    if (span !== null) quietly(() => span.addEvent('cache', this.#attributes[result]));
  }

  loading(): void {
    this.#loads += 1;
  }

  loaded(reason: LoadReason, outcome: LoadOutcome, tookMs: number): void {
    if (reason === 'refresh' && (outcome === 'failed' || outcome === 'late')) this.#refreshesFailed += 1;
    this.#metrics?.loaded(reason, outcome, tookMs);
  }

  called(store: string, outcome: StoreOutcome, tookMs: number): void {
    this.#metrics?.called(store, outcome, tookMs);
  }

  changed(entries: number, bytes: number): void {
    this.#metrics?.changed(entries, bytes);
  }

  evicted(cause: EvictionCause): void {
    this.#evictions += 1;
    this.#metrics?.evicted(cause);
  }
}

function ofResults<T>(make: (result: CacheResult) => T): Record<CacheResult, T> {
  return Object.fromEntries(results.map((result) => [result, make(result)])) as Record<CacheResult, T>;
}
