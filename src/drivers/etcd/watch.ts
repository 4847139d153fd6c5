/**
 * A watch that goes on: changes in the order of their revisions, each once, whichever server tells them.
 *
 * It is a question whose answer has a line for each change and does not end. If the server dies, hangs, loses its leader or closes, the
 * next is asked to go on where it ended: behind the last revision that was told. What a server has compacted meanwhile, or lost with its
 * data, cannot be told: that is a `gap`, and the end.
 *
 * Invariants: at most one line is in memory, beside what the connection holds; whoever reads slowly slows the server down. Only whole lines
 * count, and etcd tells the changes of one revision in one line, so no revision is ever told in part.
 */
import type { IncomingMessage } from 'node:http';
import { SpillwayError } from '../../kernel/errors.ts';
import { GarbledAnswer, readRange, readWatch, type WatchEvent, type WatchLine } from './answers.ts';
import { type EtcdCaller, plainHeaders, refused } from './caller.ts';
import { linesOf } from './lines.ts';
import { writeRange, writeWatch, type WatchRequest } from './messages.ts';
import { ANSWER_BYTES_MAX, wordsOf } from './transport.ts';
import { verdictOf, verdictOfError, verdictOfHead, verdictOfText, type Verdict } from './verdict.ts';

/** A connection that lasted so long was one; before that, it counts as a failure, and the pauses grow. */
const SETTLED_MS = 1000;

/** Why a connection is over: what is not `failed` is no matter of the server. */
type End = Exclude<Verdict, { readonly kind: 'done' }>;

const failed = (why: string): End => ({ kind: 'failed', why, changed: 'no' });

export class EtcdWatch {
  readonly #caller: EtcdCaller;
  readonly #request: WatchRequest;
  readonly #signal: AbortSignal;
  /** The first revision that was not told; null until a server has said where it is. */
  #next: bigint | null;
  #heardMs = 0;
  /** In a row, connections that failed at once, and those that took the user for nobody. */
  #failures = 0;
  #nobody = 0;

  constructor(caller: EtcdCaller, request: WatchRequest, signal: AbortSignal) {
    this.#caller = caller;
    this.#request = request;
    this.#signal = signal;
    this.#next = request.startRevision ?? null;
  }

  async *events(): AsyncGenerator<WatchEvent, void> {
    const { clock } = this.#caller.options;
    for (;;) {
      const { endpoint } = this.#caller;
      const beganMs = clock.nowMs();
      const end = yield* this.#connection(endpoint);
      this.#signal.throwIfAborted();
      if (end === null) return;
      if (end.kind === 'unauthenticated' && this.#nobody++ === 0) continue;
      if (end.kind !== 'failed') throw refused(endpoint, end.why);
      this.#caller.leave(endpoint);
      this.#failures = clock.nowMs() - beganMs > SETTLED_MS ? 0 : this.#failures + 1;
      await this.#caller.pause(this.#failures, this.#signal);
    }
  }

  /** The events of one connection; then null if the watch is over, or why the connection is. */
  async *#connection(endpoint: URL): AsyncGenerator<WatchEvent, End | null> {
    const { silenceMs } = this.#caller.options;
    try {
      const { headers, drop } = await this.#caller.headers(this.#signal, silenceMs);
      const request = this.#next === null ? this.#request : { ...this.#request, startRevision: this.#next };
      const post = { endpoint, path: '/v3/watch', body: JSON.stringify(writeWatch(request)), headers };
      const opened = await this.#caller.transport.stream(post, { limitMs: silenceMs, signal: this.#signal });
      if (opened.kind === 'failure') return failed(opened.why);
      const { response } = opened;
      const end = opened.kind === 'stream' ? yield* this.#stream(endpoint, response) : verdictOf(response, opened.text);
      if (end?.kind === 'done') return failed('ended the watch');
      if (end?.kind === 'unauthenticated') drop();
      return end;
    } catch (error) {
      // Whatever only takes time, a watch has.
      if (error instanceof SpillwayError && error.retryable) return failed(error.message);
      throw error;
    }
  }

