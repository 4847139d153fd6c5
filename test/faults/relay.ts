/**
 * A TCP relay between clients and a server of this machine, whose line a test makes slow, cuts, holds or breaks while it is in use.
 *
 * Invariants: what passes is in order and whole; what a client or server is given is always a prefix of what the other sent, as TCP has it.
 * So a connection that lost bytes never goes on after the hole: it stays half-open, and is reset when the line passes again.
 * The end of a stream and a reset travel the line like bytes: late if it is slow, unheard of if it is cut. A new rule holds at once, also
 * for what is under way. Nothing is random.
 *
 * Cost: one copy through this process; at most `HELD_BYTES_MAX` wait per connection and way, then the sender is stopped.
 * Not: packets. The handshake is the relay's own, so a client of a cut line connects and then hears nothing; `refuse()` is for the rest.
 */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

import { freePort } from '../ports.ts';

export type Way = 'toServer' | 'toClient';

const ways = ['toServer', 'toClient'] as const;

/** What a sender may have under way: more than any request or answer of a test, and little beside the memory of a machine. */
const HELD_BYTES_MAX = 4 * 1024 * 1024;

/** How finely a slow rate is dealt out. */
const RATE_SLICES_PER_SECOND = 100;

/** The rules of one way, for all connections. */
class Line {
  /** `hold`: what comes waits until the line passes again. `cut`: it is gone. */
  mode: 'pass' | 'hold' | 'cut' = 'pass';
  delayMs = 0;
  bytesPerSecond = Infinity;
  /** When the last slice has gone through, at the rate that there is. */
  freeAtMs = 0;
  passedBytes = 0;
  lostBytes = 0;
  nextLoss = Promise.withResolvers<void>();

  lose(bytes: number): void {
    if (bytes === 0) return;
    this.lostBytes += bytes;
    this.nextLoss.resolve();
    this.nextLoss = Promise.withResolvers();
  }
}

type Arrival =
  | { readonly kind: 'bytes' | 'reply to lose'; readonly bytes: Buffer }
  | { readonly kind: 'end' | 'reset'; readonly bytes?: undefined };

interface Ambush {
  readonly containing: string | Buffer;
  readonly then: 'silence' | 'reset';
  readonly lost: () => void;
}

interface Route {
  readonly line: Line;
  readonly from: Socket;
  readonly to: Socket;
  /** Ends the connection both ways. */
  readonly reset: () => void;
  /** Told of bytes just before they are delivered. */
  readonly delivering: (bytes: Buffer) => void;
}

/** One way of one connection. */
class Flow {
  readonly #route: Route;
  readonly #queue: { arrival: Arrival; readonly atMs: number }[] = [];
  #queuedBytes = 0;
  #timer: NodeJS.Timeout | null = null;
  /** Something is missing: nothing may follow. */
  broken = false;
  /** Set while the answer to come is to be lost. */
  ambush: Ambush | null = null;

