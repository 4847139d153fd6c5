/** Leases in PostgreSQL by a user that has no more rights than the guide names: the contracts of both stores. */
import { after, test } from 'node:test';

import pg from 'pg';

import { postgresLeases, postgresSessionLeases } from '../../src/lease/index.ts';
import { electionContract, leaseStoreContract } from '../../src/testing/index.ts';
import { PostgresServer } from '../servers/postgres.ts';

const server = await PostgresServer.start();
const user = { host: '127.0.0.1', port: server.port, user: 'locks', database: 'postgres' };
const pool = new pg.Pool({ ...user, max: 20 });
after(async () => {
  await pool.end();
  await server[Symbol.asyncDispose]();
});

const owner = server.pool();
await postgresLeases(owner).migrate();
await owner.query(`
  CREATE ROLE locks LOGIN;
  GRANT USAGE ON SCHEMA spillway TO locks;
  GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA spillway TO locks;
  GRANT SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA spillway TO locks`);

async function connect(): Promise<pg.Client> {
  const client = new pg.Client(user);
  await client.connect();
  return client;
}

const subjects = [
  {
    name: 'postgres',
    async open() {
      await owner.query('TRUNCATE spillway.leases, spillway.lease_crowd');
      return { connect: () => postgresLeases(pool, { listen: connect }) };
    },
  },
  {
    name: 'postgres session',
    shares: false,
    queue: false,
    open: () => ({ connect: () => postgresSessionLeases(connect) }),
  },
];
for (const subject of subjects) {
  for (const { name, run } of [...leaseStoreContract(subject), ...electionContract(subject)]) test(name, run);
}
