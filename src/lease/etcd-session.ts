/**
 * Leases of etcd that claims share: one for each number of seconds, kept alive by one question for all who need it at the time. Closed, they are
 * revoked, and all keys under them are gone.
 *
 * A session that may have got a key nobody knows of is *retired*: no new claim comes under it, those that it has leave it when they are next asked
 * for, and it ends with the last.
 */
import type { EtcdClient } from '../drivers/etcd/client.ts';
import { abortable } from '../kernel/abort.ts';
import type { Clock } from '../kernel/clock.ts';
import { invalid } from '../kernel/options.ts';
import { type Instant, readInstant } from './instant.ts';
import { countedFrom, sessionMsMax, ttlMsFor } from './session-time.ts';
import { RENEWALS_PER_TTL } from './store.ts';

/** etcd looks for leases that are over so often, whatever their ttl (`runLoop` of its `lessor`). */
const LATE_MS = 500;

/** The shortest ttl that a lease of etcd fits, which lasts whole seconds. */
export const ETCD_TTL_MS_MIN = ttlMsFor(1000, LATE_MS);

/** How many seconds a lease of etcd is asked for: no more than those who wait can have waited for by the ttl and a renewal. */
function secondsFor(ttlMs: number): number {
  return Math.min(Math.ceil(ttlMs / 1000), Math.floor(sessionMsMax(ttlMs, LATE_MS) / 1000));
}

export class EtcdSession {
  readonly id: bigint;
  retired = false;
  readonly #client: EtcdClient;
  readonly #clock: Clock;
  /** As the server granted it. */
  readonly #lastsMs: number;
  /** When the last question was sent that began its time anew. */
  #since: Instant;
  readonly #claims = new Set<string>();
  #keeping: Promise<boolean> | null = null;

  constructor(
    client: EtcdClient,
    clock: Clock,
    { id, lastsMs, since }: { id: bigint; lastsMs: number; since: Instant },
  ) {
    this.#client = client;
    this.#clock = clock;
    this.id = id;
    this.#since = since;
    this.#lastsMs = lastsMs;
  }

  /** How long a claim of that ttl lasts, from when it is renewed. */
  lastsMs(ttlMs: number): number {
    return Math.min(ttlMs, this.#lastsMs);
  }

  /** From when such a claim counts its ttl. */
  sinceFor(ttlMs: number): Instant {
    return countedFrom(this.#since, ttlMs, this.lastsMs(ttlMs));
  }

  /** Throws if those who wait for what is under it would wait longer than its ttl and a renewal. */
  check(ttlMs: number): void {
    if (this.#lastsMs <= sessionMsMax(ttlMs, LATE_MS)) return;
    throw invalid(
      `ttl is ${ttlMs} ms, and this etcd keeps what a dead holder had for ${this.#lastsMs / 1000} s at least, and up to half a second more: expected a ttl of at least ` +
        `${ttlMsFor(this.#lastsMs, LATE_MS)} ms, or a shorter --election-timeout of its servers, of which it is one and a half, in whole seconds.`,
    );
  }

  /** Begins its time anew; false: it is over. */
  keepAlive(signal: AbortSignal): Promise<boolean> {
    this.#keeping ??= this.#keep().finally(() => (this.#keeping = null));
    return abortable(this.#keeping, signal);
  }

  /** Keeps it alive if that is due. */
  async refresh(signal: AbortSignal): Promise<boolean> {
    if (this.#clock.nowMs() - this.#since.nowMs < this.#lastsMs / RENEWALS_PER_TTL) return true;
    return this.keepAlive(signal);
  }

  add(claimId: string): void {
    this.#claims.add(claimId);
  }

  remove(claimId: string): void {
    this.#claims.delete(claimId);
    if (this.retired) this.#endIfUnused();
  }

  retire(): void {
    this.retired = true;
    this.#endIfUnused();
  }

  #endIfUnused(): void {
    // If it cannot be told, it ends by itself: nobody keeps it alive any more.
    if (this.#claims.size === 0) this.#client.revoke(this.id).catch(() => {});
  }

  async #keep(): Promise<boolean> {
    const sent = readInstant(this.#clock);
    // A server that hangs has its share of this time, and must not cost the session.
    const timeoutMs = Math.min(this.#client.timeoutMs, this.#lastsMs);
    const kept = await this.#client.keepAlive(this.id, { timeoutMs });
    if (kept !== null) this.#since = sent;
    else this.retired = true;
    return kept !== null;
  }
}

export class EtcdSessions implements AsyncDisposable {
  readonly #client: EtcdClient;
  readonly #clock: Clock;
  readonly #opening = new Map<number, Promise<EtcdSession>>();
  readonly #open = new Map<number, EtcdSession>();

  constructor(client: EtcdClient, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** The session for that ttl. */
  open(ttlMs: number, signal: AbortSignal): Promise<EtcdSession> {
    const ttlS = secondsFor(ttlMs);
    const session = this.#open.get(ttlS);
    if (session !== undefined && !session.retired) return Promise.resolve(session);
    const opening = this.#opening.get(ttlS) ?? this.#grant(ttlS);
    this.#opening.set(ttlS, opening);
    return abortable(opening, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const open = [...this.#open.values()];
    this.#open.clear();
    await Promise.allSettled(open.map(({ id }) => this.#client.revoke(id)));
  }

  async #grant(ttlS: number): Promise<EtcdSession> {
    try {
      const since = readInstant(this.#clock);
      const { id, ttlS: grantedS } = await this.#client.grant({ ttlS });
      const session = new EtcdSession(this.#client, this.#clock, { id, lastsMs: grantedS * 1000, since });
      this.#open.set(ttlS, session);
      return session;
    } finally {
      this.#opening.delete(ttlS);
    }
  }
}
