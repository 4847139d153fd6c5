/**
 * One claim at its store: does what its life (life.ts) says, and is the lease that its holder sees.
 *
 * Invariants: one timer at most; nothing is awaited without a limit; after the end neither timer nor watch is left. A held lease does not keep the
 * process alive; a claim that waits does, and a release whose answer is awaited.
 *
 * What is due later than in `LOOK_MS` has no timer before somebody looks (`look`), and most claims are over by then.
 */
import { LazyAbort } from '../kernel/abort.ts';
import type { Clock, Timer } from '../kernel/clock.ts';
import { SpillwayError } from '../kernel/errors.ts';
import type { Random } from '../kernel/random.ts';
import { readInstant } from './instant.ts';
import type { LeaseEnd, LeaseWitness } from './lease-metrics.ts';
import type { Lease } from './lease.ts';
import { type Effect, LeaseLife, type Question } from './life.ts';
import type { Claim, LeaseStore, Unwatch } from './store.ts';

/** How often somebody looks at each claim that is not over. */
export const LOOK_MS = 250;
/** A look may be as late as it is long before what was left to it is late too; then whatever held it up holds up timers as well. */
const LOOKS_MS = 2 * LOOK_MS;

export interface ClaimantOptions {
  readonly store: LeaseStore;
  readonly claim: Claim;
  readonly waitMs: number;
  readonly timeoutMs: number;
  readonly random: Random;
  /** How long a question that was granted took. */
  readonly onRoundTrip: (ms: number) => void;
  /** What was granted, others can have, or can by the time that they have asked for it; called at least once then, and never if it was not granted. */
  readonly onFree: () => void;
  readonly onOver: (claimant: Claimant) => void;
  readonly witness: LeaseWitness | null;
}

export class Claimant implements Lease {
  readonly #store: LeaseStore;
  readonly #clock: Clock;
  readonly #claim: Claim;
  readonly #life: LeaseLife;
  readonly #timeoutMs: number;
  readonly #onRoundTrip: (ms: number) => void;
  readonly #onFree: () => void;
  readonly #onOver: (claimant: Claimant) => void;
  readonly #granted = Promise.withResolvers<Lease | null>();
  readonly #end = new LazyAbort();
  readonly #witness: LeaseWitness | null;
  #token = 0n;
  #sinceMs = 0;
  #told: PromiseWithResolvers<boolean> | null = null;
  #isTold = false;
  #unwatch: Unwatch | null = null;
  #asking: LazyAbort | null = null;
  #timer: Timer | null = null;
  #timerMs = Number.POSITIVE_INFINITY;
  #keepsAlive = false;
  /** Until it is over; what is granted after that is given back by its own timer. */
  #isLookedAt = true;

  constructor({ store, claim, waitMs, timeoutMs, random, onRoundTrip, onFree, onOver, witness }: ClaimantOptions) {
    this.#store = store;
    this.#clock = store.clock;
    this.#claim = claim;
    this.#life = new LeaseLife({ claim, waitMs, timeoutMs, random });
    this.#timeoutMs = timeoutMs;
    this.#onRoundTrip = onRoundTrip;
    this.#onFree = onFree;
    this.#onOver = onOver;
    this.#witness = witness;
  }

  /** The lease, or null if the wait was over before it was free. */
  acquire(signal: AbortSignal | undefined): Promise<Lease | null> {
    if (signal !== undefined) return this.#acquireUntil(signal);
    this.#do(this.#life.start(this.#now()));
    return this.#granted.promise;
  }

