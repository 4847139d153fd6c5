/** A real PostgreSQL with a clock that the test sets: the contract of stores, and random questions. */
import { after, test } from 'node:test';

import { postgresStore } from '../../src/limit/index.ts';
import { limitStoreContract } from '../../src/testing/index.ts';
import { PostgresServer } from '../servers/postgres.ts';
import { agrees } from './agreement.ts';
import { clockedPostgres } from './clocked-postgres.ts';

const server = await PostgresServer.start();
after(() => server[Symbol.asyncDispose]());
// One connection, for the clock is a setting of it.
const connection = server.pool({ max: 1 });
await postgresStore(clockedPostgres(connection, () => 0)).migrate();

async function clear(): Promise<void> {
  await connection.query('TRUNCATE spillway.limits');
}

const contract = limitStoreContract({
  name: 'postgres',
  histories: 50,
  async open(startUs) {
    await clear();
    let nowUs = startUs;
    const store = postgresStore(clockedPostgres(connection, () => nowUs));
    return { store, pass: (us) => void (nowUs += us) };
  },
});
for (const { name, run } of contract) test(name, run);

agrees(
  'postgres',
  async (nowUs) => {
    await clear();
    return { store: postgresStore(clockedPostgres(connection, nowUs)), forgets: true };
  },
  150,
);
