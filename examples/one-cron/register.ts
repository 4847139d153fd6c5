/** A fenced register in a table of SQLite: the comparison of tokens is part of the statement that writes. */
import type { DatabaseSync } from 'node:sqlite';
import type { Fenced, FencedRegister } from 'spillway/lease';

export function tableRegister(database: DatabaseSync): FencedRegister {
  database.exec(
    'CREATE TABLE IF NOT EXISTS records (key TEXT PRIMARY KEY, value TEXT NOT NULL, token INTEGER NOT NULL) STRICT',
  );
  const select = database.prepare('SELECT value, token FROM records WHERE key = ?');
  select.setReadBigInts(true);
  const upsert = database.prepare(
    `INSERT INTO records VALUES (?, ?, ?)
     ON CONFLICT (key) DO UPDATE SET value = excluded.value, token = excluded.token WHERE token <= excluded.token`,
  );
  return {
    read: async (key) => (select.get(key) as Fenced | undefined) ?? null,
    write: async (key, { value, token }) => Number(upsert.run(key, value, token).changes) === 1,
  };
}
