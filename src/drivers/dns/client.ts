/**
 * Asks DNS servers: by UDP, and again by TCP if the answer was cut off. Each server in turn, two rounds, then it has failed.
 *
 * Against forged answers (RFC 5452): a socket of its own for each question, so the port is the kernel's choice, connected, so that
 * only the server's packets arrive; a random id; and the question must come back. Anything else is not listened to, and neither
 * ends the wait nor is answered.
 *
 * Invariants: every socket has an error handler from birth and is closed when the question is settled; at most `QUESTIONS_MAX`
 * are open; nothing that a server sends throws.
 */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import type { Clock } from '../../kernel/clock.ts';
import { SpillwayError } from '../../kernel/errors.ts';
import { formatDuration } from '../../kernel/units.ts';
import {
  type DnsMessage,
  type DnsQuestion,
  type DnsRecord,
  isSameQuestion,
  readAnswer,
  recordsFor,
  writeQuestion,
} from './message.ts';

/** Sockets. A thousand names with a TTL of 1 s at 10 ms an answer need ten. */
const QUESTIONS_MAX = 64;
/** A lost packet is asked for again; what two rounds do not bring, a pause may. */
const ROUNDS = 2;
/** Packets that are no answer, before a server is given up: somebody is guessing. */
const STRAYS_MAX = 1000;

export interface DnsServer {
  /** An address. */
  readonly host: string;
  readonly port: number;
}

export interface DnsAnswer {
  /** Of the type asked for. Empty: there are none, or no such name. */
  readonly records: readonly DnsRecord[];
  /** How long they hold. */
  readonly ttlS: number;
  /** Whether there is such a name. */
  readonly exists: boolean;
}

export interface AskOptions {
  /** In this order. */
  readonly servers: readonly DnsServer[];
  /** For one server. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

const rcodes = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'];
const [NO_ERROR, NO_NAME] = [0, 3];

export class DnsClient {
  readonly #clock: Clock;
  readonly #waiting: (() => void)[] = [];
  #open = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Throws `DNS_FAILED` with what each server did, or what `signal` was aborted with. */
  async ask(question: DnsQuestion, { servers, timeoutMs, signal }: AskOptions): Promise<DnsAnswer> {
    // Whoever leaves hands on the place.
    if (this.#open < QUESTIONS_MAX) this.#open += 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      const failures = new Set<string>();
      for (let round = 0; round < ROUNDS; round++) {
        for (const server of servers) {
          signal.throwIfAborted();
          try {
            return await this.#askOne(question, server, timeoutMs, signal);
          } catch (error) {
            signal.throwIfAborted();
            failures.add(`${serverName(server)} ${error instanceof Error ? error.message : String(error)}`);
          }
        }
      }
      throw failed([...failures].join('; '));
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#open -= 1;
      else next();
    }
  }

  async #askOne(question: DnsQuestion, server: DnsServer, timeoutMs: number, signal: AbortSignal): Promise<DnsAnswer> {
    const late = new AbortController();
    const timer = this.#clock.after(timeoutMs, () => late.abort());
    const either = AbortSignal.any([signal, late.signal]);
    const strays = { count: 0 };
    try {
      let message = await askByUdp(question, server, either, strays);
      if (message.truncated) message = await askByTcp(question, server, either);
      const { rcode, answers } = message;
      if (rcode !== NO_ERROR && rcode !== NO_NAME) throw failed(`answered ${rcodes[rcode] ?? `with code ${rcode}`}`);
      return { ...recordsFor(question, answers), exists: rcode === NO_ERROR };
    } catch (error) {
      if (!late.signal.aborted) throw error;
      const noise = strays.count === 0 ? '' : ` (${strays.count} packets came that are no answer)`;
      throw failed(`did not answer within ${formatDuration(timeoutMs)}${noise}`);
    } finally {
      timer.clear();
    }
  }
}

function askByUdp(
  question: DnsQuestion,
  { host, port }: DnsServer,
  signal: AbortSignal,
  strays: { count: number },
): Promise<DnsMessage> {
  const id = randomInt(0x1_0000);
  const query = writeQuestion(id, question);
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
  const { promise, resolve, reject } = Promise.withResolvers<DnsMessage>();
  const onAbort = (): void => reject(failed('was not waited for'));
  socket.on('error', (error: NodeJS.ErrnoException) => reject(unreachable(error)));
  socket.on('message', (bytes) => {
    const message = answerIn(bytes, id, question);
    if (message !== null) resolve(message);
    else if (++strays.count > STRAYS_MAX) reject(failed(`sent ${STRAYS_MAX} packets that are no answer`));
  });
  socket.on('connect', () => socket.send(query));
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  else socket.connect(port, host);
  return promise.finally(() => {
    signal.removeEventListener('abort', onAbort);
    socket.close();
  });
}

/** RFC 1035 §4.2.2: the length stands before the message. */
function askByTcp(question: DnsQuestion, { host, port }: DnsServer, signal: AbortSignal): Promise<DnsMessage> {
  const id = randomInt(0x1_0000);
  const query = writeQuestion(id, question);
  const socket = connect({ host, port });
  const { promise, resolve, reject } = Promise.withResolvers<DnsMessage>();
  const onAbort = (): void => reject(failed('was not waited for'));
  let received = Buffer.alloc(0);
  socket.on('error', (error: NodeJS.ErrnoException) => reject(unreachable(error)));
  socket.on('close', () => reject(failed('closed the connection before it had answered')));
  socket.on('data', (bytes: Buffer) => {
    // The length bounds it: 64 kB and what came with the last bytes.
    received = Buffer.concat([received, bytes]);
    const end = received.length < 2 ? Number.POSITIVE_INFINITY : 2 + received.readUInt16BE(0);
    if (received.length < end) return;
    const message = answerIn(received.subarray(2, end), id, question);
    if (message === null || message.truncated) reject(failed('sent by TCP what is no answer'));
    else resolve(message);
  });
  const length = Buffer.alloc(2);
  length.writeUInt16BE(query.length);
  socket.write(Buffer.concat([length, query]));
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  return promise.finally(() => {
    signal.removeEventListener('abort', onAbort);
    socket.destroy();
  });
}

/** Null if it is not the answer to this question. */
function answerIn(bytes: Uint8Array, id: number, question: DnsQuestion): DnsMessage | null {
  try {
    const message = readAnswer(bytes);
    return message.id === id && isSameQuestion(message.question, question) ? message : null;
  } catch {
    return null;
  }
}

function serverName({ host, port }: DnsServer): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

function unreachable({ code, message }: NodeJS.ErrnoException): SpillwayError {
  return failed(code === 'ECONNREFUSED' ? 'refused: nothing listens there' : `cannot be reached: ${message}`);
}

function failed(message: string): SpillwayError {
  return new SpillwayError('DNS_FAILED', message, { retryable: true });
}
