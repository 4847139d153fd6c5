/**
 * The store in PostgreSQL: one limit for all processes of a service that has a database and no Redis.
 *
 * - All that one tick asks is one statement: a function (postgres/*.sql) that holds the rows of all keys, always in their order, reads
 *   the server's clock, and decides by the same arithmetic as in memory. Exact whoever else asks; no deadlock.
 * - One row a key in an unlogged table. Rows that say nothing any more are removed a few pages at a time, in passing.
 *
 * What it is not: as fast as Redis, or durable. After a crash of the server and on a standby that takes over, the table is empty, and then
 * more is admitted than the limit; see docs/guides/rate-limiting.md.
 */
import { readFileSync } from 'node:fs';

import { checkPostgresName, type PostgresClient, PostgresDriver } from '../drivers/postgres.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import type { Algorithm, Outcome } from './algorithm.ts';
import { checkKeys } from './options.ts';
import { askInBatches, type RemoteBatch, sendable } from './remote-batch.ts';
import type { Question, RemoteStore } from './store.ts';

export interface PostgresStoreOptions {
  /**
   * The schema that holds the table and its functions: 1 to 48 of `a-z 0-9 _`, a letter first.
   * @defaultValue 'spillway'
   */
  readonly schema?: string;
  /** For deadlines here; counters go by the server's own. @defaultValue the machine's */
  readonly clock?: Clock;
}

export interface PostgresStore extends RemoteStore {
  /** Creates or renews what the store needs in the database; needs the right to create in it. Safe to run by many at once. */
  migrate(): Promise<void>;
  /** Removes all rows that say nothing any more, in small steps, and answers how many. Only a service that is idle needs it. */
  sweep(): Promise<number>;
}

/** Some milliseconds in which rows are held. */
const PARTS_MAX = 64;

/** Half a megabyte is read, for at most as many new rows as fit there: so a table never grows faster than it is swept. */
const SWEEP_PAGES = 64;
const SWEEP_EVERY_PARTS = 1000;

const files = ['tables', 'token-bucket', 'fixed-window', 'sliding-window', 'sliding-log', 'concurrency', 'decide'];

/**
 * The keys, and as JSON `[limits, questions]`: `[kind, …parameters]` and `[verb, …parts]`, a part being `[key, limit, cost, times,
 * holder]`. Keys and limits are there once and named by their place, from 1 on.
 */
function argumentsOf({ keys, questions }: RemoteBatch): [keys: readonly string[], message: string] {
  const keyPlaces = new Map<string, number>();
  const limitPlaces = new Map<Algorithm, number>();
  const placeOf = <T>(places: Map<T, number>, value: T): number => {
    const place = places.get(value) ?? places.size + 1;
    places.set(value, place);
    return place;
  };
  let at = 0;
  const asked = questions.map(({ verb, parts }) => [
    verb,
    ...parts.map(({ algorithm, cost, times, holder }) => [
      placeOf(keyPlaces, keys[at++]!),
      placeOf(limitPlaces, algorithm),
      sendable(cost),
      sendable(times),
      holder,
    ]),
  ]);
  const limits = [...limitPlaces.keys()].map(({ kind, parameters }) => [kind, ...parameters]);
  return [[...keyPlaces.keys()], JSON.stringify([limits, asked])];
}

class Postgres implements PostgresStore {
  readonly local = false;
  readonly name = 'postgres';
  readonly clock: Clock;
  readonly #driver: PostgresDriver;
  readonly #schema: string;
  #unswept = 0;
  #sweepPage = 0;

  constructor(client: PostgresClient, schema: string, clock: Clock) {
    this.clock = clock;
    this.#driver = new PostgresDriver(client);
    this.#schema = schema;
  }

  ask(questions: readonly Question[]): Promise<readonly (readonly Outcome[])[]> {
    return askInBatches(questions, { partsMax: PARTS_MAX, groupOf: () => 0, ask: (batch) => this.#ask(batch) });
  }

  async migrate(): Promise<void> {
    const texts = files.map((file) => readFileSync(new URL(`./postgres/${file}.sql`, import.meta.url), 'utf8'));
    await this.#driver.query(
      texts
        .join('\n')
        .replaceAll('spillway.', `${this.#schema}.`)
        .replaceAll('EXISTS spillway;', `EXISTS ${this.#schema};`),
      [],
    );
  }

  async sweep(): Promise<number> {
    let removed = 0;
    let page = 0;
    do {
      const step = await this.#sweepFrom(page);
      removed += step.removed;
      page = step.nextPage;
    } while (page > 0);
    return removed;
  }

  async #ask(batch: RemoteBatch): Promise<unknown> {
    const text = `SELECT ${this.#schema}.decide($1, $2) AS answer`;
    const [row] = await this.#driver.query<{ answer: unknown }>(text, argumentsOf(batch));
    this.#unswept += batch.parts;
    if (this.#unswept >= SWEEP_EVERY_PARTS) {
      this.#unswept = 0;
      // If it fails, so does the next question, which somebody waits for.
      this.#sweepFrom(this.#sweepPage).then(
        ({ nextPage }) => (this.#sweepPage = nextPage),
        () => {},
      );
    }
    return row?.answer;
  }

  async #sweepFrom(page: number): Promise<{ readonly removed: number; readonly nextPage: number }> {
    const text = `SELECT removed, next_page FROM ${this.#schema}.sweep($1, $2)`;
    const [row] = await this.#driver.query<{ removed: unknown; next_page: unknown }>(text, [page, SWEEP_PAGES]);
    return { removed: Number(row?.removed), nextPage: Number(row?.next_page) };
  }
}

/**
 * Counters in PostgreSQL, 14 or later, through your own client: a `Pool` (or a `Client`) of pg. Run `migrate()` once before.
 */
export function postgresStore(client: PostgresClient, options: PostgresStoreOptions = {}): PostgresStore {
  checkKeys('postgresStore', options, ['schema', 'clock']);
  const { schema = 'spillway', clock = systemClock } = options;
  checkPostgresName('postgresStore: schema', schema);
  return new Postgres(client, schema, clock);
}
