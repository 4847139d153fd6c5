/** A wire to a server of this machine that counts: what is asked, and how often one who asks has to wait for an answer before it goes on. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export interface Traffic {
  readonly requests: number;
  /** How often something was sent after something had been answered. Counts round trips while one thing is asked at a time. */
  readonly roundTrips: number;
}

export class Wire implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #requests: (bytes: Buffer) => number;
  /** By connection, so that what is cut in pieces is read as a whole. */
  #sent = new Map<Socket, Buffer[]>();
  #roundTrips = 0;
  #answered = true;

  private constructor(port: number, requests: (bytes: Buffer) => number) {
    this.#requests = requests;
    this.#server = createServer({ noDelay: true }, (near) => this.#join(near, connect({ port, noDelay: true })));
  }

  static async open(port: number, requests: (bytes: Buffer) => number): Promise<Wire> {
    const wire = new Wire(port, requests);
    wire.#server.listen(0, '127.0.0.1');
    await once(wire.#server, 'listening');
    return wire;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Since the last call; nothing must be under way. */
  take(): Traffic {
    const requests = [...this.#sent.values()].reduce((sum, chunks) => sum + this.#requests(Buffer.concat(chunks)), 0);
    const roundTrips = this.#roundTrips;
    this.#sent = new Map();
    this.#roundTrips = 0;
    this.#answered = true;
    return { requests, roundTrips };
  }

  #join(near: Socket, far: Socket): void {
    near.on('data', (bytes: Buffer) => {
      const chunks = this.#sent.get(near);
      if (chunks === undefined) this.#sent.set(near, [bytes]);
      else chunks.push(bytes);
      if (this.#answered) this.#roundTrips += 1;
      this.#answered = false;
    });
    far.on('data', () => (this.#answered = true));
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
