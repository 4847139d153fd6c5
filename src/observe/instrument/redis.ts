/**
 * Commands to Redis, as `ioredis` 5.11 and later and `redis` (node-redis) 5.12 and later tell of them by their tracing channels: nothing is replaced. An older `ioredis` is silent-ioredis.ts. Of a command
 * only its name is kept: keys and values are the service's business.
 */
import diagnostics, { type TracingChannelSubscribers } from 'node:diagnostics_channel';
import type { DatabaseCall, DatabaseCalls } from './database-call.ts';

/** What is used of what both tell. */
interface CommandMessage {
  readonly command?: unknown;
  readonly batchMode?: unknown;
  readonly database?: unknown;
  readonly serverAddress?: unknown;
  readonly serverPort?: unknown;
  readonly error?: unknown;
}

const COMMANDS = ['ioredis:command', 'node-redis:command'];
/** A transaction of node-redis, whose commands it does not tell of. */
const BATCHES = ['node-redis:batch'];

export class RedisCommands {
  readonly #calls: DatabaseCalls;
  readonly #begun = new WeakMap<object, DatabaseCall>();
  readonly #subscribers: TracingChannelSubscribers<object>;

  constructor(calls: DatabaseCalls) {
    this.#calls = calls;
    const end = (message: CommandMessage): void => {
      this.#begun.get(message)?.end(message.error);
      this.#begun.delete(message);
    };
    this.#subscribers = {
      start: (message: CommandMessage) => this.#begin(message),
      // Of what is thrown at once nothing more is told.
      end: (message: CommandMessage) => {
        if (message.error !== undefined) end(message);
      },
      asyncStart: () => {},
      asyncEnd: end,
      error: () => {},
    };
  }

  watch(): void {
    for (const name of [...COMMANDS, ...BATCHES]) diagnostics.tracingChannel(name).subscribe(this.#subscribers);
  }

  unwatch(): void {
    for (const name of [...COMMANDS, ...BATCHES]) diagnostics.tracingChannel(name).unsubscribe(this.#subscribers);
  }

  #begin(message: CommandMessage): void {
    const { command, batchMode, database, serverAddress, serverPort } = message;
    // A pipeline is told of by its commands.
    if (typeof command !== 'string' && batchMode !== 'MULTI') return;
    const call = this.#calls.begin({
      system: 'redis',
      operation: typeof command === 'string' ? operationOf(command) : 'MULTI',
      host: typeof serverAddress === 'string' ? serverAddress : '',
      port: Number(serverPort ?? 0),
      namespace: typeof database === 'number' ? String(database) : '',
      text: '',
    });
    this.#begun.set(message, call);
  }
}

/** A command by its name; what is none by its form is not shown. */
export function operationOf(command: string): string {
  return /^[A-Za-z][\w.-]{0,39}$/.test(command) ? command.toUpperCase() : '_OTHER';
}
