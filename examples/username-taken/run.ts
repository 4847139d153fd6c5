/**
 * A million usernames in PostgreSQL and a filter before it: how many lookups of free names reach the database, by its own count, and
 * how that changes as names are added.
 *
 *     npm run username-taken                    PostgreSQL is found, or installed (scripts/servers.ts)
 *     npm run username-taken -- --names 50000   with fewer names
 *
 * The server is started on a free port with its data in a temporary folder, and nothing is left. Takes some twenty seconds.
 */
import { parseArgs } from 'node:util';
import type { Pool } from 'pg';
import { ensureServers } from '../../scripts/servers.ts';
import { PostgresServer } from '../../test/servers/postgres.ts';
import { Usernames } from './usernames.ts';

const LOOKUPS = 100_000;
const BATCH = 10_000;
const RATE = 0.01;
/** Names beyond the first ones for which there is room. */
const ROOM = 1.1;
/** The last one is past the room there is. */
const GROWTH = [1, ROOM, 1.3];

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const number = (value: number): string => value.toLocaleString('en');
const percent = (share: number): string => `${(share * 100).toFixed(2)} %`;
const user = (index: number): string => `user-${index}`;

/** How often the table was asked for a name, as the server counts it: scans of its only index. */
async function scans(pool: Pool): Promise<number> {
  // The session's own counts, which the server would publish a second later.
  await pool.query('SELECT pg_stat_force_next_flush()');
  const { rows } = await pool.query(`SELECT idx_scan FROM pg_stat_user_tables WHERE relname = 'usernames'`);
  return Number(rows[0].idx_scan);
}

/** So many names that nobody has: how many of them reached the database. */
async function askFree(pool: Pool, usernames: Usernames, word: string): Promise<number> {
  const before = await scans(pool);
  for (let index = 0; index < LOOKUPS; index++) {
    const name = `${word}-${index}`;
    if (await usernames.isTaken(name)) throw new Error(`${name} is free and was called taken`);
  }
  return (await scans(pool)) - before;
}

/** How many of the taken names are called free. That the database knows its names is taken on trust. */
function countLost(usernames: Usernames, names: number): number {
  let lost = 0;
  for (let index = 0; index < names; index++) if (!usernames.mayBeTaken(user(index))) lost++;
  return lost;
}

async function show(names: number): Promise<void> {
  await using server = await PostgresServer.start();
  const pool = server.pool({ max: 1 });
  await pool.query('CREATE TABLE usernames (name text PRIMARY KEY)');
  await pool.query(`INSERT INTO usernames SELECT 'user-' || n FROM generate_series(0, $1::int - 1) n`, [names]);
  const usernames = await Usernames.open(pool, { capacity: Math.round(names * ROOM), falsePositiveRate: RATE });
  const { bytes, capacity } = usernames.report();
  say(
    `${number(names)} names in PostgreSQL. The filter before it has room for ${number(capacity)} and takes ${number(bytes)} bytes.\n`,
  );
  say('    names   free names asked for   reached PostgreSQL    share   predicted');

  let have = names;
  for (const times of GROWTH) {
    for (const target = Math.round(names * times); have < target;) {
      const batch = Array.from({ length: Math.min(BATCH, target - have) }, (_, index) => user(have + index));
      have += (await usernames.take(batch)).length;
    }
    const reached = await askFree(pool, usernames, `free-${times}`);
    const { falsePositiveRate, overCapacity } = usernames.report();
    const cells = [
      number(have).padStart(9),
      number(LOOKUPS).padStart(20),
      number(reached).padStart(18),
      percent(reached / LOOKUPS).padStart(7),
      percent(falsePositiveRate.now).padStart(9),
    ];
    say(cells.join('   ') + (overCapacity ? '   over capacity' : ''));
  }
  say(`\nOf all ${number(have)} names that are taken, ${number(countLost(usernames, have))} were called free.`);
}

const { values } = parseArgs({ options: { names: { type: 'string', default: '1000000' } } });
const names = Number(values.names);
const faults = ensureServers(['postgres']);
if (!Number.isInteger(names) || names < 1000) faults.push(`--names is ${values.names}; expected an integer from 1000.`);
for (const fault of faults) process.stderr.write(`username-taken: ${fault}\n`);
if (faults.length > 0) process.exitCode = 1;
else await show(names);
