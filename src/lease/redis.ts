/**
 * Leases in Redis or Valkey: one server, through a client that the program has.
 *
 * - One key and one round trip a verb: a script (redis/*.lua), decided at one moment of the server's own clock, by the arithmetic of table.ts.
 *   What is asked in one tick goes together (redis-batches.ts), also what one gives back and the next claims. A key is gone when nobody holds it or waits for it: released, or by its own end.
 * - The last token is one key for the whole prefix, without an end: `max(last + 1, the server's clock in µs)`. If it is lost, the clock goes on from
 *   there; so tokens go back only if a clock does too.
 * - Who waits is told through a channel of this store, by the release that makes room and nobody else: two calls a hand-over, however many wait.
 *   The connection for it is made when something first waits. Without it, or while it is down, each asks two to four
 *   times a second (polling.ts).
 * - With `replicas`, nothing counts as granted or renewed before so many replicas have it (`WAIT`).
 *
 * What it is not: durable. A server that lost its data, or a replica promoted without the last writes, gives a lease away that another holds: the token
 * tells them apart, see docs/guides/locks.md. About 230 bytes a key, with what the server has of it, 100 more for each other holder and each place.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  checkRedisName,
  type IoredisClient,
  type NodeRedisClient,
  RedisDriver,
  RedisScript,
} from '../drivers/redis.ts';
import {
  type Channel,
  type IoredisDuplicates,
  keyPrefixOf,
  type NodeRedisDuplicates,
  RedisListener,
} from '../drivers/redis-listener.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { SpillwayError } from '../kernel/errors.ts';
import { checkDuration, checkInteger, checkKeys, invalid, textOfGiven } from '../kernel/options.ts';
import type { Duration } from '../kernel/units.ts';
import { createRandom } from '../kernel/random.ts';
import { pollMs } from './polling.ts';
import { type BatchVerbs, RedisBatches } from './redis-batches.ts';
import {
  type Answer,
  type Claim,
  type Holding,
  type LeaseStore,
  limitsUsual,
  type Renewal,
  type Unwatch,
  type Waiting,
  WHOLE,
} from './store.ts';

/** Of ioredis (`new Redis()`) or node-redis (`createClient()`), connected to the master. */
export type RedisLeasesClient = (IoredisClient & IoredisDuplicates) | (NodeRedisClient & NodeRedisDuplicates);

export interface RedisReplicas {
  /** How many must have a lease before it counts: all that may be promoted, if a failover is to lose none. 1 to 100. */
  readonly count: number;
  /** How long to wait for them. Whatever else the client is asked waits as long: give it one of its own. @defaultValue '100ms' */
  readonly within?: Duration | number;
}

export interface RedisLeasesOptions {
  /** What every key and channel begins with, so that several programs can share a server: 1 to 64 of `a-z A-Z 0-9 _ . : -`. @defaultValue 'spillway' */
  readonly prefix?: string;
  /** @defaultValue none: a master's word is enough */
  readonly replicas?: RedisReplicas;
  /** Whether to have a connection for listening while something waits; if not, who waits asks two to four times a second. @defaultValue true */
  readonly listen?: boolean;
  /** @defaultValue the machine's */
  readonly clock?: Clock;
}

const scriptNames = ['try', 'renew', 'release', 'pass', 'read'] as const;
type ScriptName = (typeof scriptNames)[number];
type BatchName = keyof BatchVerbs;
let scripts: Readonly<Record<ScriptName, RedisScript>> | null = null;

function sourceOf(name: string): string {
  return readFileSync(new URL(`./redis/${name}.lua`, import.meta.url), 'utf8');
}

const INCLUDE = /-- include (\w[\w-]*)\.lua\n/g;

/** With what it includes. */
function textOf(name: string): string {
  return sourceOf(name).replaceAll(INCLUDE, (_line, included: string) => textOf(included));
}

function loadScripts(): Readonly<Record<ScriptName, RedisScript>> {
  const load = (name: ScriptName): [ScriptName, RedisScript] => [name, new RedisScript(textOf(name))];
  return Object.fromEntries(scriptNames.map(load)) as Record<ScriptName, RedisScript>;
}

const nothing = (): void => {};

function micros(ms: number): string {
  return String(Math.round(ms * 1000));
}

