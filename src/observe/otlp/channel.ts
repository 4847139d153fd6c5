/**
 * One signal on its way to a collector: what is added waits in a bounded queue and leaves in batches, one request at a time. What the collector
 * wants later is tried again with growing pauses, for a time; then it is dropped, and counted.
 *
 * Invariants: `add` never throws and never waits; what waits is within `queueBytes`; all that is added is in the end sent, rejected or dropped.
 * Timers and connections belong to nobody's context, so that a request to the collector is no part of somebody's trace.
 */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { backoffMs } from '../../kernel/backoff.ts';
import type { Clock, Timer } from '../../kernel/clock.ts';
import { quietly } from '../../kernel/quietly.ts';
import type { Random } from '../../kernel/random.ts';
import { outsideOfAny, runUnobserved } from '../context/work-context.ts';
import { type Answer, readAnswer } from './answer.ts';
import { SecretParts } from './secret-parts.ts';

/** How things of one kind are encoded, and where they go. */
export interface OtlpSignal<Item> {
  /** `v1/traces` */
  readonly path: string;
  encode(items: readonly Item[]): Uint8Array<ArrayBuffer>;
  /** Memory that it takes while it waits, about. */
  bytesOf(item: Item): number;
  /** How many it is as the collector counts them, and as the counts say. @defaultValue one each */
  countOf?(item: Item): number;
  /** What waits is one thing in parts, of which there will be a newer one: it has one time in all, and is given up as a whole. @defaultValue false */
  readonly isWhole?: boolean;
}

/** Everything that was added is in one of these, or waits. */
export interface OtlpCounts {
  readonly sent: number;
  /** By the collector, of what it took otherwise. */
  readonly rejected: number;
  /** No room in the queue. */
  readonly dropped: number;
  /** The collector would not have it, or not in time. */
  readonly failed: number;
}

/** Where a signal goes, and by what it proves who sends. */
export interface Target {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
}

export interface ChannelOptions {
  /** Of a signal, by its path. */
  readonly targetOf: (path: string) => Target;
  readonly userAgent: string;
  readonly contentType: string;
  readonly gzip: boolean;
  readonly batchMax: number;
  readonly everyMs: number;
  readonly queueBytes: number;
  readonly timeoutMs: number;
  readonly retryMs: number;
  readonly onProblem: (message: string) => void;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  readonly random: Random;
}

interface Body {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly headers: Readonly<Record<string, string>>;
}

const compress = promisify(gzip);
const GZIP_FROM_BYTES = 1024;
/** Before compression and as estimated: a collector takes some megabytes at once. */
const BATCH_BYTES_MAX = 2 ** 21;
/** An answer is a few numbers and a sentence. */
const ANSWER_BYTES_MAX = 64 * 1024;
/** As OpenTelemetry's exporters wait. */
const BACKOFF = { shortestMs: 500, baseMs: 1000, longestMs: 30_000 };

export class OtlpChannel<Item> {
  readonly #signal: OtlpSignal<Item>;
  readonly #options: ChannelOptions;
  readonly #target: Target;
  readonly #secrets: SecretParts;
  readonly #counts = { sent: 0, rejected: 0, dropped: 0, failed: 0 };
  #queue: Item[] = [];
  #bytes = 0;
  #timer: Timer | null = null;
  #sending: Promise<void> | null = null;
  readonly #closed = new AbortController();
  #hasProblem = false;

  constructor(signal: OtlpSignal<Item>, options: ChannelOptions) {
    this.#signal = signal;
    this.#options = options;
    this.#target = options.targetOf(signal.path);
    this.#secrets = new SecretParts(Object.values(this.#target.headers));
  }

