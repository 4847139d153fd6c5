/** A TCP line between a client and a server on this machine that is as long as a test wants, and can fall silent. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export class SlowLine {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #stranded = new WeakSet<Socket>();
  #silent = false;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** To a port of this machine; what goes either way arrives `delayMs` later. */
  static async open(port: number, delayMs = 0): Promise<SlowLine> {
    const server = createServer();
    const line = new SlowLine(server);
    server.on('connection', (near) => {
      const far = connect(port, '127.0.0.1');
      line.#carry(near, far, delayMs);
      line.#carry(far, near, delayMs);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return line;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Nothing arrives any more, and nobody is told: what a client sees of a machine that lost its power. */
  silence(): void {
    this.#silent = true;
  }

  /** The same for the connections that there are; new ones work. */
  strand(): void {
    for (const socket of this.#sockets) this.#stranded.add(socket);
  }

  /** Those connections are over, and new ones work. */
  restore(): void {
    this.#silent = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  #carry(from: Socket, to: Socket, delayMs: number): void {
    this.#sockets.add(from);
    from.on('error', () => {});
    from.on('close', () => {
      this.#sockets.delete(from);
      if (!this.#silent) to.destroy();
    });
    from.on('data', (bytes) => {
      if (this.#silent || this.#stranded.has(from)) return;
      if (delayMs === 0) to.write(bytes);
      else setTimeout(() => to.write(bytes), delayMs);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, 'close');
  }
}
