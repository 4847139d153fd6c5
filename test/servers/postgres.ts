/** A PostgreSQL server of a test's own. Run by root, it becomes the user that Debian's package made, for it refuses to be root. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import pg from 'pg';

import { findCommand, serverPath } from '../../scripts/servers.ts';
import type { FakeClock } from '../faults/faketime.ts';
import { freePort, launcher, ServerProcess } from './server-process.ts';

const USER = 'postgres';

function run(command: readonly string[]): void {
  const [program = '', ...args] = command;
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', cwd: tmpdir() });
  if (status !== 0) throw new Error(`${command.join(' ')} ended with ${status}:\n${stdout}${stderr}`);
}

export interface PostgresOptions {
  readonly clock?: FakeClock;
}

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
      ready: /database system is ready to accept connections/,
      user: USER,
      environment: clock?.environment ?? {},
    });
  }

  static async start(options: PostgresOptions = {}): Promise<PostgresServer> {
    const folder = mkdtempSync(join(tmpdir(), 'spillway-postgres-'));
    if (process.getuid?.() === 0) run(['chown', USER, folder]);
    const initdb = [
      findCommand('initdb') ?? 'initdb',
      '-D',
      join(folder, 'data'),
      '-U',
      USER,
      '-A',
      'trust',
      '--no-sync',
    ];
    run([...launcher(USER), ...initdb]);
    const server = new PostgresServer(await freePort(), folder, options);
    await server.#process.start();
    return server;
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
