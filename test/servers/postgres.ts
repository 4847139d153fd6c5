/** A PostgreSQL server of a test's own. Run by root, it becomes the user that Debian's package made, for it refuses to be root. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import pg from 'pg';

import { findCommand, serverPath } from '../../scripts/servers.ts';
import type { FakeClock } from '../faults/faketime.ts';
import { freePort } from '../ports.ts';
import { launcher, ServerProcess } from './server-process.ts';

const USER = 'postgres';

function run(command: readonly string[]): void {
  const [program = '', ...args] = command;
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', cwd: tmpdir() });
  if (status !== 0) throw new Error(`${command.join(' ')} ended with ${status}:\n${stdout}${stderr}`);
}

export interface PostgresOptions {
  readonly clock?: FakeClock;
}

export interface StandbyOptions extends PostgresOptions {
  /** Where it finds its primary, if not at its port: a relay's. */
  readonly port?: number;
  /** The primary's commits wait for it. */
  readonly synchronous?: boolean;
}

/** What the primary knows a standby by. */
const STANDBY = 'standby';
/** Between two looks at what has no event. */
const LOOK_MS = 20;

export class PostgresServer {
  readonly port: number;
  readonly #process: ServerProcess;
  readonly #folder: string;
  readonly #pools: pg.Pool[] = [];

  private constructor(port: number, folder: string, { clock }: PostgresOptions) {
    this.port = port;
    this.#folder = folder;
    // A crash of the machine is not tested here, and a test's disk is slow.
    const settings = [`port=${port}`, 'listen_addresses=127.0.0.1', 'unix_socket_directories=', 'fsync=off'];
    this.#process = new ServerProcess({
      command: [serverPath('postgres'), '-D', join(folder, 'data'), ...settings.flatMap((each) => ['-c', each])],
      ready: /database system is ready to accept (?:read-only )?connections/,
      user: USER,
      environment: clock?.environment ?? {},
    });
  }

  static async start(options: PostgresOptions = {}): Promise<PostgresServer> {
    return PostgresServer.#startWith(options, (data) => [
      findCommand('initdb') ?? 'initdb',
      ...['-D', data, '-U', USER, '-A', 'trust', '--no-sync'],
    ]);
  }

  /** A server that follows this one by streaming replication; several are known by one name. */
  async startStandby({
    port = this.port,
    synchronous = false,
    ...options
  }: StandbyOptions = {}): Promise<PostgresServer> {
    const primary = `host=127.0.0.1 port=${port} user=${USER} application_name=${STANDBY}`;
    const standby = await PostgresServer.#startWith(options, (data) => [
      findCommand('pg_basebackup') ?? 'pg_basebackup',
      ...['-d', primary, '-D', data, '-R', '-X', 'stream', '-c', 'fast', '--no-sync'],
    ]);
    const admin = this.pool({ max: 1 });
    if (synchronous) {
      await admin.query(`ALTER SYSTEM SET synchronous_standby_names = '${STANDBY}'`);
      await admin.query('SELECT pg_reload_conf()');
    }
    const follows = `SELECT FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = $1`;
    while ((await admin.query(follows, [synchronous ? 'sync' : 'async'])).rowCount === 0) {
      await new Promise<void>((resolve) => setTimeout(resolve, LOOK_MS));
    }
    return standby;
  }

  static async #startWith(
    options: PostgresOptions,
    prepare: (data: string) => readonly string[],
  ): Promise<PostgresServer> {
    const folder = mkdtempSync(join(tmpdir(), 'spillway-postgres-'));
    if (process.getuid?.() === 0) run(['chown', USER, folder]);
    const command = [...launcher(USER), ...prepare(join(folder, 'data'))];
    const [program = '', ...args] = command;
    // Not waited for by blocking: a relay of this process may be between the two.
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    execFile(program, args, { cwd: tmpdir() }, (error) => (error === null ? resolve() : reject(error)));
    await promise;
    const server = new PostgresServer(await freePort(), folder, options);
    await server.#process.start();
    return server;
  }

  /** A standby becomes a primary, with what has reached it. */
  async promote(): Promise<void> {
    await this.pool({ max: 1 }).query('SELECT pg_promote()');
  }

  get url(): string {
    return `postgres://${USER}@127.0.0.1:${this.port}/postgres`;
  }

  /** Closed with the server; by way of another port if one is given. */
  pool({ max = 10, port = this.port }: { readonly max?: number; readonly port?: number } = {}): pg.Pool {
    const pool = new pg.Pool({ host: '127.0.0.1', port, user: USER, database: USER, max });
    pool.on('error', () => {});
    this.#pools.push(pool);
    return pool;
  }

  /** Its processes die at once, without a word. */
  kill(): Promise<void> {
    return this.#process.kill('SIGQUIT');
  }

  restart(): Promise<void> {
    return this.#process.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#pools.map((pool) => pool.end().catch(() => {})));
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
