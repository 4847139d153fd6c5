/** A server for the soak that can be killed, started again on its port, and made to hang. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { freePort } from '../ports.ts';
import { LARGE_BYTES, webSocketAccept } from './clients.ts';

const large = Buffer.alloc(LARGE_BYTES, 'spillway');

export class SoakOrigin {
  port = 0;
  #server: Server | null = null;
  readonly #sockets = new Set<Socket>();
  #held: (() => void)[] | null = null;

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    this.port ||= await freePort();
    const server = createServer((request, response) => {
      response.on('error', () => {});
      const id = String(request.headers['x-id']);
      request.resume().on('end', () => {
        this.#when(() => response.end(request.url === '/large' ? large : `answer to ${id}`));
      });
    });
    server.on('upgrade', (request, socket) => {
      const accept = webSocketAccept(String(request.headers['sec-websocket-key']));
      socket.on('error', () => {});
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
      );
      socket.pipe(socket);
    });
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket));
    });
    server.listen(this.port, '127.0.0.1');
    await once(server, 'listening');
    this.#server = server;
  }

  /** As `kill -9` does: every connection is reset, and the port refuses. */
  async kill(): Promise<void> {
    this.release();
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    const closed = once(server, 'close');
    server.close();
    for (const socket of this.#sockets) socket.resetAndDestroy();
    await closed;
  }

  /** Accepts and reads, and answers nothing until it is released. */
  hang(): void {
    this.#held ??= [];
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const answer of held) answer();
  }

  #when(answer: () => void): void {
    if (this.#held === null) answer();
    else this.#held.push(answer);
  }
}
