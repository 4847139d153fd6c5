/**
 * Limits in PostgreSQL, beside rate-limiter-flexible and beside the floor: a statement that returns 1, for each decision by the same pool. One
 * server on this machine, which does not wait for its disk.
 */
import { RateLimiterPostgres } from 'rate-limiter-flexible';

import { createLimiter, postgresStore, tokenBucket } from '../../src/limit/index.ts';
import { PostgresServer } from '../../test/servers/postgres.ts';
import { compare, type Contender } from './callers.ts';

/** Never reached. */
const LIMIT = 1e8;

export async function postgresPart(): Promise<void> {
  await using server = await PostgresServer.start();
  const pool = server.pool();
  const store = postgresStore(pool);
  await store.migrate();
  const algorithm = tokenBucket({ capacity: LIMIT, refillPerSecond: 1000 });
  const limiter = createLimiter({ name: 'api', algorithm, store, outage: { answer: 'closed', deadline: '30s' } });
  const options = { storeClient: pool, points: LIMIT, duration: 3600, clearExpiredByTimeout: false };
  const peer = await new Promise<RateLimiterPostgres>((resolve, reject) => {
    const made = new RateLimiterPostgres(options, (error?: Error) =>
      error === undefined ? resolve(made) : reject(error),
    );
  });
  const contenders: readonly Contender[] = [
    { name: 'spillway', floor: 'floor', ask: (key) => limiter.take(key) },
    { name: 'rate-limiter-flexible', floor: 'floor', peer: true, ask: (key) => peer.consume(key) },
    { name: 'floor', floor: 'floor', ask: (key) => pool.query('SELECT 1 WHERE $1 <> $2', [key, '']) },
  ];
  await compare(contenders, { name: 'PostgreSQL', cpuMs: null });
}