  get counts(): OtlpCounts {
    return { ...this.#counts };
  }

  /** Of what waits. */
  get bytes(): number {
    return this.#bytes;
  }

  add(items: readonly Item[]): void {
    for (const item of items) {
      const bytes = this.#signal.bytesOf(item);
      if (this.#closed.signal.aborted || this.#bytes + bytes > this.#options.queueBytes) {
        this.#counts.dropped += this.#countOf([item]);
        continue;
      }
      this.#queue.push(item);
      this.#bytes += bytes;
    }
    if (this.#queue.length >= this.#options.batchMax) void this.flush();
    else if (this.#queue.length > 0) this.#timer ??= this.#after(this.#options.everyMs, () => void this.flush());
  }

  /** What was to be added could not be made. */
  missed(why: string): void {
    this.#report(`did not get what there is: ${why}`);
  }

  /** Sends what waits; done when nothing does any more. Never rejects. */
  async flush(): Promise<void> {
    this.#timer?.clear();
    this.#timer = null;
    if (this.#queue.length > 0) this.#sending ??= outsideOfAny(() => runUnobserved(() => this.#send()));
    await this.#sending;
  }

  /** Sends what waits, within a time; what has not gone by then is dropped. Nothing is taken afterwards. */
  async close(withinMs: number): Promise<void> {
    const late = this.#after(withinMs, () => this.#closed.abort(), true);
    await this.flush();
    late.clear();
    this.#closed.abort();
  }

  /** There is something to send. */
  async #send(): Promise<void> {
    const { retryMs, clock } = this.#options;
    const { isWhole = false } = this.#signal;
    const endMs = clock.nowMs() + retryMs;
    do {
      let batch = this.#batch();
      const answer = await this.#deliver(batch, isWhole ? endMs : clock.nowMs() + retryMs);
      if (isWhole && answer.kind === 'later') batch = [...this.#queue];
      this.#queue.splice(0, batch.length);
      for (const item of batch) this.#bytes -= this.#signal.bytesOf(item);
      this.#count(answer, this.#countOf(batch));
    } while (this.#queue.length > 0 && !this.#closed.signal.aborted);
    this.#counts.dropped += this.#countOf(this.#queue);
    this.#queue = [];
    this.#bytes = 0;
    this.#sending = null;
  }

  /** The oldest, as many as may go together. */
  #batch(): readonly Item[] {
    let bytes = 0;
    const end = this.#queue.findIndex((item, at) => {
      bytes += this.#signal.bytesOf(item);
      return at === this.#options.batchMax || (at > 0 && bytes > BATCH_BYTES_MAX);
    });
    return end === -1 ? [...this.#queue] : this.#queue.slice(0, end);
  }

  #countOf(items: readonly Item[]): number {
    return items.reduce((sum, item) => sum + (this.#signal.countOf?.(item) ?? 1), 0);
  }

  #count(answer: Answer, items: number): void {
    if (answer.kind === 'taken') {
      const rejected = Math.min(items, answer.rejected);
      this.#counts.rejected += rejected;
      this.#counts.sent += items - rejected;
      if (rejected > 0) this.#report(`took ${items - rejected} of ${items}${answer.why}`);
      else this.#hasProblem = false;
    } else {
      this.#counts.failed += items;
      this.#report(`did not get ${items}: ${answer.why}`);
    }
  }

  /** Once until all is well again: an outage is one piece of news. */
  #report(what: string): void {
    if (this.#hasProblem) return;
    this.#hasProblem = true;
    quietly(() => this.#options.onProblem(`The collector at ${this.#target.url.href} ${what}.`));
  }

  async #deliver(batch: readonly Item[], untilMs: number): Promise<Answer> {
    const { clock, random } = this.#options;
    let body: Body;
    try {
      body = await this.#bodyOf(batch);
    } catch (error) {
      return { kind: 'refused', why: `it cannot be encoded: ${(error as Error).message}` };
    }
    for (let failures = 1; ; failures += 1) {
      const answer = await this.#post(body);
      if (answer.kind !== 'later' || this.#closed.signal.aborted) return answer;
      const pauseMs = Math.max(answer.afterMs, backoffMs(BACKOFF, failures, random));
      if (clock.nowMs() + pauseMs > untilMs) return answer;
      await this.#pause(pauseMs);
      if (this.#closed.signal.aborted) return answer;
    }
  }

  async #bodyOf(batch: readonly Item[]): Promise<Body> {
    const bytes = this.#signal.encode(batch);
    if (!this.#options.gzip || bytes.length < GZIP_FROM_BYTES) return { bytes, headers: {} };
    return { bytes: await compress(bytes), headers: { 'content-encoding': 'gzip' } };
  }

  async #post(body: Body): Promise<Answer> {
    const { contentType, timeoutMs, userAgent, clock } = this.#options;
    const { url, headers } = this.#target;
    const late = new AbortController();
    const timer = this.#after(timeoutMs, () => late.abort(), true);
    try {
      const response = await this.#options.fetch(url, {
        method: 'POST',
        headers: { 'user-agent': userAgent, ...headers, 'content-type': contentType, ...body.headers },
        body: body.bytes,
        redirect: 'manual',
        signal: AbortSignal.any([late.signal, this.#closed.signal]),
      });
      const answer = {
        status: response.status,
        contentType: response.headers.get('content-type') ?? '',
        retryAfter: response.headers.get('retry-after'),
        body: await bodyOf(response),
      };
      return readAnswer(answer, { wallMs: clock.wallMs(), secrets: this.#secrets });
    } catch (error) {
      return {
        kind: 'later',
        afterMs: 0,
        why: late.signal.aborted ? `it did not answer in ${timeoutMs} ms` : wordsOf(error),
      };
    } finally {
      timer.clear();
    }
  }

  #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = this.#after(ms, resolve);
    const onAbort = (): void => resolve();
    this.#closed.signal.addEventListener('abort', onAbort);
    return promise.finally(() => {
      this.#closed.signal.removeEventListener('abort', onAbort);
      timer.clear();
    });
  }

  #after(ms: number, run: () => void, ref = false): Timer {
    return outsideOfAny(() => this.#options.clock.after(ms, run, { ref }));
  }
}

async function bodyOf(response: Response): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk);
    length += chunk.length;
    // Leaving the loop ends the connection.
    if (length > ANSWER_BYTES_MAX) break;
  }
  return Buffer.concat(chunks);
}

/** The error of `fetch` says only that it failed; its cause says why. */
function wordsOf(error: unknown): string {
  const { cause } = error as { cause?: unknown };
  return cause instanceof Error ? cause.message : (error as Error).message;
}
