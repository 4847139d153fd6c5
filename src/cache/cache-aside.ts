/**
 * Cache-aside in this process: what is known is answered at once, what is not is loaded once for all who ask, and what is about to end is loaded again before
 * anybody has to wait.
 *
 * Invariants:
 * - At most one load of a key at a time, as long as nobody sets or deletes it: that begins another for who asks afterwards, and what the older one
 *   brings is never kept.
 * - A load is told to stop when all who waited for it have gone, and only then. One that is not done at its deadline has failed.
 * - Whoever is refused gets what the loader threw. A refresh in the background fails for nobody: it is counted, and not tried again for a pause.
 * - Nothing runs while nobody asks: no timer but the deadline of each load.
 *
 * Cost: a hit a lookup, a reading of the clock and an addition; the promise it is answered with is made once an entry
 * (`npm run bench -- cache --only hit`).
 */
import type { Clock } from '../kernel/clock.ts';
import { SpillwayError } from '../kernel/errors.ts';
import { invalid, shown } from '../kernel/options.ts';
import type { Random } from '../kernel/random.ts';
import { formatDuration } from '../kernel/units.ts';
import type { Cache, GetOptions, Load } from './cache.ts';
import { Flight } from './flight.ts';
import { freshMsOf, type Freshness, stateOf, timesOf } from './freshness.ts';
import { type Entry, type Memory, Shelf } from './memory.ts';
import type { CacheOutage, Loaded, SharedTier } from './shared-tier.ts';
import { USES_MAX } from './s3-fifo.ts';
import type { CacheCounts, CacheResult, LoadOutcome, LoadReason, Tally } from './tally.ts';

export interface CacheAsideOptions<Value> {
  readonly name: string;
  readonly ttlMs: (value: Value, key: string) => number;
  readonly absentMs: number;
  readonly freshness: Freshness;
  readonly deadlineMs: number;
  readonly memory: Memory;
  readonly shared: SharedTier | null;
  readonly tally: Tally;
  readonly clock: Clock;
  readonly random: Random;
}

/** As many as a pool of connections has, some times over: beyond it the next request tries again, for what it has is still good. */
const REFRESHES_MAX = 100;
/** A loader that fails is asked so often about each key that there is an old value of. */
const PAUSE_MS = 1000;
/** By how much more a value must last to be another one: a round trip, and what whole milliseconds lose. */
const SLACK_MS = 100;

export class CacheAside<Value> implements Cache<Value> {
  readonly name: string;
  readonly #ttlMs: (value: Value, key: string) => number;
  readonly #absentMs: number;
  readonly #freshness: Freshness;
  readonly #deadlineMs: number;
  readonly #tally: Tally;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #shelf: Shelf;
  readonly #shared: SharedTier | null;
  /** The load of each key whose value may be kept. */
  readonly #flights = new Map<string, Flight>();
  #refreshes = 0;

  constructor(options: CacheAsideOptions<Value>) {
    this.name = options.name;
    this.#ttlMs = options.ttlMs;
    this.#absentMs = options.absentMs;
    this.#freshness = options.freshness;
    this.#deadlineMs = options.deadlineMs;
    this.#tally = options.tally;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#shared = options.shared;
    this.#shelf = new Shelf(options.memory, options.tally);
  }

  get entries(): number {
    return this.#shelf.entries;
  }

  get bytes(): number {
    return this.#shelf.bytes;
  }

  get outage(): CacheOutage | null {
    return this.#shared?.outage ?? null;
  }

  get counts(): CacheCounts {
    return this.#tally.read();
  }

  get(key: string, load: Load<Value>, options?: GetOptions): Promise<Value> {
    const signal = options?.signal;
    const entry = this.#shelf.find(key);
    if (entry === undefined || signal?.aborted === true) return this.#ask(key, load, signal);
    const nowMs = this.#clock.nowMs();
    if (nowMs < entry.earlyMs) return this.#give(entry, isAbsent(entry.value) ? 'absent' : 'hit');
    return this.#old(entry, nowMs, load, signal);
  }

  peek(key: string): Value | undefined {
    checkKey(key);
    const entry = this.#shelf.find(key);
    if (entry === undefined) return undefined;
    const nowMs = this.#clock.nowMs();
    const state = nowMs < entry.earlyMs ? 'fresh' : this.#stateOf(entry, nowMs);
    const isAnswer = state !== 'over' && (state !== 'lapsed' || entry.pauseMs !== null);
    return isAnswer ? (entry.value as Value) : undefined;
  }

  // What they do here is done before anything is awaited.
  async set(key: string, value: Value): Promise<void> {
    checkKey(key);
    if (isThenable(value)) throw invalid(`set of “${key}”: the value is a promise; await it first.`);
    this.#outdate(key);
    const freshMs = this.#freshMsOf(key, value);
    this.#keep(key, value, { freshMs, loadMs: 0 });
    await this.#shared?.set(key, value, freshMs);
  }

