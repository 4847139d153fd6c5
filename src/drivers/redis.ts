/**
 * Redis and Valkey (7.0 and later) through a client that the program already has: ioredis or node-redis, one server or a cluster.
 * Nothing is imported from either; what is used of them is written down here as types.
 *
 * - Two verbs. One: run a script on some keys. It is sent by its hash. A server that does not know it (restarted, failed over, flushed, a
 *   node of a cluster that was never asked) says so and has done nothing; it is then sent the text, and knows it.
 * - The other: send a command about one key, whose arguments may be bytes, and whose answer may be wanted as bytes.
 * - Calls of one tick go out in their order on one connection, without waiting for each other; one whose script the server did not know is done after them.
 * - A signal says that nobody waits any more: what has not been sent then is not, also not when a connection is back. A call that was sent
 *   lasts as long as the client makes it last; whoever has less time stops waiting. One whose connection is lost before the answer is sent again
 *   by ioredis on the next, unless that is made with `autoResendUnfulfilledCommands: false`. What clients keep while they say that they are ready
 *   cannot be taken back: a cluster of ioredis that of a node which it is not connected to, and node-redis one call alone, at the moment when its
 *   connection ends.
 * - Errors are coded: `STORE_UNAVAILABLE` if the same call may do later, `STORE_REFUSED` if it will not.
 *
 * In a cluster, the client finds the node by the first key and follows it when it moves; all keys of a call must be in one slot.
 * A cluster of ioredis is called through a pipeline of one command: with `enableAutoPipelining`, versions before 5.11 take a script's hash
 * for the key (redis/ioredis#2109), and pipelines are not subject to it.
 */
import { createHash } from 'node:crypto';
import type { Writable } from 'node:stream';

import { SpillwayError } from '../kernel/errors.ts';
import { invalid, textOfGiven } from '../kernel/options.ts';
import { Unanswered } from './unanswered.ts';

const NAME = /^[\w.:-]{1,64}$/;

/** Refuses what no key should begin with. */
export function checkRedisName(what: string, name: unknown): void {
  if (typeof name === 'string' && NAME.test(name)) return;
  throw invalid(`${what} is “${textOfGiven(name)}”; expected 1 to 64 of the characters a-z A-Z 0-9 _ . : -`);
}

type Argument = string | Buffer;

interface IoredisPipeline {
  call(command: string, ...args: Argument[]): unknown;
  callBuffer(command: string, ...args: Argument[]): unknown;
  exec(): Promise<(readonly [error: Error | null, result: unknown])[] | null>;
}

interface IoredisNumbers {
  readonly stringNumbers?: boolean | undefined;
}

/** What is used of `new Redis()` and `new Cluster()` of ioredis. */
export interface IoredisClient {
  readonly isCluster: boolean;
  /** Of a cluster, those of its connections are `redisOptions`. */
  readonly options?: IoredisNumbers & { readonly redisOptions?: IoredisNumbers | undefined };
  /** `ready` if what is called is sent at once, where the stream is writable. */
  readonly status: string;
  /** The socket of a connection; none before it is made, nor in a cluster. */
  readonly stream?: Pick<Writable, 'cork' | 'uncork' | 'writable' | 'writableCorked'> | undefined;
  call(command: string, ...args: Argument[]): Promise<unknown>;
  callBuffer(command: string, ...args: Argument[]): Promise<unknown>;
  pipeline(): IoredisPipeline;
}

interface NodeRedisOptions {
  readonly abortSignal?: AbortSignal;
  /** What kinds of answers become, by the first byte of the protocol. */
  readonly typeMapping?: { readonly [kind: number]: unknown };
}

/** What is used of `createClient()` of node-redis. */
export interface NodeRedisClient {
  readonly isReady: boolean;
  sendCommand(args: readonly Argument[], options?: NodeRedisOptions): Promise<unknown>;
}

/** What is used of `createCluster()` of node-redis. */
export interface NodeRedisCluster {
  readonly masters: readonly unknown[];
  sendCommand(
    firstKey: string | undefined,
    isReadonly: boolean | undefined,
    args: Argument[],
    options?: NodeRedisOptions,
  ): Promise<unknown>;
}

export type RedisClient = IoredisClient | NodeRedisClient | NodeRedisCluster;

/** A script, known to servers by the hash of its text. */
export class RedisScript {
  readonly text: string;
  readonly sha: string;

  constructor(text: string) {
    this.text = text;
    this.sha = createHash('sha1').update(text).digest('hex');
  }
}

/** At 200 ms a round trip, 20,000 calls a second. */
const UNANSWERED_MAX = 4096;

/** Whoever waits; the signal is only looked at where it matters. */
interface Waiting {
  readonly signal: AbortSignal;
}

type Command = [name: string, ...args: Argument[]];

interface Send {
  /** With `bytes`, strings of the answer are Buffers. */
  (key: string, command: Command, waiting: Waiting, bytes?: boolean): Promise<unknown>;
}

/** Hands a command to a client. */
type Give = (command: Command, bytes: boolean) => Promise<unknown>;

