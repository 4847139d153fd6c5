/** What the stores in PostgreSQL have in common: a table of their own, named by whoever makes them. */
import { checkPostgresName, type PostgresClient, PostgresDriver } from '../drivers/postgres.ts';
import { abortable } from '../kernel/abort.ts';
import { checkKeys } from '../kernel/options.ts';
import type { GeoStore, Placed } from './geo-index.ts';
import { haversine, type Measure } from './measure.ts';
import { ANSWERS_MAX, checkAnswersMax, tooMany } from './server-store.ts';

export interface PostgresStoreOptions {
  /** The table: 1 to 48 of `a-z 0-9 _`, a letter first. */
  readonly table: string;
  /** The schema it is in, named alike. @defaultValue 'spillway' */
  readonly schema?: string;
  /** How distances are measured. @defaultValue haversine() */
  readonly measure?: Measure;
  /** A question that finds more fails with `ANSWER_TOO_LARGE`: 1 to 10,000,000. @defaultValue 100,000 */
  readonly answersMax?: number;
}

export interface PostgresGeoStore extends GeoStore {
  /** Creates what the store needs in the database; needs the right to create in it. Safe to run again. */
  migrate(): Promise<void>;
}

/** What one statement writes. */
const SET_MAX = 1000;

export class PostgresTable {
  readonly schema: string;
  /** Quoted: a table may be called `user`. */
  readonly name: string;
  readonly indexName: string;
  readonly measure: Measure;
  readonly #driver: PostgresDriver;
  readonly #answersMax: number;

  constructor(what: string, client: PostgresClient, options: PostgresStoreOptions) {
    checkKeys(what, options, ['table', 'schema', 'measure', 'answersMax']);
    const { table, schema = 'spillway', measure = haversine(), answersMax = ANSWERS_MAX } = options;
    checkPostgresName(`${what}: table`, table);
    checkPostgresName(`${what}: schema`, schema);
    checkAnswersMax(answersMax);
    this.schema = `"${schema}"`;
    this.name = `"${schema}"."${table}"`;
    this.indexName = `"${table}_place"`;
    this.measure = measure;
    this.#driver = new PostgresDriver(client);
    this.#answersMax = answersMax;
  }

  get answersMax(): number {
    return this.#answersMax;
  }

  async run(text: string): Promise<void> {
    await this.#driver.query(text, []);
  }

  /** Ends with its signal; the server may still work on it, for as long as its `statement_timeout` lets it. */
  async query<Row>(text: string, values: unknown[], signal: AbortSignal): Promise<readonly Row[]> {
    signal.throwIfAborted();
    return abortable(this.#driver.query<Row>(text, values), signal);
  }

  /** Rows `id, lat, lon` of a statement without its end, each id once; refused if they are too many. */
  async placed(text: string, values: unknown[], signal: AbortSignal): Promise<Placed<string>[]> {
    const rows = await this.query<Placed<string>>(`${text} LIMIT ${this.#answersMax + 1}`, values, signal);
    if (rows.length > this.#answersMax) throw tooMany(this.#answersMax);
    const byId = new Map(rows.map(({ id, lat, lon }) => [id, { id, lat, lon }]));
    return [...byId.values()];
  }

  /** Writes rows in batches; `text` takes their columns as arrays. Always in the order of ids, so that two writers cannot lock each other out. */
  async write(
    text: string,
    placed: readonly Placed<string>[],
    columns: readonly ((each: Placed<string>) => unknown)[],
    signal: AbortSignal,
  ): Promise<void> {
    const latest = [...new Map(placed.map((each) => [each.id, each])).values()];
    latest.sort((a, b) => (a.id < b.id ? -1 : 1));
    for (let from = 0; from < latest.length; from += SET_MAX) {
      const batch = latest.slice(from, from + SET_MAX);
      const values = columns.map((column) => batch.map((each) => column(each)));
      await this.query(text, values, signal);
    }
  }

  async remove(id: string, signal: AbortSignal): Promise<boolean> {
    const rows = await this.query(`DELETE FROM ${this.name} WHERE id = $1 RETURNING 1`, [id], signal);
    return rows.length > 0;
  }
}
