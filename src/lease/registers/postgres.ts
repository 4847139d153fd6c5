/**
 * A fenced register in PostgreSQL: a row per key, and a write is one statement that compares and writes. What is written is as durable as the commits
 * of the database; a failover to an asynchronous standby may take it back. Rows stay until somebody deletes them.
 */
import { checkPostgresName, type PostgresClient, PostgresDriver } from '../../drivers/postgres.ts';
import { checkKeys } from '../../kernel/options.ts';
import type { Fenced, FencedRegister } from '../fenced.ts';

export interface PostgresRegisterOptions {
  /** The schema that holds the table: 1 to 48 of `a-z 0-9 _`, a letter first. @defaultValue 'spillway' */
  readonly schema?: string;
}

export interface PostgresRegister extends FencedRegister {
  /** Creates the table; needs the right to create in the database. Safe to run by many at once. */
  migrate(): Promise<void>;
}

class Postgres implements PostgresRegister {
  readonly #driver: PostgresDriver;
  readonly #schema: string;

  constructor(client: PostgresClient, schema: string) {
    this.#driver = new PostgresDriver(client);
    this.#schema = schema;
  }

  async migrate(): Promise<void> {
    const text =
      `SELECT pg_advisory_xact_lock(hashtext('${this.#schema}.fenced')); CREATE SCHEMA IF NOT EXISTS ${this.#schema}; ` +
      `CREATE TABLE IF NOT EXISTS ${this.#schema}.fenced (key bytea PRIMARY KEY, value bytea NOT NULL, token bigint NOT NULL)`;
    await this.#driver.query(text, []);
  }

  async read(key: string, { signal }: { readonly signal?: AbortSignal } = {}): Promise<Fenced | null> {
    signal?.throwIfAborted();
    const text = `SELECT value, token FROM ${this.#schema}.fenced WHERE key = $1`;
    const [row] = await this.#driver.query<{ value: Buffer; token: string }>(text, [Buffer.from(key)]);
    return row === undefined ? null : { value: row.value.toString(), token: BigInt(row.token) };
  }

  async write(
    key: string,
    { value, token }: Fenced,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<boolean> {
    signal?.throwIfAborted();
    const text =
      `INSERT INTO ${this.#schema}.fenced AS f VALUES ($1, $2, $3) ON CONFLICT (key) DO UPDATE ` +
      `SET value = excluded.value, token = excluded.token WHERE f.token <= excluded.token RETURNING true`;
    const values = [Buffer.from(key), Buffer.from(value), String(token)];
    return (await this.#driver.query(text, values)).length > 0;
  }
}

/** Through your own client: a `Pool` of pg. Run `migrate()` once before. */
export function postgresRegister(client: PostgresClient, options: PostgresRegisterOptions = {}): PostgresRegister {
  checkKeys('postgresRegister', options, ['schema']);
  const { schema = 'spillway' } = options;
  checkPostgresName('postgresRegister: schema', schema);
  return new Postgres(client, schema);
}
