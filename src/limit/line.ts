/**
 * The way to a remote store: what one tick asks goes out as one call, and if no answer comes in time, everyone is told so at once.
 *
 * - Takes of one key and one cost that come in the same tick are one question, "grant at most n", and the answer is dealt out in
 *   the order of asking: n decisions for the price of one, and the same as if they had been asked one after another. A take of another
 *   cost, or anything else that is asked of the key, comes after them and keeps its place.
 * - A call that fails or is not answered by the deadline makes the store *unavailable*: nobody is made to wait for it during a
 *   pause, after which the next tick's questions try again. The pause doubles up to a bound, and ends with the first answer.
 * - A lease that is granted after the deadline, or to whoever has given up, is held by nobody: it is given back when the answer says so,
 *   also during a pause, for a store that answers late can be asked.
 *
 * A call leaves before the event loop turns: whoever is alone waits for nothing but the store.
 * Cost: a promise and two small objects a take; a call a tick.
 */
import { storePauseMs } from '../drivers/store-patience.ts';
import { abortable, LazyAbort } from '../kernel/abort.ts';
import type { Clock } from '../kernel/clock.ts';
import { SpillwayError } from '../kernel/errors.ts';
import type { Outcome } from './algorithm.ts';
import { Deadlines } from './deadlines.ts';
import type { MetricsSink } from '../observe/metrics/metrics.ts';
import { drawHolder } from './holder.ts';
import { CallMetrics, type CallOutcome } from './limit-metrics.ts';
import { memoryStore } from './memory.ts';
import { hasLeases, type LocalStore, type Question, type RemotePart, type RemoteStore } from './store.ts';

/** An outcome, and when it was true: at some moment between these two, on this process's clock. */
export interface Answer extends Outcome {
  /** The first of the holders of what was granted. */
  readonly holder: number;
  readonly sentMs: number;
  readonly receivedMs: number;
}

export interface Outage {
  /** When the first call failed, in milliseconds since the Unix epoch. */
  readonly sinceMs: number;
  /** Why the last one did. */
  readonly error: SpillwayError;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** A question that is still to go out, and what everybody who asks it waits for. */
interface Pending {
  readonly verb: Question['verb'];
  readonly parts: readonly [Writable<RemotePart>, ...RemotePart[]];
  readonly answers: Promise<readonly Answer[]>;
  readonly resolve: (answers: readonly Answer[]) => void;
  readonly reject: (error: SpillwayError) => void;
}

/** A call that is under way. */
interface Call {
  readonly pending: readonly Pending[];
  readonly sentMs: number;
  /** Made during an outage: whether it is over. */
  readonly probe: boolean;
  readonly abort: LazyAbort;
}

/** A place in a question that several ask together: the answer to all of them, and how many takes come before. */
export interface Place {
  readonly answers: Promise<readonly Answer[]>;
  readonly before: number;
}

export interface PartOfQuestion {
  readonly name: string;
  readonly algorithm: RemotePart['algorithm'];
  readonly key: string;
  readonly cost: number;
  readonly times: number;
  /** Of `release` and `renew`. */
  readonly holder?: number;
}

export class Line {
  readonly #store: RemoteStore;
  readonly #deadlines: Deadlines<Call>;
  #pending: Pending[] = [];
  /** By key, the take that others of this tick may join. */
  #joinable = new Map<string, Pending>();
  /** Of those the one that was made or joined last: who takes from a key that everybody takes from need not look for it. */
  #latest: Pending | null = null;
  #failures = 0;
  #sinceMs = 0;
  #retryMs = 0;
  #error: SpillwayError | null = null;
  #probing = false;
  /** One for each that wants calls measured: limiters of one store may count in several places. */
  readonly #metrics = new Map<MetricsSink, CallMetrics>();
  /** Where the limiters of this store count while it is unavailable. */
  readonly fallback: LocalStore;

