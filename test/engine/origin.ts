/** A server whose every byte a test decides: each connection is handed to the test, or answered by a handler. */
import { once } from 'node:events';
import net from 'node:net';
import type { Message } from './message.ts';
import { Peer } from './peer.ts';

/** Answers one request, by writing to the connection. */
export type Handler = (request: Message, connection: Peer) => void | Promise<void>;

export class Origin {
  /** Every connection that was made, in order; those that are gone too. */
  readonly connections: Peer[] = [];
  readonly #server: net.Server;
  readonly #arrived: Peer[] = [];
  #wanting: ((peer: Peer) => void)[] = [];
  #handler: Handler | null = null;
  #open = true;

  private constructor(server: net.Server) {
    this.#server = server;
    server.on('connection', (socket: net.Socket) => this.#onConnection(new Peer(socket)));
  }

  static async listen(): Promise<Origin> {
    const server = net.createServer({ allowHalfOpen: true, noDelay: true });
    const origin = new Origin(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return origin;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  /** Requests on every connection from now on are answered by `handler`, one after another. */
  serve(handler: Handler): this {
    this.#handler = handler;
    return this;
  }

  /** The next connection that is made, or was made and not yet asked for. */
  async accept(): Promise<Peer> {
    const arrived = this.#arrived.shift();
    if (arrived !== undefined) return arrived;
    return await new Promise((resolve) => this.#wanting.push(resolve));
  }

  /** Dies: connections are reset and nobody listens any more. */
  kill(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#server.close();
    for (const peer of this.connections) peer.reset();
  }

  async close(): Promise<void> {
    const { connections } = this;
    for (const peer of connections) peer.destroy();
    if (!this.#open) return;
    this.#open = false;
    this.#server.close();
    await once(this.#server, 'close');
  }

  #onConnection(peer: Peer): void {
    this.connections.push(peer);
    if (this.#handler !== null) {
      void this.#serve(peer, this.#handler);
      return;
    }
    const wanting = this.#wanting.shift();
    if (wanting === undefined) this.#arrived.push(peer);
    else wanting(peer);
  }

  async #serve(peer: Peer, handler: Handler): Promise<void> {
    // A server that is done with answering a side that has ended ends too.
    try {
      for (;;) await handler(await peer.request(), peer);
    } catch {
      peer.destroy();
    }
  }
}

/** A response with a length, as bytes. */
export function answer(body: string | Uint8Array = '', fields = '', status = '200 OK'): Buffer {
  const content = typeof body === 'string' ? Buffer.from(body, 'latin1') : body;
  const head = `HTTP/1.1 ${status}\r\nContent-Length: ${content.length}\r\n${fields}\r\n`;
  return Buffer.concat([Buffer.from(head, 'latin1'), content]);
}

/** A chunked body of these pieces, as text. */
export function chunked(pieces: readonly string[], trailers = ''): string {
  const parts = pieces.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`);
  return `${parts.join('')}0\r\n${trailers}\r\n`;
}
