/**
 * The store in Redis or Valkey: one limit for all processes of a service, in one round trip a tick.
 *
 * - All that one tick asks is one script call (in a cluster, one for each slot), decided at one moment of the server's own clock, in
 *   microseconds, by the same arithmetic as in memory (redis/*.lua). Takes of different keys by one limit, or one alone, have a script of
 *   their own, which does nothing that only other questions need.
 * - One string a key, with an end: it is gone a window after it says nothing any more, or ten seconds. About 190 bytes, with what the server has of it; 8 more for each take of a
 *   `slidingLog`, 16 for each slot of `concurrency`.
 * - Only a server that can write decides: a replica, or one whose memory is full, is a store that is down.
 *
 * What it is not: durable. A failover loses what was not replicated, a restart what was not saved, and then more is admitted than the limit; see
 * docs/guides/rate-limiting.md.
 */
import { checkRedisName, type RedisClient, RedisDriver, slotOf } from '../drivers/redis.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { SpillwayError } from '../kernel/errors.ts';
import type { Algorithm, Outcome } from './algorithm.ts';
import { checkKeys } from './options.ts';
import { askInBatches, outcomeOf, type RemoteBatch, sendable } from './remote-batch.ts';
import { decideScript, takeScript } from './redis-scripts.ts';
import { remoteKey } from './remote-key.ts';
import type { CountersKey, Question, RemotePart, RemoteStore } from './store.ts';

export interface RedisStoreOptions {
  /**
   * What every key in Redis begins with, so that several programs can share a server: 1 to 64 of `a-z A-Z 0-9 _ . : -`.
   * @defaultValue 'spillway'
   */
  readonly prefix?: string;
  /** For deadlines here; counters go by the server's own. @defaultValue the machine's */
  readonly clock?: Clock;
}

/** Some 400 µs of the server's time, in which it does nothing else; more only where questions of one tick share a key. */
const PARTS_MAX = 128;

function parametersOf({ parameters: [first = 0, second = 0, third = 0] }: Algorithm): string[] {
  return [String(first), String(second), String(third)];
}

/** What a script is told of a part beside its key. */
function numbersOf({ algorithm, cost, times, holder }: RemotePart): string[] {
  return [...parametersOf(algorithm), String(sendable(cost)), String(sendable(times)), String(holder)];
}

/** Whether they differ in nothing but their keys. */
function alike(a: Question, b: Question): boolean {
  if (a.verb !== b.verb || a.parts.length !== b.parts.length) return false;
  for (let at = 0; at < a.parts.length; at++) {
    const [of, to] = [a.parts[at]!, b.parts[at]!];
    if (of.algorithm !== to.algorithm || of.cost !== to.cost || of.times !== to.times || of.holder !== to.holder) {
      return false;
    }
  }
  return true;
}

/** What decide.lua is told beside the keys: what neighbours have in common once, so that a thousand takes are a dozen arguments. */
function runsOf(questions: readonly Question[]): string[] {
  const args: string[] = [];
  for (let at = 0, next: number; at < questions.length; at = next) {
    const question = questions[at]!;
    const { verb, parts } = question;
    next = at + 1;
    while (next < questions.length && alike(question, questions[next]!)) next += 1;
    args.push(verb, String(next - at), String(parts.length));
    for (const part of parts) args.push(part.algorithm.kind, ...numbersOf(part));
  }
  return args;
}

interface Waiting {
  readonly signal: AbortSignal;
}

class RedisStore implements RemoteStore {
  readonly local = false;
  readonly name = 'redis';
  readonly clock: Clock;
  readonly #driver: RedisDriver;
  readonly #prefix: string;

  constructor(client: RedisClient, prefix: string, clock: Clock) {
    this.clock = clock;
    this.#driver = new RedisDriver(client);
    this.#prefix = `${prefix}:`;
  }

  async ask(questions: readonly Question[], waiting: Waiting): Promise<readonly (readonly Outcome[])[]> {
    const [{ verb, parts }] = questions as [Question];
    if (questions.length === 1 && verb === 'take' && parts.length === 1) {
      return [[outcomeOf(await this.#take([remoteKey(parts[0], this.#prefix)], parts[0], waiting))]];
    }
    return askInBatches(questions, {
      partsMax: PARTS_MAX,
      prefix: this.#prefix,
      groupOf: (keys) => this.#slotOf(keys),
      ask: (batch) => this.#decide(batch, waiting),
    });
  }

  #take(keys: readonly string[], part: RemotePart, waiting: Waiting): Promise<unknown> {
    const { algorithm, cost, times, holder } = part;
    const args = cost === 1 && times === 1 && holder === 0 ? parametersOf(algorithm) : numbersOf(part);
    return this.#driver.run({ script: takeScript(algorithm.kind), keys, args, waiting });
  }

  #decide({ questions, keys, distinct }: RemoteBatch, waiting: Waiting): Promise<unknown> {
    const [first] = questions as [Question];
    if (
      first.verb === 'take' &&
      first.parts.length === 1 &&
      distinct &&
      questions.every((each) => alike(first, each))
    ) {
      return this.#take(keys, first.parts[0], waiting);
    }
    const kinds = new Set(questions.flatMap(({ parts }) => parts.map(({ algorithm }) => algorithm.kind)));
    return this.#driver.run({ script: decideScript(kinds), keys, args: runsOf(questions), waiting });
  }

  checkTogether(counters: readonly CountersKey[]): void {
    this.#slotOf(counters.map((each) => remoteKey(each, this.#prefix)));
  }

  /** In which slot of a cluster they all are. */
  #slotOf(keys: readonly string[]): number {
    if (!this.#driver.cluster) return 0;
    const [slot = 0, ...others] = keys.map(slotOf);
    if (others.every((other) => other === slot)) return slot;
    throw new SpillwayError(
      'KEYS_APART',
      `${keys.map((key) => `“${key}”`).join(' and ')} are in different slots of the cluster and cannot be taken from together; ` +
        'give their keys a common part in braces, such as “{org:7}:user:42” and “{org:7}”.',
    );
  }
}

/**
 * Counters in Redis or Valkey, 7.0 or later, through your own client.
 *
 * `client`: of ioredis (`new Redis()`, `new Cluster()`) or node-redis (`createClient()`, `createCluster()`). The program that made it
 * also closes it, and listens to its `error` events.
 */
export function redisStore(client: RedisClient, options: RedisStoreOptions = {}): RemoteStore {
  checkKeys('redisStore', options, ['prefix', 'clock']);
  const { prefix = 'spillway', clock = systemClock } = options;
  checkRedisName('redisStore: prefix', prefix);
  return new RedisStore(client, prefix, clock);
}
