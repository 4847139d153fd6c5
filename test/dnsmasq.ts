/** dnsmasq, a DNS server of the world, for tests: on a free port of 127.0.0.1, with a file of names that it reads again when told to. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { serverPath } from '../scripts/servers.ts';
import { freePort } from './ports.ts';

export interface Dnsmasq extends AsyncDisposable {
  readonly port: number;
  /** Names as in /etc/hosts, in place of those before. Resolves when they are answered with. */
  hosts(lines: readonly string[]): Promise<void>;
  /** Ends the process, as a crash does. */
  kill(): Promise<void>;
}

/** `options` are dnsmasq's own, such as `--srv-host=…`. */
export async function startDnsmasq(options: readonly string[], hosts: readonly string[] = []): Promise<Dnsmasq> {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-dnsmasq-'));
  const file = join(folder, 'hosts');
  writeFileSync(file, `${hosts.join('\n')}\n`);
  const port = await freePort();
  const child = spawn(
    serverPath('dnsmasq'),
    [
      ...['--keep-in-foreground', '--log-facility=-', '--conf-file=/dev/null', '--no-resolv', '--no-hosts'],
      ...[`--port=${port}`, '--listen-address=127.0.0.1', '--bind-interfaces', '--pid-file=', `--addn-hosts=${file}`],
      ...(process.getuid?.() === 0 ? ['--user=root'] : []),
      ...options,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const exited = once(child, 'exit');
  const lines = createInterface(child.stderr);
  const log: string[] = [];
  lines.on('line', (line) => log.push(line));
  /** It says so when it has read the file. */
  const wasRead = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const onLine = (line: string): void => {
        if (!line.includes(file)) return;
        lines.off('line', onLine);
        resolve();
      };
      lines.on('line', onLine);
      void exited.then(() => reject(new Error(`dnsmasq ended:\n${log.join('\n')}`)));
    });
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  await wasRead();
  return {
    port,
    async hosts(next) {
      writeFileSync(file, `${next.join('\n')}\n`);
      const read = wasRead();
      child.kill('SIGHUP');
      await read;
    },
    kill,
    async [Symbol.asyncDispose]() {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
