/**
 * The other store in PostgreSQL: advisory locks of one session, on one connection that all claims of the store share. The server frees them
 * the moment that the session ends: a process that dies leaves nothing behind, whatever its ttl.
 *
 * - Exclusive only, and no queue: who waits asks two to four times a second (polling.ts), and who asks first has it.
 * - Keys are locks of 64 bits, of SHA-256 of schema and key: two keys that fall together only share one lock, once in 2^64.
 * - An advisory lock counts, so one session could take it twice: this store takes each once, and tells its others “busy” without asking.
 * - Statements go one after the other: a client of pg takes one at a time from version 9 on.
 * - A lease lasts while its connection answers: a renewal asks the server whether this session has the lock. What nobody renews is given back
 *   here after its ttl (unrenewed.ts); a session that is silent for its longest ttl is ended by the server (`idle_session_timeout`).
 * - Tokens are those of postgresLeases in the same schema, drawn in the statement that takes the lock.
 *
 * What it is not: safe without the token when the connection is lost, for then another may have the lock at once, and the holder hears of it with its
 * next renewal, a third of the ttl later at most. And it does not go through PgBouncer, whose sessions are not the server's: it is refused.
 */
import { createHash } from 'node:crypto';

import { checkPostgresName, type PostgresClient, PostgresDriver } from '../drivers/postgres.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { SpillwayError } from '../kernel/errors.ts';
import { checkKeys, invalid } from '../kernel/options.ts';
import { createRandom } from '../kernel/random.ts';
import { pollMs } from './polling.ts';
import { explained, postgresLeases } from './postgres.ts';
import {
  type Answer,
  type Claim,
  type Holding,
  type LeaseStore,
  limitsUsual,
  type Renewal,
  type Unwatch,
  type Waiting,
  WHOLE,
} from './store.ts';
import { Unrenewed } from './unrenewed.ts';

/** What is used of a connected `Client` of pg. */
export interface PostgresSessionClient extends PostgresClient {
  /** What it was told, when it connected, that its process at the server is; pg has it, and its types do not say so. */
  readonly processID?: number | null;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
  end(): Promise<unknown>;
  /** Held locks alone keep no process alive. */
  unref?(): unknown;
}

export interface PostgresSessionLeasesOptions {
  /** That of `postgresLeases`, whose `migrate()` makes it; programs with the same share their locks. @defaultValue 'spillway' */
  readonly schema?: string;
  /** @defaultValue the machine's */
  readonly clock?: Clock;
}

export interface PostgresSessionLeases extends LeaseStore {
  /** As that of `postgresLeases`. */
  migrate(): Promise<void>;
}

/** Nothing here waits for long in a healthy server; what does is ended, so that it does not take a lock for nobody. */
const SETTINGS = "SET statement_timeout = '5s'; SET lock_timeout = '2s'; SET idle_session_timeout = 0";
/** A connection that has not answered for so long is taken for dead, with all that it holds. */
const SILENT_MS = 10_000;

interface Session {
  readonly client: PostgresSessionClient;
  readonly driver: PostgresDriver;
}

/** A lock that this store has, or has asked for. */
interface Taken {
  readonly claim: Claim;
  readonly session: Session;
  readonly token: Promise<bigint | null>;
}

class PostgresSession implements PostgresSessionLeases {
  readonly name = 'postgres session';
  readonly limits = { ...limitsUsual, shares: false, queue: false };
  readonly clock: Clock;
  readonly #connect: () => Promise<PostgresSessionClient>;
  readonly #schema: string;
  readonly #random = createRandom();
  readonly #unrenewed: Unrenewed;
  /** By lock. */
  readonly #taken = new Map<bigint, Taken>();
  #session: Promise<Session> | null = null;

  constructor(connect: () => Promise<PostgresSessionClient>, schema: string, clock: Clock) {
    this.clock = clock;
    this.#connect = connect;
    this.#schema = schema;
    this.#unrenewed = new Unrenewed(clock, (claim) => this.release(claim));
  }

