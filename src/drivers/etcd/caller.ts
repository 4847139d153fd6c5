/**
 * Questions to a cluster of etcd: asked of one server, and of the next if it refuses, hangs, or says that it cannot.
 *
 * - A question that changes nothing, or changes the same however often it is asked, goes from server to server until its time is over. Each
 *   has an equal share of what is left, so that one which hangs does not use it up; between rounds is a pause with full jitter.
 * - One that changes something is asked again only if it was certainly not done: the server was not reached, or says so. If the answer was
 *   lost, the call fails with `STORE_UNSURE`, for only the caller knows what to do then.
 * - All calls begin with the server that answered last. A server without a leader says so at once (`hasleader`) and is left.
 * - A token that is no longer taken is replaced, once for a call.
 */
import { abortable } from '../../kernel/abort.ts';
import { type Backoff, backoffMs } from '../../kernel/backoff.ts';
import { SpillwayError } from '../../kernel/errors.ts';
import { formatDuration } from '../../kernel/units.ts';
import { Unanswered } from '../unanswered.ts';
import { GarbledAnswer, textOf } from './answers.ts';
import { type CallOptions, checkTimeout, type ResolvedOptions } from './options.ts';
import { EtcdToken } from './token.ts';
import { Transport } from './transport.ts';
import { type Verdict, verdictOf } from './verdict.ts';

type Fields = Readonly<Record<string, unknown>>;

export interface Question<Result> {
  readonly path: string;
  readonly body: Fields;
  readonly read: (answer: Fields) => Result;
  /** Whether asking twice may change more than asking once. */
  readonly once: boolean;
  /** Asked by nobody in particular. @defaultValue false: by the user that there is */
  readonly anonymous?: boolean;
}

/** At 100 ms an answer, 10,000 calls a second. */
const UNANSWERED_MAX = 1024;
/** An attempt in the last tenth of the time would hardly be answered, and turn what was not done into what nobody knows. */
const LATE_RATIO = 0.1;
/** A server that has not answered by then when its caller gives up may be one that hangs. */
const SLOW_MS = 100;
/** An election takes as long as the longest of these pauses, by default. */
const BACKOFF: Backoff = { shortestMs: 0, baseMs: 10, longestMs: 1000 };

/** Of a question by nobody in particular. */
export const plainHeaders = { 'content-type': 'application/json', 'grpc-metadata-hasleader': 'true' };
const anybody = { headers: plainHeaders, drop: (): void => {} };

type Verdicts<Kind> = Extract<Verdict, { readonly kind: Kind }>;
type Attempt<Result> =
  | { readonly kind: 'result'; readonly result: Result }
  | Verdicts<'refused' | 'lease gone' | 'failed' | 'unauthenticated'>;

/** One call, from its beginning to its end. */
interface Call<Result> {
  readonly question: Question<Result>;
  readonly body: string;
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
  /** What each server did last. */
  readonly failures: Map<string, string>;
}

export class EtcdCaller {
  readonly options: ResolvedOptions;
  readonly transport: Transport;
  readonly #token: EtcdToken | null;
  readonly #unanswered = new Unanswered('etcd', UNANSWERED_MAX);
  readonly #open = new Set<AbortController>();
  #closed = false;
  #at: number;

  constructor(options: ResolvedOptions) {
    this.options = options;
    this.transport = new Transport(options.clock, options.tls);
    this.#token = options.user === null ? null : new EtcdToken(() => this.#authenticate());
    // Not all clients on the first server.
    this.#at = Math.floor(options.random.unit() * options.endpoints.length);
  }

