/** A PgBouncer of a test's own before a PostgreSQL server. Run by root, it becomes PostgreSQL's user, for it refuses to be root. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { serverPath } from '../../scripts/servers.ts';
import { freePort } from '../ports.ts';
import { ServerProcess } from './server-process.ts';

export interface PgBouncerOptions {
  /** The server's, or a relay's. */
  readonly port: number;
  /** `transaction`: a connection to the server is a client's for one transaction; `session`: until the client goes. */
  readonly mode: 'transaction' | 'session';
  /** Connections to the server. */
  readonly size?: number;
}

export class PgBouncer implements AsyncDisposable {
  readonly port: number;
  readonly #process: ServerProcess;
  readonly #folder = mkdtempSync(join(tmpdir(), 'spillway-pgbouncer-'));

  private constructor(port: number, { port: server, mode, size = 2 }: PgBouncerOptions) {
    this.port = port;
    const file = join(this.#folder, 'pgbouncer.ini');
    const settings = {
      listen_addr: '127.0.0.1',
      listen_port: port,
      unix_socket_dir: '',
      auth_type: 'any',
      pool_mode: mode,
      default_pool_size: size,
      // Which node's pg sends.
      ignore_startup_parameters: 'extra_float_digits',
    };
    const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
    const database = `postgres = host=127.0.0.1 port=${server} user=postgres`;
    writeFileSync(file, ['[databases]', database, '[pgbouncer]', ...lines, ''].join('\n'));
    chmodSync(this.#folder, 0o755);
    this.#process = new ServerProcess({
      command: [serverPath('pgbouncer'), file],
      ready: /process up/,
      user: 'postgres',
    });
  }

  static async start(options: PgBouncerOptions): Promise<PgBouncer> {
    const bouncer = new PgBouncer(await freePort(), options);
    await bouncer.#process.start();
    return bouncer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
