/**
 * Which usernames are taken, in PostgreSQL, with a filter of them before it: a name that the filter does not know is free, and the
 * database never hears of it.
 *
 * Invariant: a name is in the filter before it is in the table. So whoever asks in between is sent to the database, which knows;
 * the other way round there would be a moment in which a taken name is called free. If the insert fails, the filter sends
 * one name more to the database than it must, for good.
 *
 * One process takes names. With several, keep the filter in Redis (`redisFilter`), where all of them add.
 */
import type { Pool } from 'pg';
import { type BloomFilter, createFilter, type FilterReport } from 'spillway/bloom';

export interface UsernamesOptions {
  /** How many names there will be before somebody looks at the report and makes a larger filter. */
  readonly capacity: number;
  readonly falsePositiveRate: number;
}

/** Read at once while the filter is filled. */
const PAGE = 50_000;

export class Usernames {
  readonly #pool: Pool;
  readonly #taken: BloomFilter;

  private constructor(pool: Pool, taken: BloomFilter) {
    this.#pool = pool;
    this.#taken = taken;
  }

  /** Fills a filter from the table, page by page. Names are taken only afterwards. */
  static async open(pool: Pool, options: UsernamesOptions): Promise<Usernames> {
    await pool.query('CREATE TABLE IF NOT EXISTS usernames (name text PRIMARY KEY)');
    const taken = createFilter(options);
    let last = '';
    for (;;) {
      const { rows } = await pool.query<{ name: string }>(
        // From the last name on, itself included: the first page then has '' too, and adding a name again does no harm.
        'SELECT name FROM usernames WHERE name >= $1 ORDER BY name LIMIT $2',
        [last, PAGE],
      );
      taken.addMany(rows.map(({ name }) => name));
      if (rows.length < PAGE) return new Usernames(pool, taken);
      last = rows.at(-1)!.name;
    }
  }

  /** False: the name is free. True: ask the database. */
  mayBeTaken(name: string): boolean {
    return this.#taken.has(name);
  }

  /** Nearly every name that is free is answered without the database. */
  async isTaken(name: string): Promise<boolean> {
    if (!this.mayBeTaken(name)) return false;
    const { rowCount } = await this.#pool.query({
      name: 'is-taken',
      text: 'SELECT FROM usernames WHERE name = $1',
      values: [name],
    });
    return rowCount !== 0;
  }

  /** Takes those names that are free, and says which. */
  async take(names: readonly string[]): Promise<string[]> {
    this.#taken.addMany(names);
    const { rows } = await this.#pool.query<{ name: string }>(
      'INSERT INTO usernames SELECT unnest($1::text[]) ON CONFLICT DO NOTHING RETURNING name',
      [names],
    );
    return rows.map(({ name }) => name);
  }

  report(): FilterReport {
    return this.#taken.report();
  }
}