/** What the scripts are told, see there. `channel`: by which to tell who queues. */
function verbsOf(scripts: Readonly<Record<ScriptName, RedisScript>>, fence: string, channel: string): BatchVerbs {
  return {
    release: { script: scripts.release, keys: [], alike: () => true, args: () => [] },
    renew: {
      script: scripts.renew,
      keys: [],
      alike: (one, other) => one.ttlMs === other.ttlMs,
      args: ({ ttlMs }) => [micros(ttlMs)],
    },
    try: {
      script: scripts.try,
      keys: [fence],
      alike: (one, other) =>
        one.ttlMs === other.ttlMs &&
        one.queue === other.queue &&
        one.share === other.share &&
        one.of === other.of &&
        one.holder === other.holder,
      args({ ttlMs, holder, share, of, queue }) {
        const args = [micros(ttlMs), holder];
        const wantsAll = share === WHOLE && of === WHOLE;
        if (queue || !wantsAll) args.push(queue ? channel : 'none');
        if (!wantsAll) args.push(String(share), String(of));
        return args;
      },
    },
  };
}

class RedisLeases implements LeaseStore {
  readonly name = 'redis';
  /** One connection, and whatever is written to it is done in order. */
  readonly limits = { ...limitsUsual, ordered: true };
  readonly clock: Clock;
  readonly #client: RedisLeasesClient;
  readonly #driver: RedisDriver;
  readonly #prefix: string;
  readonly #replicas: { readonly count: number; readonly withinMs: number } | null;
  readonly #listens: boolean;
  readonly #random = createRandom();
  readonly #readScript: RedisScript;
  readonly #verbs: BatchVerbs;
  readonly #batches: RedisBatches;
  /** By which this store is told. */
  readonly #channel: string;
  #listener: RedisListener | null = null;
  #closed = false;
  /** By claim. */
  readonly #wakes = new Map<string, () => void>();
  /** Claims with a place in a queue; true if one was told to ask before it watched. */
  readonly #told = new Map<string, boolean>();
  /** By channel: that of a key is named like it. */
  readonly #observers = new Map<string, Set<() => void>>();

  constructor(client: RedisLeasesClient, { prefix, replicas, listen, clock }: Resolved) {
    this.clock = clock;
    this.#client = client;
    this.#driver = new RedisDriver(client);
    if (this.#driver.cluster) {
      throw invalid(
        'redisLeases: this is a client of a cluster. The last token is one key for all leases, so they would be on one of its nodes anyway: ' +
          'hand in a client of one server, or the clients of several independent ones to redlockLeases.',
      );
    }
    this.#prefix = prefix;
    this.#replicas = replicas;
    this.#listens = listen;
    this.#channel = `${prefix}:wake:${randomBytes(8).toString('hex')}`;
    scripts ??= loadScripts();
    this.#readScript = scripts.read;
    this.#verbs = verbsOf(scripts, `${prefix}:fence`, listen ? this.#channel : '');
    this.#batches = new RedisBatches(this.#driver, this.#verbs, scripts.pass);
  }

