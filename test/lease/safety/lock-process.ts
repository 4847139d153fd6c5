/**
 * A process under test that locks: it increments counters of a `Resource` under a lock, in one go or step by step. It looks at its lease before it
 * writes, as everybody should; where it is told to, it says so between the look and the write, which is where a pause hurts.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';

import { SpillwayError } from '../../../src/kernel/errors.ts';
import { seededRandom } from '../../../src/kernel/random.ts';
import { createLocks, type Lease, type Locks } from '../../../src/lock/index.ts';
import { recordHistory } from '../../../src/testing/index.ts';
import { answerQuestions, say } from '../../faults/worker.ts';
import { type Place, places, type ResourceAnswer, type ResourceQuestion } from './resource.ts';
import { openStore, type StoreAddress } from './stores.ts';

/** One side of a cell; a process may be of several. */
export interface Opening {
  readonly hand: string;
  readonly counter: string;
  readonly address: StoreAddress;
  /** The folder of the cell's history. */
  readonly history: string;
  /** Of what it holds. */
  readonly ttlMs: number;
  readonly seed: number;
}

export type LockQuestion =
  | ({ readonly verb: 'open' } & Opening)
  /** Acquires and reads: a token, or null if it is taken. */
  | { readonly verb: 'hold'; readonly hand: string; readonly waitMs: number }
  /** Looks and writes; with `pause` it waits in between until it is told to `go`. */
  | { readonly verb: 'write'; readonly hand: string; readonly pause: boolean }
  | { readonly verb: 'go'; readonly hand: string }
  /** Answered when its lease says that it is over. */
  | { readonly verb: 'lost'; readonly hand: string }
  | { readonly verb: 'release'; readonly hand: string }
  /** So many increments, each under a lock of its own. */
  | { readonly verb: 'increment'; readonly hand: string; readonly times: number; readonly ttlMs: number };

/** What became of a write: not done, for its lease was lost; or what either place said. */
export type Written = 'lost' | Readonly<Record<Place, boolean>>;

/** How many questions to a store fit in a ttl, one after the other: as long one may take. */
const QUESTIONS = 3;
const WAIT_MS = 30_000;

const socket = connect(process.argv[2]!);
await once(socket, 'connect');
const answers = new Map<number, (answer: ResourceAnswer) => void>();
createInterface(socket).on('line', (line) => {
  const answer = JSON.parse(line) as ResourceAnswer;
  answers.get(answer.id)?.(answer);
  answers.delete(answer.id);
});

function access(question: Omit<ResourceQuestion, 'id'>): Promise<ResourceAnswer> {
  const { promise, resolve } = Promise.withResolvers<ResourceAnswer>();
  const id = ++asked;
  answers.set(id, resolve);
  socket.write(`${JSON.stringify({ ...question, id })}\n`);
  return promise;
}

let asked = 0;

class Hand {
  readonly #opening: Opening;
  readonly #locks: Locks;
  readonly #recorder: ReturnType<typeof recordHistory>;
  #lease: Lease | null = null;
  #seen: Record<Place, number> = { fenced: 0, plain: 0 };
  #go = Promise.withResolvers<void>();

  constructor(opening: Opening) {
    const { hand, address, ttlMs, seed } = opening;
    this.#opening = opening;
    const options = { holder: hand, timeout: ttlMs / QUESTIONS, random: seededRandom(seed) };
    this.#locks = createLocks(openStore(address), options);
    this.#recorder = recordHistory(opening.history);
  }

  async hold(waitMs: number, ttlMs = this.#opening.ttlMs): Promise<string | null> {
    for (;;) {
      try {
        return await this.#hold(waitMs, ttlMs);
      } catch (error) {
        if (isCoded(error, 'LEASE_TAKEN')) return null;
        // A store that is away or slow for a while is part of the game; whoever waits goes on when it is back.
        const isPassing = error instanceof SpillwayError && error.retryable;
        if (waitMs === 0 || !isPassing) throw error;
      }
    }
  }

  async #hold(waitMs: number, ttlMs: number): Promise<string> {
    const { counter } = this.#opening;
    const token = await this.#recorder.run({ op: 'acquire' }, async () => {
      this.#lease = await this.#locks.acquire(counter, { ttl: ttlMs, wait: waitMs });
      return this.#lease.token;
    });
    await Promise.all(places.map(async (place) => (this.#seen[place] = (await this.#access(place, null)).value)));
    return String(token);
  }

  async write(pause: boolean): Promise<Written> {
    try {
      this.#lease!.assertHeld();
    } catch {
      return 'lost';
    }
    if (pause) {
      this.#go = Promise.withResolvers();
      say({ hand: this.#opening.hand, event: 'about to write' });
      await this.#go.promise;
    }
    const accepted = await Promise.all(
      places.map(async (place) => {
        const answer = await this.#access(place, this.#seen[place] + 1);
        this.#seen[place] = answer.value;
        return [place, answer.accepted] as const;
      }),
    );
    return Object.fromEntries(accepted) as Record<Place, boolean>;
  }

  async lost(): Promise<void> {
    const { signal } = this.#lease!;
    if (!signal.aborted) await once(signal, 'abort');
  }

  go(): void {
    this.#go.resolve();
  }

  async release(): Promise<void> {
    const lease = this.#lease;
    this.#lease = null;
    if (lease === null) return;
    // Whether the store had it still is nothing that a mutex with a ttl is held to.
    await this.#recorder.run({ op: 'release', token: lease.token }, async () => void (await lease.release()));
  }

  async increment(times: number, ttlMs: number): Promise<null> {
    for (let done = 0; done < times;) {
      if ((await this.hold(WAIT_MS, ttlMs)) === null) throw new Error(`${this.#opening.hand} waited in vain`);
      const written = await this.write(false);
      if (written !== 'lost' && written.fenced) done++;
      await this.release();
    }
    return null;
  }

  #access(place: Place, value: number | null): Promise<ResourceAnswer> {
    const { counter, hand } = this.#opening;
    return access({ counter, place, process: hand, token: String(this.#lease!.token), value });
  }
}

function isCoded(error: unknown, code: string): boolean {
  return error instanceof SpillwayError && error.code === code;
}

const hands = new Map<string, Hand>();

await answerQuestions(async (asked) => {
  const question = asked as LockQuestion;
  if (question.verb === 'open') {
    hands.set(question.hand, new Hand(question));
    return null;
  }
  const hand = hands.get(question.hand)!;
  switch (question.verb) {
    case 'hold':
      return hand.hold(question.waitMs);
    case 'write':
      return hand.write(question.pause);
    case 'lost':
      return hand.lost();
    case 'go':
      return hand.go();
    case 'release':
      return hand.release();
    case 'increment':
      return hand.increment(question.times, question.ttlMs);
    default:
      return question satisfies never;
  }
});
process.exit();
