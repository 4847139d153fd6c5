/**
 * Leases in several independent Redis or Valkey masters (Redlock, Sanfilippo), with fencing tokens: held is what more than half of them have granted.
 *
 * - One round trip to all at once (redlock/*.lua). A node that does not answer within `nodeTimeout` is not waited for. What was granted by a minority
 *   is given back at once: on the connection by which it was asked for, so after it, also where the answer has not come yet.
 * - The token is a *ballot*, proposed by the client: `max(last seen + 1, its clock in µs)`. A node grants only what is higher than every ballot it granted
 *   before, and says which that was; then a higher one is proposed within the same try. Any two majorities have a node in common, so tokens grow whatever
 *   clocks do. Needs the last ballots to stay: `maxmemory-policy noeviction`, and persistence or no restart of a majority within a ttl.
 * - A renewal also gives the lease to nodes that came back empty, if nobody had it there since. Only those that still had it count.
 *
 * What it is not: for readers, permits or queues, and nobody is told: who waits asks again after a random time. Safe without the token: a pause, or nodes
 * that forget, and two may hold it; see docs/guides/locks.md.
 */
import { readFileSync } from 'node:fs';
import {
  checkRedisName,
  type IoredisClient,
  type NodeRedisClient,
  RedisDriver,
  RedisScript,
} from '../drivers/redis.ts';
import { type Backoff, backoffMs } from '../kernel/backoff.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { SpillwayError } from '../kernel/errors.ts';
import { checkDuration, checkKeys, invalid } from '../kernel/options.ts';
import { createRandom, type Random } from '../kernel/random.ts';
import type { Duration } from '../kernel/units.ts';
import { readInstant } from './instant.ts';
import { poll, quorumOf, type Tally } from './quorum.ts';
import {
  type Answer,
  type Claim,
  type Holding,
  type LeaseStore,
  type LeaseStoreLimits,
  limitsUsual,
  type Renewal,
  type Unwatch,
  type Waiting,
  WHOLE,
} from './store.ts';

export interface RedlockLeasesOptions {
  /** How long one node is waited for; more than a round trip to the slowest, and little beside the ttl. 1 ms to 10 s. @defaultValue '50ms' */
  readonly nodeTimeout?: Duration | number;
  /** What every key begins with, so that several programs can share the servers: 1 to 64 of `a-z A-Z 0-9 _ . : -`. @defaultValue 'spillway' */
  readonly prefix?: string;
  /** @defaultValue the machine's */
  readonly clock?: Clock;
  readonly random?: Random;
}

/** Two survive no loss; with more than fifteen the slowest of a majority is slow. */
const NODES_MIN = 3;
const NODES_MAX = 15;
/** Who is outbid so often within a try is one of very many; it steps aside for a moment. */
const BALLOTS_PER_TRY = 5;
/** Who finds it taken asks again after a random time, up to this at first and twice as long each time: so of those that split the votes one comes first. */
const BACKOFF: Backoff = { shortestMs: 1, baseMs: 4, longestMs: 200 };
/** A renewal is asked for three times in a ttl, and may take a nodeTimeout. */
const TTL_PER_NODE_TIMEOUT = 4;

type Grant = 'granted' | 'taken' | number;

const scriptNames = ['grant', 'renew', 'release'] as const;
type ScriptName = (typeof scriptNames)[number];
let scripts: Readonly<Record<ScriptName, RedisScript>> | null = null;

function loadScripts(): Readonly<Record<ScriptName, RedisScript>> {
  const load = (name: ScriptName): [ScriptName, RedisScript] => [
    name,
    new RedisScript(readFileSync(new URL(`./redlock/${name}.lua`, import.meta.url), 'utf8')),
  ];
  return Object.fromEntries(scriptNames.map(load)) as Record<ScriptName, RedisScript>;
}

class RedlockLeases implements LeaseStore {
  readonly name = 'redlock';
  readonly limits: LeaseStoreLimits;
  readonly clock: Clock;
  readonly #nodes: readonly RedisDriver[];
  readonly #quorum: number;
  readonly #nodeTimeoutMs: number;
  readonly #prefix: string;
  readonly #random: Random;
  readonly #scripts: Readonly<Record<ScriptName, RedisScript>>;
  /** The highest ballot that was proposed or heard of. */
  #last = 0;
  /** With which ballot each was granted, and how often it was not. */
  readonly #ballots = new WeakMap<Claim, number>();
  readonly #refusals = new WeakMap<Claim, number>();

  constructor(nodes: readonly RedisDriver[], { nodeTimeoutMs, prefix, clock, random }: Resolved) {
    this.clock = clock;
    const ttlMsMin = Math.max(limitsUsual.ttlMsMin, TTL_PER_NODE_TIMEOUT * nodeTimeoutMs);
    this.limits = { ...limitsUsual, ttlMsMin, shares: false, queue: false };
    this.#nodes = nodes;
    this.#quorum = quorumOf(nodes.length);
    this.#nodeTimeoutMs = nodeTimeoutMs;
    this.#prefix = prefix;
    this.#random = random;
    this.#scripts = scripts ??= loadScripts();
  }

