/** One health check against a server of the test's own, and the servers, which are gone after each test. */
import { once } from 'node:events';
import { createServer as createTcp, type AddressInfo, type Server, type Socket } from 'node:net';
import type { CheckFailureCode, CheckResult } from '../src/health/index.ts';
import { systemClock, type Clock } from '../src/kernel/clock.ts';
import { lookupFor } from '../src/gateway/link-local.ts';
import { startProbe } from '../src/gateway/control/probe.ts';
import type { Probe } from '../src/gateway/control/probe-io.ts';

/** By its own account never late, however busy the machine that runs the tests is. */
export const punctual: Clock = { ...systemClock, nowMs: () => 0 };

const servers: { readonly server: Server; readonly sockets: Set<Socket> }[] = [];

/** For `afterEach`. */
export function closeServers(): void {
  for (const { server, sockets } of servers.splice(0)) {
    server.close();
    for (const socket of sockets) socket.destroy();
  }
}

/** Listens on a free port of 127.0.0.1, and answers which. */
export async function serve(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  servers.push({ server, sockets });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

export const raw = (onSocket: (socket: Socket) => void): Promise<number> => serve(createTcp(onSocket));

export type Asked = Partial<Probe> & Pick<Probe, 'kind'>;

export function probeOf(port: number, given: Asked): Probe {
  return { host: '127.0.0.1', port, timeoutMs: 2_000, tls: null, lookup: lookupFor(false), ...given };
}

export function check(port: number, given: Asked, clock = punctual): Promise<CheckResult | null> {
  return new Promise((resolve) => startProbe(probeOf(port, given), clock, resolve));
}

export function failure(code: CheckFailureCode, reason: string): CheckResult {
  return { kind: 'failure', code, reason };
}
