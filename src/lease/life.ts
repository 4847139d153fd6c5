/**
 * The life of one claim, from the first question to the last: a pure machine. Answers and time go in, questions and outcomes come
 * out; the shell (claimant.ts) owns timers and the store, the simulation puts in whatever can happen.
 *
 *     asking ── granted ──→ held ── released or lost ──→ leaving ──→ over
 *      ↓  ↑                                                ↑
 *     waiting ──────── gives up, out of time ──────────────┘
 *
 * Invariants:
 * - It is `held` only while no server can have given the lease away: until ttl - drift after the last question that was granted was
 *   *sent*, on both clocks (instant.ts). What has expired stays so, whatever is answered later.
 * - At most one question is open; one that is not answered in time counts as failed, and what it answers later is still heeded.
 * - What may have been granted is given back, unless its time is over by then: also what was granted after nobody wanted it any more, and
 *   what was asked for and never answered. What expired is given back only when the server's time for it is over too: until then it
 *   protects the holder, who may need a moment to stop.
 * - A renewal is asked for after a third of what is left of the lease: of its ttl, if no session counts from before; so two may fail. After leaving,
 *   none is.
 */
import { type Backoff, backoffMs } from '../kernel/backoff.ts';
import { SpillwayError } from '../kernel/errors.ts';
import type { Random } from '../kernel/random.ts';
import { driftMs, type Instant, remainingMs } from './instant.ts';
import { type Answer, type Claim, type Renewal, RENEWALS_PER_TTL } from './store.ts';

/** A question for the store. Its answer comes back with it. */
export interface Question {
  readonly verb: 'try' | 'renew' | 'release';
  readonly asked: Instant;
}

/** What the shell does, in this order. */
export type Effect =
  | { readonly kind: 'ask'; readonly question: Question }
  /** It holds, and can be lost from now on. */
  | { readonly kind: 'granted'; readonly token: bigint }
  /** The wait is over without it. */
  | { readonly kind: 'refused' }
  /** It was granted so late that little was left of it, and is given back. */
  | { readonly kind: 'late'; readonly tookMs: number }
  /** The store failed, and waiting does not help or is over; null if it was silent. */
  | { readonly kind: 'failed'; readonly cause: Error | null }
  /** Not renewed in time, or the store knows of no such lease; with the last failure, if there was one. */
  | { readonly kind: 'lost'; readonly why: 'expired' | 'gone'; readonly cause: Error | null }
  /** It was released; or the store could not be told yet, and is told again. */
  | { readonly kind: 'told'; readonly done: boolean };

export interface LifeOptions {
  readonly claim: Claim;
  /** How long it may wait; 0: it is tried once. */
  readonly waitMs: number;
  /** How long a question may be open. */
  readonly timeoutMs: number;
  readonly random: Random;
}

export type LifeState = 'asking' | 'waiting' | 'held' | 'leaving' | 'over';

/** After a failure the store is asked again soon, then ever less often, up to what a server that comes back should wait for. */
const BACKOFF: Backoff = { shortestMs: 5, baseMs: 10, longestMs: 500 };
/** If more than this part of a lease went by in asking for it, its ttl is too short for its store. */
const LATE_RATIO = 0.5;

export class LeaseLife {
  readonly #claim: Claim;
  readonly #waitMs: number;
  readonly #timeoutMs: number;
  readonly #random: Random;
  #state: LifeState = 'asking';
  #open: Question | null = null;
  /** When `time` has something to do if no question is open. */
  #nextMs = Number.POSITIVE_INFINITY;
  #waitUntilMs = 0;
  /** From when the server may count the time of what it granted; before that, when it was last asked. */
  #since: Instant = { nowMs: 0, wallMs: 0 };
  /** How long after a question that was granted the next renewal is asked for, and how long that may be open: then two may fail. */
  #renewalMs = Number.POSITIVE_INFINITY;
  /** Woken while a question was open, whose answer may be from before. */
  #woken = false;
  #failures = 0;
  #cause: Error | null = null;
  #effects: Effect[] = [];

  constructor({ claim, waitMs, timeoutMs, random }: LifeOptions) {
    this.#claim = claim;
    this.#waitMs = waitMs;
    this.#timeoutMs = timeoutMs;
    this.#random = random;
  }

