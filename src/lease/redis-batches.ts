/**
 * What is asked of leases in Redis in one tick, as few calls: claims of which the same is asked go to a script together, which spares client and server
 * most of what a call costs (`npm run bench -- lock --only redis`).
 *
 * - What is asked of one key is done in the order of asking; of different keys, what is given back is done first, and what is claimed last. A call whose
 *   script the server has to be sent first, or that is asked again for each of its claims, is done after what was asked meanwhile. A claim may
 *   then find taken what is being given back, and waits until it is told or asks again; and nobody asks for the release of what is still being claimed
 *   without giving that up (life.ts).
 * - Each claim is decided and answered by itself. If the server refuses a call as a whole, each of its claims is asked for alone: one that nobody
 *   may have must not be an error of the others. What had been done by then is found done; what nobody waits for any more is not asked, for its release
 *   may have gone by.
 * - What is given back and what is claimed goes together too, if no more is claimed than is given back: so a hand-over within a process is one call.
 * - A call has `CLAIMS_MAX` claims of a verb at most. More are several calls, and the server begins while the client still makes the rest.
 */
import { inspect } from 'node:util';
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

/** Some 100 µs of the server's time, in which it does nothing else; twice that with both verbs. */
const CLAIMS_MAX = 32;

interface Asked {
  readonly claim: Claim;
  readonly key: string;
  readonly waiting: Waiting;
  readonly answer: PromiseWithResolvers<unknown>;
}

/** Claims of which the same is asked. */
class Batch {
  readonly verb: BatchVerb;
  readonly #common: readonly string[];
  #asked: Asked[] = [];

  constructor(verb: BatchVerb, first: Claim) {
    this.verb = verb;
    this.#common = verb.args(first);
  }

  get count(): number {
    return this.#asked.length;
  }