  async migrate(): Promise<void> {
    const { client } = await this.#open();
    await postgresLeases(client, { schema: this.#schema }).migrate();
  }

  async try(claim: Claim, { signal }: Waiting): Promise<Answer> {
    signal.throwIfAborted();
    const session = await this.#open();
    const lock = this.#lockOf(claim.key);
    const taken = this.#taken.get(lock);
    if (taken?.session === session) {
      if (taken.claim.id !== claim.id) return this.#busy();
      // Asked again: the lock must not be counted twice. If nobody knows whether it was taken, it is given back first.
      const token = await taken.token.catch(() => null);
      if (token !== null && (await this.renew(claim)).held) return { granted: true, token };
      await this.release(claim);
      return this.#busy();
    }
    const mine: Taken = { claim, session, token: this.#take(claim, lock, session) };
    this.#taken.set(lock, mine);
    try {
      // Waited for together, so that neither fails unheard.
      const [token] = await Promise.all([mine.token, this.#unrenewed.add(claim, signal)]);
      if (token !== null) return { granted: true, token };
      this.#forget(mine);
      return this.#busy();
    } catch (error) {
      // The server may have granted it, or do so yet: if it cannot be given back now, whoever asked does so later, or its ttl does.
      await this.release(claim).catch(() => void this.#unrenewed.add(claim));
      throw error;
    }
  }

  async renew(claim: Claim): Promise<Renewal> {
    const taken = this.#takenBy(claim);
    if (taken === undefined) return { held: false };
    await this.#unrenewed.add(claim);
    const call = 'lease_session_has(pg_backend_pid(), $1) AS held';
    const [row] = await this.#call<{ held: boolean }>(taken.session, call, [this.#lockOf(claim.key)]);
    if (!row!.held) this.#forget(taken);
    return { held: row!.held };
  }

  async release(claim: Claim): Promise<void> {
    const taken = this.#takenBy(claim);
    if (taken === undefined) return this.#unrenewed.delete(claim.id);
    // It comes after what was asked before, on the one connection.
    const values = [this.#lockOf(claim.key), this.#idleMs(claim)];
    await this.#call(taken.session, 'lease_session_release($1, $2)', values);
    this.#forget(taken);
  }

  /** Nothing tells it. */
  watch(): Unwatch {
    return () => {};
  }

  async read(key: string): Promise<readonly Holding[]> {
    const rows = await this.#call<{ holder: Buffer; token: string }>(await this.#open(), 'lease_session_read($1)', [
      Buffer.from(key),
    ]);
    return rows.map(({ holder, token }) => ({ holder: holder.toString(), token: BigInt(token), share: WHOLE }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const opening = this.#session;
    this.#lose(opening);
    await opening?.then(({ client }) => client.end()).catch(() => {});
  }

  #busy(): Answer {
    return { granted: false, againMs: pollMs(this.#random) };
  }

  #lockOf(key: string): bigint {
    return createHash('sha256').update(`${this.#schema}\0${key}`).digest().readBigInt64BE();
  }

  #takenBy({ key, id }: Claim): Taken | undefined {
    const taken = this.#taken.get(this.#lockOf(key));
    return taken?.claim.id === id ? taken : undefined;
  }

  #forget(taken: Taken): void {
    if (this.#takenBy(taken.claim) !== taken) return;
    this.#unrenewed.delete(taken.claim.id);
    this.#taken.delete(this.#lockOf(taken.claim.key));
  }

  /** The longest ttl of all claims but one; 0, and no end, if there are none. */
  #idleMs(but: Claim): number {
    let idleMs = 0;
    for (const { claim } of this.#taken.values()) if (claim.id !== but.id) idleMs = Math.max(idleMs, claim.ttlMs);
    return Math.ceil(idleMs);
  }

  async #take(claim: Claim, lock: bigint, session: Session): Promise<bigint | null> {
    const { key, holder, ttlMs } = claim;
    const idleMs = Math.max(Math.ceil(ttlMs), this.#idleMs(claim));
    const values = [lock, Buffer.from(key), Buffer.from(holder), idleMs];
    const call = 'lease_session_try($1, $2, $3, $4) AS token';
    const [row] = await this.#call<{ token: string | null }>(session, call, values);
    return row!.token === null ? null : BigInt(row!.token);
  }

  async #call<Row>({ client, driver }: Session, call: string, values: unknown[]): Promise<readonly Row[]> {
    const silent = this.clock.after(SILENT_MS, () => void client.end().catch(() => {}));
    try {
      const given = values.map((value) => (typeof value === 'bigint' ? String(value) : value));
      return await driver.query<Row>(`SELECT * FROM ${this.#schema}.${call}`, given);
    } catch (error) {
      throw explained(error, this.#schema);
    } finally {
      silent.clear();
    }
  }

  /** The session that there is, or a new one. */
  #open(): Promise<Session> {
    if (this.#session !== null) return this.#session;
    const opening: Promise<Session> = this.#begin(() => this.#lose(opening));
    this.#session = opening;
    opening.catch(() => this.#lose(opening));
    return opening;
  }

  async #begin(onLost: () => void): Promise<Session> {
    const client = await this.#connect().catch((cause: unknown) => {
      const said = cause instanceof Error ? cause.message : String(cause);
      throw new SpillwayError('STORE_UNAVAILABLE', `PostgreSQL cannot be reached: ${said}`, { cause, retryable: true });
    });
    client.on('error', onLost);
    client.on('end', onLost);
    client.unref?.();
    const session = { client, driver: new PostgresDriver(inTurn(client)) };
    try {
      const [row] = await session.driver.query<{ pid: number }>('SELECT pg_backend_pid() AS pid', []);
      if (row!.pid !== client.processID) throw pooled();
      await session.driver.query(SETTINGS, []);
      await this.#call(session, 'lease_session_sweep()', []).catch((error: unknown) => {
        // Before migrate() there is nothing to sweep.
        if ((error as SpillwayError).code !== 'STORE_REFUSED') throw error;
      });
      return session;
    } catch (error) {
      client.end().catch(() => {});
      throw error;
    }
  }

  /** What it held is over. */
  #lose(session: Promise<Session> | null): void {
    if (this.#session !== session) return;
    this.#session = null;
    this.#taken.clear();
    this.#unrenewed.clear();
  }
}

/** Asks when what was asked before has been answered. */
function inTurn(client: PostgresClient): PostgresClient {
  let before: Promise<unknown> = Promise.resolve();
  return {
    query(text, values) {
      const asked = before.then(() => client.query(text, values));
      before = asked.catch(() => {});
      return asked;
    },
  };
}

function pooled(): SpillwayError {
  return new SpillwayError(
    'STORE_REFUSED',
    'This connection is not one to the server itself: something such as PgBouncer is in between, where a session, and its locks with it, can be handed to another. ' +
      'Connect postgresSessionLeases straight to the server, or use postgresLeases, which goes through it.',
  );
}

/**
 * Leases by advisory locks of PostgreSQL, 14 or later. `connect` makes a connection of its own, a connected `Client` of pg, when something is first asked
 * and again when it was lost. Run `migrate()` once before.
 */
export function postgresSessionLeases(
  connect: () => Promise<PostgresSessionClient>,
  options: PostgresSessionLeasesOptions = {},
): PostgresSessionLeases {
  checkKeys('postgresSessionLeases', options, ['schema', 'clock']);
  const { schema = 'spillway', clock = systemClock } = options;
  if (typeof connect !== 'function') {
    throw invalid('postgresSessionLeases takes a function that resolves with a connected Client of pg.');
  }
  checkPostgresName('postgresSessionLeases: schema', schema);
  return new PostgresSession(connect, schema, clock);
}