/**
 * To node-redis, said with each call: a client may be made to turn numbers into texts, and a lock that was had would then be taken for one that others
 * have. `$` begins a string.
 */
const asText = { typeMapping: {} };
const asBytes = { typeMapping: { [0x24]: Buffer } };

async function viaPipeline(client: IoredisClient, command: Command, bytes: boolean): Promise<unknown> {
  const pipeline = client.pipeline();
  if (bytes) pipeline.callBuffer(...command);
  else pipeline.call(...command);
  const [first] = (await pipeline.exec()) ?? [];
  if (first === undefined) throw new Error('the pipeline was thrown away');
  const [error, result] = first;
  if (error !== null) throw error;
  return result;
}

/** Calls of a tick that are gathered for a first write, and by how much each further one is longer: a thousand are five writes. */
const FIRST_WRITE = 8;
const WRITE_GROWTH = 4;

/**
 * What ioredis sends in one tick leaves in few writes; by itself it writes each command alone, which costs both sides a system call for each. The
 * first ones are short, so that the server begins while the others are made: in a single write, whoever is answered at once asks at once
 * again, and client and server wait for each other.
 */
function gatherer(firstWrite: number): (client: IoredisClient) => void {
  let corked: IoredisClient['stream'];
  let length = 0;
  let room = 0;
  const end = (): void => {
    corked!.uncork();
    corked = undefined;
  };
  return ({ stream }) => {
    if (corked === undefined) {
      // Whoever else gathers on this client, or whoever made it, uncorks.
      if (!stream || stream.writableCorked > 0) return;
      stream.cork();
      corked = stream;
      length = firstWrite;
      room = length;
      process.nextTick(end);
    } else if (room === 0) {
      corked.uncork();
      corked.cork();
      length *= WRITE_GROWTH;
      room = length;
    }
    room -= 1;
  };
}

/**
 * ioredis keeps what it is given while it is not connected and sends it when it is, to whomever it still matters. So it is given a PING then, which
 * does no harm whenever it is sent, and its fate is that of the calls: when it is answered, those that are still waited for go out, in their order.
 */
function sendOfIoredis(client: IoredisClient, give: Give): Send {
  let held = 0;
  let connected: Promise<void> | null = null;
  const connect = async (): Promise<void> => {
    try {
      await client.call('ping');
    } catch (error) {
      // Whoever may not call PING is connected too.
      if (wordOf(messageOf(error)) === null) throw error;
    }
  };
  const hold = async (command: Command, { signal }: Waiting, bytes: boolean): Promise<unknown> => {
    held += 1;
    let sent: Promise<unknown>;
    try {
      await (connected ??= connect());
      signal.throwIfAborted();
      // Whoever comes next is held only until this is sent, and not until it is answered.
      sent = give(command, bytes);
    } finally {
      held -= 1;
      if (held === 0) connected = null;
    }
    return sent;
  };
  // One that the server has ended says that it is ready until it is closed.
  const sends = (): boolean => held === 0 && client.status === 'ready' && client.stream?.writable !== false;
  return (_key, command, waiting, bytes = false) => (sends() ? give(command, bytes) : hold(command, waiting, bytes));
}

/** What is counted and compared must not be text: a lock that was had would be taken for one that others have. */
function checkNumbers({ options }: IoredisClient): void {
  if (options?.stringNumbers !== true && options?.redisOptions?.stringNumbers !== true) return;
  throw invalid(
    'This client of ioredis was made with stringNumbers, by which all numbers of answers are texts; expected one without it.',
  );
}

function senderOf(
  client: RedisClient,
  { firstWrite, unanswered }: { readonly firstWrite: number; readonly unanswered: Unanswered },
): { readonly cluster: boolean; readonly send: Send } {
  // Whoever writes JavaScript may hand in anything.
  if (client !== null && typeof client === 'object') {
    if ('pipeline' in client) {
      checkNumbers(client);
      if (client.isCluster) {
        return { cluster: true, send: sendOfIoredis(client, (command, bytes) => viaPipeline(client, command, bytes)) };
      }
      const gather = gatherer(firstWrite);
      const gathersAll = firstWrite === Infinity;
      const give: Give = (command, bytes) => {
        // A call beside which nothing is asked leaves at once.
        if (unanswered.calls > 1 || gathersAll) gather(client);
        return bytes ? client.callBuffer(...command) : client.call(...command);
      };
      return { cluster: false, send: sendOfIoredis(client, give) };
    }
    if ('masters' in client) {
      return {
        cluster: true,
        send: (key, command, { signal }, bytes = false) =>
          client.sendCommand(key, false, command, { abortSignal: signal, ...(bytes ? asBytes : asText) }),
      };
    }
    if (typeof client.sendCommand === 'function') {
      return {
        cluster: false,
        // One that is connected sends at once, unless the server does not read what it was sent before; only what is kept for later could
        // still be taken back, and a signal costs nearly a microsecond.
        send: (_key, command, waiting, bytes = false) => {
          if (bytes) return client.sendCommand(command, { abortSignal: waiting.signal, ...asBytes });
          if (client.isReady && unanswered.calls === 1) return client.sendCommand(command, asText);
          return client.sendCommand(command, { abortSignal: waiting.signal, ...asText });
        },
      };
    }
  }
  throw invalid(
    'This is no client of Redis; expected one of ioredis (new Redis, new Cluster) or node-redis (createClient, createCluster).',
  );
}

