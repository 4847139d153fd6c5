/**
 * What is asked of leases in Redis in one tick, as few calls: claims of which the same is asked go to a script together, which spares client and server
 * most of what a call costs (`npm run bench -- lock --only redis`).
 *
 * - What is asked of one key is done in the order of asking; of different keys, what is given back is done first, and what is claimed last.
 * - Each claim is decided and answered by itself. If the server refuses a call as a whole, each of its claims is asked for alone: one that nobody
 *   may have must not be an error of the others. What had been done by then is found done; what nobody waits for any more is not asked, for its release
 *   may have gone by.
 * - A call has `CLAIMS_MAX` claims at most. More are several calls, and the server begins while the client still makes the rest.
 */
import type { RedisDriver, RedisScript } from '../drivers/redis.ts';
import { allAborted } from '../kernel/abort.ts';
import { isCoded, SpillwayError } from '../kernel/errors.ts';
import type { Claim, Waiting } from './store.ts';

/** What can be asked in common, and of whom. */
export interface BatchVerb {
  readonly script: RedisScript;
  /** Keys that the script needs beside those of the claims. */
  readonly keys: readonly string[];
  /** Whether two claims can be asked for together. */
  readonly alike: (one: Claim, other: Claim) => boolean;
  /** What they have in common. */
  readonly args: (claim: Claim) => readonly string[];
}

/** Some 100 µs of the server's time, in which it does nothing else. */
const CLAIMS_MAX = 32;

class Batch {
  readonly verb: BatchVerb;
  readonly claims: Claim[] = [];
  readonly keys: string[] = [];
  readonly #waiting: Waiting[] = [];
  readonly #answers: PromiseWithResolvers<unknown>[] = [];

  constructor(verb: BatchVerb) {
    this.verb = verb;
  }

  /** Nobody waits any more when nobody does for any of them. */
  get signal(): AbortSignal {
    return allAborted(this.#waiting.map(({ signal }) => signal));
  }

  takes(claim: Claim): boolean {
    return this.claims.length < CLAIMS_MAX && this.verb.alike(this.claims[0]!, claim);
  }

  add(claim: Claim, key: string, waiting: Waiting): Promise<unknown> {
    const answer = Promise.withResolvers<unknown>();
    this.claims.push(claim);
    this.keys.push(key);
    this.#waiting.push(waiting);
    this.#answers.push(answer);
    return answer.promise;
  }

  async send(driver: RedisDriver): Promise<void> {
    const { claims, keys, verb } = this;
    const args = [...verb.args(claims[0]!), ...claims.map(({ id }) => id)];
    const waiting = claims.length === 1 ? this.#waiting[0]! : this;
    try {
      const answers = await driver.run({ script: verb.script, keys: [...keys, ...verb.keys], args, waiting });
      if (!Array.isArray(answers) || answers.length !== claims.length) throw strange(answers, claims.length);
      for (const [at, { resolve }] of this.#answers.entries()) resolve(answers[at]);
    } catch (error) {
      if (claims.length > 1 && isCoded(error, 'STORE_REFUSED')) this.#sendEach(driver);
      else for (const { reject } of this.#answers) reject(error);
    }
  }

  #sendEach(driver: RedisDriver): void {
    for (const [at, claim] of this.claims.entries()) {
      const alone = new Batch(this.verb);
      const { resolve, reject } = this.#answers[at]!;
      const waiting = this.#waiting[at]!;
      if (waiting.signal.aborted) {
        reject(waiting.signal.reason);
        continue;
      }
      alone.add(claim, this.keys[at]!, waiting).then(resolve, reject);
      void alone.send(driver);
    }
  }
}

function strange(answer: unknown, count: number): SpillwayError {
  const message = `Redis answered ${JSON.stringify(answer)?.slice(0, 200)} to ${count} claims; expected an answer to each.`;
  return new SpillwayError('STORE_REFUSED', message);
}

export class RedisBatches {
  readonly #driver: RedisDriver;
  /** In the order in which they leave, and of each what is not sent yet. */
  readonly #open: Map<BatchVerb, Batch | null>;
  #isToFlush = false;

  constructor(driver: RedisDriver, verbs: readonly BatchVerb[]) {
    this.#driver = driver;
    this.#open = new Map(verbs.map((verb) => [verb, null]));
  }

  /** What the script answers for the claim, whose key Redis has by this name. */
  ask(verb: BatchVerb, claim: Claim, key: string, waiting: Waiting): Promise<unknown> {
    let batch = this.#open.get(verb) ?? null;
    if ((batch !== null && !batch.takes(claim)) || this.#isAskedLater(verb, key)) {
      this.flush();
      batch = null;
    }
    if (batch === null) {
      batch = new Batch(verb);
      this.#open.set(verb, batch);
      if (!this.#isToFlush) process.nextTick(this.#onTickEnd);
      this.#isToFlush = true;
    }
    return batch.add(claim, key, waiting);
  }

  /** Sends what was asked by now. */
  flush(): void {
    for (const [verb, batch] of this.#open) {
      if (batch === null) continue;
      this.#open.set(verb, null);
      void batch.send(this.#driver);
    }
  }

  readonly #onTickEnd = (): void => {
    this.#isToFlush = false;
    this.flush();
  };

  /** Whether what leaves after it has to do with its key. */
  #isAskedLater(verb: BatchVerb, key: string): boolean {
    let isLater = false;
    for (const [each, batch] of this.#open) {
      if (isLater && batch?.keys.includes(key) === true) return true;
      isLater ||= each === verb;
    }
    return false;
  }
}