  async #acquireUntil(signal: AbortSignal): Promise<Lease | null> {
    const onAbort = (): void => this.abandon(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    this.#do(this.#life.start(this.#now()));
    try {
      const lease = await this.#granted.promise;
      // Given back again by then, if it was granted at all.
      signal.throwIfAborted();
      return lease;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Gives up before it is granted; or after, if whoever asked has not heard of it yet. */
  abandon(reason: unknown): void {
    this.#granted.reject(reason);
    void this.release();
  }

  get key(): string {
    return this.#claim.key;
  }

  get token(): bigint {
    return this.#token;
  }

  get signal(): AbortSignal {
    return this.#end.signal;
  }

  remainingMs(): number {
    return this.#life.remainingMs(this.#now());
  }

  assertHeld(): void {
    this.check();
    const { reason } = this.#end;
    if (reason !== null) throw reason;
  }

  /** Looks at the clocks: one of them may have been set, or the process paused. */
  check(): void {
    this.#do(this.#life.time(this.#now()));
  }

  /** Sets a timer for what is due before the next look; called every `LOOK_MS`. */
  look(): void {
    this.#arm();
  }

  release(): Promise<boolean> {
    if (this.#told === null) {
      this.#told = Promise.withResolvers();
      if (!this.#end.aborted) {
        this.#end.abort(() => this.#lost('it was released'));
        this.#witnessEnd('released');
        this.#do(this.#life.leave(this.#now()));
      } else this.#tell(false);
    }
    return this.#told.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  #now(): ReturnType<typeof readInstant> {
    return readInstant(this.#clock);
  }

  #do(effects: readonly Effect[]): void {
    for (const effect of effects) this.#doOne(effect);
    this.#watch();
    this.#arm();
    this.#stayAlive();
    if (this.#life.state !== 'over') return;
    this.#tell(false);
    this.#free();
    this.#isLookedAt = false;
    this.#onOver(this);
  }

  #doOne(effect: Effect): void {
    switch (effect.kind) {
      case 'ask':
        // Beside the step it comes from: an answer that is there at once is a step of its own.
        void this.#ask(effect.question);
        break;
      case 'granted':
        this.#token = effect.token;
        this.#sinceMs = this.#clock.nowMs();
        this.#witness?.granted(this.key, effect.token);
        this.#granted.resolve(this);
        break;
      case 'refused':
        this.#granted.resolve(null);
        break;
      case 'late':
        this.#granted.reject(this.#late(effect.tookMs));
        break;
      case 'failed':
        this.#granted.reject(effect.cause ?? this.#silent());
        break;
      case 'lost':
        this.#end.abort(() => this.#lost(this.#whyLost(effect.why), effect.cause));
        this.#witnessEnd(effect.why);
        this.#free();
        break;
      case 'told':
        this.#tell(effect.done);
        this.#free();
        break;
      default:
        effect satisfies never;
    }
  }

  async #ask(question: Question): Promise<void> {
    // Whatever was asked before is not waited for any more.
    this.#asking?.abort(nobodyWaits);
    const waiting = new LazyAbort();
    this.#asking = waiting;
    try {
      switch (question.verb) {
        case 'try': {
          const answer = await this.#store.try(this.#claim, waiting);
          const now = this.#now();
          if (answer.granted) this.#onRoundTrip(now.nowMs - question.asked.nowMs);
          this.#do(this.#life.tried(question, answer, now));
          break;
        }
        case 'renew': {
          const renewal = await this.#store.renew(this.#claim, waiting);
          this.#do(this.#life.renewed(question, renewal, this.#now()));
          break;
        }
        case 'release': {
          const released = this.#store.release(this.#claim, waiting);
          if (this.#store.limits.ordered) this.#free();
          await released;
          this.#do(this.#life.released(question));
          break;
        }
        default:
          question.verb satisfies never;
      }
    } catch (error) {
      const cause = error instanceof Error ? error : new Error(String(error));
      this.#do(this.#life.failed(question, cause, this.#now()));
    }
  }

  /** Listens while it waits. */
  #watch(): void {
    const { state } = this.#life;
    if (state === 'waiting' && this.#unwatch === null) {
      const { key } = this.#claim;
      this.#unwatch = this.#store.watch(key, this.#claim, () => this.#do(this.#life.wake(this.#now())));
    } else if (state !== 'waiting' && state !== 'asking') {
      this.#unwatch?.();
      this.#unwatch = null;
    }
  }

  /** A timer that rings too early does no harm, so one that is set is left alone unless it would ring too late. */
  #arm(): void {
    const { dueMs, state } = this.#life;
    if (state === 'over') {
      this.#timer?.clear();
      this.#timer = null;
      return;
    }
    if (this.#timer !== null && this.#timerMs <= dueMs) return;
    const delayMs = Math.max(0, dueMs - this.#clock.nowMs());
    if (delayMs > LOOKS_MS && this.#isLookedAt) return;
    this.#timer?.clear();
    this.#timerMs = dueMs;
    const ring = (): void => {
      this.#timer = null;
      this.check();
    };
    this.#timer = this.#clock.after(delayMs, ring);
  }

  /** Keeps the process alive while it is awaited: what it waits for may not, such as a socket that is not counted. */
  #stayAlive(): void {
    const isAwaited = this.#isAwaited;
    if (isAwaited === this.#keepsAlive) return;
    this.#keepsAlive = isAwaited;
    this.#clock.keepAlive?.(isAwaited);
  }

  /** Whether somebody waits for what comes of it. */
  get #isAwaited(): boolean {
    const { state } = this.#life;
    return state === 'asking' || state === 'waiting' || (state === 'leaving' && this.#told !== null && !this.#isTold);
  }

  #tell(done: boolean): void {
    this.#isTold = true;
    this.#told?.resolve(done);
  }

  #free(): void {
    if (this.#token !== 0n) this.#onFree();
  }

  /** Of a claim that was never granted, nothing ends. */
  #witnessEnd(end: LeaseEnd): void {
    if (this.#token !== 0n) this.#witness?.ended(this.key, end, this.#clock.nowMs() - this.#sinceMs, this.#token);
  }

  #lost(why: string, cause?: Error | null): SpillwayError {
    const message = `The lease on “${this.key}” with token ${this.#token} is over: ${why}.`;
    return new SpillwayError('LEASE_LOST', message, { cause: cause ?? undefined });
  }

  #whyLost(why: 'expired' | 'gone'): string {
    if (why === 'gone') return `${this.#store.name} has no such lease any more`;
    return `it could not be renewed within its ttl of ${this.#claim.ttlMs} ms`;
  }

  #late(tookMs: number): SpillwayError {
    return new SpillwayError(
      'LEASE_LATE',
      `The lease on “${this.key}” was granted after ${tookMs.toFixed(1)} ms, and its ttl is ${this.#claim.ttlMs} ms: too little is left of it. ` +
        'It is given back. A ttl should be many round trips long; if it is, this machine or the store was held up.',
      { retryable: true },
    );
  }

  #silent(): SpillwayError {
    const message =
      `${this.#store.name} did not answer within ${this.#timeoutMs} ms whether “${this.key}” is free. ` +
      'Is it up, and reached at the address that its client was given?';
    return new SpillwayError('STORE_UNAVAILABLE', message, { retryable: true });
  }
}

const nobodyWaits = (): Error => new DOMException('Nobody waits for the answer any more.', 'AbortError');
