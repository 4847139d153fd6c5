/**
 * The one connection of `postgresSessionLeases`, for as long as its session lasts: what asks of it, and hears what it is told.
 *
 * - Statements go one after the other: a client of pg takes one at a time from version 9 on.
 * - One that does not answer for `SILENT_MS` is ended: it is taken for dead, with all that its session has.
 * - It is the server's own session, or it is refused: PgBouncer hands one on to others, with the locks in it.
 */
import type { PostgresListenClient } from '../drivers/postgres-listener.ts';
import { type PostgresClient, PostgresDriver } from '../drivers/postgres.ts';
import type { Clock } from '../kernel/clock.ts';
import { SpillwayError } from '../kernel/errors.ts';
import { explained } from './postgres.ts';

/** What is used of a connected `Client` of pg. */
export interface PostgresSessionClient extends PostgresClient, Omit<PostgresListenClient, 'query'> {
  /** What it was told, when it connected, that its process at the server is; pg has it, and its types do not say so. */
  readonly processID?: number | null;
}

export interface PostgresSessionConnectionOptions {
  readonly connect: () => Promise<PostgresSessionClient>;
  readonly schema: string;
  readonly clock: Clock;
  /** Called once or more. */
  readonly onLost: () => void;
  /** Of what `lease_session_tell` says. */
  readonly onTold: (message: string) => void;
}

/**
 * Nothing here waits for long in a healthy server; what does is ended, so that it does not take a lock for nobody. What a statement reads after it
 * has unlocked is what others have written by then.
 */
const SETTINGS =
  "SET statement_timeout = '5s'; SET lock_timeout = '2s'; SET idle_session_timeout = 0; SET default_transaction_isolation = 'read committed'";
/** A connection that has not answered for so long is taken for dead, with all that it holds. */
const SILENT_MS = 10_000;

export class PostgresSessionConnection {
  /** Its client, which asks when what was asked before has been answered. */
  readonly inTurn: PostgresClient;
  readonly #client: PostgresSessionClient;
  readonly #driver: PostgresDriver;
  readonly #schema: string;
  readonly #clock: Clock;

  private constructor(client: PostgresSessionClient, { schema, clock }: PostgresSessionConnectionOptions) {
    this.inTurn = inTurn(client);
    this.#client = client;
    this.#driver = new PostgresDriver(this.inTurn);
    this.#schema = schema;
    this.#clock = clock;
  }

  static async open(options: PostgresSessionConnectionOptions): Promise<PostgresSessionConnection> {
    const { connect, onLost, onTold } = options;
    const client = await connect().catch((cause: unknown) => {
      const said = cause instanceof Error ? cause.message : String(cause);
      throw new SpillwayError('STORE_UNAVAILABLE', `PostgreSQL cannot be reached: ${said}`, { cause, retryable: true });
    });
    client.on('error', onLost);
    client.on('end', onLost);
    client.on('notification', ({ payload }) => {
      if (payload !== undefined) onTold(payload);
    });
    client.unref?.();
    const connection = new PostgresSessionConnection(client, options);
    try {
      await connection.#begin();
      return connection;
    } catch (error) {
      void connection.end();
      throw error;
    }
  }

  /** The rows of a function. */
  call<Row>(call: string, values: readonly unknown[]): Promise<readonly Row[]> {
    return this.#ask('SELECT * FROM', call, values);
  }

  /** What a procedure leaves in its parameters. */
  run<Row>(call: string, values: readonly unknown[]): Promise<readonly Row[]> {
    return this.#ask('CALL', call, values);
  }

  /** With all that its session has. Never fails. */
  async end(): Promise<void> {
    await this.#client.end().catch(() => {});
  }

  async #begin(): Promise<void> {
    const [row] = await this.#driver.query<{ pid: number }>('SELECT pg_backend_pid() AS pid', []);
    if (row!.pid !== this.#client.processID) throw pooled();
    await this.#driver.query(SETTINGS, []);
    await this.call('lease_session_sweep()', []).catch((error: unknown) => {
      // Before migrate() there is nothing to sweep.
      if ((error as SpillwayError).code !== 'STORE_REFUSED') throw error;
    });
  }

  async #ask<Row>(verb: string, call: string, values: readonly unknown[]): Promise<readonly Row[]> {
    const silent = this.#clock.after(SILENT_MS, () => void this.end());
    try {
      const given = values.map((value) => (typeof value === 'bigint' ? String(value) : value));
      return await this.#driver.query<Row>(`${verb} ${this.#schema}.${call}`, given);
    } catch (error) {
      throw explained(error, this.#schema);
    } finally {
      silent.clear();
    }
  }
}

function inTurn(client: PostgresClient): PostgresClient {
  let before: Promise<unknown> = Promise.resolve();
  return {
    query(text, values) {
      const asked = before.then(() => client.query(text, values));
      before = asked.catch(() => {});
      return asked;
    },
  };
}

function pooled(): SpillwayError {
  return new SpillwayError(
    'STORE_REFUSED',
    'This connection is not one to the server itself: something such as PgBouncer is in between, where a session, and its locks with it, can be handed to another. ' +
      'Connect postgresSessionLeases straight to the server, or use postgresLeases, which goes through it.',
  );
}
