/** Upgrades to WebSocket (RFC 6455 §4) for tests: the request, the answer, and an open tunnel with a peer at both ends. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { Clock } from '../../src/kernel/clock.ts';
import type { Bench, TestGateway } from './bench.ts';
import { fieldOf } from './message.ts';
import type { Origin } from './origin.ts';
import type { Peer } from './peer.ts';
import type { Changes } from './plans.ts';

export const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
export const ACCEPT = createHash('sha1').update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');

export function upgradeRequest(
  fields: Readonly<Record<string, string | null>> = {},
  line = 'GET /chat HTTP/1.1',
): string {
  const all = {
    Host: 'a',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': KEY,
    ...fields,
  };
  const lines = Object.entries(all).flatMap(([name, value]) => (value === null ? [] : [`${name}: ${value}\r\n`]));
  return `${line}\r\n${lines.join('')}\r\n`;
}

export function switching(accept = ACCEPT, fields = 'Upgrade: websocket\r\nConnection: Upgrade\r\n'): string {
  return `HTTP/1.1 101 Switching Protocols\r\n${fields}Sec-WebSocket-Accept: ${accept}\r\n\r\n`;
}

export interface Open {
  readonly client: Peer;
  readonly server: Peer;
  readonly gateway: TestGateway;
  readonly origin: Origin;
}

export async function tunnel(bench: Bench, changes: Changes = {}, clock?: Clock): Promise<Open> {
  const { origin, client, gateway } = await bench.line(changes, clock);
  client.write(upgradeRequest());
  const server = await origin.accept();
  const request = await server.request();
  assert.equal(fieldOf(request, 'upgrade'), 'websocket');
  assert.equal(fieldOf(request, 'connection'), 'Upgrade');
  assert.equal(fieldOf(request, 'sec-websocket-key'), KEY);
  server.write(switching());
  const response = await client.response();
  assert.equal(response.status, 101);
  assert.equal(fieldOf(response, 'upgrade'), 'websocket');
  assert.equal(fieldOf(response, 'sec-websocket-accept'), ACCEPT);
  return { client, server, gateway, origin };
}
