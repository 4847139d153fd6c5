/**
 * Many questions as one message: what a script in Redis and a function in PostgreSQL are sent, and how their answer is read.
 *
 * Keys and limits are listed once and named by their place, from 1 on. Numbers are sent no larger than any that makes a
 * difference, so that they are whole numbers in every engine. A question is never split, and a key is in one batch of an `ask` only, so that its questions
 * keep their order.
 */
import { SpillwayError } from '../kernel/errors.ts';
import { type Algorithm, LIMIT_MAX, type Outcome } from './algorithm.ts';
import { remoteKey } from './remote-key.ts';
import { hasLeases, type Question, type RemotePart } from './store.ts';

/** What is above every limit is refused, or gives back everything, as well as anything larger. */
const AMOUNT_MAX = LIMIT_MAX + 1;

export class RemoteBatch {
  readonly keys: string[] = [];
  readonly #questions: { readonly question: Question; readonly index: number }[] = [];
  readonly #places = new Map<string, number>();
  readonly #limits: Algorithm[] = [];
  readonly #asked: unknown[] = [];

  /** How many parts it has: what it costs to answer. */
  parts = 0;

  has(key: string): boolean {
    return this.#places.has(key);
  }

  /** `index`: of the question, in the outcomes that `read` fills. */
  add(question: Question, index: number, keys: readonly string[]): void {
    this.#questions.push({ question, index });
    this.#asked.push([question.verb, ...question.parts.map((part, index) => this.#part(part, keys[index]!))]);
    this.parts += question.parts.length;
  }

  /** The kinds of algorithms that are needed, each once. */
  get kinds(): readonly Algorithm['kind'][] {
    return [...new Set(this.#limits.map(({ kind }) => kind))].sort();
  }

  /** `[limits, questions]`: `[kind, …parameters]` and `[verb, …parts]`, a part being `[key, limit, cost, times, holder]`. */
  get message(): string {
    return JSON.stringify([this.#limits.map(({ kind, parameters }) => [kind, ...parameters]), this.#asked]);
  }

  /** Fills in outcomes from the numbers of an answer: the moment, then `granted, remaining, retry, reset` a part; −1 is never. */
  read(answer: unknown, outcomes: (readonly Outcome[])[]): void {
    if (!Array.isArray(answer) || answer.length !== 1 + 4 * this.parts || !answer.every(Number.isFinite)) {
      throw new SpillwayError(
        'STORE_REFUSED',
        `A store answered ${JSON.stringify(answer)?.slice(0, 200)}; expected ${1 + 4 * this.parts} numbers.`,
      );
    }
    const numbers = answer as number[];
    let at = 1;
    for (const { question, index } of this.#questions) {
      outcomes[index] = question.parts.map(() => {
        const outcome = {
          granted: numbers[at]!,
          remaining: numbers[at + 1]!,
          retryAfterUs: numbers[at + 2]! < 0 ? Infinity : numbers[at + 2]!,
          resetAfterUs: numbers[at + 3]!,
        };
        at += 4;
        return outcome;
      });
    }
  }

  #part({ algorithm, cost, times, holder }: RemotePart, key: string): number[] {
    let place = this.#places.get(key);
    if (place === undefined) {
      place = this.keys.push(key);
      this.#places.set(key, place);
    }
    let limit = this.#limits.indexOf(algorithm) + 1;
    if (limit === 0) limit = this.#limits.push(algorithm);
    return [place, limit, Math.min(cost, AMOUNT_MAX), Math.min(times, AMOUNT_MAX), holder];
  }
}

/** A verb that the algorithm has not would fail within the engine, and all that is asked beside it. */
function checkVerbs(questions: readonly Question[]): void {
  for (const { verb, parts } of questions) {
    for (const { algorithm } of parts) {
      const wrong = hasLeases(algorithm) ? verb === 'refund' : verb === 'release' || verb === 'renew';
      if (!wrong) continue;
      throw new SpillwayError(
        'OPTIONS_INVALID',
        `${verb}: ${algorithm.kind} has ${hasLeases(algorithm) ? '' : 'no '}leases.`,
      );
    }
  }
}

/**
 * Batches of at most about `partsMax` parts. `groupOf` names what a batch must not mix, such as the slot of a cluster.
 */
function batchesOf(
  questions: readonly Question[],
  partsMax: number,
  groupOf: (keys: readonly string[]) => number,
): RemoteBatch[] {
  const batches: RemoteBatch[] = [];
  const open = new Map<number, RemoteBatch>();
  for (const [index, question] of questions.entries()) {
    const keys = question.parts.map(remoteKey);
    const group = groupOf(keys);
    let batch = batches.length > open.size ? batches.find((each) => keys.some((key) => each.has(key))) : undefined;
    batch ??= open.get(group);
    if (batch === undefined || (batch.parts >= partsMax && !keys.some((key) => batch!.has(key)))) {
      batch = new RemoteBatch();
      batches.push(batch);
      open.set(group, batch);
    }
    batch.add(question, index, keys);
  }
  return batches;
}

export interface BatchOptions {
  /** About how many parts a batch may have. */
  readonly partsMax: number;
  /** What a batch must not mix, such as the slot of a cluster. */
  readonly groupOf: (keys: readonly string[]) => number;
  /** Sends a batch; what it answers is read. */
  readonly ask: (batch: RemoteBatch) => Promise<unknown>;
}

/** Asks questions in as few batches as may be, all at once, and puts their outcomes in the order of the questions. */
export async function askInBatches(
  questions: readonly Question[],
  { partsMax, groupOf, ask }: BatchOptions,
): Promise<readonly (readonly Outcome[])[]> {
  checkVerbs(questions);
  const batches = batchesOf(questions, partsMax, groupOf);
  const outcomes = new Array<readonly Outcome[]>(questions.length);
  const [first] = batches;
  if (batches.length === 1) first!.read(await ask(first!), outcomes);
  else await Promise.all(batches.map(async (batch) => batch.read(await ask(batch), outcomes)));
  return outcomes;
}