  constructor(store: RemoteStore, deadlineMs: number, fallback: LocalStore) {
    this.#store = store;
    this.fallback = fallback;
    this.#deadlines = new Deadlines(store.clock, deadlineMs, (call) => {
      const error = new Error(`no answer within ${deadlineMs} ms`);
      this.#failed(call, error, 'late');
      call.abort.abort(() => error);
    });
  }

  get clock(): Clock {
    return this.#store.clock;
  }

  get outage(): Outage | null {
    return this.#error === null ? null : { sinceMs: this.#sinceMs, error: this.#error };
  }

  /** In how many milliseconds it is worth asking again; 0 if it is now. */
  get pauseMs(): number {
    if (this.#error === null) return 0;
    const leftMs = Math.max(0, this.#retryMs - this.#store.clock.nowMs());
    return this.#probing ? Math.max(1, leftMs) : leftMs;
  }

  /** From now on, how long calls take is counted there too. */
  measure(metrics: MetricsSink): void {
    if (!this.#metrics.has(metrics)) this.#metrics.set(metrics, new CallMetrics(metrics, this.#store.name));
  }

  /**
   * Takes in this tick's call, in one question with whoever else takes the same from the key; `shareOf` then says what is one's own. A
   * promise for each of a thousand that take together would cost more than all else.
   */
  take(part: PartOfQuestion): Place {
    if (this.#pausing) return { answers: Promise.reject(this.#error!), before: 0 };
    const latest = this.#latest;
    if (latest !== null && isJoinable(latest.parts[0], part)) return join(latest, part);
    const identity = identityOf(part);
    const found = this.#joinable.get(identity);
    if (found !== undefined && isJoinable(found.parts[0], part)) {
      this.#latest = found;
      return join(found, part);
    }
    const pending = this.#add('take', [part]);
    this.#joinable.set(identity, pending);
    this.#latest = pending;
    return { answers: pending.answers, before: 0 };
  }

  /** Asks in this tick's call. Rejects with `STORE_UNAVAILABLE` or `STORE_REFUSED`, at once during a pause. */
  ask(verb: Question['verb'], ...parts: readonly [PartOfQuestion, ...PartOfQuestion[]]): Promise<readonly Answer[]> {
    if (this.#pausing) return Promise.reject(this.#error!);
    for (const part of parts) this.#close(part);
    return this.#add(verb, parts).answers;
  }

  /** The answers of a place, for who may give up before they come. */
  async hear(
    { answers, before }: Place,
    signal: AbortSignal,
    ...parts: readonly PartOfQuestion[]
  ): Promise<readonly Answer[]> {
    try {
      return await abortable(answers, signal);
    } catch (error) {
      if (signal.aborted) {
        const own = (all: readonly Answer[]): Answer[] => all.map((answer, at) => shareOf(answer, before, parts[at]!));
        answers.then((all) => this.#giveBack(parts, own(all))).catch(() => {});
      }
      throw error;
    }
  }

  /** What is taken from a key from now on comes after what was asked of it. */
  #close(part: PartOfQuestion): void {
    this.#joinable.delete(identityOf(part));
    this.#latest = null;
  }

  get #pausing(): boolean {
    return this.#error !== null && this.pauseMs > 0;
  }

  #add(verb: Question['verb'], parts: readonly [PartOfQuestion, ...PartOfQuestion[]]): Pending {
    const { promise: answers, resolve, reject } = Promise.withResolvers<readonly Answer[]>();
    const held = parts.map((part) => ({
      ...part,
      holder: part.holder ?? (hasLeases(part.algorithm) ? drawHolder() : 0),
    })) as [RemotePart, ...RemotePart[]];
    const pending: Pending = { verb, parts: held, answers, resolve, reject };
    if (this.#pending.length === 0) process.nextTick(() => void this.#flush());
    this.#pending.push(pending);
    return pending;
  }

  async #flush(): Promise<void> {
    const pending = this.#pending;
    this.#pending = [];
    // WHY: not cleared. Its table would stay linked to the one that V8 makes for what comes next, and so a line in use would keep all that
    // was asked until the next full collection.
    this.#joinable = new Map();
    this.#latest = null;
    const probe = this.#error !== null;
    this.#probing = probe;
    const call: Call = { pending, sentMs: this.clock.nowMs(), probe, abort: new LazyAbort() };
    const due = this.#deadlines.begin(call, call.sentMs);
    try {
      const replies = await this.#store.ask(pending, call.abort);
      if (replies.length !== pending.length)
        throw new Error(`${pending.length} questions had ${replies.length} answers`);
      if (this.#deadlines.end(due)) this.#answered(call, replies);
      else this.#late(call, replies);
    } catch (error) {
      if (this.#deadlines.end(due)) this.#failed(call, error, 'failed');
    }
  }

  #answered({ pending, sentMs, probe }: Call, replies: readonly (readonly Outcome[])[]): void {
    const receivedMs = this.clock.nowMs();
    if (probe) {
      this.#error = null;
      this.#failures = 0;
      this.#probing = false;
    }
    this.#ended('answered', receivedMs - sentMs);
    for (let index = 0; index < pending.length; index++) {
      const { parts, resolve } = pending[index]!;
      resolve(
        replies[index]!.map(({ granted, remaining, retryAfterUs, resetAfterUs }, at) => {
          const { holder } = parts[at]!;
          return { granted, remaining, retryAfterUs, resetAfterUs, holder, sentMs, receivedMs };
        }),
      );
    }
  }

  #late({ pending }: Call, replies: readonly (readonly Outcome[])[]): void {
    for (const [index, { verb, parts }] of pending.entries()) {
      if (verb !== 'take') continue;
      const granted = replies[index]!.map((outcome, at) => ({ ...outcome, holder: parts[at]!.holder }));
      this.#giveBack(parts, granted);
    }
  }

  /** Ends the leases of a take. One that the store does not hear of ends by itself. */
  #giveBack(parts: readonly PartOfQuestion[], answers: readonly Pick<Answer, 'granted' | 'holder'>[]): void {
    // Of several, all or none were taken.
    if (answers.some(({ granted }) => granted === 0)) return;
    for (const [at, part] of parts.entries()) {
      if (!hasLeases(part.algorithm)) continue;
      const { granted, holder } = answers[at]!;
      this.#close(part);
      for (let nth = 0; nth < granted; nth++) {
        const lease = { ...part, cost: 0, times: 1, holder: holder + nth };
        this.#add('release', [lease]).answers.catch(() => {});
      }
    }
  }

  #ended(outcome: CallOutcome, tookMs: number): void {
    for (const metrics of this.#metrics.values()) metrics.ended(outcome, tookMs);
  }

  #failed({ pending, sentMs, probe }: Call, cause: unknown, outcome: CallOutcome): void {
    this.#ended(outcome, this.clock.nowMs() - sentMs);
    const error = outageOf(this.#store.name, cause);
    // Calls that were under way when the first failed say nothing new.
    if (this.#error === null || probe) this.#fail(error);
    if (probe) this.#probing = false;
    for (const { reject } of pending) reject(error);
  }

  #fail(error: SpillwayError): void {
    const { clock } = this.#store;
    if (this.#error === null) this.#sinceMs = clock.wallMs();
    this.#error = error;
    this.#retryMs = clock.nowMs() + storePauseMs(this.#failures);
    this.#failures += 1;
  }
}

/** Whether the store cannot be asked, or will not answer: what `outage` is for. */
export function isOutage(error: unknown): error is SpillwayError {
  return error instanceof SpillwayError && (error.code === 'STORE_UNAVAILABLE' || error.code === 'STORE_REFUSED');
}

function outageOf(name: string, cause: unknown): SpillwayError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const then = 'Limiters answer as their option outage says until it is back.';
  if (isOutage(cause) && cause.code === 'STORE_REFUSED')
    return new SpillwayError('STORE_REFUSED', `The store ${name} does not do what it is asked: ${why}. ${then}`, {
      cause,
    });
  const message = `The store ${name} is unavailable: ${why}. ${then}`;
  return new SpillwayError('STORE_UNAVAILABLE', message, { cause, retryable: true });
}

function isJoinable(first: RemotePart, part: PartOfQuestion): boolean {
  return (
    first.key === part.key && first.cost === part.cost && first.algorithm === part.algorithm && first.name === part.name
  );
}

function join({ answers, parts }: Pending, { times }: PartOfQuestion): Place {
  const first = parts[0];
  const before = first.times;
  first.times += times;
  return { answers, before };
}

function identityOf({ name, algorithm, key }: PartOfQuestion): string {
  return `${name}\0${algorithm.layout}\0${key}`;
}

/** Of an answer to all who took together, what one has who came after `before` others: they are served in their order. */
export function shareOf(all: Answer, before: number, { cost, times }: PartOfQuestion): Answer {
  const dealt = Math.min(before, all.granted);
  const own = Math.min(times, all.granted - dealt);
  return {
    granted: own,
    remaining: all.remaining + (all.granted - dealt - own) * cost,
    retryAfterUs: own < times ? all.retryAfterUs : 0,
    resetAfterUs: all.resetAfterUs,
    holder: all.holder + dealt,
    sentMs: all.sentMs,
    receivedMs: all.receivedMs,
  };
}

interface Lines {
  readonly byDeadline: Map<number, Line>;
  readonly fallback: LocalStore;
}

const lines = new WeakMap<RemoteStore, Lines>();

/** The line to a store that all limiters with this deadline share; those of all deadlines share the fallback. */
export function lineTo(store: RemoteStore, deadlineMs: number): Line {
  let ofStore = lines.get(store);
  if (ofStore === undefined) {
    ofStore = { byDeadline: new Map(), fallback: store.fallback ?? memoryStore({ clock: store.clock }) };
    lines.set(store, ofStore);
  }
  const { byDeadline, fallback } = ofStore;
  let line = byDeadline.get(deadlineMs);
  if (line === undefined) byDeadline.set(deadlineMs, (line = new Line(store, deadlineMs, fallback)));
  return line;
}
