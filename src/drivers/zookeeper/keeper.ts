/**
 * What keeps a session: its connections, one after the other, the requests that wait for one, and the clocks by which it is over.
 *
 * - **Only the leader counts.** A follower that is cut off from the leader goes on answering pings and reads for `syncLimit` ticks, while the
 *   leader lets its sessions expire. So the heartbeat is `sync`, which takes the leader to answer, and only answers to it, to writes and to
 *   a (re)connect move `heardAt`.
 * - **Nothing is sent twice.** A request that was sent and has no answer is lost with its connection; what was not sent waits for the next.
 * - **No server shortens it.** From when a server is asked to take a session on, the leader counts what that one grants, also if the client never learns of
 *   it. So a server is asked before, by a session of its own that is closed at once, and passed over if it would grant less.
 * - A connection that does not bring the leader's answers is left when the session is suspended, while there is time to find another.
 *
 * Bounds: `IN_FLIGHT_MAX` requests sent, `WAITING_MAX` waiting, one connection and one that asks before, three timers. All of it ends with the session.
 * Source: `ZooKeeperServer.reopenSession`, `SessionTrackerImpl` and `LearnerSessionTracker` of ZooKeeper 3.8.
 */
import type { Timer } from '../../kernel/clock.ts';
import type { SpillwayError } from '../../kernel/errors.ts';
import { type AnyCall, Call, type CallOptions } from './call.ts';
import { Connection, type ConnectionEvents } from './connection.ts';
import { isRefusal, sessionEnded, unavailable } from './failures.ts';
import {
  changesInMs,
  isOver,
  type Life,
  type LifeEvent,
  newLife,
  readClocks,
  type Reading,
  type SessionState,
  step,
} from './life.ts';
import { type Verb, verbs, type Welcome } from './messages.ts';
import { type ResolvedOptions, type ServerAddress, type SessionTicket, shuffled } from './options.ts';
import { WatchTable } from './watches.ts';

/** A server takes 1,000 of all its clients before it makes them wait (`globalOutstandingLimit`). */
const IN_FLIGHT_MAX = 256;
/** Far more than are sent at once; who asks faster is told so. */
const WAITING_MAX = 4096;
/** Paths of watches that are set anew in one message: an eighth of what a server takes, as Java's client has it. */
const WATCH_BYTES_MAX = 128 * 1024;
/** Three in a timeout, as Java's client pings. */
const HEARTBEATS = 3;
/** Whatever timeout a server grants. */
const HEARTBEAT_MS_MIN = 10;
/** A greeting takes some round trips; what a small timeout leaves for it must do on a busy machine. */
const GREETING_MS_MIN = 250;
/** Between rounds in which no server took the session on; up to half of it by chance. */
const PAUSE_MS_MAX = 1000;

const XID_MAX = 2 ** 31 - 1;

/** With it, a server makes one. */
const newSession: SessionTicket = { id: 0n, password: new Uint8Array(16) };

export interface AskOptions extends CallOptions {
  /** Told of the answer before the caller is: 0, or what the server said instead. */
  readonly onAnswer?: ((refusal: number) => void) | undefined;
}

export class SessionKeeper {
  readonly watches = new WatchTable();
  readonly #options: ResolvedOptions;
  readonly #order: readonly ServerAddress[];
  readonly #onState: (state: SessionState) => void;
  readonly #ended = new AbortController();
  /** Null if there is none, or the servers do not take it. */
  #auth: Verb<void> | null;
  #life: Life;
  #told: SessionState = 'opening';
  #ticket: SessionTicket;
  #lastZxid = 0n;
  #connection: Connection | null = null;
  /** To a server that is asked whether it may have the session. */
  #probing: Connection | null = null;
  #waiting: AnyCall[] = [];
  #lifeTimer: Timer | null = null;
  #heartbeat: Timer | null = null;
  #pause: Timer | null = null;
  #next = 0;
  #xid = 0;
  /** Connections that ended without an answer, one after the other. */
  #failures = 0;
  #lastFailure = 'there was no connection yet';

  constructor(options: ResolvedOptions, onState: (state: SessionState) => void) {
    this.#options = options;
    this.#onState = onState;
    this.#auth = options.auth === null ? null : verbs.auth(options.auth.scheme, Buffer.from(options.auth.credentials));
    this.#order = shuffled(options.servers, options.random);
    this.#ticket = options.resume ?? newSession;
    this.#life = newLife(options.sessionTimeoutMs);
    this.#connect();
  }

