/**
 * A client of a real PostgreSQL whose functions see the test's clock instead of the server's, so that a test can say when each
 * question is decided. All else is the server's.
 */
import type { PostgresClient } from '../../src/drivers/postgres.ts';

const TIME = 'extract(epoch FROM clock_timestamp()) * 1000000';
const CLOCK = "current_setting('spillway.now_us')::double precision";

export function clockedPostgres(client: PostgresClient, nowUs: () => number): PostgresClient {
  return {
    async query(text, values) {
      if (values === undefined) {
        if (!text.includes(TIME)) throw new Error(`nothing reads the clock by ${TIME}`);
        return client.query(text.replaceAll(TIME, CLOCK));
      }
      await client.query("SELECT set_config('spillway.now_us', $1, false)", [String(nowUs())]);
      return client.query(text, values);
    },
  };
}
