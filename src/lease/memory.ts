/**
 * The store in the memory of this process: for tests, and for what only has to be kept apart within one process.
 *
 * It is as strict as the others: leases end, places in the queue are kept, tokens grow. Time is the monotonic clock; nothing of it is shared with
 * other threads. A key is forgotten when nobody holds it or waits for it.
 */
import { type Clock, systemClock } from '../kernel/clock.ts';
import { checkKeys } from '../kernel/options.ts';
import {
  type Answer,
  type Claim,
  type Holding,
  type LeaseStore,
  limitsUsual,
  type Renewal,
  type Unwatch,
} from './store.ts';
import { type KeyRows, live, nextOf, nextToken, noRows, releaseClaim, renewClaim, tryClaim } from './table.ts';

export interface MemoryLeasesOptions {
  /** @defaultValue the machine's */
  readonly clock?: Clock;
}

interface Watcher {
  readonly id: string | null;
  readonly wake: () => void;
}

class MemoryLeases implements LeaseStore {
  readonly name = 'memory';
  readonly limits = { ...limitsUsual, ttlMsMin: 1, ordered: true };
  readonly clock: Clock;
  readonly #rows = new Map<string, KeyRows>();
  readonly #watchers = new Map<string, Set<Watcher>>();
  #token = 0n;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  async try(claim: Claim): Promise<Answer> {
    const token = nextToken(this.#token, this.clock.wallMs());
    const verdict = tryClaim(this.#of(claim.key), claim, this.clock.nowMs(), token);
    if (!verdict.granted) {
      this.#set(claim.key, verdict.rows, null);
      return { granted: false, againMs: verdict.againMs };
    }
    const isNew = verdict.token === token;
    if (isNew) this.#token = token;
    this.#set(claim.key, verdict.rows, isNew ? claim.id : null);
    return { granted: true, token: verdict.token };
  }

  async renew(claim: Claim): Promise<Renewal> {
    const rows = renewClaim(this.#of(claim.key), claim, this.clock.nowMs());
    if (rows === null) return { held: false };
    this.#rows.set(claim.key, rows);
    return { held: true };
  }

  async release(claim: Claim): Promise<void> {
    this.#set(claim.key, releaseClaim(this.#of(claim.key), claim, this.clock.nowMs()), claim.id);
  }

  watch(key: string, claim: Claim | null, wake: () => void): Unwatch {
    const watcher: Watcher = { id: claim?.id ?? null, wake };
    const watchers = this.#watchers.get(key) ?? new Set();
    this.#watchers.set(key, watchers.add(watcher));
    // Since it was told that the key is busy, it may have become the next.
    if (claim !== null && nextOf(live(this.#of(key), this.clock.nowMs())) === claim.id) queueMicrotask(wake);
    return () => {
      watchers.delete(watcher);
      if (watchers.size === 0 && this.#watchers.get(key) === watchers) this.#watchers.delete(key);
    };
  }

  async read(key: string): Promise<readonly Holding[]> {
    return live(this.#of(key), this.clock.nowMs()).held.map(({ holder, token, share }) => ({ holder, token, share }));
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #of(key: string): KeyRows {
    return this.#rows.get(key) ?? noRows;
  }

  /** `changed` is the claim that came or went, if one did. */
  #set(key: string, rows: KeyRows, changed: string | null): void {
    if (rows.held.length === 0 && rows.queue.length === 0) this.#rows.delete(key);
    else this.#rows.set(key, rows);
    const watchers = this.#watchers.get(key);
    if (watchers === undefined || changed === null) return;
    const next = nextOf(rows);
    for (const { id, wake } of watchers) {
      if (id === null || id === next) queueMicrotask(wake);
    }
  }
}

/** Leases in the memory of this process. */
export function memoryLeases(options: MemoryLeasesOptions = {}): LeaseStore {
  checkKeys('memoryLeases', options, ['clock']);
  return new MemoryLeases(options.clock ?? systemClock);
}