  /** By the clocks as they are now. */
  get life(): Life {
    return this.#step({ type: 'time' });
  }

  get ticket(): SessionTicket {
    return this.#ticket;
  }

  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  close(): void {
    this.#step({ type: 'closed' });
  }

  async ask<T>(verb: Verb<T>, { signal, timeoutMs = this.#life.timeoutMs, onAnswer }: AskOptions): Promise<T> {
    signal?.throwIfAborted();
    this.#step({ type: 'time' });
    this.#ended.signal.throwIfAborted();
    if (this.#waiting.length >= WAITING_MAX) {
      throw unavailable(`${WAITING_MAX} requests wait for ZooKeeper; no more are taken until some are sent.`);
    }
    const call: Call<T> = new Call(verb, {
      signal,
      timeoutMs,
      clock: this.#options.clock,
      onAnswer,
      onGone: () => this.#forget(call),
      why: () => this.#lastFailure,
    });
    this.#waiting.push(call);
    this.#flush();
    return call.promise;
  }

  /** Nobody waits for it any more. What was sent keeps its place in the connection. */
  #forget(call: AnyCall): void {
    if (call.sentAt === null) this.#waiting = this.#waiting.filter((each) => each !== call);
  }

  #flush(): void {
    const connection = this.#connection;
    if (connection?.attached !== true || this.#waiting.length === 0) return;
    const sent = this.#waiting.splice(0, Math.max(0, IN_FLIGHT_MAX - connection.unanswered));
    for (const call of sent) connection.send(call);
  }

  #connect(): void {
    const server = this.#order[this.#next]!;
    this.#next = (this.#next + 1) % this.#order.length;
    if (this.#life.state === 'opening') this.#join(server);
    else this.#probe(server);
  }

