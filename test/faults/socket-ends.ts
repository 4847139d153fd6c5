/** Both ends of real connections through a relay, held by the test. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

import { Relay } from './relay.ts';

/** One end of a connection: what came, and how it ended. */
export class End {
  readonly socket: Socket;
  got = '';
  ended = false;
  failure: string | null = null;
  #changed = Promise.withResolvers<void>();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('latin1').on('data', (text: string) => this.#change(() => (this.got += text)));
    socket.on('close', () => this.#change(() => {}));
    socket.on('end', () => this.#change(() => (this.ended = true)));
    socket.on('error', ({ code }: NodeJS.ErrnoException) => this.#change(() => (this.failure = code ?? 'unknown')));
  }

  #change(change: () => void): void {
    change();
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  async until(holds: (end: this) => boolean): Promise<void> {
    while (!holds(this)) await this.#changed.promise;
  }
}

export interface Pair {
  readonly client: End;
  readonly server: End;
}

interface Scene {
  readonly relay: Relay;
  /** A client's end and the server's, connected. */
  readonly pair: () => Promise<Pair>;
}

/** A server whose ends the test holds, and a relay before it. */
export async function scene(context: TestContext): Promise<Scene> {
  const accepted: End[] = [];
  const waiting: ((end: End) => void)[] = [];
  const listening = createServer({ allowHalfOpen: true }, (socket) => {
    const end = new End(socket);
    accepted.push(end);
    waiting.shift()?.(end);
  }).listen(0, '127.0.0.1');
  await once(listening, 'listening');
  const relay = await Relay.open((listening.address() as AddressInfo).port);
  const clients: Socket[] = [];
  context.after(async () => {
    await relay[Symbol.asyncDispose]();
    for (const socket of clients) socket.destroy();
    for (const { socket } of accepted) socket.destroy();
    listening.close();
    await once(listening, 'close');
  });
  return {
    relay,
    async pair() {
      const { promise, resolve } = Promise.withResolvers<End>();
      waiting.push(resolve);
      const socket = connect({ port: relay.port, host: '127.0.0.1', allowHalfOpen: true });
      clients.push(socket);
      return { client: new End(socket), server: await promise };
    },
  };
}

/** Has a byte go there and back, so that whatever was sent before it has been dealt with. */
export async function roundTrip({ client, server }: Pair): Promise<void> {
  const before = [client.got.length, server.got.length];
  client.socket.write('?');
  await server.until(({ got }) => got.length > before[1]!);
  server.socket.write('!');
  await client.until(({ got }) => got.length > before[0]!);
}

/** Has words go one way, one after another, so that what was sent the other way before them has had its time. */
export async function wordsPass(from: End, to: End): Promise<void> {
  for (let word = 0; word < 5; word++) {
    const before = to.got.length;
    from.socket.write('word ');
    await to.until(({ got }) => got.length === before + 5);
  }
}
