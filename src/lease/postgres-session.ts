/**
 * The other store in PostgreSQL: advisory locks of one session, on one connection that all claims of the store share. The server frees them
 * the moment that the session ends: a process that dies leaves nothing behind, whatever its ttl.
 *
 * - Exclusive only, and no queue: who asks first has it. Of those who wait, the one that has waited longest is told by NOTIFY when it is given back; a
 *   session that ends tells nobody, so each asks two to four times a second as well (polling.ts).
 * - Keys are locks of 64 bits, of SHA-256 of schema and key: two keys that fall together only share one lock, once in 2^64.
 * - An advisory lock counts, so one session could take it twice: this store takes each once, and tells its others “busy” without asking.
 * - A lease lasts while its connection answers: a renewal asks the server whether this session has the lock. What nobody renews is given back
 *   here after its ttl (unrenewed.ts); a session that is silent for its longest ttl is ended by the server (`idle_session_timeout`).
 * - Tokens are those of postgresLeases in the same schema, drawn in the statement that takes the lock.
 *
 * What it is not: safe without the token when the connection is lost, for then another may have the lock at once, and the holder hears of it with its
 * next renewal, a third of the ttl later at most. And it does not go through PgBouncer, whose sessions are not the server's: it is refused.
 */
import { createHash } from 'node:crypto';

import { checkPostgresName } from '../drivers/postgres.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { checkKeys, invalid } from '../kernel/options.ts';
import { createRandom } from '../kernel/random.ts';
import { pollMs } from './polling.ts';
import { type PostgresSessionClient, PostgresSessionConnection } from './postgres-session-connection.ts';
import { postgresLeases } from './postgres.ts';
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

/** A lock that this store has, or has asked for. */
interface Taken {
  readonly claim: Claim;
  readonly session: Session;
  readonly token: Promise<bigint | null>;
}

interface Session {
  readonly connection: PostgresSessionConnection;
  /** Locks of which the server may have it that this session waits for them. */
  readonly waitsFor: Set<bigint>;
}