  get endpoint(): URL {
    return this.options.endpoints[this.#at]!;
  }

  /** It did not do; the next is asked from now on, unless somebody has moved on already. */
  leave(endpoint: URL): void {
    if (this.endpoint === endpoint) this.#at = (this.#at + 1) % this.options.endpoints.length;
  }

  async ask<Result>(question: Question<Result>, { signal, timeoutMs }: CallOptions = {}): Promise<Result> {
    const limitMs = checkTimeout(timeoutMs ?? this.options.timeoutMs);
    this.#unanswered.begin();
    try {
      using life = this.live(signal);
      const deadlineMs = this.options.clock.nowMs() + limitMs;
      const body = JSON.stringify(question.body);
      return await this.#rounds({ question, body, deadlineMs, signal: life.signal, failures: new Map() }, limitMs);
    } finally {
      this.#unanswered.end();
    }
  }

  /** A signal that is aborted with the given one, and when the client is closed. */
  live(signal: AbortSignal | undefined): Disposable & { readonly signal: AbortSignal } {
    if (this.#closed) throw closed();
    signal?.throwIfAborted();
    const controller = new AbortController();
    const onAbort = (): void => controller.abort(signal?.reason);
    signal?.addEventListener('abort', onAbort);
    this.#open.add(controller);
    return {
      signal: controller.signal,
      [Symbol.dispose]: () => {
        this.#open.delete(controller);
        signal?.removeEventListener('abort', onAbort);
      },
    };
  }

  /** The headers of a question, and what to do if its token is not taken. */
  async headers(
    signal: AbortSignal,
    limitMs: number,
  ): Promise<{ readonly headers: Record<string, string>; readonly drop: () => void }> {
    if (this.#token === null) return anybody;
    const late = new AbortController();
    const timer = this.options.clock.after(limitMs, () => late.abort(noToken(limitMs)));
    try {
      const { text, drop } = await this.#token.get(AbortSignal.any([signal, late.signal]));
      return { headers: text === null ? plainHeaders : { ...plainHeaders, authorization: text }, drop };
    } finally {
      timer.clear();
    }
  }

  /** Those who failed together do not come back together. Rejects if the signal is aborted. */
  async pause(failures: number, signal: AbortSignal, limitMs = Number.POSITIVE_INFINITY): Promise<void> {
    const { clock, random } = this.options;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = clock.after(Math.min(limitMs, backoffMs(BACKOFF, failures, random)), resolve, { ref: true });
    try {
      await abortable(promise, signal);
    } finally {
      timer.clear();
    }
  }

  close(): void {
    this.#closed = true;
    for (const controller of this.#open) controller.abort(closed());
    this.transport.close();
  }

  /** Null if servers ask for no user: they may one day, and should not fail those who are ready for it until then. */
  async #authenticate(): Promise<string | null> {
    const question: Question<string> = {
      path: '/v3/auth/authenticate',
      body: { ...this.options.user },
      read: (answer) => textOf(answer['token'], 'token'),
      once: false,
      anonymous: true,
    };
    try {
      return await this.ask(question);
    } catch (error) {
      if (error instanceof SpillwayError && /authentication is not enabled/.test(error.message)) return null;
      throw error;
    }
  }

  async #rounds<Result>(call: Call<Result>, limitMs: number): Promise<Result> {
    const { clock, endpoints } = this.options;
    for (let round = 0; ; round++) {
      for (let left = endpoints.length; left > 0; left--) {
        const leftMs = Math.max(1, call.deadlineMs - clock.nowMs());
        if (leftMs <= limitMs * LATE_RATIO && call.failures.size > 0) throw unavailable(call.failures, limitMs);
        const result = await this.#attempt(call, this.endpoint, leftMs, leftMs / left);
        if (result !== null) return result.result;
      }
      await this.pause(round, call.signal, Math.max(0, call.deadlineMs - clock.nowMs()));
    }
  }

  /** Null if the next server is to be asked. */
  async #attempt<Result>(
    call: Call<Result>,
    endpoint: URL,
    leftMs: number,
    shareMs: number,
  ): Promise<{ readonly result: Result } | null> {
    const { question, failures, signal } = call;
    const beganMs = this.options.clock.nowMs();
    let attempt = await this.#once(call, endpoint, leftMs, shareMs);
    if (attempt.kind === 'unauthenticated' && this.#token !== null) {
      attempt = await this.#once(call, endpoint, leftMs, shareMs);
    }
    if (signal.aborted) {
      // Whoever gave up on it would not wait for it to the end the next time either.
      if (this.options.clock.nowMs() - beganMs > SLOW_MS) this.leave(endpoint);
      throw signal.reason;
    }
    switch (attempt.kind) {
      case 'result':
        return attempt;
      case 'lease gone':
        throw new SpillwayError('ETCD_LEASE_GONE', `etcd at ${endpoint.host}: ${attempt.why}`);
      case 'unauthenticated':
      case 'refused':
        throw refused(endpoint, attempt.why);
      case 'failed':
        this.leave(endpoint);
        if (question.once && attempt.changed === 'maybe') throw unsure(question.path, endpoint, attempt.why);
        failures.set(endpoint.host, attempt.why);
        return null;
      default:
        return attempt satisfies never;
    }
  }

  async #once<Result>(call: Call<Result>, endpoint: URL, leftMs: number, shareMs: number): Promise<Attempt<Result>> {
    const { question, body, signal } = call;
    const { path, once, read, anonymous = false } = question;
    const { headers, drop } = anonymous ? anybody : await this.headers(signal, leftMs);
    // What must not be asked twice has all the time for its answer.
    const limits = { limitMs: once ? leftMs : shareMs, unsentMs: shareMs, signal };
    const exchange = await this.transport.post({ endpoint, path, body, headers }, limits);
    if (exchange.kind === 'failure') {
      return { kind: 'failed', why: exchange.why, changed: exchange.sent ? 'maybe' : 'no' };
    }
    const verdict = verdictOf(exchange.response, exchange.text);
    if (verdict.kind === 'unauthenticated') drop();
    if (verdict.kind !== 'done') return verdict;
    try {
      return { kind: 'result', result: read(verdict.answer) };
    } catch (error) {
      if (!(error instanceof GarbledAnswer)) throw error;
      return { kind: 'failed', why: `sent what is no answer of etcd: ${error.message}`, changed: 'maybe' };
    }
  }
}

export function refused(endpoint: URL, why: string): SpillwayError {
  return new SpillwayError('STORE_REFUSED', `etcd at ${endpoint.host} refused: ${why}`);
}

function unsure(path: string, endpoint: URL, why: string): SpillwayError {
  const what = `${path} may have been done, or may yet be: etcd at ${endpoint.host} ${why}`;
  return new SpillwayError('STORE_UNSURE', `${what}. It was not asked again; look what there is before you do.`);
}

function unavailable(failures: ReadonlyMap<string, string>, limitMs: number): SpillwayError {
  const each = [...failures].map(([host, why]) => `${host} ${why}`).join('; ');
  const what = `No server of etcd did it within ${formatDuration(limitMs)}: ${each}`;
  return new SpillwayError('STORE_UNAVAILABLE', what, { retryable: true });
}

function noToken(limitMs: number): SpillwayError {
  const what = `No server of etcd said within ${formatDuration(Math.round(limitMs))} who the user is`;
  return new SpillwayError('STORE_UNAVAILABLE', what, { retryable: true });
}

function closed(): SpillwayError {
  return new SpillwayError('STORE_UNAVAILABLE', 'The client of etcd is closed; make another.');
}
