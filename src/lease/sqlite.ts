/**
 * The store in a file of SQLite, for the processes of one machine: no server. table.ts itself decides, on rows that are read and written in one
 * transaction that has the file to itself.
 *
 * - Time is the monotonic clock, which all processes of a machine share and nobody can set: a step of the wall clock gives no lease away, and ends
 *   none here (its holder takes it for over if it steps forward). It stands still while the machine is suspended, and so do the leases.
 * - That clock begins anew at a boot, and whoever held something is gone then: a row whose end is further away than its ttl is over. Another may
 *   look like a live one, for as long as its ttl at most.
 * - Tokens grow also when a loss of power took the last transactions, for they keep up with the wall clock; not if it was set back at the same time.
 * - Who waits is told: at once by its own process, within `LOOK_MS` and half of it when another changed the file. What is looked at is one counter.
 * - A row is deleted with its last holder; what was forgotten is swept, a few rows at a time, in passing.
 *
 * What it is not: for several machines, or containers with clocks of their own (time namespaces). On a network file system it refuses to work,
 * as far as Linux says that it is one.
 *
 * Cost: one transaction a question, O(holders + places of the key).
 */
import type { DatabaseSync } from 'node:sqlite';
import { type Clock, machineClock, type Timer } from '../kernel/clock.ts';
import { checkKeys } from '../kernel/options.ts';
import { createRandom } from '../kernel/random.ts';
import { checkSqlite, type Prepare, SqliteFile } from './sqlite-file.ts';
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
import { type KeyRows, live, nextOf, nextToken, noRows, releaseClaim, renewClaim, tryClaim } from './table.ts';

export interface SqliteLeasesOptions {
  /** Its `nowMs` has to be the same for all processes that share the file. @defaultValue the machine's */
  readonly clock?: Clock;
}

interface Watcher {
  readonly key: string;
  /** Of the claim that waits; null for one who observes. */
  readonly id: string | null;
  readonly wake: () => void;
  /** The tokens of those who held it at the last look. */
  seen: string | null;
}

/** How often the counter of the file is looked at while somebody waits: a few microseconds each time. */
const LOOK_MS = 20;
/** What is swept with a question; more than one question can leave behind. */
const SWEEP_ROWS = 4;
/** Readings of the clock are rounded when they are stored. */
const ROUNDING_MS = 1;

const SCHEMA = `
CREATE TABLE IF NOT EXISTS spillway_leases (
  key TEXT PRIMARY KEY, rows TEXT NOT NULL, ends_ms REAL NOT NULL, ttl_ms REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS spillway_leases_ends ON spillway_leases (ends_ms);
CREATE TABLE IF NOT EXISTS spillway_fence (one INTEGER PRIMARY KEY CHECK (one = 1), token INTEGER NOT NULL) STRICT;
`;

/** The rows of a key as they are stored, but for what they mean in JSON. */
interface StoredRow {
  readonly rows: string;
  readonly ends_ms: number;
  readonly ttl_ms: number;
}

class Sqlite implements LeaseStore {
  readonly name = 'sqlite';
  readonly limits = limitsUsual;
  readonly clock: Clock;
  readonly #file: SqliteFile;
  readonly #watchers = new Set<Watcher>();
  readonly #random = createRandom();
  #timer: Timer | null = null;
  #version: unknown = null;
  #isLookDue = false;

  constructor(at: string | DatabaseSync, clock: Clock) {
    this.clock = clock;
    this.#file = new SqliteFile({ at, clock, schema: SCHEMA, isDurable: false });
  }

