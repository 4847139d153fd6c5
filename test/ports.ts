/**
 * Ports of this machine that are a test's own from the first to the last moment of its process, also while nothing listens on them: of
 * servers that are killed and started again, and of those that are meant to be refused. A port that the system chose (`listen(0)`) goes to
 * whoever asks next, once it is closed. These lie below those that the system chooses, and an abstract socket of the port's name, which the
 * kernel gives to one process and takes back when that ends, keeps other tests off.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

const FIRST = 10_000;
/** Linux chooses from 32,768 on. */
const END = 32_768;

/** Which are not collected while they are kept here. */
const kept: Server[] = [];

/** One that nothing listens on, neither TCP nor UDP. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (END - FIRST));
    const owner = await listening(createServer(), { path: `\0spillway-test-port-${port}` });
    if (owner === null) continue;
    const tcp = await listening(createServer(), { port, host: '127.0.0.1' });
    const isFree = tcp !== null && (await isFreeForUdp(port));
    if (tcp !== null) await closed(tcp);
    if (isFree) {
      kept.push(owner.unref());
      return port;
    }
    await closed(owner);
  }
}

async function listening(
  server: Server,
  at: { path: string } | { port: number; host: string },
): Promise<Server | null> {
  server.listen(at);
  try {
    await once(server, 'listening');
    return server;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return null;
    throw error;
  }
}

async function isFreeForUdp(port: number): Promise<boolean> {
  const udp = createSocket('udp4').bind(port, '127.0.0.1');
  const bound = await once(udp, 'listening').then(
    () => true,
    () => false,
  );
  await new Promise<void>((resolve) => udp.close(resolve));
  return bound;
}

async function closed(server: Server): Promise<void> {
  server.close();
  await once(server, 'close');
}
