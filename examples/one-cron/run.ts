/**
 * Three processes, one cron, no server: who leads, what it runs, and what becomes of it when the leader is killed, and when one resigns.
 *
 *     npm run one-cron
 *
 * The leases are in a file of SQLite, the job writes into another. Ends by itself after some fifteen seconds; exit code 0 if no tick ran twice and
 * none was lost, else 1. The files are in a temporary folder, and nothing is left.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { createElections, cronRuns, type Leadership } from 'spillway/elect';
import { sqliteLeases, sqliteRegister } from 'spillway/lease';

const instanceFile = fileURLToPath(new URL('instance.ts', import.meta.url));
const NAMES = ['one', 'two', 'three'];
const PERIOD_MS = 1000;
/** As the instances have it. */
const TTL_MS = 2000;
/** Ticks between two things that happen. */
const TICKS = 3;

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;

class Instances {
  readonly #folder: string;
  readonly #children = new Map<string, ChildProcess>();
  #runs = 0;
  #ran = Promise.withResolvers<void>();

  constructor(folder: string) {
    this.#folder = folder;
    for (const name of NAMES) this.#start(name);
  }

  /** Waits for so many further runs, whoever runs them. */
  async ran(count: number): Promise<void> {
    for (const until = this.#runs + count; this.#runs < until;) await this.#ran.promise;
  }

  /** Sends a signal and waits until it has ended; when it was sent. */
  async end(name: string, signal: NodeJS.Signals): Promise<number> {
    const child = this.#children.get(name)!;
    this.#children.delete(name);
    const gone = once(child, 'exit');
    const atMs = performance.now();
    child.kill(signal);
    await gone;
    return atMs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of this.#children.keys()) await this.end(name, 'SIGTERM');
  }

  #start(name: string): void {
    const child = spawn(process.execPath, [...process.execArgv, instanceFile, name, this.#folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#children.set(name, child);
    child.on('exit', (code, signal) => {
      if (this.#children.has(name)) this.#ran.reject(new Error(`instance ${name} ended: ${code ?? signal}`));
    });
    createInterface(child.stdout).on('line', (line) => {
      say(`  ${line}`);
      this.#runs += 1;
      this.#ran.resolve();
      this.#ran = Promise.withResolvers();
    });
  }
}

/** True if every tick from the first to the last ran, and once. */
function check(jobs: DatabaseSync): boolean {
  const reports = jobs.prepare('SELECT tick, count(*) AS runs FROM reports GROUP BY tick ORDER BY tick').all() as {
    readonly tick: number;
    readonly runs: number;
  }[];
  const expected = (reports.at(-1)!.tick - reports[0]!.tick) / PERIOD_MS + 1;
  const twice = reports.filter(({ runs }) => runs > 1).length;
  say(`\n${expected} ticks: ${twice} ran twice, ${expected - reports.length} were lost`);
  return twice === 0 && reports.length === expected;
}

async function show(folder: string): Promise<boolean> {
  const jobs = new DatabaseSync(join(folder, 'jobs.db'), { timeout: 5000 });
  jobs.exec('PRAGMA journal_mode = WAL; CREATE TABLE reports (tick INTEGER, instance TEXT, term INTEGER) STRICT');
  const register = sqliteRegister(jobs);
  await using leases = sqliteLeases(join(folder, 'leases.db'));
  await using elections = createElections(leases);
  const changes = elections.observe('cron:report', { every: '100ms' })[Symbol.asyncIterator]();
  const follows = async (last: string | null): Promise<string> => {
    for (;;) {
      const { leader, term } = (await changes.next()).value as Leadership;
      if (leader === null || leader === last) continue;
      say(`${leader} leads, term ${term}`);
      return leader;
    }
  };
  await using instances = new Instances(folder);
  const first = await follows(null);
  await instances.ran(TICKS);
  say(`kill -9 ${first}`);
  const killedMs = await instances.end(first, 'SIGKILL');
  const second = await follows(first);
  say(`hand-over ${seconds(performance.now() - killedMs)} after the kill; its lease had a ttl of ${seconds(TTL_MS)}`);
  await instances.ran(2 * TICKS);
  say(`kill -TERM ${second}: it resigns`);
  const [resignedMs] = await Promise.all([instances.end(second, 'SIGTERM'), follows(second)]);
  say(`hand-over ${seconds(performance.now() - resignedMs)} after the signal`);
  await instances.ran(TICKS);
  await changes.return!();
  const states = (await cronRuns(register, 'report')).map(({ state }) => state);
  say(`\nthe record of the cron: ${states.join(' ')}`);
  const isGood = check(jobs);
  jobs.close();
  return isGood;
}

const folder = mkdtempSync(join(tmpdir(), 'spillway-one-cron-'));
try {
  process.exitCode = (await show(folder)) ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true });
}
