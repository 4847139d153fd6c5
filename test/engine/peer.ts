/**
 * One end of a raw connection in a test, client or server: writes any bytes at any cut, keeps every byte that comes, and
 * waits for what happens, never for time.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { fieldOf, type Message, readMessage, type ReadOptions } from './message.ts';

/** How a connection went away: by FIN, by reset, or not yet. */
export type Ending = 'open' | 'end' | 'reset';

export class Peer {
  readonly socket: net.Socket;
  /** The other side has sent FIN. */
  ended = false;
  /** The other side has reset the connection. */
  wasReset = false;
  closed = false;
  /** Bytes that came, those that were taken or given to `sink` included. */
  receivedBytes = 0;
  /** Takes bytes as they come, instead of keeping them. */
  sink: ((bytes: Buffer) => void) | null = null;
  #kept: Buffer[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(socket: net.Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => {
      this.receivedBytes += bytes.length;
      if (this.sink !== null) this.sink(bytes);
      else this.#kept.push(bytes);
      this.#wake();
    });
    socket.on('end', () => {
      this.ended = true;
      this.#wake();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // A broken pipe is a reset seen by the one who writes.
      this.wasReset = error.code === 'ECONNRESET' || error.code === 'EPIPE';
      this.#wake();
    });
    socket.on('close', () => {
      this.closed = true;
      this.#wake();
    });
    socket.on('drain', () => this.#wake());
  }

  /** What has come and was not taken yet. */
  get received(): Buffer {
    if (this.#kept.length > 1) this.#kept = [Buffer.concat(this.#kept)];
    return this.#kept[0] ?? Buffer.alloc(0);
  }

  get text(): string {
    return this.received.toString('latin1');
  }

  get ending(): Ending {
    if (this.wasReset) return 'reset';
    return this.ended ? 'end' : 'open';
  }

  /** Bytes that a sink was given but did not want. */
  putBack(bytes: Buffer): void {
    this.#kept.unshift(bytes);
  }

  #take(count: number): Buffer {
    const all = this.received;
    this.#kept = count < all.length ? [all.subarray(count)] : [];
    return all.subarray(0, count);
  }

  #wake(): void {
    for (const check of [...this.#waiting]) check();
  }

  /** Waits until `condition` holds; looks at each event of the connection. */
  async until(what: string, condition: () => boolean): Promise<void> {
    if (condition()) return;
    const inVain = (): Error =>
      new Error(`the connection closed before: ${what}; it holds ${JSON.stringify(this.text.slice(0, 400))}`);
    if (this.closed) throw inVain();
    await new Promise<void>((resolve, reject) => {
      const check = (): void => {
        let holds = false;
        try {
          holds = condition();
        } catch (error) {
          this.#waiting.delete(check);
          reject(error instanceof Error ? error : new Error(String(error)));
          return;
        }
        if (!holds && !this.closed) return;
        this.#waiting.delete(check);
        if (holds) resolve();
        else reject(inVain());
      };
      this.#waiting.add(check);
    });
  }

  async bytes(count: number): Promise<Buffer> {
    await this.until(`${count} bytes`, () => this.received.length >= count);
    return this.#take(count);
  }

  async #message(options: ReadOptions): Promise<Message> {
    let read: ReturnType<typeof readMessage> = null;
    await this.until(`a ${options.kind}`, () => {
      read = readMessage(this.received, { ...options, ended: this.ended });
      return read !== null;
    });
    const { message, end } = read!;
    this.#take(end);
    return message;
  }

  /** The next request that came. */
  async request(): Promise<Message> {
    return await this.#message({ kind: 'request' });
  }

  /** The next final response that came, with the interim ones before it. */
  async response(options: { readonly toHead?: boolean } = {}): Promise<Message> {
    return await this.#message({ kind: 'response', ...options });
  }

  /** A refusal of the gateway itself: checks its status, word and form. */
  async refusal(status: number, code: string): Promise<Message> {
    const answer = await this.response();
    assert.equal(`${answer.status} ${refusalCode(answer)}`, `${status} ${code}`);
    return answer;
  }

  /** Waits until the other side has ended or reset, and says which. */
  async gone(): Promise<Ending> {
    if (!this.closed) await this.until('the end', () => this.ended || this.wasReset);
    return this.ending;
  }

  write(bytes: string | Uint8Array): this {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
    return this;
  }

  /** Writes in pieces, each its own segment: cut at each of `cuts`. */
  async writeCut(bytes: string | Buffer, cuts: readonly number[]): Promise<void> {
    const all = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
    let from = 0;
    for (const to of [...cuts, all.length]) {
      if (this.socket.destroyed) return;
      if (to > from) await this.flushed(all.subarray(from, to));
      from = to;
    }
  }

  /** Writes and waits until the kernel has it, and everyone else in this process had a turn. */
  async flushed(bytes: string | Uint8Array): Promise<void> {
    await new Promise<void>((resolve) => {
      this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes, () => resolve());
    });
    await turn();
  }

  /** Writes with backpressure: `next` gives pieces until it gives null. Ends early if the connection goes. */
  async pour(next: () => Uint8Array | null): Promise<void> {
    for (let piece = next(); piece !== null && !this.socket.destroyed; piece = next()) {
      if (this.socket.write(piece) || this.socket.destroyed) continue;
      await new Promise<void>((resolve) => {
        const done = (): void => {
          this.socket.off('drain', done);
          this.socket.off('close', done);
          resolve();
        };
        this.socket.on('drain', done);
        this.socket.on('close', done);
      });
    }
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** Sends FIN; what comes is still read. */
  end(): void {
    this.socket.end();
  }

  reset(): void {
    if (!this.socket.destroyed) this.socket.resetAndDestroy();
  }

  destroy(): void {
    this.socket.destroy();
  }
}

function refusalCode(answer: Message): string {
  assert.equal(fieldOf(answer, 'content-type'), 'application/problem+json');
  const problem = JSON.parse(answer.body.toString()) as { readonly status: number; readonly code: string };
  assert.equal(problem.status, answer.status);
  return problem.code;
}

/** Everyone else in this process gets a turn: two rounds of the event loop. */
export async function turn(): Promise<void> {
  for (let round = 0; round < 2; round += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** A client that stays open for writing when the server ends. */
export async function connectTo(port: number): Promise<Peer> {
  const socket = net.connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  const peer = new Peer(socket);
  await once(socket, 'connect');
  return peer;
}
