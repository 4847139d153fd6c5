/**
 * A client of etcd 3.4 and later for locks and leader elections: its key-value store, leases and watches, by the JSON gateway that every
 * server has on its client port. What is asked of whom, and again of whom, is in caller.ts; docs/adr/0008-etcd-client.md says why it is
 * our own.
 *
 * - A call is over within its `timeoutMs`, and when its `signal` is aborted.
 * - A change whose answer was lost is not made again: `STORE_UNSURE`. `STORE_UNAVAILABLE`: no server could, and nothing was done.
 *   `STORE_REFUSED`: none will. `ETCD_LEASE_GONE`: it names a lease that is over, and nothing was done.
 * - 64-bit integers are bigint, keys and values bytes; a text that is given is its UTF-8.
 * - `close` ends what is under way; no socket and no timer is left.
 *
 * Cost: one round trip a call, on connections that are kept (up to 64 to a server); a connection for each watch.
 * Not: administration, and every option of the protocol.
 */
import {
  type DeleteAnswer,
  type LeaseAnswer,
  type LeaseLife,
  type PutAnswer,
  type RangeAnswer,
  readDelete,
  readGrant,
  readKeepAlive,
  readPut,
  readRange,
  readStatus,
  readTimeToLive,
  readTxn,
  type StatusAnswer,
  type TxnAnswer,
  type WatchEvent,
} from './answers.ts';
import { EtcdCaller, type Question } from './caller.ts';
import { isCoded } from '../../kernel/errors.ts';
import { checkInteger, invalid } from '../../kernel/options.ts';
import {
  type KeyRange,
  onlyReads,
  type PutRequest,
  type RangeRequest,
  type TxnRequest,
  type WatchRequest,
  writeDelete,
  writeInt64,
  writePut,
  writeRange,
  writeTxn,
  writeWatch,
} from './messages.ts';
import { type CallOptions, type EtcdOptions, resolveOptions } from './options.ts';
import { EtcdWatch } from './watch.ts';

/** What etcd allows. */
const TTL_S_MAX = 9_000_000_000;
/** Each is a connection: more are better served by one watch over a range. */
const WATCHES_MAX = 1024;

export class EtcdClient implements AsyncDisposable {
  readonly #caller: EtcdCaller;
  #watches = 0;

  constructor(options: EtcdOptions) {
    this.#caller = new EtcdCaller(resolveOptions(options));
  }

  /** For a whole call, unless it says otherwise. */
  get timeoutMs(): number {
    return this.#caller.options.timeoutMs;
  }

  range(request: RangeRequest, options?: CallOptions): Promise<RangeAnswer> {
    return this.#ask('kv/range', writeRange(request), readRange, { once: false, options });
  }

  put(request: PutRequest, options?: CallOptions): Promise<PutAnswer> {
    return this.#ask('kv/put', writePut(request), readPut, { once: true, options });
  }

  /** Answers with what was deleted. */
  delete(range: KeyRange, options?: CallOptions): Promise<DeleteAnswer> {
    return this.#ask('kv/deleterange', writeDelete(range), readDelete, { once: true, options });
  }

  /** All at once: if every comparison is true, what is in `then`, otherwise what is in `else`. */
  txn(request: TxnRequest, options?: CallOptions): Promise<TxnAnswer> {
    return this.#ask('kv/txn', writeTxn(request), readTxn, { once: !onlyReads(request), options });
  }

  /** A lease that ends `ttlS` seconds after it was last kept alive. The server chooses its ID if none is given. */
  grant(
    { ttlS, id = 0n }: { readonly ttlS: number; readonly id?: bigint },
    options?: CallOptions,
  ): Promise<LeaseAnswer> {
    const body = { TTL: String(checkInteger('ttlS', ttlS, 1, TTL_S_MAX)), ID: writeInt64('id', id) };
    return this.#ask('lease/grant', body, readGrant, { once: true, options });
  }

  /** Begins the time of a lease anew, and may do so several times; null: it is over. */
  keepAlive(id: bigint, options?: CallOptions): Promise<LeaseAnswer | null> {
    return this.#ask('lease/keepalive', leaseId(id), readKeepAlive, { once: false, options });
  }

  /** Ends a lease, and with it all keys that were put under it; false: it was over. */
  async revoke(id: bigint, options?: CallOptions): Promise<boolean> {
    try {
      return await this.#ask('lease/revoke', leaseId(id), () => true, { once: true, options });
    } catch (error) {
      if (isCoded(error, 'ETCD_LEASE_GONE')) return false;
      throw error;
    }
  }

  /** How long a lease has, and which keys it has; null: it is over. */
  timeToLive(id: bigint, options?: CallOptions): Promise<LeaseLife | null> {
    return this.#ask('lease/timetolive', { ...leaseId(id), keys: true }, readTimeToLive, { once: false, options });
  }

  /** Of the server that answers. */
  status(options?: CallOptions): Promise<StatusAnswer> {
    return this.#ask('maintenance/status', {}, readStatus, { once: false, options });
  }

  /**
   * The changes of a key or a range, one after the other, until `signal` is aborted, which throws its reason, or the loop is left. It outlives
   * servers; what cannot be told after all is a `gap`, and the end.
   */
  async *watch(
    request: WatchRequest,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<WatchEvent, void> {
    // Refuses what is wrong before there is a connection.
    writeWatch(request);
    if (this.#watches >= WATCHES_MAX) {
      throw invalid(`There are ${WATCHES_MAX} watches of one client already; watch a range of keys by one.`);
    }
    this.#watches += 1;
    using life = this.#caller.live(signal);
    try {
      yield* new EtcdWatch(this.#caller, request, life.signal).events();
    } finally {
      this.#watches -= 1;
    }
  }

  /** What is under way is rejected. */
  close(): void {
    this.#caller.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  #ask<Result>(
    path: string,
    body: Question<Result>['body'],
    read: Question<Result>['read'],
    { once, options }: { readonly once: boolean; readonly options: CallOptions | undefined },
  ): Promise<Result> {
    return this.#caller.ask({ path: `/v3/${path}`, body, read, once }, options);
  }
}

function leaseId(id: bigint): { readonly ID: string } {
  return { ID: writeInt64('A lease', id) };
}
