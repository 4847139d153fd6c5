/** The admin server by itself on a port of its own, and requests to it byte by byte, so that nothing in between repairs them. For tests. */
import { connect } from 'node:net';
import { afterEach } from 'node:test';
import type { AdminBackend } from '../src/gateway/admin/backend.ts';
import type { AdminPolicy } from '../src/gateway/admin/guard.ts';
import { gatewayMetrics } from '../src/gateway/admin/metrics.ts';
import { AdminServer } from '../src/gateway/admin/server.ts';
import { PROCESS_SLOTS } from '../src/gateway/slots.ts';
import { createCell } from '../src/kernel/cells.ts';
import { adminBackend } from './admin-backend.ts';

export const servers: AdminServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

export const secret = 'a-secret-of-some-length';
/** Of a config without a token, with the one that the gateway made; and of a config with a token for everything. */
export const open: AdminPolicy = {
  grants: [
    { role: 'read', token: null },
    { role: 'push', token: null },
    { role: 'write', token: secret },
  ],
  loopbackName: '127.0.0.1',
  made: { file: '/state/admin-token' },
};
export const closed: AdminPolicy = {
  grants: [{ role: 'write', token: secret }],
  loopbackName: '127.0.0.1',
  made: null,
};

export async function serve(policy: Partial<AdminPolicy> = {}, given: Partial<AdminBackend> = {}) {
  const { whole, audits, reloads } = adminBackend(given);
  const server = new AdminServer(whole, { ...open, ...policy });
  servers.push(server);
  const bound = await server.listen({ host: '127.0.0.1', port: 0 });
  return { port: 'port' in bound ? bound.port : 0, server, audits, reloads };
}

/** Enough for `/metrics`. */
export const metrics = async (): Promise<never> => {
  const state = {
    version: '',
    startedAt: '',
    configVersion: 0,
    reloads: { applied: 0, refused: 0 },
    workers: [],
  };
  const snapshot = { listeners: [], services: [], routes: [], limits: [], cell: createCell(1, PROCESS_SLOTS) };
  const process = { residentBytes: 0, cpuSeconds: 0, nodeVersion: '', configAppliedS: 0 };
  return gatewayMetrics({
    snapshot,
    state,
    discovery: [],
    breakers: [],
    endpoints: { named: [], others: [] },
    exported: null,
    slos: [],
    process,
  } as never) as never;
};

export type Answer = { readonly status: number } & Readonly<Record<'head' | 'body', string>>;

/** Sends exactly these bytes and reads to the end, so that nothing between test and server repairs the request. */
export function send(to: { readonly port: number } | { readonly path: string }, bytes: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const socket = connect('path' in to ? to : { host: '127.0.0.1', port: to.port });
    let text = '';
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => (text += chunk));
    socket.on('error', reject);
    socket.on('close', () => {
      const [head = '', body = ''] = text.split(/\r\n\r\n(.*)/s);
      resolve({ status: Number(head.slice(9, 12)), head, body });
    });
    socket.write(bytes);
  });
}

export function request(port: number, line: string, fields: readonly string[] = [], body = ''): Promise<Answer> {
  const host = fields.some((field) => /^host:/i.test(field)) ? [] : [`Host: 127.0.0.1:${port}`];
  const length = body === '' ? [] : [`Content-Length: ${body.length}`];
  const lines = [`${line} HTTP/1.1`, ...host, 'Connection: close', ...fields, ...length];
  return send({ port }, `${lines.join('\r\n')}\r\n\r\n${body}`);
}

export const bearer = `Authorization: Bearer ${secret}`;
