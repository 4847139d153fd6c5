/** An Alertmanager of a test's own, alone and with its data in a temporary folder. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findCommand } from '../../scripts/servers.ts';
import { freePort } from '../ports.ts';
import { ServerProcess } from './server-process.ts';

export interface KnownAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly receivers: readonly { readonly name: string }[];
}

export class AlertmanagerServer implements AsyncDisposable {
  readonly url: string;
  readonly #folder: string;
  readonly #process: ServerProcess;

  private constructor(url: string, folder: string, process: ServerProcess) {
    this.url = url;
    this.#folder = folder;
    this.#process = process;
  }

  /** `config`: its file, as text. */
  static async start(config: string): Promise<AlertmanagerServer> {
    const folder = mkdtempSync(join(tmpdir(), 'spillway-alertmanager-'));
    const port = await freePort();
    writeFileSync(join(folder, 'alertmanager.yaml'), config);
    const server = new ServerProcess({
      command: [
        findCommand('prometheus-alertmanager') ?? 'prometheus-alertmanager',
        `--config.file=${join(folder, 'alertmanager.yaml')}`,
        `--storage.path=${join(folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--cluster.listen-address=',
      ],
      ready: /Listening on/,
    });
    await server.start();
    return new AlertmanagerServer(`http://127.0.0.1:${port}`, folder, server);
  }

  /** Those that are on. */
  async alerts(): Promise<readonly KnownAlert[]> {
    const response = await fetch(`${this.url}/api/v2/alerts`);
    return (await response.json()) as readonly KnownAlert[];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
