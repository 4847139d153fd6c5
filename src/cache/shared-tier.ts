/**
 * The way to a shared cache: who of all processes loads a key, how long the others wait for him, and what is done while the store does not answer.
 *
 * - Who has the lease loads and fills. The others ask again, soon and then less often, until the value is there, the lease is over, or they have
 *   waited for `waitMs`: then they load for themselves and leave the store alone.
 * - A call that fails or is not answered by its deadline makes the store *unavailable*: everybody loads for himself and does not ask during a
 *   pause, which doubles up to a bound and ends with the first answer. `outage` says so.
 * - A value that cannot be read is as good as none, and whoever finds it loads for himself.
 *
 * Cost: a round trip before a load, and one after it.
 */
import { randomBytes } from 'node:crypto';
import { storePauseMs } from '../drivers/store-patience.ts';
import { abortable, LazyAbort } from '../kernel/abort.ts';
import { backoffMs } from '../kernel/backoff.ts';
import type { Clock } from '../kernel/clock.ts';
import { isError, SpillwayError } from '../kernel/errors.ts';
import type { Random } from '../kernel/random.ts';
import type { SharedAnswer, SharedCache, Waiting } from './shared.ts';
import type { StoreOutcome, Tally } from './tally.ts';

export interface CacheOutage {
  /** When the first call failed, in milliseconds since the Unix epoch. */
  readonly sinceMs: number;
  /** Why the last one did. */
  readonly error: SpillwayError;
}

export interface SharedTierOptions {
  /** Of the cache: keys of several caches are apart in one store. */
  readonly name: string;
  readonly store: SharedCache;
  readonly waitMs: number;
  readonly deadlineMs: number;
  /** Of a load. */
  readonly loadMs: number;
  readonly tally: Tally;
  readonly clock: Clock;
  readonly random: Random;
}

/** A value, and what is known of it. */
export interface Loaded {
  readonly value: unknown;
  readonly tookMs: number;
  /** For how long it is fresh; null if the store has no say in it. */
  readonly freshMs: number | null;
  readonly from: 'loader' | 'store';
  /** The key was set or deleted while it was loaded. */
  readonly outdated: boolean;
}

export interface LoadRequest {
  /** So much must be left of a value for it to do. */
  readonly beyondMs: number;
  readonly load: () => unknown;
  /** How long what was loaded is fresh. */
  readonly freshMs: (value: unknown) => number;
  /** Nobody waits any more. */
  readonly isOver: () => boolean;
  /** The key was set or deleted here meanwhile. */
  readonly isOutdated: () => boolean;
}

/** Between two questions about what another loads. */
const AGAIN = { shortestMs: 5, baseMs: 10, longestMs: 200 };

export class SharedTier {
  readonly #options: SharedTierOptions;
  #outage: CacheOutage | null = null;
  #failures = 0;
  #retryMs = 0;

  constructor(options: SharedTierOptions) {
    this.#options = options;
  }

  get outage(): CacheOutage | null {
    return this.#outage;
  }

  /** What the store knows, or what `load` brings. Rejects only if that does. */
  async load(key: string, request: LoadRequest): Promise<Loaded> {
    const { clock, random, waitMs } = this.#options;
    const token = randomBytes(12).toString('base64url');
    const untilMs = clock.nowMs() + waitMs;
    for (let turn = 0; ; turn++) {
      const found = await this.#ask(key, token, request);
      if (typeof found === 'object') return found;
      if (request.isOver()) {
        if (found === 'leased') this.#release(key, token);
        // Nobody hears it.
        return { value: undefined, tookMs: 0, freshMs: 0, from: 'store', outdated: true };
      }
      if (found === 'leased') return this.#lead(key, token, request);
      const leftMs = untilMs - clock.nowMs();
      if (found === 'unavailable' || leftMs <= 0) return this.#alone(request);
      const againMs = Math.min(leftMs, backoffMs(AGAIN, turn, random));
      await new Promise<void>((resolve) => clock.after(againMs, resolve, { ref: true }));
    }
  }

  /** Rejects if the store does not answer: others may be served what it had, until that ends. */
  async set(key: string, value: unknown, freshMs: number): Promise<void> {
    // Before the call: what cannot be written is no failure of the store.
    const shared = { text: encode(value), freshMs, tookMs: 0 };
    let asked: Promise<void> | null = null;
    try {
      await this.#call((waiting) => (asked = this.#options.store.set(this.#keyOf(key), shared, waiting)));
    } catch (error) {
      void this.#undoLate(key, asked);
      throw error;
    }
  }

  async delete(key: string): Promise<void> {
    await this.#call((waiting) => this.#options.store.delete(this.#keyOf(key), waiting));
  }