  async try(claim: Claim, waiting: Waiting): Promise<Answer> {
    let ballot = this.#ballots.get(claim) ?? this.#nextBallot();
    for (let round = 0; round < BALLOTS_PER_TRY; round++) {
      const since = readInstant(this.clock);
      const verdict = await this.#grant(claim, ballot, waiting);
      if (verdict === 'granted') {
        this.#ballots.set(claim, ballot);
        this.#refusals.delete(claim);
        return { granted: true, token: BigInt(ballot), since };
      }
      if (verdict === 'taken') break;
      this.#last = Math.max(this.#last, verdict);
      ballot = this.#nextBallot();
    }
    return { granted: false, againMs: this.#againMs(claim) };
  }

  async renew(claim: Claim, { signal }: Waiting): Promise<Renewal> {
    const ballot = this.#ballots.get(claim);
    if (ballot === undefined) return { held: false };
    const asked = { script: this.#scripts.renew, keys: this.#keysOf(claim), args: argsOf(claim, ballot) };
    const ask = (node: RedisDriver, open: AbortSignal): Promise<unknown> =>
      node.run({ ...asked, waiting: { signal: open } });
    const held = await this.#poll(ask, signal, (tally) => {
      const count = tally.replies.filter((reply) => reply === 'held').length;
      if (count >= this.#quorum) return true;
      // Those that were silent may have it still, and then it is not known.
      if (this.#nodes.length - (tally.replies.length - count) < this.#quorum) return false;
      return this.#undecided(tally);
    });
    if (!held) {
      this.#ballots.delete(claim);
      for (const node of this.#nodes) this.#giveBack(node, claim.key, claim.id);
    }
    return { held };
  }

  async release(claim: Claim, { signal }: Waiting): Promise<void> {
    this.#ballots.delete(claim);
    // The others are told too when it is known that enough have heard of it.
    const ask = (node: RedisDriver): Promise<unknown> => this.#releaseAt(node, claim.key, claim.id, signal);
    await this.#poll(ask, signal, (tally) => (tally.replies.length >= this.#quorum ? true : this.#undecided(tally)));
  }

  /** Nobody is told. */
  watch(): Unwatch {
    return () => {};
  }

  async read(key: string, waiting: Waiting): Promise<readonly Holding[]> {
    const name = this.#keyOf(key);
    const ask = (node: RedisDriver, open: AbortSignal): Promise<unknown> =>
      node.command({ command: ['get', name], key: name, waiting: { signal: open } });
    const values = await this.#poll(ask, waiting.signal, (tally) => {
      const counts = new Map<unknown, number>();
      for (const value of tally.replies) counts.set(value, (counts.get(value) ?? 0) + 1);
      for (const [value, count] of counts) if (count >= this.#quorum) return [value];
      if (tally.replies.length + tally.open < this.#quorum) return this.#undecided(tally);
      return tally.open === 0 ? [] : null;
    });
    const [, ballot, holder] = /^[^:]{32}:(\d+):(.*)$/s.exec(String(values[0])) ?? [];
    return ballot === undefined ? [] : [{ holder: holder!, token: BigInt(ballot), share: WHOLE }];
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #keyOf(key: string): string {
    return `${this.#prefix}:redlock:${key}`;
  }

  #keysOf({ key }: Claim): readonly [string, string] {
    return [this.#keyOf(key), `${this.#prefix}:ballot`];
  }

  /** Granted, taken, or the last ballot of a node, if a higher one could be granted. Unless it is granted, nothing is left of it. */
  async #grant(claim: Claim, ballot: number, { signal }: Waiting): Promise<Grant> {
    const asked = { script: this.#scripts.grant, keys: this.#keysOf(claim), args: argsOf(claim, ballot) };
    const perhaps: RedisDriver[] = [];
    let lost = false;
    const mayHaveIt = (node: RedisDriver): void => {
      // It is told after its answer, so it cannot be granted later.
      if (lost) this.#giveBack(node, claim.key, `${claim.id}:${ballot}:`);
      else perhaps.push(node);
    };
    const ask = async (node: RedisDriver, open: AbortSignal): Promise<Grant> => {
      try {
        const reply = (await node.run({ ...asked, waiting: { signal: open } })) as Grant;
        if (reply === 'granted') mayHaveIt(node);
        return reply;
      } catch (error) {
        mayHaveIt(node);
        throw error;
      }
    };
    try {
      const verdict = await this.#poll(ask, signal, (tally: Tally<Grant>) => this.#count(tally));
      lost = verdict !== 'granted';
      return verdict;
    } catch (error) {
      lost = true;
      throw error;
    } finally {
      if (lost) perhaps.forEach(mayHaveIt);
    }
  }

  #count(tally: Tally<Grant>): Grant | null {
    const { replies, open } = tally;
    const granted = replies.filter((reply) => reply === 'granted').length;
    if (granted >= this.#quorum) return 'granted';
    if (granted + open >= this.#quorum) return null;
    const outbids = replies.filter((reply) => typeof reply === 'number');
    if (outbids.length > 0 && granted + outbids.length + open >= this.#quorum) return Math.max(...outbids);
    return replies.length >= this.#quorum ? 'taken' : this.#undecided(tally);
  }

  #poll<Reply, Verdict>(
    ask: (node: RedisDriver, open: AbortSignal) => Promise<Reply>,
    signal: AbortSignal,
    decide: (tally: Tally<Reply>) => Verdict | null,
  ): Promise<Verdict> {
    return poll({ nodes: this.#nodes, ask, decide, clock: this.clock, timeoutMs: this.#nodeTimeoutMs, signal });
  }

  /** Too few have answered: null while more may. */
  #undecided({ failures, open }: Tally<unknown>): null {
    if (open > 0) return null;
    const refused = failures.filter((error) => error instanceof SpillwayError && !error.retryable).length;
    const retryable = this.#nodes.length - refused >= this.#quorum;
    const reasons = failures.map((error) => (error instanceof Error ? error.message : String(error)));
    throw new SpillwayError(
      retryable ? 'STORE_UNAVAILABLE' : 'STORE_REFUSED',
      `${failures.length} of ${this.#nodes.length} Redis nodes failed, and ${this.#quorum} have to agree: ${reasons.join('; ')}.`,
      { cause: new AggregateError(failures), retryable },
    );
  }

  /** What does not hear of it lets go of it by itself. */
  #giveBack(node: RedisDriver, key: string, which: string): void {
    this.#releaseAt(node, key, which, never).catch(() => {});
  }

  #releaseAt(node: RedisDriver, key: string, which: string, signal: AbortSignal): Promise<unknown> {
    const script = this.#scripts.release;
    return node.run({ script, keys: [this.#keyOf(key)], args: [which], waiting: { signal } });
  }

  #nextBallot(): number {
    this.#last = Math.max(this.#last + 1, Math.floor(this.clock.wallMs() * 1000));
    if (this.#last <= Number.MAX_SAFE_INTEGER) return this.#last;
    throw new SpillwayError(
      'STORE_REFUSED',
      `The last ballot is ${this.#last}, beyond 2^53: a clock is, or was, wrong. Tokens cannot grow any more; set ${this.#prefix}:ballot right on every node.`,
    );
  }

  #againMs(claim: Claim): number {
    const refusals = (this.#refusals.get(claim) ?? 0) + 1;
    this.#refusals.set(claim, refusals);
    return backoffMs(BACKOFF, refusals, this.#random);
  }
}

function argsOf({ id, ttlMs, holder }: Claim, ballot: number): readonly string[] {
  return [id, String(ballot), String(Math.ceil(ttlMs)), holder];
}

/** Giving back is not given up. */
const never = new AbortController().signal;

interface Resolved {
  readonly nodeTimeoutMs: number;
  readonly prefix: string;
  readonly clock: Clock;
  readonly random: Random;
}

/** Of ioredis (`new Redis()`) or node-redis (`createClient()`), each connected to a master of its own. */
export type RedlockClient = IoredisClient | NodeRedisClient;

/**
 * Leases in 3 to 15 independent masters of Redis or Valkey, 7.0 or later: no replicas of each other, nor nodes of one cluster. The program that made the
 * clients also closes them, and listens to their `error` events.
 */
export function redlockLeases(clients: readonly RedlockClient[], options: RedlockLeasesOptions = {}): LeaseStore {
  checkKeys('redlockLeases', options, ['nodeTimeout', 'prefix', 'clock', 'random']);
  const { nodeTimeout = '50ms', prefix = 'spillway', clock = systemClock, random = createRandom() } = options;
  checkRedisName('redlockLeases: prefix', prefix);
  const count = Array.isArray(clients) ? clients.length : 0;
  if (count < NODES_MIN || count > NODES_MAX) {
    throw invalid(
      `redlockLeases: ${count} clients; expected an array of ${NODES_MIN} to ${NODES_MAX}, each of a master of its own. For one server there is redisLeases.`,
    );
  }
  if (new Set(clients).size < count) {
    throw invalid('redlockLeases: a client is given twice; one server would have two votes.');
  }
  // While one node works, others do: what they are asked in a tick costs least in one write.
  const nodes = clients.map((client) => new RedisDriver(client, { firstWrite: Infinity }));
  if (nodes.some(({ cluster }) => cluster)) {
    throw invalid('redlockLeases: one is a client of a cluster; expected clients of independent masters.');
  }
  const nodeTimeoutMs = checkDuration('redlockLeases: nodeTimeout', nodeTimeout, 1, 10_000);
  return new RedlockLeases(nodes, { nodeTimeoutMs, prefix, clock, random });
}
