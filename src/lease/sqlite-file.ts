/**
 * A file of SQLite that several processes of one machine write to: opened when it is first needed, and one short transaction at a time.
 *
 * Invariants: what runs in `write` has the file to itself and is all done or not at all. The event loop is held up by a transaction (some tens of
 * microseconds) and by `BUSY_MS` at most; a file that others hold for longer is tried again from a timer. A file that was replaced or removed is
 * opened anew. Errors are coded.
 *
 * Durable against the death of processes, and at the price of an fsync each also against a loss of power.
 */
import { statfsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Clock } from '../kernel/clock.ts';
import { SpillwayError } from '../kernel/errors.ts';
import { invalid, textOfGiven } from '../kernel/options.ts';
import { createRandom, type Random } from '../kernel/random.ts';

export interface SqliteFileOptions {
  /** A file, or a database that is open already: whose it is, closes it. */
  readonly at: string | DatabaseSync;
  readonly clock: Clock;
  /** Run when it is opened. */
  readonly schema: string;
  /** Whether what is answered outlives a loss of power, at an fsync each; the death of processes it outlives anyway. */
  readonly isDurable: boolean;
}

/** A statement, prepared once. */
export type Prepare = (text: string) => StatementSync;

/** A transaction of another process is over long before. */
const BUSY_MS = 5;
/** Between two tries at a file that others hold, with jitter. */
const AGAIN_MS = 10;
/** By then, it is not busy but held by somebody who hangs. */
const HELD_MS_MAX = 10_000;

/** Of statfs(2): file systems on which the locks or the shared memory of SQLite hold on one machine at most. */
const networks: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x01021997, '9p'],
  [0x00c36400, 'Ceph'],
  [0x5346414f, 'AFS'],
  [0x0bd00bd0, 'Lustre'],
  [0x7461636f, 'OCFS2'],
  [0x01161970, 'GFS2'],
  [0x47504653, 'GPFS'],
]);

/** By the primary result code of SQLite. */
const refusals: ReadonlyMap<number, string> = new Map([
  [3, 'it may not be used'],
  [8, 'it cannot be written to'],
  [11, 'it is damaged'],
  [14, 'it cannot be opened'],
  [23, 'it may not be used'],
  [26, 'it is no database'],
]);
const BUSY_CODES: ReadonlySet<number> = new Set([5, 6]);

