/**
 * One connection to one server, from the greeting to its loss: the shell around a socket. It never comes back; a session makes another.
 *
 * Requests go out as they are given, without waiting for answers; answers come in their order and are checked to. Whatever else the
 * server sends ends the connection, and nothing that it sends throws.
 *
 * Invariants: `lost` is called once, last, and every call that was sent is settled or lost by then; the socket has an error handler from
 * birth and is destroyed at the end.
 */
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions as TlsOptions } from 'node:tls';

import type { Clock, Timer } from '../../kernel/clock.ts';
import { SpillwayError } from '../../kernel/errors.ts';
import type { AnyCall } from './call.ts';
import { unavailable } from './failures.ts';
import { FrameSplitter, JuteReader, malformed } from './jute.ts';
import { readClocks, type Reading } from './life.ts';
import {
  type Hello,
  type NodeEvent,
  readEvent,
  readHeader,
  readWelcome,
  refusalName,
  type Welcome,
  writeHello,
  XID_AT,
  xids,
} from './messages.ts';
import type { ServerAddress } from './options.ts';

export interface ConnectionOptions {
  readonly server: ServerAddress;
  readonly tls: TlsOptions | null;
  readonly hello: Hello;
  /** Until the server has greeted back. */
  readonly greetingTimeoutMs: number;
  readonly answerBytesMax: number;
  readonly clock: Clock;
  /** Numbers for requests. They grow over all connections of a session: by them a server tells those of an earlier one apart. */
  readonly nextXid: () => number;
}

export interface ConnectionEvents {
  /** The server took the session on, or says by a timeout of 0 that it is over. */
  attached(welcome: Welcome, sentAt: Reading): void;
  /** The caller learns of it after this turn. */
  answered(call: AnyCall, zxid: bigint): void;
  /** The server says so in an answer. */
  expired(): void;
  changed(event: NodeEvent): void;
  lost(error: SpillwayError): void;
}

export class Connection {
  readonly #socket: Socket;
  readonly #splitter: FrameSplitter;
  readonly #events: ConnectionEvents;
  readonly #clock: Clock;
  readonly #nextXid: () => number;
  readonly #name: string;
  readonly #greeting: Timer;
  /** Sent and not answered, each with its xid, the first first. */
  readonly #unanswered: { readonly xid: number; readonly call: AnyCall }[] = [];
  /** The same of those that are answered apart from the line. */
  readonly #apart: { readonly xid: number; readonly call: AnyCall }[] = [];
  #helloAt: Reading | null = null;
  #attached = false;
  #over = false;
  #corked = false;

  constructor(
    { server, tls, hello, greetingTimeoutMs, answerBytesMax, clock, nextXid }: ConnectionOptions,
    events: ConnectionEvents,
  ) {
    this.#events = events;
    this.#clock = clock;
    this.#nextXid = nextXid;
    this.#splitter = new FrameSplitter(answerBytesMax);
    const { host, port } = server;
    this.#name = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
    const name = isIP(host) === 0 ? { servername: host } : {};
    this.#socket = tls === null ? connectTcp({ host, port }) : connectTls({ ...name, ...tls, host, port });
    this.#greeting = clock.after(
      greetingTimeoutMs,
      () => this.end(unavailable(`${this.#name} did not greet back within ${Math.round(greetingTimeoutMs)} ms`)),
      { ref: true },
    );
    this.#socket
      .setNoDelay(true)
      .on('error', (error: NodeJS.ErrnoException) => this.end(unreachable(this.#name, error)))
      .on('close', () => this.end(unavailable(`${this.#name} closed the connection`)))
      .on('data', (bytes: Buffer) => this.#receive(bytes))
      .on(tls === null ? 'connect' : 'secureConnect', () => {
        this.#helloAt = readClocks(clock);
        this.#socket.write(writeHello(hello));
      });
  }

  /** The server has taken the session on. */
  get attached(): boolean {
    return this.#attached && !this.#over;
  }

  /** Sent and not answered, in their line. */
  get unanswered(): number {
    return this.#unanswered.length;
  }

  /** Whether an answer is due for which the leader had to be asked. */
  get asksLeader(): boolean {
    return this.#unanswered.some(({ call }) => call.verb.asksLeader);
  }

  send(call: AnyCall): void {
    const { xid: fixed, frame } = call.verb;
    const xid = fixed ?? this.#nextXid();
    (fixed === null ? this.#unanswered : this.#apart).push({ xid, call });
    frame.writeInt32BE(xid, XID_AT);
    call.sentAt = readClocks(this.#clock);
    if (!this.#corked) {
      // What is sent in one turn goes out together.
      this.#corked = true;
      this.#socket.cork();
      queueMicrotask(() => {
        this.#corked = false;
        this.#socket.uncork();
      });
    }
    this.#socket.write(frame);
  }

  /** Gives it up. */
  end(error: SpillwayError): void {
    if (this.#over) return;
    this.#over = true;
    this.#greeting.clear();
    this.#socket.destroy();
    for (const { call } of [...this.#unanswered, ...this.#apart]) call.lose(error.message, error);
    this.#events.lost(error);
  }

  #receive(bytes: Buffer): void {
    if (this.#over) return;
    try {
      this.#splitter.push(bytes);
      // Whoever is told of a message may end the connection.
      for (let message = this.#splitter.next(); message !== null; message = this.#over ? null : this.#splitter.next()) {
        if (this.#attached) this.#take(new JuteReader(message));
        else this.#greet(readWelcome(message));
      }
    } catch (error) {
      this.end(error instanceof SpillwayError ? error : malformed(String(error)));
    }
  }

  #greet(welcome: Welcome): void {
    if (this.#helloAt === null) throw malformed('a greeting before it was greeted');
    this.#greeting.clear();
    this.#attached = true;
    this.#events.attached(welcome, this.#helloAt);
  }

  #take(reader: JuteReader): void {
    const { xid, zxid, refusal } = readHeader(reader);
    if (xid === xids.event) {
      const event = readEvent(reader);
      if (event !== null) this.#events.changed(event);
      return;
    }
    const line = xid < 0 ? this.#apart : this.#unanswered;
    const at = xid < 0 ? line.findIndex((each) => each.xid === xid) : 0;
    const expected = line[at];
    if (expected?.xid !== xid) {
      throw malformed(`an answer to request ${xid}, and ${expected === undefined ? 'none' : expected.xid} was due`);
    }
    // Read before it leaves the line: what cannot be read has not been answered.
    expected.call.answer(reader, refusal);
    line.splice(at, 1);
    this.#events.answered(expected.call, zxid);
    if (refusalName(refusal) === 'SESSION_EXPIRED') this.#events.expired();
    else if (xid === xids.setWatches && refusal !== 0) throw malformed(`${refusalName(refusal)} for watches`);
  }
}

function unreachable(name: string, error: NodeJS.ErrnoException): SpillwayError {
  const why = error.code === 'ECONNREFUSED' ? 'refuses connections: nothing listens there' : `failed: ${error.message}`;
  return unavailable(`${name} ${why}`, error);
}
