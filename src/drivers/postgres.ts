/**
 * PostgreSQL through a client that the program already has: a `Pool` or a `Client` of pg. Nothing is imported from it; what is used of it is
 * written down here as types.
 *
 * - A call lasts as long as the client makes it last, and the server works on it for as long as its own `statement_timeout` lets it;
 *   whoever has less time stops waiting.
 * - Errors are coded: `STORE_UNAVAILABLE` if the same call may do later, `STORE_REFUSED` if it will not.
 */
import { SpillwayError } from '../kernel/errors.ts';
import { invalid, textOfGiven } from '../kernel/options.ts';
import { Unanswered } from './unanswered.ts';

/** What is used of `new Pool()` and `new Client()` of pg. */
export interface PostgresClient {
  query(text: string, values?: unknown[]): Promise<{ readonly rows: readonly unknown[] }>;
}

/** Far more than a pool has connections: the others wait in it for one. */
const UNANSWERED_MAX = 1024;

export class PostgresDriver {
  readonly #client: PostgresClient;
  readonly #unanswered = new Unanswered('PostgreSQL', UNANSWERED_MAX);

  constructor(client: PostgresClient) {
    // Whoever writes JavaScript may hand in anything.
    if (typeof client?.query !== 'function') {
      throw invalid(
        'This is no client of PostgreSQL; expected a Pool or a Client of pg, or whatever has its query(text, values).',
      );
    }
    this.#client = client;
  }

  /** The rows. */
  async query<Row>(text: string, values: unknown[]): Promise<readonly Row[]> {
    this.#unanswered.begin();
    try {
      const { rows } = await (values.length === 0 ? this.#client.query(text) : this.#client.query(text, values));
      return rows as readonly Row[];
    } catch (error) {
      throw postgresError(error);
    } finally {
      this.#unanswered.end();
    }
  }
}

/** Needs no quotes, and leaves room in the 63 bytes of a name for what is put behind it. */
const NAME = /^[a-z][a-z0-9_]{0,47}$/;

/** Refuses what is no name for a schema or a table. */
export function checkPostgresName(what: string, name: unknown): void {
  if (typeof name === 'string' && NAME.test(name)) return;
  throw invalid(`${what} is “${textOfGiven(name)}”; expected 1 to 48 of the characters a-z 0-9 _, a letter first.`);
}

/** Classes of SQLSTATE by which a server says that it will not do, until somebody changes something. */
const refusals: ReadonlySet<string> = new Set(['0A', '22', '23', '28', '3D', '3F', '42']);

function postgresError(error: unknown): SpillwayError {
  if (error instanceof SpillwayError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const state = error instanceof Error && 'severity' in error && 'code' in error ? String(error.code) : null;
  if (state !== null && refusals.has(state.slice(0, 2))) {
    return new SpillwayError('STORE_REFUSED', `PostgreSQL refused a statement: ${message} (${state})`, {
      cause: error,
    });
  }
  // Shutting down, recovering, read-only, too many connections, a deadlock, … and whatever ends a connection.
  const what = state === null ? 'PostgreSQL cannot be reached' : 'PostgreSQL cannot do it now';
  return new SpillwayError('STORE_UNAVAILABLE', `${what}: ${message}`, { cause: error, retryable: true });
}