  #join(server: ServerAddress): void {
    const connection: Connection = this.#open(server, this.#ticket, {
      attached: (welcome, sentAt) => this.#attach(connection, welcome, sentAt),
      answered: (call, zxid) => this.#hear(call, zxid),
      expired: () => this.#step({ type: 'expired' }),
      changed: (event) => this.watches.fire(event),
      lost: (error) => this.#lose(error),
    });
    this.#connection = connection;
  }

  /** Joins it if it leaves the session its time: at once, for to close what asked takes the servers another write, and they may be slow. */
  #probe(server: ServerAddress): void {
    let grantsMs = 0;
    let joined = false;
    const end = (): void => connection.end(unavailable('all that was asked is known'));
    const connection: Connection = this.#open(server, newSession, {
      attached: ({ timeoutMs }) => {
        grantsMs = timeoutMs;
        joined = grantsMs >= this.#life.timeoutMs;
        connection.send(this.#silent(verbs.close(), { timeoutMs: this.#greetingMs, onGone: end }));
        if (joined) this.#join(server);
      },
      answered: end,
      expired: () => {},
      changed: () => {},
      lost: (error) => {
        if (this.#probing === connection) this.#probing = null;
        if (joined) return;
        const { timeoutMs } = this.#life;
        this.#lose(isOver(this.#life) || grantsMs === 0 ? error : tooShort(server, grantsMs, timeoutMs));
      },
    });
    this.#probing?.end(unavailable('another server is asked'));
    this.#probing = connection;
  }

  #open(server: ServerAddress, { id, password }: SessionTicket, events: ConnectionEvents): Connection {
    const { clock, tls, answerBytesMax } = this.#options;
    return new Connection(
      {
        server,
        tls,
        clock,
        answerBytesMax,
        nextXid: () => (this.#xid = this.#xid === XID_MAX ? 1 : this.#xid + 1),
        hello: { lastZxid: this.#lastZxid, timeoutMs: this.#life.timeoutMs, sessionId: id, password },
        greetingTimeoutMs: this.#greetingMs,
      },
      events,
    );
  }

  get #greetingMs(): number {
    return Math.max(GREETING_MS_MIN, this.#life.timeoutMs / (2 * this.#order.length));
  }

  #attach(connection: Connection, { timeoutMs, sessionId, password }: Welcome, sentAt: Reading): void {
    const { id } = this.#ticket;
    // A session of another id is not the one whose nodes and watches are ours.
    if (timeoutMs === 0 || (id !== 0n && sessionId !== id)) {
      this.#step({ type: 'expired' });
      return;
    }
    this.#ticket = { id: sessionId, password };
    const life = this.#step({ type: 'attached', sentAt, timeoutMs });
    if (isOver(life)) return;
    const periodMs = Math.max(HEARTBEAT_MS_MIN, life.timeoutMs / HEARTBEATS);
    this.#heartbeat = this.#options.clock.every(periodMs, () => this.#beat(connection), { ref: true });
    this.#introduce(connection);
    // Before all else, so that no change is missed in between; the server says at once what has changed meanwhile.
    for (const group of this.watches.groups(WATCH_BYTES_MAX)) {
      connection.send(this.#silent(verbs.setWatches(this.#lastZxid, group)));
    }
    this.#flush();
  }

  /** Who is refused goes on without: then a server says what may not be done, and why. */
  #introduce(connection: Connection): void {
    if (this.#auth === null) return;
    const call = this.#silent(this.#auth);
    call.promise.catch((error: unknown) => {
      if (!isRefusal(error)) return;
      this.#auth = null;
      connection.end(error);
    });
    connection.send(call);
  }

  #beat(connection: Connection): void {
    if (connection.attached && !connection.asksLeader) connection.send(this.#silent(verbs.sync('/')));
  }

  /** One that nobody waits for: without an answer, the session's time runs out. */
  #silent(
    verb: Verb<void>,
    { timeoutMs = this.#life.timeoutMs, onGone = () => {} }: { timeoutMs?: number; onGone?: () => void } = {},
  ): Call<void> {
    const { clock } = this.#options;
    const call = new Call(verb, { timeoutMs, clock, onGone, why: () => '' });
    call.promise.catch(() => {});
    return call;
  }

  #hear({ verb, sentAt }: AnyCall, zxid: bigint): void {
    this.#failures = 0;
    if (zxid > this.#lastZxid) this.#lastZxid = zxid;
    if (verb.asksLeader && sentAt !== null) this.#step({ type: 'answered', sentAt });
    this.#flush();
  }

  #lose(error: SpillwayError): void {
    this.#connection = null;
    this.#heartbeat?.clear();
    this.#lastFailure = error.message;
    if (isOver(this.#life)) return;
    // The next server at once, and a pause when all of them have been tried.
    this.#failures += 1;
    const restMs = this.#failures % this.#order.length === 0 ? this.#pauseMs() : 0;
    this.#pause = this.#options.clock.after(restMs, () => this.#connect(), { ref: true });
  }

  #pauseMs(): number {
    return Math.min(PAUSE_MS_MAX, this.#life.timeoutMs / 10) * (0.5 + this.#options.random.unit() / 2);
  }

  /** The one way in which the session's state changes. */
  #step(event: LifeEvent): Life {
    const now = readClocks(this.#options.clock);
    this.#life = step(this.#life, event, now);
    if (this.#life.state !== this.#told) this.#become(this.#life.state);
    if (event.type === 'attached' || isOver(this.#life)) this.#unwind();
    const changesMs = changesInMs(this.#life, now);
    // One that comes too early, because the session was heard of meanwhile, is set again.
    if (changesMs !== null) this.#lifeTimer ??= this.#options.clock.after(changesMs, () => this.#age(), { ref: true });
    return this.#life;
  }

  #age(): void {
    this.#unwind();
    this.#step({ type: 'time' });
  }

  #unwind(): void {
    this.#lifeTimer?.clear();
    this.#lifeTimer = null;
  }

  #become(state: SessionState): void {
    this.#told = state;
    if (isOver(this.#life)) this.#end(state === 'closed' ? 'it is closed' : 'it has expired');
    else if (state === 'suspended' && this.#connection?.attached === true) {
      this.#connection.end(unavailable('the leader has not answered for two thirds of the session’s timeout'));
    }
    this.#onState(state);
  }

  #end(why: string): void {
    const error = sessionEnded(why);
    this.#heartbeat?.clear();
    this.#pause?.clear();
    this.#connection?.end(error);
    this.#probing?.end(error);
    for (const call of this.#waiting) call.fail(error);
    this.#waiting = [];
    this.watches.end();
    this.#ended.abort(error);
  }
}

function tooShort({ host, port }: ServerAddress, grantsMs: number, timeoutMs: number): SpillwayError {
  return unavailable(
    `${host}:${port} keeps a session for at most ${grantsMs} ms, and would end this one, of ${timeoutMs} ms, too early; ` +
      'expected the same maxSessionTimeout of all servers',
  );
}
