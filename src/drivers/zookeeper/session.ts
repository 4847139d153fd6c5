/**
 * A session with ZooKeeper: what ephemeral nodes and watches live as long as. It is kept over any number of connections to any of the
 * servers, and ends once: it expires or is closed. Whoever goes on opens another.
 *
 * - **It knows when it is over.** Time is counted from when the last request that the leader answered was sent, on both clocks (`life.ts`),
 *   also while no server can be reached. `state` and `heardAt` compare the clocks when they are read and trust no timer.
 * - **How much to trust it.** A follower tells the leader of its clients with its next word, half a tick later. If it dies in between, the
 *   leader counts from the heartbeat before: what must not outlive the session counts from `countsFrom`.
 * - **Nothing is done twice.** A request that was sent is not sent again: without an answer it fails with `STORE_UNSURE`.
 *   What was not sent waits for a connection.
 * - Requests are done and answered in their order.
 */
import { checkInteger, checkKeys, invalid } from '../../kernel/options.ts';
import type { CallOptions } from './call.ts';
import { isRefusal, refused, sessionEnded, unavailable } from './failures.ts';
import { type AskOptions, SessionKeeper } from './keeper.ts';
import { countsFrom, type Reading, type SessionState } from './life.ts';
import {
  type Acl,
  type CreateFields,
  type Created,
  multiName,
  refusalName,
  type Stat,
  type Step,
  type StepResult,
  type Verb,
  verbs,
} from './messages.ts';
import { checkPath, resolveOptions, type SessionTicket, type ZookeeperOptions } from './options.ts';
import type { Watch, WatchKind } from './watches.ts';

/** 1 MB of paths of 100 bytes, to be set anew at each reconnect. */
const WATCHES_MAX = 10_000;
/** `jute.maxbuffer` of a server: what is longer makes it drop the connection, and with it everybody's requests. */
const REQUEST_BYTES_MAX = 0xfffff;
/** How long `close` waits for the servers; without them the session ends with its timeout. */
const CLOSE_MS = 2000;

/** Everybody may do everything: ZooKeeper's default. */
export const openAcl: readonly Acl[] = [{ permissions: 31, scheme: 'world', id: 'anyone' }];
/** Everything, and only for who has the creator's `auth`. */
export const creatorAcl: readonly Acl[] = [{ permissions: 31, scheme: 'auth', id: '' }];

export interface CreateOptions extends CallOptions {
  /** It goes with the session. @defaultValue false */
  readonly ephemeral?: boolean;
  /** A number that only grows is put behind the path, ten digits. @defaultValue false */
  readonly sequential?: boolean;
  /**
   * The servers (3.6 and later) remove it some time after the last node under it has gone; neither ephemeral nor sequential, and not in a `multi`.
   * @defaultValue false
   */
  readonly container?: boolean;
  /** @defaultValue everybody may do everything */
  readonly acl?: readonly Acl[];
}

export interface VersionOptions extends CallOptions {
  /** Only if the node has this version. @defaultValue -1: any */
  readonly version?: number;
}

export interface WatchOptions extends CallOptions {
  /** Told once of the next change, if the call succeeds; `exists` also of the creation of a node that is not there. */
  readonly watch?: Watch | undefined;
}

const callKeys = ['signal', 'timeoutMs'];

export class ZookeeperSession implements AsyncDisposable {
  readonly #keeper: SessionKeeper;
  readonly #listeners = new Set<(state: SessionState) => void>();
  #closing: Promise<void> | null = null;