  get state(): LifeState {
    return this.#state;
  }

  /** When `time` wants to be called, on the monotonic clock; infinity if never. */
  get dueMs(): number {
    const nextMs = this.#open === null ? this.#nextMs : this.#open.asked.nowMs + this.#timeoutOf(this.#open);
    return this.#state === 'held' ? Math.min(nextMs, this.#since.nowMs + this.#ttlMs - driftMs(this.#ttlMs)) : nextMs;
  }

  /** What is left of the lease; 0 if it is not held. */
  remainingMs(now: Instant): number {
    return this.#state === 'held' ? Math.max(0, remainingMs(this.#since, this.#ttlMs, now)) : 0;
  }

  start(now: Instant): Effect[] {
    this.#waitUntilMs = now.nowMs + this.#waitMs;
    this.#try(now);
    return this.#flush();
  }

  /** Time has passed, or a clock was set. */
  time(now: Instant): Effect[] {
    if (this.#expired(now)) this.#expire();
    else if (this.#open !== null) {
      if (now.nowMs >= this.#open.asked.nowMs + this.#timeoutOf(this.#open)) this.#fail(this.#open, null, now);
    } else if (now.nowMs >= this.#nextMs) this.#next(now);
    return this.#flush();
  }

  /** The key may be free. */
  wake(now: Instant): Effect[] {
    if (this.#state === 'waiting') this.#try(now);
    else if (this.#state === 'asking') this.#woken = true;
    return this.#flush();
  }

  tried(question: Question, answer: Answer, now: Instant): Effect[] {
    const awaited = this.#close(question);
    switch (this.#state) {
      case 'asking':
      case 'waiting':
        if (answer.granted) this.#grant(question, answer.token, answer.since ?? question.asked, now);
        else if (awaited) this.#wait(answer.againMs, now);
        break;
      case 'leaving':
      case 'over':
        // Nobody wants it any more.
        if (answer.granted) this.#since = answer.since ?? question.asked;
        if (answer.granted || this.#claim.queue) this.#release(now);
        else if (awaited) this.#state = 'over';
        break;
      case 'held':
        break;
      default:
        this.#state satisfies never;
    }
    return this.#flush();
  }

  renewed(question: Question, renewal: Renewal, now: Instant): Effect[] {
    this.#close(question);
    if (this.#state === 'held') {
      if (this.#expired(now)) this.#expire();
      else if (!renewal.held) this.#lose('gone');
      else {
        this.#failures = 0;
        this.#cause = null;
        this.#hold(question, renewal.since);
        if (this.#expired(now)) this.#expire();
      }
    }
    return this.#flush();
  }

  released(question: Question): Effect[] {
    // One that was given up may have been done before a grant that came late; what is asked again after it has not.
    if (this.#close(question) && this.#state === 'leaving') {
      this.#state = 'over';
      this.#effects.push({ kind: 'told', done: true });
    }
    return this.#flush();
  }

  failed(question: Question, cause: Error, now: Instant): Effect[] {
    if (question === this.#open) this.#fail(question, cause, now);
    return this.#flush();
  }

  /** Whoever claimed wants it no more, or not any longer. */
  leave(now: Instant): Effect[] {
    switch (this.#state) {
      case 'asking':
        // First the answer: a release beside it might be done before what it is to undo.
        this.#state = 'leaving';
        break;
      case 'waiting':
        this.#giveUpPlace(now);
        break;
      case 'held':
        // A renewal that is under way brings nothing back.
        this.#release(now);
        break;
      case 'leaving':
      case 'over':
        break;
      default:
        this.#state satisfies never;
    }
    return this.#flush();
  }

  get #ttlMs(): number {
    return this.#claim.ttlMs;
  }

  #timeoutOf({ verb }: Question): number {
    if (verb !== 'renew') return this.#timeoutMs;
    return Math.min(this.#timeoutMs, this.#renewalMs, this.#ttlMs / RENEWALS_PER_TTL);
  }

  #flush(): Effect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  #ask(verb: Question['verb'], asked: Instant): void {
    this.#open = { verb, asked };
    this.#effects.push({ kind: 'ask', question: this.#open });
  }

  /** Whether it was the one that is waited for. */
  #close(question: Question): boolean {
    if (question !== this.#open) return false;
    this.#open = null;
    return true;
  }

  #try(now: Instant): void {
    this.#state = 'asking';
    this.#woken = false;
    this.#since = now;
    this.#ask('try', now);
  }

  #grant(question: Question, token: bigint, since: Instant, now: Instant): void {
    const tookMs = now.nowMs - question.asked.nowMs;
    if (tookMs > this.#ttlMs * LATE_RATIO || remainingMs(since, this.#ttlMs, now) <= 0) {
      this.#since = since;
      this.#effects.push({ kind: 'late', tookMs });
      this.#release(now);
      return;
    }
    this.#state = 'held';
    // Another question of the same claim may be open; it can only begin the time anew, and then nothing is lost by not counting that.
    this.#open = null;
    this.#failures = 0;
    this.#since = since;
    this.#nextMs = now.nowMs;
    this.#hold(question, since);
    this.#effects.push({ kind: 'granted', token });
  }

  #hold({ asked }: Question, since = asked): void {
    if (since.nowMs > this.#since.nowMs) this.#since = since;
    this.#renewalMs = (this.#since.nowMs + this.#ttlMs - asked.nowMs) / RENEWALS_PER_TTL;
    // An answer that came late does not cut short the pause after a failure.
    this.#nextMs = Math.max(this.#nextMs, asked.nowMs + this.#renewalMs);
  }

  #wait(againMs: number, now: Instant): void {
    this.#failures = 0;
    if (now.nowMs >= this.#waitUntilMs) this.#refuse(now);
    else if (this.#woken) this.#try(now);
    else {
      this.#state = 'waiting';
      this.#nextMs = Math.min(now.nowMs + againMs, this.#waitUntilMs);
    }
  }

  #refuse(now: Instant): void {
    this.#effects.push({ kind: 'refused' });
    this.#giveUpPlace(now);
  }

  #giveUpPlace(now: Instant): void {
    if (this.#claim.queue) this.#release(now);
    else this.#state = 'over';
  }

  #release(now: Instant): void {
    this.#state = 'leaving';
    this.#failures = 0;
    this.#ask('release', now);
  }

  /** No question is open, and what was waited for is due. */
  #next(now: Instant): void {
    switch (this.#state) {
      case 'waiting':
        if (now.nowMs < this.#waitUntilMs) this.#try(now);
        else this.#refuse(now);
        break;
      case 'held':
        this.#ask('renew', now);
        break;
      case 'leaving':
        this.#ask('release', now);
        break;
      case 'asking':
      case 'over':
        this.#nextMs = Number.POSITIVE_INFINITY;
        break;
      default:
        this.#state satisfies never;
    }
  }

  #fail(question: Question, cause: Error | null, now: Instant): void {
    this.#open = null;
    this.#failures += 1;
    this.#cause = cause;
    const againMs = now.nowMs + backoffMs(BACKOFF, this.#failures, this.#random);
    switch (this.#state) {
      case 'asking':
        if (againMs < this.#waitUntilMs && isRetryable(cause)) {
          this.#state = 'waiting';
          this.#nextMs = againMs;
        } else {
          this.#effects.push({ kind: 'failed', cause });
          this.#release(now);
        }
        break;
      case 'held':
        this.#nextMs = againMs;
        break;
      case 'leaving':
        if (question.verb === 'try') this.#release(now);
        else {
          this.#effects.push({ kind: 'told', done: false });
          // By then the server has let go of it by itself.
          if (againMs > this.#since.nowMs + this.#ttlMs) this.#state = 'over';
          else this.#nextMs = againMs;
        }
        break;
      case 'waiting':
      case 'over':
        break;
      default:
        this.#state satisfies never;
    }
  }

  #expired(now: Instant): boolean {
    return this.#state === 'held' && remainingMs(this.#since, this.#ttlMs, now) <= 0;
  }

  #expire(): void {
    this.#lose('expired');
    this.#state = 'leaving';
    this.#nextMs = this.#since.nowMs + this.#ttlMs;
  }

  #lose(why: 'expired' | 'gone'): void {
    this.#open = null;
    this.#effects.push({ kind: 'lost', why, cause: this.#cause });
    this.#state = 'over';
  }
}

function isRetryable(cause: Error | null): boolean {
  return cause === null || (cause instanceof SpillwayError && cause.retryable);
}
