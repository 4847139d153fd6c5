/**
 * The stores of limits as one worker reaches them: a connection to each for as long as a config names it, and what its calls come to.
 *
 * A connection that has not answered for `SILENT_MS`, although it is open, is given up for a new one: a machine that lost its power
 * says no goodbye, and the kernel would go on waiting for a quarter of an hour.
 *
 * Cost: two reads of the clock, an `AbortSignal`, two promises and five additions a call, of which there is one a tick however many requests ask.
 */
import { isReply } from '../../drivers/redis.ts';
import { abortable } from '../../kernel/abort.ts';
import { cellLane, type Cell, type Lane } from '../../kernel/cells.ts';
import type { Clock, Timer } from '../../kernel/clock.ts';
import { SpillwayError } from '../../kernel/errors.ts';
import { type LocalStore, type Outcome, type Question, redisStore, type RemoteStore } from '../../limit/index.ts';
import { bucketOf } from '../durations.ts';
import { STORE_SLOTS, storeSlots } from '../slots.ts';
import { type OpenRedis, openRedis } from './redis-client.ts';

/** A store of limits, for a whole fleet. */
export interface StorePlan {
  /** With its password: never shown. */
  readonly url: string;
  /** The same without: in state, metrics and logs. */
  readonly name: string;
  /** What every key begins with. */
  readonly prefix: string;
  /** What calls to it have come to. */
  readonly cell: Cell;
}

export interface StoresOptions {
  readonly clock: Clock;
  readonly lane: number;
  readonly notice: (level: 'info' | 'warn', message: string) => void;
}

/** Who begins at once would be answered as in an outage; a store that is far away has said something by then. */
const FIRST_NEWS_MS = 1000;
const SILENT_MS = 3000;
/** Slots that a store does not hear of are free again when their lease is over. */
const LAST_ANSWERS_MS = 1000;

interface StoreUser {
  readonly limits: readonly { readonly store: StorePlan | null }[];
}

export class Stores {
  readonly #options: StoresOptions;
  /** By URL. */
  readonly #connections = new Map<string, Connection>();
  readonly #closing = new Map<string, Timer>();

  constructor(options: StoresOptions) {
    this.#options = options;
  }

