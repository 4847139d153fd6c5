/** A real PostgreSQL with a clock that the test sets, asked at random beside table.ts. */
import { after } from 'node:test';

import pg from 'pg';

import type { PostgresListenClient } from '../../src/drivers/postgres-listener.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { postgresLeases } from '../../src/lease/index.ts';
import { clockedPostgres } from '../limit/clocked-postgres.ts';
import { PostgresServer } from '../servers/postgres.ts';
import { agreesWithTable } from './agreement.ts';

const server = await PostgresServer.start();
// One connection, for the clock is a setting of it.
const connection = server.pool({ max: 1 });
await postgresLeases(clockedPostgres(connection, () => 0)).migrate();

const ear = new pg.Client(server.url);
await ear.connect();
after(async () => {
  await ear.end();
  await server[Symbol.asyncDispose]();
});
let told: string[] = [];
ear.on('notification', ({ payload }) => told.push(payload!));
/** The same connection for one store after the other. */
const listen = async (): Promise<PostgresListenClient> => ({
  query: (text) => ear.query(text),
  on() {},
  async end() {},
});

agreesWithTable('postgres', {
  unitUs: 1000,
  async open(nowUs) {
    await connection.query('TRUNCATE spillway.leases, spillway.lease_crowd');
    const clock = { ...systemClock, nowMs: () => nowUs() / 1000 };
    const client = clockedPostgres(connection, nowUs);
    const store = postgresLeases(client, { listen, clock });
    // It listens before there is anything to tell.
    const listening = Promise.withResolvers<void>();
    store.watch('', { id: '' } as never, listening.resolve);
    await listening.promise;
    return {
      store,
      async told() {
        // What a connection was told comes before its answer.
        await ear.query('SELECT');
        const heard = told;
        told = [];
        return heard;
      },
      async close() {
        await store[Symbol.asyncDispose]();
        await ear.query('UNLISTEN *');
      },
    };
  },
});
