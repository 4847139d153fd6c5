/**
 * Many questions as one call to a store on another engine: which go together, and how their answer is read.
 *
 * A question is never split, and a key is in one batch of an `ask` only, so that its questions keep their order.
 */
import { SpillwayError } from '../kernel/errors.ts';
import { LIMIT_MAX, type Outcome } from './algorithm.ts';
import { remoteKey } from './remote-key.ts';
import { hasLeases, type Question } from './store.ts';

const AMOUNT_MAX = LIMIT_MAX + 1;

/**
 * A cost or a number of takes as it is sent: no larger than any that makes a difference, so that it is a whole number in every engine.
 * What is above every limit is refused, or gives back everything, as well as anything larger.
 */
export function sendable(amount: number): number {
  return Math.min(amount, AMOUNT_MAX);
}

/** Of what an engine answers to so many parts: `granted, remaining, retry, reset` each. */
function numbersOf(answer: unknown, parts: number): readonly number[] {
  if (!Array.isArray(answer) || answer.length !== 4 * parts || !answer.every(Number.isFinite)) {
    throw new SpillwayError(
      'STORE_REFUSED',
      `A store answered ${JSON.stringify(answer)?.slice(0, 200)}; expected ${4 * parts} numbers.`,
    );
  }
  return answer;
}

/** The outcome of a part; −1 is never. */
function outcomeAt(numbers: readonly number[], part: number): Outcome {
  const at = 4 * part;
  const retry = numbers[at + 2]!;
  return {
    granted: numbers[at]!,
    remaining: numbers[at + 1]!,
    retryAfterUs: retry < 0 ? Infinity : retry,
    resetAfterUs: numbers[at + 3]!,
  };
}

/** What an engine answered to one part. */
export function outcomeOf(answer: unknown): Outcome {
  return outcomeAt(numbersOf(answer, 1), 0);
}

export class RemoteBatch {
  readonly questions: Question[] = [];
  /** Of each part of each question, in their order. */
  readonly keys: string[] = [];
  readonly #known = new Set<string>();
  readonly #indexes: number[] = [];

  /** How many parts it has: what it costs to answer. */
  get parts(): number {
    return this.keys.length;
  }

  /** Whether no key comes twice. */
  get distinct(): boolean {
    return this.#known.size === this.keys.length;
  }

  has(key: string): boolean {
    return this.#known.has(key);
  }

  /** `index`: of the question, in the outcomes that `read` fills. */
  add(question: Question, index: number, keys: readonly string[]): void {
    this.questions.push(question);
    this.#indexes.push(index);
    for (const key of keys) {
      this.keys.push(key);
      this.#known.add(key);
    }
  }

  /** Fills in outcomes from the numbers of an answer. */
  read(answer: unknown, outcomes: (readonly Outcome[])[]): void {
    const numbers = numbersOf(answer, this.parts);
    let part = 0;
    for (let place = 0; place < this.questions.length; place++) {
      outcomes[this.#indexes[place]!] = this.questions[place]!.parts.map(() => outcomeAt(numbers, part++));
    }
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

export interface BatchOptions {
  /** About how many parts a batch may have. */
  readonly partsMax: number;
  /** What every key begins with. @defaultValue '' */
  readonly prefix?: string;
  /** What a batch must not mix, such as the slot of a cluster. */
  readonly groupOf: (keys: readonly string[]) => number;
  /** Sends a batch; what it answers is read. */
  readonly ask: (batch: RemoteBatch) => Promise<unknown>;
}

function batchesOf(questions: readonly Question[], { partsMax, prefix, groupOf }: BatchOptions): RemoteBatch[] {
  const batches: RemoteBatch[] = [];
  const open = new Map<number, RemoteBatch>();
  for (const [index, question] of questions.entries()) {
    const keys = question.parts.map((part) => remoteKey(part, prefix));
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

/** Asks questions in as few batches as may be, all at once, and puts their outcomes in the order of the questions. */
export async function askInBatches(
  questions: readonly Question[],
  options: BatchOptions,
): Promise<readonly (readonly Outcome[])[]> {
  checkVerbs(questions);
  const { ask } = options;
  const batches = batchesOf(questions, options);
  const outcomes = new Array<readonly Outcome[]>(questions.length);
  const [first] = batches;
  if (batches.length === 1) first!.read(await ask(first!), outcomes);
  else await Promise.all(batches.map(async (batch) => batch.read(await ask(batch), outcomes)));
  return outcomes;
}