  /** He who has the lease. If nothing comes of it, the next who asks need not wait for its end. */
  async #lead(key: string, token: string, request: LoadRequest): Promise<Loaded> {
    const name = this.#keyOf(key);
    const { store } = this.#options;
    let isFilled = false;
    try {
      const loaded = await this.#alone(request);
      const { value, tookMs } = loaded;
      const freshMs = request.freshMs(value);
      const shared = { text: encode(value), freshMs, tookMs };
      if (request.isOver() || request.isOutdated()) return loaded;
      isFilled = true;
      // If the store is out, `outage` says so. Nobody knows then whether it would have been refused, for the key was changed elsewhere meanwhile: it
      // is good for who waits, and not kept.
      const kept = await this.#call((waiting) => store.fill(name, token, shared, waiting)).catch(() => false);
      return { ...loaded, freshMs, outdated: !kept };
    } finally {
      if (!isFilled) this.#release(key, token);
    }
  }

  /** One that the store does not hear of ends by itself. */
  #release(key: string, token: string): void {
    this.#call((waiting) => this.#options.store.release(this.#keyOf(key), token, waiting)).catch(() => {});
  }

  async #alone({ load }: LoadRequest): Promise<Loaded> {
    const { clock } = this.#options;
    const sinceMs = clock.nowMs();
    const value = await load();
    return { value, tookMs: clock.nowMs() - sinceMs, freshMs: null, from: 'loader', outdated: false };
  }

  async #ask(
    key: string,
    token: string,
    { beyondMs }: LoadRequest,
  ): Promise<Loaded | 'leased' | 'taken' | 'unavailable'> {
    const { clock, loadMs, deadlineMs, store } = this.#options;
    if (this.#outage !== null && clock.nowMs() < this.#retryMs) return 'unavailable';
    let asked: Promise<SharedAnswer> | null = null;
    try {
      const ask = { token, leaseMs: loadMs + deadlineMs, beyondMs };
      const answer = await this.#call((waiting) => (asked = store.ask(this.#keyOf(key), ask, waiting)));
      if (answer.is !== 'known') return answer.is;
      const { text, tookMs, freshMs } = answer;
      return { value: decode(text), tookMs, freshMs, from: 'store', outdated: false };
    } catch {
      void this.#returnLate(key, token, asked);
      return 'unavailable';
    }
  }

  /** An answer that comes after all, as when a connection is back, may be a lease that nobody uses: others would wait for it. */
  async #returnLate(key: string, token: string, asked: Promise<SharedAnswer> | null): Promise<void> {
    try {
      const answer = await asked;
      if (answer?.is === 'leased') this.#release(key, token);
    } catch {
      // It has failed, and was said to.
    }
  }

  /** A value that was said not to be set, and is after all: another may have been set since. Whoever asks next loads it. */
  async #undoLate(key: string, asked: Promise<void> | null): Promise<void> {
    try {
      if (asked === null) return;
      await asked;
      await this.delete(key);
    } catch {
      // It has failed, and was said to; or it is there until its end.
    }
  }

  /** Answered by the deadline, or an error that says that the store is out. */
  async #call<T>(call: (waiting: Waiting) => Promise<T>): Promise<T> {
    const { clock, deadlineMs, store } = this.#options;
    const abort = new LazyAbort();
    const sinceMs = clock.nowMs();
    let outcome: StoreOutcome = 'failed';
    const timer = clock.after(deadlineMs, () => {
      outcome = 'late';
      abort.abort(() => new Error(`no answer within ${deadlineMs} ms`));
    });
    try {
      const answer = await abortable(call(abort), abort.signal);
      outcome = 'answered';
      this.#outage = null;
      this.#failures = 0;
      return answer;
    } catch (error) {
      const coded = outageOf(store.name, error);
      this.#failed(coded);
      throw coded;
    } finally {
      timer.clear();
      this.#options.tally.called(store.name, outcome, clock.nowMs() - sinceMs);
    }
  }

  #failed(error: SpillwayError): void {
    const { clock } = this.#options;
    const nowMs = clock.nowMs();
    const isNews = this.#outage === null || nowMs >= this.#retryMs;
    this.#outage = { sinceMs: this.#outage?.sinceMs ?? clock.wallMs(), error };
    // Calls that were under way when the first failed say nothing new.
    if (!isNews) return;
    this.#retryMs = nowMs + storePauseMs(this.#failures);
    this.#failures += 1;
  }

  #keyOf(key: string): string {
    return `${this.#options.name}:${key}`;
  }
}

function outageOf(name: string, cause: unknown): SpillwayError {
  const why = isError(cause) ? cause.message : String(cause);
  const isRefusal = cause instanceof SpillwayError && cause.code === 'STORE_REFUSED';
  const code = isRefusal ? 'STORE_REFUSED' : 'STORE_UNAVAILABLE';
  const message = `The shared cache ${name} ${isRefusal ? 'does not do what it is asked' : 'is unavailable'}: ${why}. Each process loads for itself until it is back.`;
  return new SpillwayError(code, message, { cause, retryable: !isRefusal });
}

/** As JSON; what has none, undefined, as nothing. */
function encode(value: unknown): string {
  return JSON.stringify(value) ?? '';
}

function decode(text: string): unknown {
  return text === '' ? undefined : JSON.parse(text);
}