  constructor(route: Route) {
    this.#route = route;
    const { from, to } = route;
    from.on('data', (bytes: Buffer) => this.#arrive({ kind: this.ambush === null ? 'bytes' : 'reply to lose', bytes }));
    from.on('end', () => this.#arrive({ kind: 'end' }));
    from.on('error', () => this.#arrive({ kind: 'reset' }));
    to.on('drain', () => this.#throttle());
  }

  #arrive(arrival: Arrival): void {
    this.#queue.push({ arrival, atMs: performance.now() });
    this.#queuedBytes += arrival.bytes?.length ?? 0;
    this.advance();
  }

  /** Delivers what may be delivered by now; called whenever a rule changes. */
  advance(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const { line } = this.#route;
    for (let head = this.#queue[0]; head !== undefined; head = this.#queue[0]) {
      if (this.broken || line.mode === 'cut') {
        this.#lose();
        break;
      }
      if (line.mode === 'hold') break;
      const waitMs = Math.max(head.atMs + line.delayMs, line.freeAtMs) - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.advance(), Math.ceil(waitMs));
        break;
      }
      this.#deliver(this.#next(head));
    }
    this.#throttle();
  }

  /** Takes the head of the queue off it, or as much of it as the rate lets through at once. */
  #next(head: { arrival: Arrival }): Arrival {
    const { arrival } = head;
    const { bytesPerSecond } = this.#route.line;
    const sliceBytes = Math.max(1, Math.floor(bytesPerSecond / RATE_SLICES_PER_SECOND));
    if (arrival.kind !== 'bytes' || arrival.bytes.length <= sliceBytes) {
      this.#queue.shift();
      this.#queuedBytes -= arrival.bytes?.length ?? 0;
      return arrival;
    }
    head.arrival = { kind: 'bytes', bytes: arrival.bytes.subarray(sliceBytes) };
    this.#queuedBytes -= sliceBytes;
    return { kind: 'bytes', bytes: arrival.bytes.subarray(0, sliceBytes) };
  }

  #deliver(arrival: Arrival): void {
    const { line, to, reset, delivering } = this.#route;
    switch (arrival.kind) {
      case 'bytes':
        if (line.bytesPerSecond !== Infinity) {
          const takesMs = (arrival.bytes.length * 1000) / line.bytesPerSecond;
          line.freeAtMs = Math.max(line.freeAtMs, performance.now()) + takesMs;
        }
        line.passedBytes += arrival.bytes.length;
        delivering(arrival.bytes);
        to.write(arrival.bytes);
        break;
      case 'end':
        to.end();
        break;
      case 'reset':
        reset();
        break;
      case 'reply to lose': {
        this.broken = true;
        line.lose(arrival.bytes.length);
        const ambush = this.ambush;
        this.ambush = null;
        if (ambush?.then === 'reset') reset();
        ambush?.lost();
        break;
      }
      default:
        arrival satisfies never;
    }
  }

  #lose(): void {
    this.broken = true;
    this.#route.line.lose(this.#queuedBytes);
    this.#queue.length = 0;
    this.#queuedBytes = 0;
  }

  #throttle(): void {
    const { from, to } = this.#route;
    if (this.#queuedBytes + to.writableLength > HELD_BYTES_MAX) from.pause();
    else from.resume();
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#queue.length = 0;
    this.#queuedBytes = 0;
    this.broken = true;
  }
}

interface Connection extends Readonly<Record<Way, Flow>> {
  readonly reset: () => void;
  readonly closed: Promise<unknown>;
}

export class Relay {
  /** The port of this machine that connections made from now on lead to: what a failover moves. */
  target: number;
  /** Where it takes connections, now or when it accepts again. */
  readonly port: number;
  readonly #server: Server;
  readonly #lines: Readonly<Record<Way, Line>> = { toServer: new Line(), toClient: new Line() };
  readonly #connections = new Set<Connection>();
  #ambush: Ambush | null = null;

  private constructor(target: number, port: number) {
    this.target = target;
    this.port = port;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => this.#connect(near));
  }

  /** To a port of this machine. */
  static async open(target: number): Promise<Relay> {
    const relay = new Relay(target, await freePort());
    await relay.accept();
    return relay;
  }

  /** How many there are, half-open ones included. */
  get connections(): number {
    return this.#connections.size;
  }

  passedBytes(way: Way): number {
    return this.#lines[way].passedBytes;
  }

  lostBytes(way: Way): number {
    return this.#lines[way].lostBytes;
  }

  /** Resolves when bytes vanish. */
  nextLoss(way: Way): Promise<void> {
    return this.#lines[way].nextLoss.promise;
  }

