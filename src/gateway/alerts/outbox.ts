/**
 * Messages to one receiver, in their order, one at a time, until they are taken. Never waits and never throws; bounded: of a receiver that
 * is gone for long the newest messages are kept, and what was dropped is counted and told.
 */
import { type Backoff, backoffMs } from '../../kernel/backoff.ts';
import type { Clock, Timer } from '../../kernel/clock.ts';
import type { Random } from '../../kernel/random.ts';
import { type Delivery, postJson } from './post-json.ts';

/** What a bad day has; each is a few kB. */
const MESSAGES_MAX = 100;
/** A message that is older says nothing of now. */
const AGE_MS_MAX = 6 * 3_600_000;
const AFTER_MS_MAX = 300_000;
const backoff: Backoff = { shortestMs: 500, baseMs: 1000, longestMs: 60_000 };

export interface OutboxOptions {
  readonly name: string;
  readonly url: string;
  readonly clock: Clock;
  readonly random: Random;
  /** A sentence for people: what is wrong, or that it is well again. */
  readonly onNotice: (level: 'info' | 'warn' | 'error', message: string) => void;
}

interface Message {
  readonly body: string;
  readonly atMs: number;
}

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #ended = new AbortController();
  #messages: readonly Message[] = [];
  #sending = false;
  #timer: Timer | null = null;
  #failures = 0;
  #dropped = 0;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** `whole`: it says all that the ones before it said. */
  add(body: object, { whole = false }: { readonly whole?: boolean } = {}): void {
    if (this.#ended.signal.aborted) return;
    const { clock } = this.#options;
    const before = whole ? this.#messages.slice(0, this.#sending ? 1 : 0) : this.#messages;
    const all = [...before, { body: JSON.stringify(body), atMs: clock.nowMs() }];
    this.#dropped += Math.max(0, all.length - MESSAGES_MAX);
    this.#messages = all.slice(-MESSAGES_MAX);
    if (!this.#sending && this.#timer === null) void this.#send();
  }

  /** Messages that were not taken yet. */
  get length(): number {
    return this.#messages.length;
  }

  /** What was not taken is not sent any more. */
  close(): void {
    this.#ended.abort();
    this.#timer?.clear();
    this.#timer = null;
    this.#messages = [];
  }

  async #send(): Promise<void> {
    const { clock, url } = this.#options;
    this.#timer = null;
    this.#sending = true;
    for (let message = this.#messages[0]; message !== undefined; message = this.#messages[0]) {
      const isOld = clock.nowMs() - message.atMs > AGE_MS_MAX;
      const delivery: Delivery = isOld
        ? { kind: 'refused', reason: 'it could not be sent for six hours' }
        : await postJson(url, message.body, this.#ended.signal);
      if (this.#ended.signal.aborted) return;
      if (delivery.kind === 'later') {
        this.#wait(delivery.reason, delivery.afterMs);
        break;
      }
      // It may have been pushed out by newer ones meanwhile.
      this.#messages = this.#messages.filter((each) => each !== message);
      this.#settled(delivery);
    }
    this.#sending = false;
  }

  #wait(reason: string, afterMs: number | null): void {
    const { clock, random, name, onNotice } = this.#options;
    this.#failures += 1;
    if (this.#failures === 1) onNotice('warn', `Alerts cannot be sent to ${name}: ${reason}. It is tried again.`);
    const delayMs = Math.min(afterMs ?? 0, AFTER_MS_MAX) || backoffMs(backoff, this.#failures, random);
    this.#timer = clock.after(delayMs, () => void this.#send());
  }

  #settled(delivery: Exclude<Delivery, { kind: 'later' }>): void {
    const { name, onNotice } = this.#options;
    if (delivery.kind === 'refused') onNotice('error', `An alert was not taken by ${name}: ${delivery.reason}.`);
    else if (this.#failures > 0) onNotice('info', `Alerts are sent to ${name} again.`);
    this.#failures = 0;
    if (this.#dropped > 0)
      onNotice('warn', `${this.#dropped} alerts to ${name} were dropped, because too many waited.`);
    this.#dropped = 0;
  }
}