  get question(): Question {
    const [keys, args]: [string[], string[]] = [[], [...this.#common]];
    for (const { key, claim } of this.#asked) {
      keys.push(key);
      args.push(claim.id);
    }
    keys.push(...this.verb.keys);
    return { keys, args };
  }

  get waiting(): readonly Waiting[] {
    return this.#asked.map(({ waiting }) => waiting);
  }

  has(key: string): boolean {
    return this.#asked.some((each) => each.key === key);
  }

  takes(claim: Claim): boolean {
    return this.count < CLAIMS_MAX && this.verb.alike(this.#asked[0]!.claim, claim);
  }

  add(asked: Asked): Promise<unknown> {
    this.#asked.push(asked);
    return asked.answer.promise;
  }

  /** Its own begin at `from`. */
  answer(answers: readonly unknown[], from: number): void {
    let at = from;
    for (const { answer } of this.#asked) answer.resolve(answers[at++]);
  }

  fail(error: unknown): void {
    for (const { answer } of this.#asked) answer.reject(error);
  }

  /** What nobody waits for any more is not asked: its release may have gone by. */
  dropGivenUp(): void {
    const isWanted = ({ waiting, answer }: Asked): boolean => {
      if (waiting.signal.aborted) answer.reject(waiting.signal.reason);
      return !waiting.signal.aborted;
    };
    this.#asked = this.#asked.filter(isWanted);
  }

  /** Each of its claims by itself. */
  alone(): readonly Batch[] {
    return this.#asked.map((asked) => {
      const batch = new Batch(this.verb, asked.claim);
      batch.#asked = [asked];
      return batch;
    });
  }
}

/** What goes to a script in one call: claims of one verb; or of two, the second after the first. */
class Call {
  readonly #script: RedisScript;
  readonly #batches: readonly Batch[];

  constructor(script: RedisScript, batches: readonly Batch[]) {
    this.#script = script;
    this.#batches = batches;
  }

  send(driver: RedisDriver): void {
    const { keys, args } = this.#question;
    const again = (): Question => {
      for (const batch of this.#batches) batch.dropGivenUp();
      return this.#question;
    };
    const run = driver.run({ script: this.#script, keys, args, waiting: this.#waiting, again });
    // Not awaited: what an async function keeps meanwhile is a tenth of all that a lock that is free allocates.
    void run.then(
      (answers) => this.#answer(answers, driver),
      (error: unknown) => this.#fail(error, driver),
    );
  }

  #answer(answers: unknown, driver: RedisDriver): void {
    const count = this.#count;
    if (!Array.isArray(answers) || answers.length !== count) {
      this.#fail(strange(answers, count), driver);
      return;
    }
    let from = 0;
    for (const batch of this.#batches) {
      batch.answer(answers, from);
      from += batch.count;
    }
  }

  #fail(error: unknown, driver: RedisDriver): void {
    if (this.#count > 1 && isCoded(error, 'STORE_REFUSED')) this.#sendEach(driver);
    else for (const batch of this.#batches) batch.fail(error);
  }

  get #count(): number {
    let count = 0;
    for (const batch of this.#batches) count += batch.count;
    return count;
  }

  get #question(): Question {
    const [first, second] = this.#batches as [Batch, Batch?];
    const { keys, args } = first.question;
    if (second !== undefined) {
      const { question } = second;
      keys.push(...question.keys);
      // Where one verb ends and the other begins.
      args.push(...question.args, String(first.count));
    }
    return { keys, args };
  }

  /** Nobody waits any more when nobody does for any of them. */
  get #waiting(): Waiting {
    const [first] = this.#batches;
    if (this.#count === 1) return first!.waiting[0]!;
    const batches = this.#batches;
    return {
      get signal() {
        return allAborted(batches.flatMap(({ waiting }) => waiting));
      },
    };
  }

  #sendEach(driver: RedisDriver): void {
    for (const batch of this.#batches) {
      batch.dropGivenUp();
      for (const alone of batch.alone()) new Call(batch.verb.script, [alone]).send(driver);
    }
  }
}

interface Question {
  readonly keys: string[];
  readonly args: string[];
}

function strange(answer: unknown, count: number): SpillwayError {
  const message = `Redis answered ${inspect(answer).slice(0, 200)} to ${count} claims; expected an answer to each.`;
  return new SpillwayError('STORE_REFUSED', message);
}

/** In the order in which they leave. */
export interface BatchVerbs {
  readonly release: BatchVerb;
  readonly renew: BatchVerb;
  readonly try: BatchVerb;
}

export class RedisBatches {
  readonly #driver: RedisDriver;
  readonly #verbs: BatchVerbs;
  /** Takes what `release` is told and then what `try` is. */
  readonly #pass: RedisScript;
  /** In the order in which they leave, and of each what is not sent yet. */
  readonly #open: Map<BatchVerb, Batch | null>;
  #isToFlush = false;

  constructor(driver: RedisDriver, verbs: BatchVerbs, pass: RedisScript) {
    this.#driver = driver;
    this.#verbs = verbs;
    this.#pass = pass;
    this.#open = new Map([verbs.release, verbs.renew, verbs.try].map((verb) => [verb, null]));
  }

  /** What the script answers for the claim, whose key Redis has by this name. */
  ask(verb: BatchVerb, claim: Claim, key: string, waiting: Waiting): Promise<unknown> {
    let batch = this.#open.get(verb) ?? null;
    if (this.#isToFlush && ((batch !== null && !batch.takes(claim)) || this.#isAskedLater(verb, key))) {
      this.flush();
      batch = null;
    }
    if (batch === null) {
      batch = new Batch(verb, claim);
      this.#open.set(verb, batch);
      if (!this.#isToFlush) process.nextTick(this.#onTickEnd);
      this.#isToFlush = true;
    }
    return batch.add({ claim, key, waiting, answer: Promise.withResolvers() });
  }

  /** Sends what was asked by now. */
  flush(): void {
    const { release, renew, try: tries } = this.#verbs;
    const [released, renewed, tried] = [this.#take(release), this.#take(renew), this.#take(tries)];
    // A hand-over. No more is claimed than is given back: a server that is out of memory then does it too.
    if (released !== null && renewed === null && tried !== null && tried.count <= released.count) {
      new Call(this.#pass, [released, tried]).send(this.#driver);
      return;
    }
    for (const batch of [released, renewed, tried]) {
      if (batch !== null) new Call(batch.verb.script, [batch]).send(this.#driver);
    }
  }

  #take(verb: BatchVerb): Batch | null {
    const batch = this.#open.get(verb) ?? null;
    if (batch !== null) this.#open.set(verb, null);
    return batch;
  }

  readonly #onTickEnd = (): void => {
    this.#isToFlush = false;
    this.flush();
  };

  /** Whether what leaves after it has to do with its key. */
  #isAskedLater(verb: BatchVerb, key: string): boolean {
    let isLater = false;
    for (const [each, batch] of this.#open) {
      if (isLater && batch?.has(key) === true) return true;
      isLater ||= each === verb;
    }
    return false;
  }
}