  /** Connects to what the config names, and waits for the first news of each, good or bad. */
  async open({ limits }: StoreUser): Promise<void> {
    const opening = new Map<string, Promise<void>>();
    for (const { store } of limits) {
      if (store === null) continue;
      this.#closing.get(store.url)?.clear();
      this.#closing.delete(store.url);
      const known = this.#connections.get(store.url);
      known?.apply(store);
      if (known !== undefined) continue;
      const connection = new Connection(store, this.#options);
      this.#connections.set(store.url, connection);
      opening.set(store.url, connection.open());
    }
    await Promise.all(opening.values());
  }

  /** The store of a config that was opened. `fallback`: where its limits count meanwhile. */
  get({ url, prefix }: StorePlan, fallback: LocalStore): RemoteStore {
    const connection = this.#connections.get(url);
    if (connection === undefined) throw new RangeError('a store that was not opened');
    return new MeteredStore(connection, prefix, fallback);
  }

  /** Connections that none of the configs names are closed; `afterMs` later, for requests that still hold slots there. */
  retain(users: readonly StoreUser[], afterMs: number): void {
    const used = new Set(users.flatMap(({ limits }) => limits.map(({ store }) => store?.url)));
    for (const [url, connection] of this.#connections) {
      if (used.has(url) || this.#closing.has(url)) continue;
      const close = (): void => {
        this.#closing.delete(url);
        this.#connections.delete(url);
        connection.close();
      };
      this.#closing.set(url, this.#options.clock.after(afterMs, close));
    }
  }

  /** When nothing is asked any more: lets slots that were given back a moment ago reach their store, and closes all connections. */
  async end(): Promise<void> {
    const { clock } = this.#options;
    if (this.#connections.size > 0) {
      const pause = (ms: number): Promise<void> =>
        new Promise((resolve) => clock.after(ms, () => resolve(), { ref: true }));
      // What has ended in this turn is asked at its end.
      await pause(0);
      const asked = [...this.#connections.values()].flatMap(({ underWay }) => [...underWay]);
      if (asked.length > 0) await Promise.race([Promise.allSettled(asked), pause(LAST_ANSWERS_MS)]);
    }
    this.close();
  }

  close(): void {
    for (const timer of this.#closing.values()) timer.clear();
    for (const connection of this.#connections.values()) connection.close();
    this.#closing.clear();
    this.#connections.clear();
  }
}

/** A connection to one store, with everything that is known of it. */
class Connection {
  plan: StorePlan;
  readonly clock: Clock;
  /** Calls that have no answer yet. */
  readonly underWay = new Set<Promise<unknown>>();
  readonly #laneNumber: number;
  #lane: Lane;
  readonly #notice: StoresOptions['notice'];
  readonly #stores = new Map<string, RemoteStore>();
  readonly #news = Promise.withResolvers<void>();
  #redis: OpenRedis | null = null;
  /** What the client said last that was wrong. */
  #problem = 'not connected yet';
  #down = false;
  /** Since when an open connection has answered nothing that it was asked; null if it has. */
  #silentSinceMs: number | null = null;
  #closed = false;

  constructor(plan: StorePlan, { clock, lane, notice }: StoresOptions) {
    this.plan = plan;
    this.clock = clock;
    this.#laneNumber = lane;
    this.#lane = cellLane(plan.cell, STORE_SLOTS, lane);
    this.#notice = notice;
  }

  /** Another config names it: its cell may be another. */
  apply(plan: StorePlan): void {
    this.plan = plan;
    this.#lane = cellLane(plan.cell, STORE_SLOTS, this.#laneNumber);
    this.#lane[storeSlots.down] = this.#down ? 1 : 0;
  }

  async open(): Promise<void> {
    await this.#connect();
    const timer = this.clock.after(FIRST_NEWS_MS, this.#news.resolve, { ref: true });
    await this.#news.promise;
    timer.clear();
  }

  async #connect(): Promise<void> {
    const redis = await openRedis(this.plan.url, {
      onReady: this.#news.resolve,
      onProblem: (message) => {
        this.#problem = message;
        this.#news.resolve();
      },
    });
    if (this.#closed) redis.close();
    else this.#redis = redis;
  }

  /** An answer that nobody waits for any more is handed on as well, and may be as late as the end of the connection. */
  ask(
    prefix: string,
    questions: readonly Question[],
    options: { readonly signal: AbortSignal },
  ): Promise<readonly (readonly Outcome[])[]> {
    const answers = this.#send(prefix, questions, options);
    const call = this.#measure(answers, options.signal).finally(() => this.underWay.delete(call));
    this.underWay.add(call);
    return answers;
  }

  async #send(
    prefix: string,
    questions: readonly Question[],
    options: { readonly signal: AbortSignal },
  ): Promise<readonly (readonly Outcome[])[]> {
    return this.#storeOf(prefix).ask(questions, options);
  }

  /** Counts what comes of a call for who waits for it. */
  async #measure(answers: Promise<unknown>, signal: AbortSignal): Promise<void> {
    const lane = this.#lane;
    const sentMs = this.clock.nowMs();
    lane[storeSlots.calls]! += 1;
    try {
      await abortable(answers, signal);
      const tookMs = this.clock.nowMs() - sentMs;
      lane[storeSlots.durationSumMs]! += tookMs;
      lane[storeSlots.buckets + bucketOf(tookMs)]! += 1;
      this.#answered();
    } catch (error) {
      lane[storeSlots.failures]! += 1;
      this.#failed(error, sentMs);
      if (signal.aborted) this.#hearLate(answers);
    }
  }

  /** One that is slow is not silent. */
  #hearLate(answers: Promise<unknown>): void {
    const heard = (): void => void (this.#silentSinceMs = null);
    answers.then(heard, (error: unknown) => isReply(error) && heard());
  }

  close(): void {
    this.#closed = true;
    this.#redis?.close();
    this.#redis = null;
    this.#news.resolve();
    this.#lane[storeSlots.down] = 0;
  }

  #storeOf(prefix: string): RemoteStore {
    const redis = this.#redis;
    if (redis === null || !redis.isReady()) {
      throw new SpillwayError('STORE_UNAVAILABLE', `no connection: ${this.#problem}`, { retryable: true });
    }
    let store = this.#stores.get(prefix);
    if (store === undefined) {
      store = redisStore(redis.client, { prefix, clock: this.clock });
      this.#stores.set(prefix, store);
    }
    return store;
  }

  #answered(): void {
    this.#silentSinceMs = null;
    if (!this.#down) return;
    this.#down = false;
    this.#lane[storeSlots.down] = 0;
    this.#notice('info', `${this.plan.name} answers again; limits are counted there`);
  }

  #failed(error: unknown, sentMs: number): void {
    if (this.#closed) return;
    const why = error instanceof Error ? error.message : String(error);
    if (!this.#down) {
      this.#down = true;
      this.#lane[storeSlots.down] = 1;
      this.#notice('warn', `${this.plan.name} does not answer: ${why}; limits answer as their outage says`);
    }
    // What it says no with is an answer, too.
    if (isReply(error) || this.#redis?.isReady() !== true) {
      this.#silentSinceMs = null;
      return;
    }
    this.#silentSinceMs ??= sentMs;
    if (this.clock.nowMs() - this.#silentSinceMs < SILENT_MS) return;
    this.#silentSinceMs = null;
    this.#renew();
  }

  #renew(): void {
    this.#redis?.close();
    this.#redis = null;
    this.#stores.clear();
    this.#problem = 'it was silent, and is connected to anew';
    // The package was loaded before.
    this.#connect().catch((error: unknown) => (this.#problem = String(error)));
  }
}

/** A store as the limits of one config use it. */
class MeteredStore implements RemoteStore {
  readonly local = false;
  readonly name: string;
  readonly clock: Clock;
  readonly fallback: LocalStore;
  readonly #connection: Connection;
  readonly #prefix: string;

  constructor(connection: Connection, prefix: string, fallback: LocalStore) {
    this.name = connection.plan.name;
    this.clock = connection.clock;
    this.fallback = fallback;
    this.#connection = connection;
    this.#prefix = prefix;
  }

  ask(
    questions: readonly Question[],
    options: { readonly signal: AbortSignal },
  ): Promise<readonly (readonly Outcome[])[]> {
    return this.#connection.ask(this.#prefix, questions, options);
  }
}