  async delete(key: string): Promise<void> {
    checkKey(key);
    this.#outdate(key);
    this.#shelf.drop(key);
    await this.#shared?.delete(key);
  }

  async clear(): Promise<void> {
    for (const key of this.#flights.keys()) this.#outdate(key);
    this.#shelf.clear();
  }

  #give(entry: Entry, result: CacheResult): Promise<Value> {
    if (entry.uses < USES_MAX) entry.uses += 1;
    this.#tally.answer(result);
    return entry.promise as Promise<Value>;
  }

  // WHY four parameters: it is the rest of `get`, for what may not be fresh any more.
  #old(entry: Entry, nowMs: number, load: Load<Value>, signal: AbortSignal | undefined): Promise<Value> {
    const state = this.#stateOf(entry, nowMs);
    switch (state) {
      case 'fresh':
        return this.#give(entry, isAbsent(entry.value) ? 'absent' : 'hit');
      case 'early':
        this.#refresh(entry, nowMs, load);
        return this.#give(entry, 'hit');
      case 'stale':
        this.#refresh(entry, nowMs, load);
        return this.#give(entry, 'stale');
      case 'lapsed':
        // The first who comes waits, and learns that loading fails; nobody after him is made to.
        if (entry.pauseMs === null) return this.#ask(entry.key, load, signal);
        this.#refresh(entry, nowMs, load);
        return this.#give(entry, 'stale_error');
      case 'over':
        return this.#ask(entry.key, load, signal);
      default:
        return state satisfies never;
    }
  }

  #stateOf(entry: Entry, nowMs: number): ReturnType<typeof stateOf> {
    const lasts = !isAbsent(entry.value);
    return stateOf(entry, { freshness: this.#freshness, nowMs, lasts, random: this.#random });
  }

  /** Waits for the load of a key, and begins it if there is none. */
  #ask(key: string, load: Load<Value>, signal: AbortSignal | undefined): Promise<Value> {
    let flight = this.#flights.get(key);
    const isFirst = flight === undefined;
    try {
      checkKey(key);
      signal?.throwIfAborted();
      flight ??= this.#begin(key, load, 'miss');
    } catch (error) {
      if (signal?.aborted === true) this.#tally.answer('aborted');
      return rejected(error);
    }
    if (!isFirst) flight.waiting += 1;
    const span = this.#tally.span;
    const heard = this.#hear(flight, isFirst, signal);
    if (span === null) return heard;
    const tell = (result: CacheResult): void => this.#tally.tell(span, result);
    heard.then(
      () => tell(flight.result === 'joined' && isFirst ? 'miss' : flight.result!),
      (error: unknown) => tell(signal?.aborted === true && error === signal.reason ? 'aborted' : 'failed'),
    );
    return heard;
  }

  #hear(flight: Flight, isFirst: boolean, signal: AbortSignal | undefined): Promise<Value> {
    if (signal === undefined) return flight.promise as Promise<Value>;
    return flight.hear(signal, () => this.#gone(flight, isFirst)) as Promise<Value>;
  }

  /** A caller has given up. */
  #gone(flight: Flight, isFirst: boolean): void {
    this.#tally.count('aborted', 1);
    flight.waiting -= 1;
    if (isFirst) flight.isFirstHere = false;
    if (flight.waiting === 0 && (flight.reason === 'miss' || flight.outdated)) this.#abandon(flight);
  }

  #refresh(entry: Entry, nowMs: number, load: Load<Value>): void {
    if (this.#refreshes >= REFRESHES_MAX || this.#flights.has(entry.key)) return;
    if (entry.pauseMs !== null && nowMs < entry.pauseMs) return;
    this.#begin(entry.key, load, 'refresh');
  }

  #begin(key: string, load: Load<Value>, reason: LoadReason): Flight {
    if (typeof load !== 'function') throw invalid(`get of “${key}”: the second argument is no function that loads it.`);
    const flight = new Flight({ key, reason, sinceMs: this.#clock.nowMs() });
    this.#flights.set(key, flight);
    if (reason === 'refresh') this.#refreshes += 1;
    this.#tally.loading();
    flight.timer = this.#clock.after(this.#deadlineMs, () => this.#late(flight));
    void this.#run(flight, load);
    return flight;
  }

  async #run(flight: Flight, load: Load<Value>): Promise<void> {
    try {
      const shared = this.#shared;
      if (shared === null) {
        const value = await load(flight.context);
        this.#loaded(flight, { value, tookMs: this.#clock.nowMs() - flight.sinceMs, freshMs: null, from: 'loader', outdated: false }); // prettier-ignore
      } else this.#loaded(flight, await this.#share(shared, flight, load));
    } catch (error) {
      this.#failed(flight, error, 'failed');
    }
  }

  #share(shared: SharedTier, flight: Flight, load: Load<Value>): Promise<Loaded> {
    const { key, reason } = flight;
    const entry = reason === 'refresh' ? this.#shelf.find(key) : undefined;
    const leftMs = entry === undefined ? 0 : entry.endMs - this.#clock.nowMs();
    return shared.load(key, {
      // What is to be refreshed early must be newer than what is here.
      beyondMs: leftMs > 0 ? leftMs + SLACK_MS : 0,
      load: () => load(flight.context),
      freshMs: (value) => this.#freshMsOf(key, value as Value),
      isOver: () => flight.isOver,
      isOutdated: () => flight.outdated,
    });
  }

  /** Throws if what was loaded cannot be kept. */
  #loaded(flight: Flight, { value, tookMs, freshMs, from, outdated }: Loaded): void {
    if (flight.isOver) return;
    const { key, waiting, isFirstHere } = flight;
    let outcome: LoadOutcome = from === 'store' ? 'found' : isAbsent(value) ? 'absent' : 'loaded';
    if (flight.outdated || outdated) outcome = 'outdated';
    else {
      const lifeMs = freshMs ?? this.#freshMsOf(key, value as Value);
      this.#keep(key, value as Value, { freshMs: lifeMs, loadMs: tookMs });
    }
    this.#end(flight, 'joined', outcome);
    if (isFirstHere) this.#tally.count('miss', 1);
    this.#tally.count('joined', waiting - Number(isFirstHere));
    flight.resolve(value);
  }

  #failed(flight: Flight, error: unknown, outcome: LoadOutcome): void {
    if (flight.isOver) return;
    const entry = flight.outdated ? undefined : this.#shelf.find(flight.key);
    const nowMs = this.#clock.nowMs();
    if (entry !== undefined) entry.pauseMs = nowMs + PAUSE_MS;
    const isUsable = entry !== undefined && this.#stateOf(entry, nowMs) !== 'over';
    const result = isUsable ? 'stale_error' : 'failed';
    this.#end(flight, result, outcome);
    this.#tally.count(result, flight.waiting);
    if (isUsable) flight.resolve(entry.value);
    else flight.reject(error);
  }

  #late(flight: Flight): void {
    const error = new SpillwayError(
      'CACHE_LOAD_LATE',
      `The cache “${this.name}” has no value of “${flight.key}”: loading it took longer than its deadline of ${formatDuration(this.#deadlineMs)}.`,
      { retryable: true },
    );
    this.#failed(flight, error, 'late');
    flight.abort(() => error);
  }

  /** Nobody waits for it, and nobody will: it is out of the table. */
  #abandon(flight: Flight): void {
    this.#end(flight, 'aborted', 'abandoned');
    flight.abort(() => new DOMException('Nobody waits for this load any more.', 'AbortError'));
  }

  #end(flight: Flight, result: CacheResult, outcome: LoadOutcome): void {
    flight.end(result);
    if (this.#flights.get(flight.key) === flight) this.#flights.delete(flight.key);
    if (flight.reason === 'refresh') this.#refreshes -= 1;
    this.#tally.loaded(flight.reason, outcome, this.#clock.nowMs() - flight.sinceMs);
  }

  /** What is being loaded may be older than what is said now. */
  #outdate(key: string): void {
    const flight = this.#flights.get(key);
    if (flight === undefined) return;
    this.#flights.delete(key);
    flight.outdated = true;
    if (flight.waiting === 0) this.#abandon(flight);
  }

  /** 0 if it is not to be kept. */
  #freshMsOf(key: string, value: Value): number {
    const ttlMs = isAbsent(value) ? this.#absentMs : this.#ttlMs(value, key);
    return freshMsOf(ttlMs, this.#freshness.jitter, this.#random);
  }

  #keep(key: string, value: Value, { freshMs, loadMs }: { freshMs: number; loadMs: number }): void {
    if (freshMs === 0) {
      this.#shelf.drop(key);
      return;
    }
    // What is not there may be at any time, and nobody waits long to hear that it is not.
    const earlyRefresh = isAbsent(value) ? 0 : this.#freshness.earlyRefresh;
    this.#shelf.keep(key, { value, ...timesOf({ nowMs: this.#clock.nowMs(), freshMs, loadMs, earlyRefresh }) });
  }
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}

function isThenable(value: unknown): boolean {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function';
}

function checkKey(key: unknown): void {
  if (typeof key !== 'string' || key === '')
    throw invalid(`The key is ${shown(key)}; expected a string that is not empty.`);
}

async function rejected(error: unknown): Promise<never> {
  throw error;
}
