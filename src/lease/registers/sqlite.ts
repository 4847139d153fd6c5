/** A fenced register in a file of SQLite, for the processes of one machine. What is written is on the disk when it is answered. */
import type { DatabaseSync } from 'node:sqlite';
import { machineClock } from '../../kernel/clock.ts';
import type { Fenced, FencedRegister } from '../fenced.ts';
import { checkSqlite, SqliteFile } from '../sqlite-file.ts';

const SCHEMA = `
CREATE TABLE IF NOT EXISTS spillway_fenced (
  key TEXT PRIMARY KEY, value TEXT NOT NULL, token INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`;

class Sqlite implements FencedRegister {
  readonly #file: SqliteFile;

  constructor(at: string | DatabaseSync) {
    this.#file = new SqliteFile({ at, clock: machineClock, schema: SCHEMA, isDurable: true });
  }

  read(key: string, { signal }: { readonly signal?: AbortSignal } = {}): Promise<Fenced | null> {
    return this.#file.read(signal, (prepare) => {
      const statement = prepare('SELECT value, token FROM spillway_fenced WHERE key = ?');
      statement.setReadBigInts(true);
      const row = statement.get(key) as unknown as Fenced | undefined;
      return row === undefined ? null : { value: row.value, token: row.token };
    });
  }

  write(key: string, { value, token }: Fenced, { signal }: { readonly signal?: AbortSignal } = {}): Promise<boolean> {
    const text =
      'INSERT INTO spillway_fenced VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value, token = excluded.token ' +
      'WHERE token <= excluded.token';
    return this.#file.write(signal, (prepare) => prepare(text).run(key, value, token).changes > 0);
  }
}

/**
 * The path of a file on a local disk, which is made if it is not there, or a `DatabaseSync` of node:sqlite, whose settings are left as they are: then
 * its `synchronous` says what a loss of power may take.
 */
export function sqliteRegister(at: string | DatabaseSync): FencedRegister {
  checkSqlite('sqliteRegister', at);
  return new Sqlite(at);
}
