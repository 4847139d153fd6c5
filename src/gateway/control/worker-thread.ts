/**
 * One worker thread from its start to its end: messages in, one answer per config, and one reason when it is gone.
 *
 * Invariants: `onEnd` is called exactly once, after the thread has stopped and can write no more to its lane; every
 * question that waits is answered then, so nobody waits for a dead thread. What a worker throws ends here: an 'error'
 * event without a listener would end the process.
 */
import { Worker, type ResourceLimits } from 'node:worker_threads';
import type { Clock, Timer } from '../../kernel/clock.ts';
import type { SpanRecord } from '../../observe/trace/span-record.ts';
import type { FromWorker, ToWorker, WorkerStart } from './messages.ts';

/** A thread ends within milliseconds, unless it is caught in a call of the system. */
export const END_MS = 5_000;

/** What became of a config that was given to a worker. */
export type ApplyAnswer =
  | { readonly kind: 'applied'; readonly ports: Readonly<Record<string, number>> }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }
  | { readonly kind: 'lost'; readonly reason: string }
  | { readonly kind: 'silent'; readonly waitedMs: number };

export interface WorkerThreadOptions {
  readonly entry: URL;
  readonly start: WorkerStart;
  readonly resourceLimits: ResourceLimits;
  readonly clock: Clock;
  readonly onNotice: (level: 'info' | 'warn' | 'error', message: string) => void;
  readonly onRowFull: () => void;
  readonly onSpans: (spans: readonly SpanRecord[]) => void;
  readonly onEnd: (reason: string) => void;
}

interface Question {
  readonly version: number;
  readonly answer: (answer: ApplyAnswer) => void;
  readonly timer: Timer;
}

export class WorkerThread {
  readonly #worker: Worker;
  readonly #options: WorkerThreadOptions;
  #questions: Question[] = [];
  #drained: (() => void)[] = [];
  #reason: string | null = null;
  #ended = false;

  constructor(options: WorkerThreadOptions) {
    this.#options = options;
    this.#worker = new Worker(options.entry, {
      workerData: options.start,
      // A program given by `node -e` may have this option, and a thread that runs a file does not start with it.
      ...(process.execArgv.some((option) => option.startsWith('--input-type')) ? { execArgv: [] } : {}),
      name: `spillway-${options.start.lane}`,
      resourceLimits: options.resourceLimits,
    });
    this.#worker.on('message', (message: FromWorker) => this.#receive(message));
    this.#worker.on('messageerror', (error) =>
      options.onNotice('error', `a worker's message was unreadable: ${error.message}`),
    );
    this.#worker.on('error', (error) => (this.#reason ??= lossReason(error, options.resourceLimits)));
    this.#worker.once('exit', (code) => this.#end(this.#reason ?? `ended with exit code ${code}`));
  }

  /** The answer to the config the thread was started with. */
  started(timeoutMs: number): Promise<ApplyAnswer> {
    return this.#ask(this.#options.start.snapshot.version, timeoutMs);
  }

  apply(message: Extract<ToWorker, { kind: 'apply' }>, timeoutMs: number): Promise<ApplyAnswer> {
    const answer = this.#ask(message.snapshot.version, timeoutMs);
    this.post(message);
    return answer;
  }

  /** Settles when the worker says that it has drained, or is gone, or `limitMs` is over. */
  drain(timeoutMs: number, limitMs: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#ended) return resolve();
      const timer = this.#options.clock.after(limitMs, resolve, { ref: true });
      this.#drained.push(() => {
        timer.clear();
        resolve();
      });
      this.post({ kind: 'drain', timeoutMs });
    });
  }

  post(message: ToWorker): void {
    if (!this.#ended) this.#worker.postMessage(message);
  }

  /**
   * Ends the thread wherever it is; `reason` is what `onEnd` hears unless it had one of its own. False: it is caught in a call of the
   * system that nothing can break off, and is left to itself, so that nobody waits for it.
   */
  async terminate(reason: string): Promise<boolean> {
    const { clock, onNotice, start } = this.#options;
    this.#reason ??= reason;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = clock.after(END_MS, () => resolve(false), { ref: true });
    this.#worker.terminate().then(
      () => resolve(true),
      () => resolve(false),
    );
    const ended = await promise;
    timer.clear();
    if (ended) return true;
    this.#worker.unref();
    onNotice('error', `worker ${start.lane} did not end within ${END_MS / 1000} s and is left to itself`);
    return false;
  }

  #ask(version: number, timeoutMs: number): Promise<ApplyAnswer> {
    return new Promise((resolve) => {
      if (this.#ended) return resolve({ kind: 'lost', reason: this.#reason ?? 'ended' });
      const timer = this.#options.clock.after(
        timeoutMs,
        () => this.#settle(version, { kind: 'silent', waitedMs: timeoutMs }),
        {
          ref: true,
        },
      );
      this.#questions.push({ version, answer: resolve, timer });
    });
  }

  #receive(message: FromWorker): void {
    switch (message.kind) {
      case 'applied':
        return this.#settle(message.version, { kind: 'applied', ports: message.ports });
      case 'refused':
        return this.#settle(message.version, { kind: 'refused', code: message.code, message: message.message });
      case 'drained':
        return this.#settleDrained();
      case 'row-full':
        return this.#options.onRowFull();
      case 'spans':
        this.post({ kind: 'spans-taken' });
        return this.#options.onSpans(message.spans);
      case 'notice':
        return this.#options.onNotice(message.level, message.message);
      default:
        message satisfies never;
    }
  }

  #settle(version: number | null, answer: ApplyAnswer): void {
    const settled = this.#questions.filter((question) => version === null || question.version === version);
    this.#questions = this.#questions.filter((question) => !settled.includes(question));
    for (const question of settled) {
      question.timer.clear();
      question.answer(answer);
    }
  }

  #settleDrained(): void {
    const waiting = this.#drained;
    this.#drained = [];
    for (const resolve of waiting) resolve();
  }

  #end(reason: string): void {
    this.#ended = true;
    this.#reason = reason;
    this.#settle(null, { kind: 'lost', reason });
    this.#settleDrained();
    this.#options.onEnd(reason);
  }
}

function lossReason(thrown: unknown, limits: ResourceLimits): string {
  if (!(thrown instanceof Error)) return `threw ${String(thrown).slice(0, 200)}`;
  const code = 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : null;
  if (code === 'ERR_WORKER_OUT_OF_MEMORY') return `out of memory (heap limit ${limits.maxOldGenerationSizeMb ?? 0} MB)`;
  const place = /\n\s+at (.+)/.exec(thrown.stack ?? '')?.[1];
  return `${thrown.name}: ${thrown.message}`.slice(0, 400) + (place === undefined ? '' : ` (at ${place})`);
}