export interface RedisCall {
  readonly script: RedisScript;
  /** At least one; in a cluster all of one slot. */
  readonly keys: readonly string[];
  readonly args: readonly string[];
  readonly waiting: Waiting;
  /** What to ask instead if the server did not know the script, by when less may be wanted. @defaultValue the same */
  readonly again?: () => Pick<RedisCall, 'keys' | 'args'>;
}

export interface RedisCommand {
  readonly command: Command;
  /** One of its keys: what decides which server of a cluster has it. */
  readonly key: string;
  /** Whether strings of the answer are wanted as bytes. @defaultValue false: as text */
  readonly bytes?: boolean;
  readonly waiting: Waiting;
}

export interface RedisDriverOptions {
  /** To ioredis: how many calls of a tick make its first write; infinite where the answers of several servers are waited for together. @defaultValue 8 */
  readonly firstWrite?: number;
}

export class RedisDriver {
  readonly cluster: boolean;
  readonly #send: Send;
  readonly #unanswered = new Unanswered('Redis', UNANSWERED_MAX);

  constructor(client: RedisClient, { firstWrite = FIRST_WRITE }: RedisDriverOptions = {}) {
    ({ cluster: this.cluster, send: this.#send } = senderOf(client, { firstWrite, unanswered: this.#unanswered }));
  }

  /** What the script returns; integers as numbers. */
  async run(call: RedisCall): Promise<unknown> {
    this.#unanswered.begin();
    try {
      const { script, keys, waiting } = call;
      return await this.#send(keys[0] ?? '', commandOf('evalsha', script.sha, call), waiting);
    } catch (error) {
      if (!isUnknownScript(error)) throw redisError(error);
      return await this.#runText(call);
    } finally {
      this.#unanswered.end();
    }
  }

  async #runText({ script, keys, args, waiting, again }: RedisCall): Promise<unknown> {
    waiting.signal.throwIfAborted();
    const asked = again?.() ?? { keys, args };
    try {
      return await this.#send(keys[0] ?? '', commandOf('eval', script.text, asked), waiting);
    } catch (error) {
      throw redisError(error);
    }
  }

  /** What a command about one key answers. */
  async command({ command, key, waiting, bytes = false }: RedisCommand): Promise<unknown> {
    this.#unanswered.begin();
    try {
      return await this.#send(key, command, waiting, bytes);
    } catch (error) {
      throw redisError(error, command[0]);
    } finally {
      this.#unanswered.end();
    }
  }
}

function commandOf(name: string, script: string, { keys, args }: Pick<RedisCall, 'keys' | 'args'>): Command {
  return [name, script, String(keys.length), ...keys, ...args];
}

function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}

/** The first words of errors by which a server says that it will not do, until somebody changes something. */
const refusals: ReadonlySet<string> = new Set([
  'ERR',
  'NOAUTH',
  'WRONGPASS',
  'NOPERM',
  'CROSSSLOT',
  'WRONGTYPE',
  'NOPROTO',
  'NOSCRIPT',
]);

/** The word with which an error of a server begins, such as `OOM`; null for an error of the client or the connection. */
function wordOf(message: string): string | null {
  return /^([A-Z]{3,}) /.exec(message)?.[1] ?? null;
}

/** Whether an error of a driver is what the server replied, and not that it could not be asked or did not answer. */
export function isReply(error: unknown): boolean {
  return error instanceof SpillwayError && error.cause instanceof Error && wordOf(error.cause.message) !== null;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function redisError(error: unknown, what = 'a script'): SpillwayError {
  if (error instanceof SpillwayError) return error;
  const message = messageOf(error);
  const word = wordOf(message);
  if (word !== null && refusals.has(word)) {
    return new SpillwayError('STORE_REFUSED', `Redis refused ${what}: ${message}`, { cause: error });
  }
  // OOM, READONLY, LOADING, CLUSTERDOWN, MASTERDOWN, MISCONF, NOREPLICAS, BUSY, … and whatever ends a connection.
  const state = word === null ? 'Redis cannot be reached' : 'Redis cannot do it now';
  return new SpillwayError('STORE_UNAVAILABLE', `${state}: ${message}`, { cause: error, retryable: true });
}

const SLOTS = 16_384;

/** The slot of a key in a cluster: CRC-16 (XMODEM) of what its first braces enclose, or of all of it. */
export function slotOf(key: string): number {
  const open = key.indexOf('{');
  const close = open < 0 ? -1 : key.indexOf('}', open + 1);
  const tag = close > open + 1 ? key.slice(open + 1, close) : key;
  let crc = 0;
  for (const byte of Buffer.from(tag)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = ((crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021) & 0xffff;
  }
  return crc % SLOTS;
}