  async try(claim: Claim, { signal }: Waiting): Promise<Answer> {
    return await this.#file.write(signal, (prepare) => {
      const nowMs = this.clock.nowMs();
      const token = nextToken(lastToken(prepare), this.clock.wallMs());
      const verdict = tryClaim(rowsOf(prepare, claim.key, nowMs), claim, nowMs, token);
      this.#put(prepare, claim, verdict.rows);
      if (!verdict.granted) return { granted: false, againMs: verdict.againMs };
      if (verdict.token === token) {
        const text = 'INSERT INTO spillway_fence VALUES (1, ?) ON CONFLICT DO UPDATE SET token = excluded.token';
        prepare(text).run(token);
      }
      sweep(prepare, nowMs);
      return { granted: true, token: verdict.token };
    });
  }

  async renew(claim: Claim, { signal }: Waiting): Promise<Renewal> {
    return await this.#file.write(signal, (prepare) => {
      const nowMs = this.clock.nowMs();
      const rows = renewClaim(rowsOf(prepare, claim.key, nowMs), claim, nowMs);
      if (rows !== null) this.#put(prepare, claim, rows);
      return { held: rows !== null };
    });
  }

  async release(claim: Claim, { signal }: Waiting): Promise<void> {
    await this.#file.write(signal, (prepare) => {
      const nowMs = this.clock.nowMs();
      this.#put(prepare, claim, releaseClaim(rowsOf(prepare, claim.key, nowMs), claim, nowMs));
    });
  }

  watch(key: string, claim: Claim | null, wake: () => void): Unwatch {
    const watcher: Watcher = { key, id: claim?.id ?? null, wake, seen: null };
    this.#watchers.add(watcher);
    this.#lookSoon();
    this.#arm();
    return () => {
      this.#watchers.delete(watcher);
      if (this.#watchers.size > 0) return;
      this.#timer?.clear();
      this.#timer = null;
    };
  }

  async read(key: string, { signal }: Waiting): Promise<readonly Holding[]> {
    const { held } = await this.#file.read(signal, (prepare) => rowsOf(prepare, key, this.clock.nowMs()));
    return held.map(({ holder, token, share }) => ({ holder, token, share }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watchers.clear();
    this.#timer?.clear();
    this.#timer = null;
    this.#file.close();
  }

  #put(prepare: Prepare, { key, ttlMs }: Claim, rows: KeyRows): void {
    if (rows.held.length === 0 && rows.queue.length === 0) {
      prepare('DELETE FROM spillway_leases WHERE key = ?').run(key);
    } else {
      const endsMs = Math.max(...[...rows.held, ...rows.queue].map(({ untilMs }) => untilMs));
      const text =
        'INSERT INTO spillway_leases VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET ' +
        'rows = excluded.rows, ends_ms = excluded.ends_ms, ttl_ms = max(ttl_ms, excluded.ttl_ms)';
      prepare(text).run(key, stringify(rows), endsMs, ttlMs);
    }
    if (this.#watchers.size > 0) this.#lookSoon();
  }

  /** At what this process changes itself, the counter does not change. */
  #lookSoon(): void {
    if (this.#isLookDue) return;
    this.#isLookDue = true;
    queueMicrotask(() => {
      this.#isLookDue = false;
      this.#look(true);
    });
  }

  #arm(): void {
    if (this.#timer !== null || this.#watchers.size === 0) return;
    this.#timer = this.clock.after(LOOK_MS * (0.5 + this.#random.unit()), () => {
      this.#timer = null;
      this.#look(false);
      this.#arm();
    });
  }

  #look(isChanged: boolean): void {
    try {
      this.#file.peek((prepare) => {
        const version = prepare('PRAGMA data_version').get()!['data_version'];
        if (version === this.#version && !isChanged) return;
        this.#version = version;
        for (const watcher of this.#watchers) this.#lookFor(prepare, watcher);
      });
    } catch {
      // Whoever waits asks from time to time too, and is told by the error what is wrong.
    }
  }

  #lookFor(prepare: Prepare, watcher: Watcher): void {
    const rows = rowsOf(prepare, watcher.key, this.clock.nowMs());
    if (watcher.id !== null) {
      if (nextOf(rows) === watcher.id) queueMicrotask(watcher.wake);
      return;
    }
    const seen = rows.held.map(({ token }) => token).join(' ');
    if (watcher.seen !== seen) queueMicrotask(watcher.wake);
    watcher.seen = seen;
  }
}

/** Those that are not over. */
function rowsOf(prepare: Prepare, key: string, nowMs: number): KeyRows {
  const stored = prepare('SELECT rows, ends_ms, ttl_ms FROM spillway_leases WHERE key = ?').get(key);
  if (stored === undefined) return noRows;
  const { rows, ends_ms: endsMs, ttl_ms: ttlMs } = stored as unknown as StoredRow;
  return endsMs > nowMs + ttlMs + ROUNDING_MS ? noRows : live(parse(rows), nowMs);
}

function lastToken(prepare: Prepare): bigint {
  const statement = prepare('SELECT token FROM spillway_fence');
  statement.setReadBigInts(true);
  return (statement.get()?.['token'] as bigint | undefined) ?? 0n;
}

/** What is over, and what is from before a boot: the ends that are soonest and those that are furthest. */
function sweep(prepare: Prepare, nowMs: number): void {
  const over = 'SELECT key FROM spillway_leases WHERE ends_ms <= ? ORDER BY ends_ms LIMIT ?';
  prepare(`DELETE FROM spillway_leases WHERE key IN (${over})`).run(nowMs, SWEEP_ROWS);
  const furthest = 'SELECT key, ends_ms, ttl_ms FROM spillway_leases ORDER BY ends_ms DESC LIMIT ?';
  const before = `SELECT key FROM (${furthest}) WHERE ends_ms > ? + ttl_ms`;
  prepare(`DELETE FROM spillway_leases WHERE key IN (${before})`).run(SWEEP_ROWS, nowMs + ROUNDING_MS);
}

function stringify(rows: KeyRows): string {
  return JSON.stringify(rows, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
}

function parse(text: string): KeyRows {
  return JSON.parse(text, (name, value: unknown) => (name === 'token' ? BigInt(value as string) : value)) as KeyRows;
}

/**
 * Leases in a file of SQLite, for the processes of this machine: the path of a file on a local disk, which is made if it is not there, or a
 * `DatabaseSync` of node:sqlite, whose settings are left as they are.
 */
export function sqliteLeases(at: string | DatabaseSync, options: SqliteLeasesOptions = {}): LeaseStore {
  checkKeys('sqliteLeases', options, ['clock']);
  checkSqlite('sqliteLeases', at);
  return new Sqlite(at, options.clock ?? machineClock);
}
