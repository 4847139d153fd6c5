/**
 * The store in PostgreSQL: a row per key, for services that have a database. Every verb is one statement, a function (postgres/*.sql) that
 * holds the row, reads the server's clock and decides as table.ts does; nothing is kept in a session, so it works through PgBouncer in every mode.
 *
 * - A key that nobody has is taken in one `INSERT … ON CONFLICT DO UPDATE … WHERE … RETURNING`.
 * - Tokens come from one sequence of the schema, which is kept up with the clock: they grow also after the last ones were forgotten by a standby
 *   that took over, unless its clock is behind or it took less than 0.1 s.
 * - A question that comes too late does nothing: it carries, in the server's time, when nobody waits for its answer any more.
 * - Whoever waits is told by NOTIFY, the next alone, if there is a connection to LISTEN on; else it asks two to four times a second (polling.ts).
 * - Rows of what was released are deleted with it; what was forgotten is swept a few pages at a time, in passing.
 *
 * What it is not: safe across a failover to an asynchronous standby, which may not know of the last leases; then only the tokens help. And a
 * place in the queue may be forgotten by a server that crashes.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { type PostgresListenClient, PostgresListener } from '../drivers/postgres-listener.ts';
import { checkPostgresName, type PostgresClient, PostgresDriver } from '../drivers/postgres.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { SpillwayError } from '../kernel/errors.ts';
import { checkKeys, invalid } from '../kernel/options.ts';
import { createRandom } from '../kernel/random.ts';
import { pollMs } from './polling.ts';
import {
  type Answer,
  type Claim,
  type Holding,
  type LeaseStore,
  limitsUsual,
  type Renewal,
  type Unwatch,
  type Waiting,
} from './store.ts';

export interface PostgresLeasesOptions {
  /**
   * The schema that holds the tables and their functions: 1 to 48 of `a-z 0-9 _`, a letter first.
   * @defaultValue 'spillway'
   */
  readonly schema?: string;
  /**
   * Makes a connection to listen on, a connected `Client` of pg: straight to the server, for no PgBouncer passes on what is told there. It is made when
   * somebody waits for the first time, and again when it is lost. Without it, whoever waits asks two to four times a second.
   */
  readonly listen?: () => Promise<PostgresListenClient>;
  /** For deadlines here; leases go by the server's own. @defaultValue the machine's */
  readonly clock?: Clock;
}

export interface PostgresLeases extends LeaseStore {
  /** Creates or renews what the store needs in the database; needs the right to create in it. Safe to run by many at once. */
  migrate(): Promise<void>;
}

/** An observer says this often that it still observes, three times as often as it must. */
const OBSERVE_MS = 20_000;
const OBSERVE_TTL_MS = 60_000;
/** 512 KiB of each table are looked at after as many questions as rows fit there: so they never grow faster than they are swept. */
const SWEEP_PAGES = 64;
const SWEEP_EVERY_TRIES = 1000;
/** Claims that were told before they listened; as many as a process has under way at most. */
const EARLY_MAX = 10_000;

interface TryRow {
  readonly new_token: string | null;
  readonly again_us: number | null;
  readonly is_late: boolean | null;
  readonly now_us: number;
}

interface Resolved {
  readonly schema: string;
  readonly listen: (() => Promise<PostgresListenClient>) | undefined;
  readonly clock: Clock;
}

class Postgres implements PostgresLeases {
  readonly name = 'postgres';
  readonly limits = limitsUsual;
  readonly clock: Clock;
  readonly #driver: PostgresDriver;
  readonly #schema: string;
  readonly #listener: PostgresListener | null = null;
  readonly #channel: string | null = null;
  /** By the id of a claim or of an observer. */
  readonly #wakes = new Map<string, () => void>();
  /** Claims that wait if the key is busy. */
  readonly #asking = new Set<string>();
  /** Told before they listened. */
  readonly #early = new Set<string>();
  /** What the server's clock is ahead of ours, at most; unknown until it has answered. */
  #aheadMs = Infinity;
  readonly #random = createRandom();
  #tries = 0;
  #sweepPage = 0;