export class SqliteFile {
  readonly #given: DatabaseSync | null;
  readonly #path: string;
  readonly #clock: Clock;
  readonly #schema: string;
  readonly #synchronous: 'FULL' | 'NORMAL';
  readonly #random: Random = createRandom();
  #database: DatabaseSync | null = null;
  /** Which file was at the path before it was opened, so that one which came meanwhile is another; null if there was none. */
  #opened: string | null = null;
  readonly #statements = new Map<string, StatementSync>();
  readonly #prepare: Prepare = (text) => {
    const statement = this.#statements.get(text) ?? this.#database!.prepare(text);
    this.#statements.set(text, statement);
    return statement;
  };

  constructor({ at, clock, schema, isDurable }: SqliteFileOptions) {
    this.#synchronous = isDurable ? 'FULL' : 'NORMAL';
    this.#given = typeof at === 'string' ? null : at;
    this.#path = typeof at === 'string' ? resolve(at) : 'the database';
    this.#clock = clock;
    this.#schema = schema;
  }

  /** Runs with the file to itself; waits, without holding up the event loop, until it has. */
  write<T>(signal: AbortSignal | undefined, run: (prepare: Prepare) => T): Promise<T> {
    return this.#unlessBusy(signal, () => this.#writeOnce(run));
  }

  /** Runs on what was committed last. */
  read<T>(signal: AbortSignal | undefined, run: (prepare: Prepare) => T): Promise<T> {
    return this.#unlessBusy(signal, () => this.peek(run));
  }

  /** The same at once; throws whatever SQLite does. */
  peek<T>(run: (prepare: Prepare) => T): T {
    this.#open();
    return run(this.#prepare);
  }

  close(): void {
    this.#statements.clear();
    if (this.#given === null) this.#database?.close();
    this.#database = null;
  }

  async #unlessBusy<T>(signal: AbortSignal | undefined, run: () => T): Promise<T> {
    const untilMs = this.#clock.nowMs() + HELD_MS_MAX;
    for (;;) {
      signal?.throwIfAborted();
      try {
        return run();
      } catch (error) {
        if (!isBusy(error) || this.#clock.nowMs() >= untilMs) throw this.#coded(error);
      }
      await this.#pause();
    }
  }

  #writeOnce<T>(run: (prepare: Prepare) => T): T {
    const database = this.#open();
    database.exec('BEGIN IMMEDIATE');
    try {
      const result = run(this.#prepare);
      database.exec('COMMIT');
      return result;
    } catch (error) {
      // Some errors have ended it already.
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  }

  #open(): DatabaseSync {
    const file = this.#given === null ? fileOf(this.#path) : 'given';
    if (this.#database !== null && file !== null && file === this.#opened) return this.#database;
    this.close();
    this.#database = this.#given ?? this.#openFile();
    this.#opened = file;
    try {
      this.#database.exec(this.#schema);
    } catch (error) {
      this.close();
      throw error;
    }
    return this.#database;
  }

  #openFile(): DatabaseSync {
    this.#refuseNetworks();
    // Not imported: where nobody uses it, Node need not say that it is new.
    const sqlite = process.getBuiltinModule('node:sqlite');
    const database = new sqlite.DatabaseSync(this.#path, { timeout: BUSY_MS });
    try {
      database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${this.#synchronous}`);
    } catch (error) {
      database.close();
      throw error;
    }
    return database;
  }

  #refuseNetworks(): void {
    let type: number;
    try {
      ({ type } = statfsSync(dirname(this.#path)));
    } catch {
      // SQLite says what is wrong with it.
      return;
    }
    const network = networks.get(type);
    if (network === undefined) return;
    const message = `${this.#path} is on ${network}: what is locked there on one machine may be free on another, or for all. Put it on a local disk, or use a server that all machines reach.`;
    throw new SpillwayError('STORE_REFUSED', message);
  }

  #pause(): Promise<void> {
    const delayMs = AGAIN_MS * (0.5 + this.#random.unit());
    return new Promise((resume) => this.#clock.after(delayMs, resume, { ref: true }));
  }

  #coded(error: unknown): unknown {
    const code = primaryCode(error);
    if (code === null) return error;
    const { message } = error as Error;
    const refusal = refusals.get(code);
    if (refusal !== undefined) {
      return new SpillwayError('STORE_REFUSED', `SQLite refused ${this.#path}, ${refusal}: ${message}`, {
        cause: error,
      });
    }
    const what = BUSY_CODES.has(code) ? 'another process or transaction holds it' : 'it cannot be written or read now';
    const text = `SQLite cannot use ${this.#path}, ${what}: ${message}`;
    return new SpillwayError('STORE_UNAVAILABLE', text, { cause: error, retryable: true });
  }
}

/** Refuses what is no file that several processes can open, and no database. */
export function checkSqlite(what: string, at: unknown): void {
  const given = at as DatabaseSync | null;
  if (typeof given === 'object' && typeof given?.exec === 'function' && typeof given.prepare === 'function') return;
  if (typeof at === 'string' && at !== '' && at !== ':memory:' && !at.startsWith('file:')) return;
  throw invalid(
    `${what}: ${textOfGiven(at)} is no file; expected the path of one that all processes open, or a DatabaseSync.`,
  );
}

/** As the file system knows it. */
function fileOf(path: string): string | null {
  const file = statSync(path, { throwIfNoEntry: false });
  return file === undefined ? null : `${file.dev}:${file.ino}`;
}

/** Null if it is no error of SQLite. */
function primaryCode(error: unknown): number | null {
  if (!(error instanceof Error && 'errcode' in error)) return null;
  return Number(error.errcode) & 0xff;
}

function isBusy(error: unknown): boolean {
  const code = primaryCode(error);
  return code !== null && BUSY_CODES.has(code);
}
