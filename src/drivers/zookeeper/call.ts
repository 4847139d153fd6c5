/**
 * One request on its way: waits for a connection, is sent once, and is settled once: by its answer, by the loss of the connection, or
 * because its caller has no more time. What was sent keeps its place in the line of answers, also when nobody waits for it.
 */
import type { Clock, Timer } from '../../kernel/clock.ts';
import { refused, sessionEnded, unanswered, unavailable } from './failures.ts';
import type { JuteReader } from './jute.ts';
import type { Reading } from './life.ts';
import { refusalName, type Verb } from './messages.ts';

export interface CallOptions {
  /** The call then fails with its reason; what was sent by then may have been done. */
  readonly signal?: AbortSignal | undefined;
  /** For the whole call, the wait for a connection included. @defaultValue the session's timeout */
  readonly timeoutMs?: number | undefined;
}

/** What a line of calls holds: those of any type. */
export interface AnyCall {
  readonly verb: Verb<unknown>;
  readonly settled: boolean;
  sentAt: Reading | null;
  /** Reads the answer; throws if it is none. */
  answer(body: JuteReader, refusal: number): void;
  /** There will be no answer. */
  lose(why: string, cause?: unknown): void;
  fail(error: unknown): void;
}

interface CallContext extends CallOptions {
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Told of the answer before the caller is. */
  readonly onAnswer?: ((refusal: number) => void) | undefined;
  /** It was settled for lack of time. */
  readonly onGone: () => void;
  /** Said if no connection came in time. */
  readonly why: () => string;
}

export class Call<T> implements AnyCall {
  readonly verb: Verb<T>;
  readonly promise: Promise<T>;
  sentAt: Reading | null = null;
  #settled = false;
  readonly #context: CallContext;
  readonly #resolve: (value: T) => void;
  readonly #reject: (reason: unknown) => void;
  readonly #timer: Timer;
  readonly #onAbort = (): void => this.#giveUp(this.#context.signal?.reason);

  constructor(verb: Verb<T>, context: CallContext) {
    this.verb = verb;
    this.#context = context;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    [this.promise, this.#resolve, this.#reject] = [promise, resolve, reject];
    this.#timer = context.clock.after(context.timeoutMs, () => this.#late(), { ref: true });
    context.signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  get settled(): boolean {
    return this.#settled;
  }

  answer(body: JuteReader, refusal: number): void {
    if (this.#settled) return;
    if (refusal === 0) {
      const value = this.verb.read(body);
      this.#context.onAnswer?.(0);
      if (this.#settle()) this.#resolve(value);
      return;
    }
    this.#context.onAnswer?.(refusal);
    const over = refusalName(refusal) === 'SESSION_EXPIRED';
    this.fail(over ? sessionEnded('the servers have ended it') : refused(this.verb.what, refusal));
  }

  lose(why: string, cause?: unknown): void {
    this.fail(unanswered(this.verb.what, this.verb.writes, why, cause));
  }

  fail(error: unknown): void {
    if (this.#settle()) this.#reject(error);
  }

  #late(): void {
    const { timeoutMs, why } = this.#context;
    this.#giveUp(
      this.sentAt === null
        ? unavailable(`${this.verb.what} was not sent within ${timeoutMs} ms: ${why()}.`)
        : unanswered(this.verb.what, this.verb.writes, `${timeoutMs} ms have passed`),
    );
  }

  #giveUp(error: unknown): void {
    this.fail(error);
    this.#context.onGone();
  }

  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    this.#timer.clear();
    this.#context.signal?.removeEventListener('abort', this.#onAbort);
    return true;
  }
}
