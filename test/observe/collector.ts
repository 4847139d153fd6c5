/** A collector for tests: takes what is sent by OTLP over HTTP, and answers as it is told. */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from 'node:http'; // prettier-ignore
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';

export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Decompressed. */
  readonly body: Buffer;
}

export interface CollectorAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

export class Collector implements AsyncDisposable {
  readonly received: Received[] = [];
  /** What the next requests get, in turn; `null` gets none. Afterwards 200. */
  readonly answers: (CollectorAnswer | null)[] = [];
  readonly #server: Server;
  #waiting: (() => void)[] = [];

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<Collector> {
    const server = createServer();
    const collector = new Collector(server);
    server.on('request', (request, response) => {
      // Whoever gives up in the middle is a case of the tests.
      collector.#take(request, response).catch(() => response.destroy());
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return collector;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** When so many requests have come. */
  async requests(count: number): Promise<void> {
    while (this.received.length < count) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const raw = await buffer(request);
    const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw;
    this.received.push({ path: request.url ?? '', headers: request.headers, body });
    const answer = this.answers.length > 0 ? this.answers.shift()! : {};
    if (answer !== null) response.writeHead(answer.status ?? 200, answer.headers).end(answer.body ?? '');
    for (const told of this.#waiting.splice(0)) told();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
