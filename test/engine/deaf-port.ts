/**
 * A port that neither accepts nor refuses: a listening process that is stopped, with its backlog full, so that the kernel
 * leaves every further connection unanswered, as a machine that is gone or overrun does.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { createInterface } from 'node:readline';

export interface DeafPort extends AsyncDisposable {
  readonly number: number;
}

const LISTEN =
  "const s = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(s.address().port))";

/** How long a connection may take on one machine before the backlog counts as full. Only a full one is waited for so long. */
const FULL_AFTER_MS = 300;

export async function deafPort(): Promise<DeafPort> {
  const listening = spawn(process.execPath, ['-e', LISTEN], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface(listening.stdout), 'line')) as [string];
  const port = Number(line);
  listening.kill('SIGSTOP');
  const filling: net.Socket[] = [];
  while (await connects(port, filling));
  return {
    number: port,
    async [Symbol.asyncDispose]() {
      for (const socket of filling) socket.destroy();
      const ended = once(listening, 'exit');
      listening.kill('SIGKILL');
      await ended;
    },
  };
}

async function connects(port: number, filling: net.Socket[]): Promise<boolean> {
  const socket = net.connect({ port, host: '127.0.0.1' }).on('error', () => {});
  filling.push(socket);
  const signal = AbortSignal.timeout(FULL_AFTER_MS);
  try {
    await once(socket, 'connect', { signal });
    return true;
  } catch {
    return false;
  }
}