  async *#stream(endpoint: URL, response: IncomingMessage): AsyncGenerator<WatchEvent, End | null> {
    const deaf = this.#listen(endpoint, response);
    try {
      const foreign = verdictOfHead(response);
      return foreign === null ? yield* this.#lines(response) : (foreign as End);
    } catch (error) {
      if (error instanceof GarbledAnswer) return failed(`sent what is no answer of etcd: ${error.message}`);
      // What Node says of a stream that broke; what was thrown into this generator is none of ours.
      if (error instanceof Error && !(error instanceof SpillwayError)) return failed(wordsOf(error));
      throw error;
    } finally {
      deaf();
      response.destroy();
    }
  }

  async *#lines(response: IncomingMessage): AsyncGenerator<WatchEvent, End | null> {
    const { clock } = this.#caller.options;
    for await (const text of linesOf(response, ANSWER_BYTES_MAX)) {
      this.#heardMs = clock.nowMs();
      const verdict = verdictOfText(text);
      if (verdict.kind !== 'done') return verdict;
      const line = readWatch(verdict.answer);
      if (line.compactRevision > 0n) {
        yield { kind: 'gap', why: 'compacted', revision: line.compactRevision };
        return null;
      }
      if (line.canceled !== null) return canceled(line, line.canceled);
      if (line.created) {
        this.#nobody = 0;
        const rewound = await this.#rewoundTo(line.revision);
        if (rewound !== null) {
          yield { kind: 'gap', why: 'rewound', revision: rewound };
          return null;
        }
      } else yield* this.#told(line);
    }
    return failed('ended the watch');
  }

  *#told({ events, revision }: WatchLine): Generator<WatchEvent, void> {
    if (events.length === 0) {
      this.#next = revision + 1n;
      yield { kind: 'progress', revision };
    }
    for (const event of events) {
      const changed = event.kind === 'put' ? event.kv.modRevision : event.revision;
      this.#next = changed + 1n;
      yield event;
    }
  }

  /** A server that is at an earlier revision than what was told is behind, or else the cluster is, and has lost its data: to where. */
  async #rewoundTo(revision: bigint): Promise<bigint | null> {
    this.#next ??= revision + 1n;
    if (revision + 1n >= this.#next) return null;
    const { key, rangeEnd } = this.#request;
    const body = writeRange({ key, ...(rangeEnd !== undefined && { rangeEnd }), countOnly: true });
    const question = { path: '/v3/kv/range', body, read: readRange, once: false };
    const now = await this.#caller.ask(question, { signal: this.#signal });
    return now.revision + 1n < this.#next ? now.revision : null;
  }

  /** Ends the connection when nobody waits any more, and when the server is silent and gives no sign of life. Returns how to stop that. */
  #listen(endpoint: URL, response: IncomingMessage): () => void {
    const { clock, silenceMs } = this.#caller.options;
    const over = new AbortController();
    const onAbort = (): void => void response.destroy();
    const check = async (): Promise<void> => {
      const post = { endpoint, path: '/v3/maintenance/status', body: '{}', headers: plainHeaders };
      // An answer of any kind is a sign of life.
      const answer = await this.#caller.transport.post(post, { limitMs: silenceMs, signal: over.signal });
      if (answer.kind === 'failure') response.destroy(new Error(`it was silent and ${answer.why}`));
      else {
        this.#heardMs = clock.nowMs();
        wait();
      }
    };
    let timer = clock.after(0, () => {});
    const wait = (): void => {
      if (over.signal.aborted) return;
      const leftMs = this.#heardMs + silenceMs - clock.nowMs();
      timer = clock.after(Math.max(1, leftMs), () => {
        if (clock.nowMs() - this.#heardMs < silenceMs) wait();
        else void check();
      });
    };
    this.#heardMs = clock.nowMs();
    wait();
    this.#signal.addEventListener('abort', onAbort);
    return () => {
      over.abort();
      timer.clear();
      this.#signal.removeEventListener('abort', onAbort);
    };
  }
}

/** A server that ends a watch as it begins says why it will not have it; one that ends it later is the one that cannot go on. */
function canceled({ created }: WatchLine, why: string): End {
  const end = verdictOfError(undefined, why) as End;
  return created && end.kind === 'failed' ? { kind: 'refused', why } : end;
}
