/**
 * Clients of every kind for the soak: each plays one visit on a connection of its own and throws at whatever no client of a
 * healthy gateway may ever see, such as the answer to another's request. Server faults are known by their statuses.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import type { Random } from '../../src/kernel/random.ts';
import { fieldOf, type Message } from '../engine/message.ts';
import { Peer, turn } from '../engine/peer.ts';

export interface Visit {
  readonly random: Random;
  /** Unique; what it asks for carries it. */
  readonly id: string;
  readonly plainPort: number;
  readonly securePort: number;
  /** Told of each final status. */
  readonly onStatus: (status: number) => void;
}

type Client = (visit: Visit) => Promise<void>;

export const clients = { keepAlive, pipelining, posting, slowWriter, slowReader, aborting, webSocket } satisfies Record<
  string,
  Client
>;

/** What `/large` answers. */
export const LARGE_BYTES = 1024 * 1024;

export const webSocketAccept = (key: string): string =>
  createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');

async function open(visit: Visit): Promise<Peer> {
  return (await openRaw(visit)).peer;
}

/** `raw` is the TCP connection, of which TLS allows no reset by itself. */
async function openRaw({ random, plainPort, securePort }: Visit): Promise<{ peer: Peer; raw: net.Socket }> {
  const secure = random.unit() < 0.4;
  const raw = net.connect({ host: '127.0.0.1', port: secure ? securePort : plainPort });
  if (!secure) {
    const peer = new Peer(raw);
    await once(raw, 'connect');
    return { peer, raw };
  }
  raw.on('error', () => {});
  const socket = tls.connect({ socket: raw, servername: 'soak.example', rejectUnauthorized: false });
  const peer = new Peer(socket);
  await once(socket, 'secureConnect');
  return { peer, raw };
}

function request(method: string, path: string, id: string, body = ''): string {
  const length = method === 'POST' ? `Content-Length: ${body.length}\r\n` : '';
  return `${method} ${path} HTTP/1.1\r\nHost: soak.example\r\nX-Id: ${id}\r\n${length}\r\n${body}`;
}

/** An answer is for who asked, or a refusal. Returns whether the connection goes on. */
function judge(answer: Message, id: string, { onStatus }: Visit): boolean {
  onStatus(answer.status);
  if (answer.status === 200) assert.equal(answer.body.toString(), `answer to ${id}`);
  return fieldOf(answer, 'connection')?.toLowerCase() !== 'close';
}

async function keepAlive(visit: Visit): Promise<void> {
  const peer = await open(visit);
  for (let count = 0; count < 20; count += 1) {
    const id = `${visit.id}-${count}`;
    peer.write(request('GET', '/', id));
    if (!judge(await peer.response(), id, visit)) break;
  }
  peer.destroy();
}

async function pipelining(visit: Visit): Promise<void> {
  const peer = await open(visit);
  const ids = Array.from({ length: 8 }, (_, count) => `${visit.id}-${count}`);
  peer.write(ids.map((id) => request('GET', '/', id)).join(''));
  for (const id of ids) if (!judge(await peer.response(), id, visit)) break;
  peer.destroy();
}

async function posting(visit: Visit): Promise<void> {
  const peer = await open(visit);
  const body = 'x'.repeat(1 + Math.floor(visit.random.unit() * 100_000));
  peer.write(request('POST', '/', visit.id, body));
  judge(await peer.response(), visit.id, visit);
  peer.destroy();
}

async function slowWriter(visit: Visit): Promise<void> {
  const peer = await open(visit);
  const text = request('POST', '/', visit.id, 'x'.repeat(40));
  const cuts = Array.from({ length: text.length - 1 }, (_, at) => at + 1);
  await peer.writeCut(text, cuts);
  judge(await peer.response(), visit.id, visit);
  peer.destroy();
}

/** Reads a large answer with pauses; it may break off with its server, but never end well before its end. */
async function slowReader(visit: Visit): Promise<void> {
  const peer = await open(visit);
  let bytes = 0;
  let head = '';
  peer.sink = (chunk) => {
    const text = head.includes('\r\n\r\n') ? '' : (head += chunk.toString('latin1'));
    bytes += text === '' ? chunk.length : Math.max(0, text.length - text.indexOf('\r\n\r\n') - 4);
    peer.pause();
    setImmediate(() => peer.resume());
  };
  peer.write(request('GET', '/large', visit.id));
  await peer.until('a head', () => head.includes('\r\n\r\n') || peer.closed);
  visit.onStatus(Number(head.slice(9, 12)));
  if (head.startsWith('HTTP/1.1 200 ')) await peer.until('a body', () => bytes >= LARGE_BYTES || peer.closed);
  assert.ok(bytes <= LARGE_BYTES, 'more than the whole');
  peer.destroy();
}

async function aborting(visit: Visit): Promise<void> {
  const { peer, raw } = await openRaw(visit);
  const text = request('POST', '/', visit.id, 'x'.repeat(20_000));
  await peer.flushed(text.slice(0, Math.floor(visit.random.unit() * text.length)));
  if (visit.random.unit() < 0.5) peer.destroy();
  else raw.resetAndDestroy();
}

async function webSocket(visit: Visit): Promise<void> {
  const peer = await open(visit);
  const key = Buffer.from(visit.id.padEnd(16, '.').slice(-16)).toString('base64');
  const fields = `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}`;
  peer.write(`GET /socket HTTP/1.1\r\nHost: soak.example\r\n${fields}\r\n\r\n`);
  const answer = await peer.response();
  visit.onStatus(answer.status);
  if (answer.status === 101) {
    assert.equal(fieldOf(answer, 'sec-websocket-accept'), webSocketAccept(key));
    for (let count = 0; count < 10 && !peer.closed; count += 1) {
      const text = `${visit.id} says ${count}`;
      peer.write(text);
      // The tunnel goes when its server does.
      const echo = await peer.bytes(text.length).catch(() => null);
      if (echo === null) break;
      assert.equal(echo.toString(), text);
      await turn();
    }
  }
  peer.destroy();
}