  async try(claim: Claim, waiting: Waiting): Promise<Answer> {
    const { key, id, queue } = claim;
    if (queue && !this.#told.has(id)) this.#told.set(id, false);
    const answer = await this.#ask('try', claim, waiting);
    if (typeof answer !== 'number' || answer <= 0) {
      const againMs = answer === null ? Infinity : Math.max(1, -Number(answer) / 1000);
      const isTold = !queue || this.#listener?.hears(this.#channel) === true;
      return { granted: false, againMs: isTold ? againMs : Math.min(againMs, pollMs(this.#random)) };
    }
    this.#told.delete(id);
    if (this.#replicas !== null) {
      const lacking = await this.#lacking(key, waiting);
      if (lacking !== null) {
        await this.release(claim, waiting);
        throw lacking;
      }
    }
    return { granted: true, token: BigInt(answer) };
  }

  async renew(claim: Claim, waiting: Waiting): Promise<Renewal> {
    if ((await this.#ask('renew', claim, waiting)) !== 1) return { held: false };
    // A replica that has not heard of it would end the lease when it was to end before.
    const lacking = this.#replicas === null ? null : await this.#lacking(claim.key, waiting);
    if (lacking !== null) throw lacking;
    return { held: true };
  }

  async release(claim: Claim, waiting: Waiting): Promise<void> {
    this.#told.delete(claim.id);
    await this.#ask('release', claim, waiting);
  }

  watch(key: string, claim: Claim | null, wake: () => void): Unwatch {
    return claim === null
      ? this.#observe(keyPrefixOf(this.#client) + this.#keyOf(key), wake)
      : this.#wait(claim.id, wake);
  }

  async read(key: string, waiting: Waiting): Promise<readonly Holding[]> {
    // After what was asked before.
    this.#batches.flush();
    const run = this.#driver.run({ script: this.#readScript, keys: [this.#keyOf(key)], args: [], waiting });
    const answer = (await run) as readonly (string | number)[];
    const holdings: Holding[] = [];
    for (let at = 0; at < answer.length; at += 3) {
      const [holder, token, share] = answer.slice(at, at + 3);
      holdings.push({ holder: String(holder), token: BigInt(token!), share: Number(share) });
    }
    return holdings;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#listener?.close();
    this.#listener = null;
  }

  #ask(verb: BatchName, claim: Claim, waiting: Waiting): Promise<unknown> {
    return this.#batches.ask(this.#verbs[verb], claim, this.#keyOf(claim.key), waiting);
  }

  #keyOf(key: string): string {
    return `${this.#prefix}:lease:${key}`;
  }

  /** Null if enough replicas have all that was written by now. */
  async #lacking(key: string, waiting: Waiting): Promise<SpillwayError | null> {
    const { count, withinMs } = this.#replicas!;
    const command: [string, string, string] = ['wait', String(count), String(withinMs)];
    const acknowledged = Number(await this.#driver.command({ command, key, waiting }));
    if (acknowledged >= count) return null;
    return new SpillwayError(
      'STORE_UNAVAILABLE',
      `Of ${count} replicas that should have the lease on “${key}”, ${acknowledged} have it after ${withinMs} ms.`,
      { retryable: true },
    );
  }

  #wait(id: string, wake: () => void): Unwatch {
    this.#wakes.set(id, wake);
    this.#listen();
    if (this.#told.get(id) === true) {
      this.#told.set(id, false);
      queueMicrotask(wake);
    }
    return () => {
      if (this.#wakes.get(id) === wake) this.#wakes.delete(id);
    };
  }

  #wakeOne(id: string): void {
    const wake = this.#wakes.get(id);
    if (wake !== undefined) wake();
    else if (this.#told.has(id)) this.#told.set(id, true);
  }

  #observe(channel: string, wake: () => void): Unwatch {
    // Each call has one of its own, whatever was handed in.
    const observer = (): void => wake();
    const observers = this.#observers.get(channel);
    if (observers === undefined) {
      this.#observers.set(channel, new Set([observer]));
      if (this.#listener === null) this.#listen();
      else this.#listener.add(channel, this.#observed(channel));
    } else observers.add(observer);
    return () => {
      const left = this.#observers.get(channel);
      if (left?.delete(observer) !== true || left.size > 0) return;
      this.#observers.delete(channel);
      this.#listener?.remove(channel);
    };
  }

  #observed(channel: string): Channel {
    const wakeAll = (): void => {
      for (const wake of this.#observers.get(channel) ?? []) wake();
    };
    return { onListening: wakeAll, onLost: nothing, onMessage: wakeAll };
  }

  #listen(): void {
    if (!this.#listens || this.#closed || this.#listener !== null) return;
    const listener = new RedisListener({
      client: this.#client,
      onOver: () => {
        // The client gave up; whatever waits next tries again.
        if (this.#listener === listener) this.#listener = null;
      },
    });
    this.#listener = listener;
    const wakeAll = (): void => {
      for (const wake of [...this.#wakes.values()]) wake();
    };
    listener.add(this.#channel, {
      onListening: wakeAll,
      // Until it listens again, those who wait ask by themselves.
      onLost: wakeAll,
      onMessage: (id) => this.#wakeOne(id),
    });
    for (const channel of this.#observers.keys()) listener.add(channel, this.#observed(channel));
  }
}

interface Resolved {
  readonly prefix: string;
  readonly replicas: { readonly count: number; readonly withinMs: number } | null;
  readonly listen: boolean;
  readonly clock: Clock;
}

/** Longer than a grant may take anyway. */
const WITHIN_MS_MAX = 60_000;

function resolveReplicas(replicas: RedisReplicas | undefined): Resolved['replicas'] {
  if (replicas === undefined) return null;
  checkKeys('redisLeases: replicas', replicas, ['count', 'within']);
  const { count, within = '100ms' } = replicas;
  return {
    count: checkInteger('redisLeases: replicas.count', count, 1, 100),
    withinMs: Math.ceil(checkDuration('redisLeases: replicas.within', within, 1, WITHIN_MS_MAX)),
  };
}

/**
 * Leases in Redis or Valkey, 7.0 or later, through your own client. The program that made it also closes it, and listens to its `error` events;
 * dispose of the store first.
 */
export function redisLeases(client: RedisLeasesClient, options: RedisLeasesOptions = {}): LeaseStore {
  checkKeys('redisLeases', options, ['prefix', 'replicas', 'listen', 'clock']);
  const { prefix = 'spillway', replicas, listen = true, clock = systemClock } = options;
  checkRedisName('redisLeases: prefix', prefix);
  if (typeof listen !== 'boolean')
    throw invalid(`redisLeases: listen is ${textOfGiven(listen)}; expected true or false.`);
  return new RedisLeases(client, { prefix, replicas: resolveReplicas(replicas), listen, clock });
}
