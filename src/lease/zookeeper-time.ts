/**
 * How long a lease in ZooKeeper lasts, and the session that it lives by: its ttl, or less where the ticks of the servers leave no time for that
 * (session-time.ts). All that is known of a session is what the servers granted.
 */
import type { ZookeeperSession } from '../drivers/zookeeper/session.ts';
import { invalid } from '../kernel/options.ts';
import type { Instant } from './instant.ts';
import { countedFrom, sessionMsMax, ttlMsFor } from './session-time.ts';
import type { LeaseStoreLimits } from './store.ts';

/**
 * A session's timeout, in sixths of what a lease lasts. What it is longer is waited for after a holder has died, and is spared the leases of those that live: by a
 * sixth they last seven tenths of it when they are renewed, by a third eight.
 */
const SESSION_SIXTHS = 7;
/** How late a session is over, in ticks: the leader ends sessions at a tick, and a follower tells it of a heartbeat half a tick later. */
const LATE_TICKS = 1.5;
/** The shortest session that is asked for: below that a lease may outlast it when a follower dies (life.ts of the driver). */
const SESSION_TICKS_MIN = 2;

export class ZookeeperTime {
  readonly limits: Pick<LeaseStoreLimits, 'ttlMsMin' | 'ttlMsMinAdvice' | 'ttlMsMax'>;
  readonly #lateMs: number;

  constructor(tickMs: number) {
    this.#lateMs = LATE_TICKS * tickMs;
    this.limits = {
      ttlMsMin: ttlMsFor(SESSION_TICKS_MIN * tickMs, this.#lateMs),
      ttlMsMinAdvice: `A shorter one takes servers with a tickTime below ${tickMs} ms, which zookeeperLeases must be told.`,
      ttlMsMax: 2_000_000,
    };
  }

  /** What a session is asked for. */
  timeoutMsFor(ttlMs: number): number {
    return Math.min(Math.ceil((ttlMs * SESSION_SIXTHS) / 6), Math.floor(sessionMsMax(ttlMs, this.#lateMs)));
  }

  /** The longest that a session of that length is not too short for. */
  #ttlMsMaxFor(timeoutMs: number): number {
    return Math.max(Math.floor((timeoutMs * 6) / SESSION_SIXTHS), ttlMsFor(timeoutMs + 1, this.#lateMs) - 1);
  }

  /** Throws if what was granted is too short for the ttl, or so long that those who wait would wait longer than it and a renewal. */
  check({ timeoutMs }: ZookeeperSession, ttlMs: number): void {
    if (timeoutMs < this.timeoutMsFor(ttlMs)) {
      throw invalid(
        `ttl is ${ttlMs} ms, and the servers of ZooKeeper keep a session for at most ${timeoutMs} ms: expected at most ` +
          `${this.#ttlMsMaxFor(timeoutMs)} ms, or a larger maxSessionTimeout on the servers.`,
      );
    }
    if (timeoutMs > sessionMsMax(ttlMs, this.#lateMs)) {
      throw invalid(
        `ttl is ${ttlMs} ms, and the servers of ZooKeeper keep what a dead holder had for at least ${timeoutMs} ms, and up to ` +
          `${this.#lateMs} ms more: expected at least ${ttlMsFor(timeoutMs, this.#lateMs)} ms, or a smaller minSessionTimeout on the servers, which is two ticks by default.`,
      );
    }
  }
}

/** How long a lease of that ttl lasts from the last heartbeat that the leader has counted. */
export function lastsMs({ timeoutMs }: ZookeeperSession, ttlMs: number): number {
  return Math.min(ttlMs, (timeoutMs * 6) / SESSION_SIXTHS);
}

/** From when it counts its ttl; null until there is a session. */
export function sinceFor(session: ZookeeperSession, ttlMs: number): Instant | null {
  const lasts = lastsMs(session, ttlMs);
  const since = session.countsFrom(lasts);
  return since && countedFrom(since, ttlMs, lasts);
}