  /** The line is whole again. Held bytes arrive now; connections that lost some are reset. */
  pass(...some: readonly Way[]): void {
    this.#rule(some, { mode: 'pass', delayMs: 0, bytesPerSecond: Infinity, freeAtMs: 0 });
    if (ways.some((way) => this.#lines[way].mode === 'cut')) return;
    for (const connection of this.#connections) {
      if (ways.some((way) => connection[way].broken)) connection.reset();
    }
  }

  /** Everything arrives so much later. */
  delay(delayMs: number, ...some: readonly Way[]): void {
    this.#rule(some, { delayMs });
  }

  /** All connections together get so much through. */
  limit(bytesPerSecond: number, ...some: readonly Way[]): void {
    this.#rule(some, { bytesPerSecond });
  }

  /** Nothing arrives until the line passes again, and then all of it: a partition that ends before TCP gives up. */
  hold(...some: readonly Way[]): void {
    this.#rule(some, { mode: 'hold' });
  }

  /** Everything vanishes and nobody is told: a partition that outlives the connections, or a machine without power. */
  cut(...some: readonly Way[]): void {
    this.#rule(some, { mode: 'cut' });
  }

  /** Cuts the connections that there are, for good; new ones work. */
  strand(): void {
    for (const connection of this.#connections) {
      for (const way of ways) {
        connection[way].broken = true;
        connection[way].advance();
      }
    }
  }

  /** Both ends of all connections are told that they are over (RST); new ones work. */
  reset(): void {
    for (const connection of this.#connections) connection.reset();
  }

  /** New connections are refused, as by a machine where nothing listens. Those that there are go on. */
  refuse(): void {
    this.#server.close();
  }

  /** Takes connections again, on the same port. */
  async accept(): Promise<void> {
    if (this.#server.listening) return;
    this.#server.listen(this.port, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  /**
   * The next request reaches the server and its answer does not reach the client, nor does anything after it on that connection: the client
   * hears nothing (`silence`), or is told that the connection is over (`reset`). Others are not touched. Exact where a connection asks one thing
   * at a time; of a connection with other answers outstanding it takes the first that comes after the request.
   * @param containing only a request with this text, or these bytes, in it
   * @returns resolves when the answer has come and is lost
   */
  loseNextReply({
    containing = '',
    then = 'silence',
  }: { readonly containing?: string | Buffer; readonly then?: 'silence' | 'reset' } = {}): Promise<void> {
    if (this.#ambush !== null) throw new Error('a relay loses one reply at a time, and waits for the request of one');
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ambush = { containing, then, lost: resolve };
    return promise;
  }

  #rule(some: readonly Way[], rules: Partial<Line>): void {
    for (const way of some.length === 0 ? ways : some) {
      Object.assign(this.#lines[way], rules);
      for (const connection of this.#connections) connection[way].advance();
    }
  }

  #connect(near: Socket): void {
    const far = connect({ port: this.target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    const reset = (): void => {
      connection.toServer.stop();
      connection.toClient.stop();
      // One that is being shut down cannot be reset any more, and would never say that it is closed.
      for (const socket of [near, far]) {
        if (socket.writableEnded) socket.destroy();
        else socket.resetAndDestroy();
      }
    };
    const { toServer, toClient } = this.#lines;
    const connection: Connection = {
      toServer: new Flow({
        line: toServer,
        from: near,
        to: far,
        reset,
        delivering: (bytes) => this.#watch(connection, bytes),
      }),
      toClient: new Flow({ line: toClient, from: far, to: near, reset, delivering: () => {} }),
      reset,
      closed: Promise.all([near, far].map((socket) => new Promise<void>((resolve) => socket.once('close', resolve)))),
    };
    this.#connections.add(connection);
    void connection.closed.then(() => this.#connections.delete(connection));
  }

  #watch(connection: Connection, request: Buffer): void {
    if (this.#ambush === null || !request.includes(this.#ambush.containing)) return;
    connection.toClient.ambush = this.#ambush;
    this.#ambush = null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.refuse();
    this.reset();
    await Promise.all([...this.#connections].map(({ closed }) => closed));
  }
}