  /** Begins to connect; calls may be made at once. */
  constructor(options: ZookeeperOptions) {
    this.#keeper = new SessionKeeper(resolveOptions(options), (state) => {
      for (const listener of this.#listeners) queueMicrotask(() => listener(state));
    });
  }

  get state(): SessionState {
    return this.#keeper.life.state;
  }

  /** 0 until a server has made the session. */
  get id(): bigint {
    return this.#keeper.ticket.id;
  }

  /** The shortest that a server granted; as it was asked for until then. */
  get timeoutMs(): number {
    return this.#keeper.life.timeoutMs;
  }

  /** When the last request that the leader answered was sent: from no earlier do the servers count the timeout. Null until there is one. */
  get heardAt(): Reading | null {
    return this.#keeper.life.heardAt;
  }

  /** From when something counts that lasts `lastsMs` and must not outlive the session, whichever server dies; `heardAt` at the latest. */
  countsFrom(lastsMs: number): Reading | null {
    return countsFrom(this.#keeper.life, lastsMs);
  }

  /** Aborted with `ZOOKEEPER_SESSION_ENDED` when the session is over. */
  get ended(): AbortSignal {
    return this.#keeper.ended;
  }

  /** With it another process, or another connection, takes the session on. */
  get ticket(): SessionTicket {
    return this.#keeper.ticket;
  }

  /** Called with each new state until what is returned is called. */
  onState(listener: (state: SessionState) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async create(path: string, data: Uint8Array, options: CreateOptions = {}): Promise<Created> {
    checkKeys('create', options, [...callKeys, 'ephemeral', 'sequential', 'container', 'acl']);
    return this.#call(verbs.create(createFields(path, data, options)), options);
  }

  async delete(path: string, options: VersionOptions = {}): Promise<void> {
    checkKeys('delete', options, [...callKeys, 'version']);
    return this.#call(verbs.delete(checkPath(path), options.version ?? -1), options);
  }

  async set(path: string, data: Uint8Array, options: VersionOptions = {}): Promise<Stat> {
    checkKeys('set', options, [...callKeys, 'version']);
    return this.#call(verbs.set(checkPath(path), data, options.version ?? -1), options);
  }

  async get(path: string, options: WatchOptions = {}): Promise<{ readonly data: Uint8Array; readonly stat: Stat }> {
    return this.#watching(verbs.get(checkPath(path), options.watch !== undefined), path, 'data', options);
  }

  /** In no order. */
  async children(
    path: string,
    options: WatchOptions = {},
  ): Promise<{ readonly children: readonly string[]; readonly stat: Stat }> {
    return this.#watching(verbs.children(checkPath(path), options.watch !== undefined), path, 'children', options);
  }

  /** Null if there is no such node. */
  async exists(path: string, options: WatchOptions = {}): Promise<Stat | null> {
    try {
      return await this.#watching(verbs.exists(checkPath(path), options.watch !== undefined), path, 'exists', options);
    } catch (error) {
      if (isRefusal(error, 'NO_NODE')) return null;
      throw error;
    }
  }

  /** All of it or nothing; the first step that is refused is named. */
  async multi<const S extends readonly MultiStep[]>(steps: S, options: CallOptions = {}): Promise<ResultsOf<S>> {
    checkKeys('multi', options, callKeys);
    const answer = await this.#call(verbs.multi(steps.map(stepOf)), options);
    // Checked against the steps when it was read.
    if (answer.done) return answer.results as ResultsOf<S>;
    throw refused(multiName(steps, answer.index), answer.refusal, answer.index);
  }

  /** Reads that are asked after it see what was done before it: the server catches up with the leader. */
  async sync(path: string, options: CallOptions = {}): Promise<void> {
    checkKeys('sync', options, callKeys);
    return this.#call(verbs.sync(checkPath(path)), options);
  }

  /** Asks the leader whether the session lives: `heardAt` is then no earlier than the call. */
  ping(options: CallOptions = {}): Promise<void> {
    return this.sync('/', options);
  }

  /** Nobody is interested in it any more. The server still sends its event, which nobody is then told of. */
  unwatch(path: string, watch: Watch): void {
    this.#keeper.watches.remove(path, watch);
  }

  /** Ends the session, so that its ephemeral nodes go at once. Without a server in reach it ends here, and there with its timeout. Never fails. */
  close({ signal, timeoutMs = CLOSE_MS }: CallOptions = {}): Promise<void> {
    this.#closing ??= this.#close({ signal, timeoutMs });
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(options: CallOptions): Promise<void> {
    try {
      if (this.id !== 0n && !this.ended.aborted) await this.#keeper.ask(verbs.close(), options);
    } catch {
      // The session ends with its timeout.
    } finally {
      this.#keeper.close();
    }
  }

  async #watching<T>(verb: Verb<T>, path: string, kind: WatchKind, options: WatchOptions): Promise<T> {
    checkKeys(verb.what, options, [...callKeys, 'watch']);
    const { watch, ...rest } = options;
    if (watch === undefined) return this.#call(verb, rest);
    const { watches } = this.#keeper;
    if (watches.count >= WATCHES_MAX) {
      throw unavailable(`${WATCHES_MAX} watches wait; set no more until one was told or taken back.`);
    }
    const onAnswer = (refusal: number): void => {
      if (refusal === 0) watches.add(kind === 'exists' ? 'data' : kind, path, watch);
      else if (kind === 'exists' && refusalName(refusal) === 'NO_NODE') watches.add('exists', path, watch);
    };
    return this.#call(verb, { ...rest, onAnswer });
  }

  async #call<T>(verb: Verb<T>, options: AskOptions): Promise<T> {
    if (this.#closing !== null) throw sessionEnded('it is closed');
    const { signal, timeoutMs, onAnswer } = options;
    if (timeoutMs !== undefined) checkInteger('timeoutMs', Math.ceil(timeoutMs), 1, 2 ** 31 - 1);
    if (verb.frame.length > REQUEST_BYTES_MAX) {
      throw invalid(`${verb.what} takes ${verb.frame.length} bytes; servers take ${REQUEST_BYTES_MAX}.`);
    }
    return this.#keeper.ask(verb, { signal, timeoutMs, onAnswer });
  }
}

/** A step of `multi`, as a caller writes it. */
export type MultiStep =
  | ({ readonly op: 'create'; readonly path: string; readonly data: Uint8Array } & Omit<
      CreateOptions,
      keyof CallOptions | 'container'
    >)
  | { readonly op: 'set'; readonly path: string; readonly data: Uint8Array; readonly version?: number }
  | { readonly op: 'delete' | 'check'; readonly path: string; readonly version?: number };

/** Of each step what it says. */
type ResultsOf<S extends readonly MultiStep[]> = {
  readonly [I in keyof S]: Extract<StepResult, { readonly op: S[I]['op'] }>;
};

function createFields(path: string, data: Uint8Array, options: Omit<CreateOptions, keyof CallOptions>): CreateFields {
  const { ephemeral = false, sequential = false, container = false, acl = openAcl } = options;
  if (container && (ephemeral || sequential)) throw invalid('A container is neither ephemeral nor sequential.');
  return { path: checkPath(path, { sequential }), data, acl, ephemeral, sequential, container };
}

function stepOf(given: MultiStep): Step {
  if (given.op === 'create') return { op: 'create', ...createFields(given.path, given.data, given) };
  return { ...given, path: checkPath(given.path), version: given.version ?? -1 };
}
