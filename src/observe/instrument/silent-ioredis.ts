/**
 * Commands of an `ioredis` that does not tell of them (5.0 to 5.10): `sendCommand` of its client is replaced, until `unwatch` puts the old one back. A version that
 * has what its channel is told with tells by itself (redis.ts), and is let be.
 *
 * Invariant: what is sent and how it ends is as before; a command is seen once, however often it waits for a connection. Its end is seen where the client says it, not by
 * its promise, so that an error which nobody awaits is still one.
 */
import type { DatabaseCalls } from './database-call.ts';
import { operationOf } from './redis.ts';
import { ReplacedMethods } from './replaced-methods.ts';

/** The class `Redis` of the module `ioredis`. */
export interface IoredisClass {
  readonly prototype: object;
}

/** What is used of a client. */
interface Client {
  readonly options?: {
    readonly host?: unknown;
    readonly port?: unknown;
    readonly path?: unknown;
    readonly db?: unknown;
  };
  readonly condition?: { readonly select?: unknown } | null;
}

interface Command {
  readonly name?: unknown;
  resolve?: unknown;
  reject?: unknown;
}

type End = (result: unknown) => unknown;

export class SilentIoredis {
  readonly #calls: DatabaseCalls;
  readonly #replaced = new ReplacedMethods();
  readonly #seen = new WeakSet<object>();

  constructor(calls: DatabaseCalls) {
    this.#calls = calls;
  }

  watch({ prototype }: IoredisClass): void {
    if ('_buildCommandContext' in prototype || typeof Reflect.get(prototype, 'sendCommand') !== 'function') return;
    const see = (client: Client, command: unknown): void => this.#see(client, command);
    this.#replaced.replace(prototype, 'sendCommand', (send) => {
      return function instrumentedSend(this: unknown, ...given) {
        see(this as Client, given[0]);
        return send.apply(this, given);
      };
    });
  }

  unwatch(): void {
    this.#replaced.restore();
  }

  #see({ options = {}, condition }: Client, given: unknown): void {
    if (typeof given !== 'object' || given === null || this.#seen.has(given)) return;
    const command = given as Command;
    const { name, resolve, reject } = command;
    if (typeof name !== 'string' || typeof resolve !== 'function' || typeof reject !== 'function') return;
    this.#seen.add(given);
    const { host, path, port, db } = options;
    const database = condition?.select ?? db;
    const call = this.#calls.begin({
      system: 'redis',
      operation: operationOf(name),
      host: [path, host].find((one) => typeof one === 'string') ?? '',
      port: typeof path === 'string' ? 0 : Number(port ?? 0),
      namespace: typeof database === 'number' ? String(database) : '',
      text: '',
    });
    command.resolve = (result: unknown) => {
      call.end();
      return (resolve as End)(result);
    };
    command.reject = (error: unknown) => {
      call.end(error);
      return (reject as End)(error);
    };
  }
}