  constructor(client: PostgresClient, { schema, listen, clock }: Resolved) {
    this.clock = clock;
    this.#driver = new PostgresDriver(client);
    this.#schema = schema;
    if (listen === undefined) return;
    this.#channel = `spillway_${randomBytes(16).toString('hex')}`;
    this.#listener = new PostgresListener({
      connect: listen,
      channel: this.#channel,
      clock,
      random: this.#random,
      onListening: () => {
        this.#wakeAll();
        for (const id of this.#asking) this.#remember(id);
      },
      // Until it listens again, those who wait ask by themselves.
      onLost: () => this.#wakeAll(),
      onMessage: (id) => this.#told(id),
    });
  }

  async migrate(): Promise<void> {
    const texts = ['tables', 'verbs', 'session'].map((file) =>
      readFileSync(new URL(`./postgres/${file}.sql`, import.meta.url), 'utf8'),
    );
    const text = texts
      .join('\n')
      .replaceAll('spillway.', `${this.#schema}.`)
      .replaceAll('EXISTS spillway;', `EXISTS ${this.#schema};`);
    await this.#driver.query(text, []);
  }

  async try(claim: Claim, { signal }: Waiting): Promise<Answer> {
    signal.throwIfAborted();
    const { key, id, holder, share, of, ttlMs, queue } = claim;
    if (queue) this.#listener?.open();
    const sentMs = this.clock.nowMs();
    const values = [
      ...[bytes(key), id, bytes(holder), share, of, ttlMs * 1000, queue, this.#channel],
      (sentMs + ttlMs + this.#aheadMs) * 1000,
    ];
    if (queue) this.#asking.add(id);
    const call = this.#call<TryRow>('lease_try($1, $2, $3, $4, $5, $6, $7, $8, $9)', values);
    const [row] = await call.finally(() => this.#asking.delete(id));
    this.#aheadMs = row!.now_us / 1000 - sentMs;
    this.#sweep();
    if (row!.is_late === true) throw late(claim);
    if (row!.new_token === null) return { granted: false, againMs: this.#againMs(row!.again_us, queue) };
    this.#early.delete(id);
    return { granted: true, token: BigInt(row!.new_token) };
  }

  async renew({ key, id, ttlMs }: Claim): Promise<Renewal> {
    const [row] = await this.#call<{ lease_renew: boolean }>('lease_renew($1, $2, $3)', [bytes(key), id, ttlMs * 1000]);
    return { held: row!.lease_renew };
  }

  async release({ key, id }: Claim): Promise<void> {
    this.#early.delete(id);
    await this.#call('lease_release($1, $2)', [bytes(key), id]);
  }

  watch(key: string, claim: Claim | null, wake: () => void): Unwatch {
    if (this.#listener === null) return () => {};
    this.#listener.open();
    return claim === null ? this.#observe(key, wake) : this.#await(claim.id, wake);
  }

  async read(key: string): Promise<readonly Holding[]> {
    const rows = await this.#call<{ holder: Buffer; token: string; share: number }>('lease_read($1)', [bytes(key)]);
    return rows.map(({ holder, token, share }) => ({ holder: holder.toString(), token: BigInt(token), share }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#wakes.clear();
    await this.#listener?.close();
  }

  /** What a server says is when it changes by itself; whoever is not told when it does for another reason asks sooner. */
  #againMs(againUs: number | null, queue: boolean): number {
    const againMs = againUs === null ? Infinity : againUs / 1000;
    return queue && this.#listener?.isListening !== true ? Math.min(againMs, pollMs(this.#random)) : againMs;
  }

  #wakeAll(): void {
    for (const wake of this.#wakes.values()) queueMicrotask(wake);
  }

  #await(id: string, wake: () => void): Unwatch {
    this.#wakes.set(id, wake);
    if (this.#early.delete(id)) queueMicrotask(wake);
    return () => {
      if (this.#wakes.get(id) === wake) this.#wakes.delete(id);
    };
  }

  #observe(key: string, wake: () => void): Unwatch {
    const id = randomBytes(16).toString('hex');
    let isKnown = false;
    const say = async (): Promise<void> => {
      try {
        const values = [bytes(key), id, this.#channel, OBSERVE_TTL_MS * 1000];
        await this.#call('lease_observe($1, $2, $3, $4)', values);
        // What changed before nobody told.
        if (!isKnown) this.#wakes.get(id)?.();
        isKnown = true;
      } catch {
        // Said again soon; and those who observe look from time to time anyway.
        isKnown = false;
      }
    };
    this.#wakes.set(id, wake);
    void say();
    const timer = this.clock.every(OBSERVE_MS, () => void say());
    return () => {
      timer.clear();
      if (!this.#wakes.delete(id)) return;
      this.#call('lease_release($1, $2)', [bytes(key), id]).catch(() => {});
    };
  }

  #told(id: string): void {
    const wake = this.#wakes.get(id);
    if (wake !== undefined) wake();
    else this.#remember(id);
  }

  /** Instead of the oldest, which is of somebody who left as it was told. */
  #remember(id: string): void {
    if (this.#early.size >= EARLY_MAX) this.#early.delete(this.#early.values().next().value!);
    this.#early.add(id);
  }

  async #call<Row>(call: string, values: unknown[]): Promise<readonly Row[]> {
    try {
      return await this.#driver.query<Row>(`SELECT * FROM ${this.#schema}.${call}`, values);
    } catch (error) {
      throw explained(error, this.#schema);
    }
  }

  #sweep(): void {
    this.#tries += 1;
    if (this.#tries % SWEEP_EVERY_TRIES !== 0) return;
    // If it fails, so does the next question, which somebody waits for.
    this.#call<{ lease_sweep: string }>('lease_sweep($1, $2)', [this.#sweepPage, SWEEP_PAGES]).then(
      ([row]) => (this.#sweepPage = Number(row!.lease_sweep)),
      () => {},
    );
  }
}

function bytes(text: string): Buffer {
  return Buffer.from(text);
}

/** The error; what to do, if there is no such schema or no such function. */
export function explained(error: unknown, schema: string): unknown {
  const { cause } = error as SpillwayError;
  const isAbsent = cause instanceof Error && 'code' in cause && (cause.code === '3F000' || cause.code === '42883');
  if (!isAbsent) return error;
  const message = `The schema “${schema}” of this database has no leases, or those of an older version: run migrate() of postgresLeases once.`;
  return new SpillwayError('STORE_REFUSED', message, { cause: error });
}

function late({ key, ttlMs }: Claim): SpillwayError {
  const message = `PostgreSQL was asked for “${key}” more than its ttl of ${ttlMs} ms ago, and has not granted it any more: the question was held up, or a clock was set.`;
  return new SpillwayError('STORE_UNAVAILABLE', message, { retryable: true });
}

/**
 * Leases in PostgreSQL, 14 or later, through your own client: a `Pool` of pg. Run `migrate()` once before.
 */
export function postgresLeases(client: PostgresClient, options: PostgresLeasesOptions = {}): PostgresLeases {
  checkKeys('postgresLeases', options, ['schema', 'listen', 'clock']);
  const { schema = 'spillway', listen, clock = systemClock } = options;
  checkPostgresName('postgresLeases: schema', schema);
  if (listen !== undefined && typeof listen !== 'function') {
    throw invalid('postgresLeases: listen is no function; expected one that resolves with a connected Client of pg.');
  }
  return new Postgres(client, { schema, listen, clock });
}
