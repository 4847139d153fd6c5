/**
 * One of the instances of a service, all of which have the same cron: `node instance.ts NAME FOLDER`. Says each run on its standard output. On SIGTERM
 * it leaves the seat to another and ends.
 */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createElections } from 'spillway/elect';
import { sqliteLeases, sqliteRegister } from 'spillway/lease';

const [, , name, folder] = process.argv as [string, string, string, string];
const jobs = new DatabaseSync(join(folder, 'jobs.db'), { timeout: 5000 });
const report = jobs.prepare('INSERT INTO reports (tick, instance, term) VALUES (?, ?, ?)');

const stop = new AbortController();
process.on('SIGTERM', () => stop.abort());

await using leases = sqliteLeases(join(folder, 'leases.db'));
await using elections = createElections(leases, { holder: name });
await elections.cron(
  {
    name: 'report',
    schedule: { every: '1s' },
    runs: sqliteRegister(jobs),
    missed: 'all',
    ttl: '2s',
    signal: stop.signal,
  },
  async ({ tick, term }) => {
    report.run(tick.getTime(), name, term);
    process.stdout.write(`${name} ran the tick of ${tick.toISOString().slice(11, 19)} in term ${term}\n`);
  },
);