/** Why somebody is told of a lock. */
type Kind = 'waits' | 'observes';

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
  /** By what the server says: why, and of which lock. */
  readonly #wakes = new Map<string, Set<() => void>>();
  /** What it has said since the lock was last asked for. */
  readonly #heard = new Set<string>();
  #session: Promise<Session> | null = null;

  constructor(connect: () => Promise<PostgresSessionClient>, schema: string, clock: Clock) {
    this.clock = clock;
    this.#connect = connect;
    this.#schema = schema;
    this.#unrenewed = new Unrenewed(clock, (claim) => this.release(claim));
  }

  async migrate(): Promise<void> {
    const { connection } = await this.#open();
    await postgresLeases(connection.inTurn, { schema: this.#schema }).migrate();
  }

  async try(claim: Claim, { signal }: Waiting): Promise<Answer> {
    signal.throwIfAborted();
    const session = await this.#open();
    const lock = this.#lockOf(claim.key);
    const taken = this.#taken.get(lock);
    if (taken?.session === session) {
      if (taken.claim.id !== claim.id) return this.#busy();
      // Asked again: the lock must not be counted twice. If nobody knows whether it was taken, it is given back first.
      const token = await taken.token.catch(() => undefined);
      if (token === null) {
        this.#forget(taken);
        return this.try(claim, { signal });
      }
      if (token !== undefined && (await this.renew(claim)).held) return { granted: true, token };
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
      // Who was told meanwhile may have asked, and was turned away here because of this one.
      const about = `waits ${lock}`;
      if (this.#heard.delete(about)) this.#told(about);
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
    const [row] = await taken.session.connection.call<{ held: boolean }>(call, [this.#lockOf(claim.key)]);
    if (!row!.held) this.#free(taken);
    return { held: row!.held };
  }

  async release(claim: Claim): Promise<void> {
    const taken = this.#takenBy(claim);
    if (taken === undefined) return this.#unrenewed.delete(claim.id);
    // It comes after what was asked before, on the one connection.
    const values = [this.#lockOf(claim.key), this.#idleMs(claim)];
    await taken.session.connection.call('lease_session_release($1, $2)', values);
    this.#free(taken);
  }

  watch(key: string, claim: Claim | null, wake: () => void): Unwatch {
    const lock = this.#lockOf(key);
    const kind = claim === null ? 'observes' : 'waits';
    const about = `${kind} ${lock}`;
    const wakes = this.#wakes.get(about) ?? new Set();
    this.#wakes.set(about, wakes.add(wake));
    // A claim asks at once, and says with it that it waits.
    if (claim !== null) queueMicrotask(wake);
    else void this.#open().then((session) => this.#observe(session, lock), nobodyMinds);
    return () => {
      if (!wakes.delete(wake) || wakes.size > 0 || this.#wakes.get(about) !== wakes) return;
      this.#wakes.delete(about);
      this.#heard.delete(about);
      void this.#session?.then((session) => this.#leave(session, kind, lock)).catch(nobodyMinds);
    };
  }

  async read(key: string): Promise<readonly Holding[]> {
    const { connection } = await this.#open();
    const call = 'lease_session_read($1)';
    const rows = await connection.call<{ holder: Buffer; token: string }>(call, [Buffer.from(key)]);
    return rows.map(({ holder, token }) => ({ holder: holder.toString(), token: BigInt(token), share: WHOLE }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const opening = this.#session;
    this.#wakes.clear();
    this.#lose(opening);
    await opening?.then(({ connection }) => connection.end()).catch(nobodyMinds);
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

  async #take(claim: Claim, lock: bigint, { connection, waitsFor }: Session): Promise<bigint | null> {
    const { key, holder, ttlMs } = claim;
    const idleMs = Math.max(Math.ceil(ttlMs), this.#idleMs(claim));
    const values = [lock, Buffer.from(key), Buffer.from(holder), idleMs];
    this.#heard.delete(`waits ${lock}`);
    if (!this.#wakes.has(`waits ${lock}`)) {
      const call = 'lease_session_try($1, $2, $3, $4) AS token';
      return tokenOf(await connection.call(call, values));
    }
    waitsFor.add(lock);
    const token = tokenOf(await connection.run('lease_session_wait($1, $2, $3, $4, NULL)', values));
    if (token !== null) waitsFor.delete(lock);
    return token;
  }

  /** Those who wait here as well: they were told “busy” and are not known to the server. */
  #free(taken: Taken): void {
    this.#forget(taken);
    this.#told(`waits ${this.#lockOf(taken.claim.key)}`);
  }

  #told(about: string): void {
    for (const wake of this.#wakes.get(about) ?? []) queueMicrotask(wake);
  }

  async #observe({ connection }: Session, lock: bigint): Promise<void> {
    await connection.call('lease_session_join($1, $2)', [lock, 'observes']).catch(nobodyMinds);
    // What changed before, nobody told.
    this.#told(`observes ${lock}`);
  }

  async #leave({ connection, waitsFor }: Session, kind: Kind, lock: bigint): Promise<void> {
    // Others here may have begun to meanwhile.
    if (this.#wakes.has(`${kind} ${lock}`) || (kind === 'waits' && !waitsFor.delete(lock))) return;
    await connection.call('lease_session_leave($1, $2)', [lock, kind]);
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
    const connection = await PostgresSessionConnection.open({
      connect: this.#connect,
      schema: this.#schema,
      clock: this.clock,
      onLost,
      onTold: (about) => {
        if (this.#wakes.has(about)) this.#heard.add(about);
        this.#told(about);
      },
    });
    const session = { connection, waitsFor: new Set<bigint>() };
    for (const lock of this.#observed()) void this.#observe(session, lock);
    return session;
  }

  #observed(): readonly bigint[] {
    return [...this.#wakes.keys()].flatMap((about) => {
      const [kind, lock] = about.split(' ');
      return kind === 'observes' ? [BigInt(lock!)] : [];
    });
  }

  /** What it held is over. Those who wait ask by themselves; those who observe look, and so make a new one. */
  #lose(session: Promise<Session> | null): void {
    if (this.#session !== session) return;
    this.#session = null;
    this.#taken.clear();
    this.#unrenewed.clear();
    for (const lock of this.#observed()) this.#told(`observes ${lock}`);
  }
}

function tokenOf([row]: readonly { readonly token: string | null }[]): bigint | null {
  return row!.token === null ? null : BigInt(row!.token);
}

/** Of what is asked again by itself: whoever waits or observes looks from time to time. */
function nobodyMinds(): void {}

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
