/**
 * Can an address be listened on? Asked before the workers do, for two reasons: the message can name who has the port, and
 * a port that another process of the same user holds with SO_REUSEPORT (a second gateway) would otherwise be shared
 * with it without a word, each getting a part of the connections.
 *
 * The check binds without SO_REUSEPORT and lets go at once. It is a courtesy, not a lock: a worker's own bind decides.
 */
import { createServer } from 'node:net';
import { SpillwayError } from '../../kernel/errors.ts';
import { joinAddress } from '../config/address.ts';
import type { ListenerPlan } from '../snapshot.ts';
import { portOwner } from './port-owner.ts';

/** Throws `LISTEN_FAILED` for the first listener whose address cannot be bound; port 0 is always free. */
export async function checkListeners(listeners: readonly Pick<ListenerPlan, 'id' | 'host' | 'port'>[]): Promise<void> {
  for (const { id, host, port } of listeners) {
    const code = port === 0 ? null : await bindProblem(host, port);
    if (code !== null) throw new SpillwayError('LISTEN_FAILED', listenMessage(`Listener ${id}`, host, port, code));
  }
}

/** One sentence about what failed and one about what to do. `what` begins it: `Listener web`, `The admin API`. */
export function listenMessage(what: string, host: string, port: number, code: string): string {
  return `${what} cannot listen on ${joinAddress(host, port)}: ${explanation(port, code)}`;
}

function explanation(port: number, code: string): string {
  switch (code) {
    case 'EADDRINUSE': {
      const owner = portOwner(port);
      const who = owner === null ? 'by another process' : `by ${owner.command} (process ${owner.pid})`;
      return `the port is in use ${who}. Stop it or choose another port.`;
    }
    case 'EACCES':
      return 'permission denied. Ports below 1024 need root or the capability CAP_NET_BIND_SERVICE.';
    case 'EADDRNOTAVAIL':
      return 'this machine does not have that address. Use one of its own, or 0.0.0.0 or [::] for all.';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'the name does not resolve to an address.';
    default:
      return `${code}.`;
  }
}

function bindProblem(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(null)));
  });
}
