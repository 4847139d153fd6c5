/**
 * Leases of etcd that claims share: one for each ttl, kept alive by one question for all who need it at the time. Closed, they are revoked, and
 * all keys under them are gone.
 *
 * A session that may have got a key nobody knows of is *retired*: no new claim comes under it, those that it has leave it when they are next asked
 * for, and it ends with the last.
 */
import type { EtcdClient } from '../drivers/etcd/client.ts';
import { abortable } from '../kernel/abort.ts';
import type { Clock } from '../kernel/clock.ts';
import { type Instant, readInstant } from './instant.ts';
import { RENEWALS_PER_TTL } from './store.ts';

export class EtcdSession {
  readonly id: bigint;
  /** When the last question was sent that began its time anew. */
  since: Instant;
  retired = false;
  readonly #client: EtcdClient;
  readonly #clock: Clock;
  readonly #ttlMs: number;
  readonly #claims = new Set<string>();
  #keeping: Promise<boolean> | null = null;

  constructor(client: EtcdClient, clock: Clock, { id, ttlMs, since }: { id: bigint; ttlMs: number; since: Instant }) {
    this.#client = client;
    this.#clock = clock;
    this.id = id;
    this.since = since;
    this.#ttlMs = ttlMs;
  }

  /** Begins its time anew; false: it is over. */
  keepAlive(signal: AbortSignal): Promise<boolean> {
    this.#keeping ??= this.#keep().finally(() => (this.#keeping = null));
    return abortable(this.#keeping, signal);
  }

  /** Keeps it alive if that is due. */
  async refresh(signal: AbortSignal): Promise<boolean> {
    if (this.#clock.nowMs() - this.since.nowMs < this.#ttlMs / RENEWALS_PER_TTL) return true;
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
    const timeoutMs = Math.min(this.#client.timeoutMs, this.#ttlMs);
    const kept = await this.#client.keepAlive(this.id, { timeoutMs });
    if (kept !== null) this.since = sent;
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

  /** The session for that ttl, which is rounded up to seconds. */
  open(ttlMs: number, signal: AbortSignal): Promise<EtcdSession> {
    const ttlS = Math.ceil(ttlMs / 1000);
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
      const { id } = await this.#client.grant({ ttlS });
      const session = new EtcdSession(this.#client, this.#clock, { id, ttlMs: ttlS * 1000, since });
      this.#open.set(ttlS, session);
      return session;
    } finally {
      this.#opening.delete(ttlS);
    }
  }
}
