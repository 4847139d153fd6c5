/**
 * Queries of `pg`, which tells of none: `query` of its clients and `connect` of its pools are replaced, until `unwatch` puts the old ones back.
 *
 * Invariants: what was asked is asked, what was answered is answered, at the same time and in the same form; an error that nobody awaits is still
 * one that nobody awaits. Callbacks run in the context of whoever asked, not of the request whose connection became free. Not counted: what has a
 * `submit` of its own (`pg-cursor`, `pg-query-stream`), and a callback within the config.
 */
import { AsyncResource } from 'node:async_hooks';
import type { DatabaseCall, DatabaseCalls } from './database-call.ts';
import { ReplacedMethods } from './replaced-methods.ts';
import { operationOf, withoutValues } from './sql-text.ts';

/** What is used of the module `pg`. */
export interface PgModule {
  readonly Client: { readonly prototype: object };
  readonly Pool: { readonly prototype: object };
}

/** What is used of a client. */
interface PgClient {
  readonly host?: unknown;
  readonly port?: unknown;
  readonly database?: unknown;
}

type Callback = (error: unknown, ...rest: unknown[]) => unknown;

export class PgQueries {
  readonly #calls: DatabaseCalls;
  readonly #replaced = new ReplacedMethods();

  constructor(calls: DatabaseCalls) {
    this.#calls = calls;
  }

  watch(pg: PgModule): void {
    const begin = (client: PgClient, config: unknown): DatabaseCall | null => this.#begin(client, config);
    this.#replaced.replace(pg.Client.prototype, 'query', (query) => {
      return function instrumentedQuery(this: unknown, ...given) {
        const call = begin(this as PgClient, given[0]);
        if (call === null) return query.apply(this, given);
        const at = given.findIndex((one, index) => index > 0 && typeof one === 'function');
        if (at !== -1) given[at] = ending(call, given[at] as Callback);
        let result: unknown;
        try {
          result = query.apply(this, given);
        } catch (error) {
          call.end(error);
          throw error;
        }
        return at === -1 && isPromise(result) ? ended(call, result) : result;
      };
    });
    this.#replaced.replace(pg.Pool.prototype, 'connect', (connect) => {
      return function instrumentedConnect(this: unknown, ...given) {
        if (typeof given[0] === 'function') given[0] = AsyncResource.bind(given[0] as Callback);
        return connect.apply(this, given);
      };
    });
  }

  unwatch(): void {
    this.#replaced.restore();
  }

  #begin(client: PgClient, config: unknown): DatabaseCall | null {
    const text = typeof config === 'string' ? config : textOf(config);
    if (text === null) return null;
    const { host, port, database } = client;
    return this.#calls.begin({
      system: 'postgresql',
      operation: operationOf(text),
      host: typeof host === 'string' ? host : '',
      // A host that is a folder is a socket in the file system.
      port: typeof host === 'string' && host.startsWith('/') ? 0 : Number(port ?? 0),
      namespace: typeof database === 'string' ? database : '',
      text: withoutValues(text),
    });
  }
}

function textOf(config: unknown): string | null {
  if (typeof config !== 'object' || config === null || 'submit' in config || 'callback' in config) return null;
  const { text } = config as { readonly text?: unknown };
  return typeof text === 'string' ? text : null;
}

function ending(call: DatabaseCall, callback: Callback): Callback {
  return AsyncResource.bind((error: unknown, ...rest: unknown[]) => {
    call.end(error ?? undefined);
    return callback(error, ...rest);
  });
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as Partial<Promise<unknown>>).then === 'function';
}

function ended(call: DatabaseCall, result: Promise<unknown>): Promise<unknown> {
  return result.then(
    (value) => {
      call.end();
      return value;
    },
    (error: unknown) => {
      call.end(error);
      throw error;
    },
  );
}
