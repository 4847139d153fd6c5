/**
 * All claims of one process at one store: those who wait for the same key stand in one line here, and only the first of them asks the store.
 * So a thousand that wait are one question, whatever the store.
 *
 * - In a line, who came first is served first, and has its turn when the one before it has given back what it held alone, or gives it back, if the
 *   store does in order what it is asked; or, of readers and permits, has been granted. Lines of several processes are served in the order of the store, if it has a queue: processes take turns.
 * - A clock that is set, or a machine that was suspended, is noticed within a quarter of a second, while anything is held.
 *
 * Disposed, it gives back what it holds, and whoever waits is told.
 */
import { randomBytes } from 'node:crypto';
import type { Timer } from '../kernel/clock.ts';
import { isCoded, SpillwayError } from '../kernel/errors.ts';
import { checkInteger, checkParts, invalid, shown } from '../kernel/options.ts';
import { createRandom, type Random } from '../kernel/random.ts';
import { Claimant, LOOK_MS } from './claimant.ts';
import { type AskOutcome, type LeaseWitness, unfailing } from './lease-metrics.ts';
import type { Lease } from './lease.ts';
import { Line } from './line.ts';
import { type LeaseStore, WHOLE } from './store.ts';

export interface LeasesOptions {
  readonly store: LeaseStore;
  /** How long one question to the store may take, in milliseconds; a renewal at most a third of the ttl. */
  readonly timeoutMs: number;
  readonly random?: Random;
  /** @defaultValue nobody */
  readonly witness?: LeaseWitness | null;
}

export interface LeaseRequest {
  readonly key: string;
  readonly holder: string;
  /** @defaultValue all of it */
  readonly share?: number;
  /** @defaultValue `WHOLE` */
  readonly of?: number;
  readonly ttlMs: number;
  /** 0: no wait. Infinity: until the signal. */
  readonly waitMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** So often in a row one that waits is granted its lease too late: then it is no hiccup of a machine, and its ttl is too short. */
const LATE_MAX = 3;
/** More than timers and the two clocks' readings differ by on a busy machine. */
const STEP_MS = 50;
/** The share by which the shortest round trip is let grow at each measurement, so that it follows a network that has become slower. */
const ROUND_TRIP_GROWTH = 1.05;

/** A draw of random bytes costs as much as all of these. */
const IDS_AT_ONCE = 64;
const ID_DIGITS = 32;

/** Ids of claims, drawn some at a time. */
class ClaimIds {
  #digits = '';
  #at = 0;

  next(): string {
    if (this.#at === this.#digits.length) {
      this.#digits = randomBytes((IDS_AT_ONCE * ID_DIGITS) / 2).toString('hex');
      this.#at = 0;
    }
    const id = this.#digits.slice(this.#at, this.#at + ID_DIGITS);
    this.#at += ID_DIGITS;
    return id;
  }
}

export class Leases implements AsyncDisposable {
  readonly store: LeaseStore;
  readonly #timeoutMs: number;
  readonly #random: Random;
  readonly #witness: LeaseWitness | null;
  readonly #claimants = new Set<Claimant>();
  readonly #line = new Line();
  readonly #ids = new ClaimIds();
  // Of all claims.
  readonly #onRoundTrip = (ms: number): void => this.#measure(ms);
  readonly #onOver = (claimant: Claimant): void => void this.#claimants.delete(claimant);
  #closed: SpillwayError | null = null;
  #look: Timer | null = null;
  #aheadMs = 0;
  #roundTripMs = 0;

  constructor({ store, timeoutMs, random = createRandom(), witness = null }: LeasesOptions) {
    checkParts('The store', store, 'one of leases, such as memoryLeases()', [
      'try',
      'renew',
      'release',
      'limits',
      'clock',
    ]);
    this.store = store;
    this.#timeoutMs = timeoutMs;
    this.#random = random;
    this.#witness = witness === null ? null : unfailing(witness);
  }

  /**
   * The lease, or null if the wait was over before it was free. One that is granted too late is claimed anew while there is time, twice at most.
   * Rejects with the store's error, `LEASE_LATE`, or the signal's reason.
   */
  acquire(request: LeaseRequest): Promise<Lease | null> {
    return this.#witness === null ? this.#acquire(request) : this.#acquireBefore(this.#witness, request);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= new SpillwayError('LEASES_CLOSED', `The leases in ${this.store.name} are closed.`);
    for (const claimant of this.#claimants) claimant.abandon(this.#closed);
    await Promise.all([...this.#claimants].map((claimant) => claimant.release()));
    this.#endLooking();
  }

  async #acquireBefore(witness: LeaseWitness, request: LeaseRequest): Promise<Lease | null> {
    // Here too: what means nothing is nothing to count.
    this.#check(request);
    const { key, signal } = request;
    const { clock } = this.store;
    const askedMs = clock.nowMs();
    let outcome: AskOutcome = 'failed';
    witness.asked(key);
    try {
      const lease = await this.#acquire(request);
      outcome = lease === null ? 'taken' : 'granted';
      return lease;
    } catch (error) {
      // As the caller is told: it may give up while it is being told something else.
      if ((signal?.aborted === true && error === signal.reason) || isCoded(error, 'LEASES_CLOSED'))
        outcome = 'given_up';
      else if (isCoded(error, 'LEASE_LATE')) outcome = 'late';
      throw error;
    } finally {
      witness.answered(key, outcome, clock.nowMs() - askedMs);
    }
  }

  async #acquire(request: LeaseRequest): Promise<Lease | null> {
    this.#check(request);
    const { key, waitMs, signal } = request;
    if (waitMs === 0) return await this.#claim(request, 0);
    const { clock } = this.store;
    const untilMs = clock.nowMs() + waitMs;
    const begun = this.#line.turn(key, { clock, waitMs, signal });
    // An await of what is there already would be a turn of the queue for nothing.
    const turn = begun instanceof Promise ? await begun : begun;
    if (turn === null) return null;
    const pass = (): void => turn[Symbol.dispose]();
    const { of = WHOLE, share = of } = request;
    let lease: Lease | null = null;
    try {
      for (let asked = 1; ; asked++) {
        try {
          lease = await this.#claim(request, Math.max(0, untilMs - clock.nowMs()), pass);
          return lease;
        } catch (error) {
          // It has been given back, and its turn is not over.
          if (!isCoded(error, 'LEASE_LATE') || asked === LATE_MAX || clock.nowMs() >= untilMs) throw error;
        }
      }
    } finally {
      // Who holds all of it passes the turn on when that is over: until then the next could only be told that the key is busy.
      if (lease === null || share < of) pass();
    }
  }

  #claim(
    { key, holder, of = WHOLE, share = of, ttlMs, waitMs: whole, signal }: LeaseRequest,
    waitMs: number,
    onFree = (): void => {},
  ): Promise<Lease | null> {
    if (this.#closed !== null) throw this.#closed;
    signal?.throwIfAborted();
    const id = this.#ids.next();
    const queue = whole > 0 && this.store.limits.queue;
    const claimant = new Claimant({
      store: this.store,
      claim: { key, id, holder, share, of, ttlMs, queue },
      waitMs,
      timeoutMs: this.#timeoutMs,
      random: this.#random,
      onRoundTrip: this.#onRoundTrip,
      onFree,
      onOver: this.#onOver,
      witness: this.#witness,
    });
    this.#claimants.add(claimant);
    this.#look ??= this.#startLooking();
    return claimant.acquire(signal);
  }

  #check({ key, holder, share, of = WHOLE, ttlMs }: LeaseRequest): void {
    const { name, limits } = this.store;
    const bytes = typeof key === 'string' ? Buffer.byteLength(key) : 0;
    if (bytes === 0 || bytes > limits.keyBytesMax || !key.isWellFormed()) {
      throw invalid(
        `The name ${shown(key)} has ${bytes} bytes; ${name} takes 1 to ${limits.keyBytesMax}, of well-formed Unicode.`,
      );
    }
    if (typeof holder !== 'string' || Buffer.byteLength(holder) > HOLDER_BYTES_MAX) {
      throw invalid(`holder is ${shown(holder)}; expected a string of at most ${HOLDER_BYTES_MAX} bytes.`);
    }
    if ((share ?? of) !== WHOLE || of !== WHOLE) {
      if (!limits.shares) throw invalid(`${name} has no leases that several can hold: neither readers nor permits.`);
      checkInteger('of', of, 1, WHOLE);
      checkInteger('share', share ?? of, 1, of);
    }
    if (!(ttlMs >= limits.ttlMsMin && ttlMs <= limits.ttlMsMax)) {
      const advice = ttlMs < limits.ttlMsMin && limits.ttlMsMinAdvice ? ` ${limits.ttlMsMinAdvice}` : '';
      throw invalid(`ttl is ${ttlMs} ms; ${name} takes ${limits.ttlMsMin} ms to ${limits.ttlMsMax} ms.${advice}`);
    }
    const roundTripMs = this.#roundTripMs;
    if (ttlMs < 2 * roundTripMs) {
      // The next one asks and measures anew: the store may have been slow for a while only.
      this.#roundTripMs = 0;
      throw new SpillwayError(
        'OPTIONS_INVALID',
        `ttl is ${ttlMs} ms, and a round trip to ${name} takes ${roundTripMs.toFixed(1)} ms: the lease would be over before it could be renewed. ` +
          `Expected at least ${Math.ceil(2 * roundTripMs)} ms; ten times as much leaves room for trouble.`,
        { retryable: true },
      );
    }
  }

  #measure(ms: number): void {
    this.#roundTripMs = this.#roundTripMs === 0 ? ms : Math.min(ms, this.#roundTripMs * ROUND_TRIP_GROWTH);
  }

  #startLooking(): Timer {
    const { clock } = this.store;
    this.#aheadMs = clock.wallMs() - clock.nowMs();
    return clock.every(LOOK_MS, () => {
      const aheadMs = clock.wallMs() - clock.nowMs();
      const isStep = Math.abs(aheadMs - this.#aheadMs) > STEP_MS;
      this.#aheadMs = aheadMs;
      for (const claimant of this.#claimants) {
        if (isStep) claimant.check();
        else claimant.look();
      }
      this.#witness?.look?.();
      // Not as soon as the last is over: whoever is alone would begin and end it with each lease.
      this.#endLooking();
    });
  }

  #endLooking(): void {
    if (this.#claimants.size > 0) return;
    this.#look?.clear();
    this.#look = null;
  }
}

/** Room for a host, a process and an address. */
const HOLDER_BYTES_MAX = 256;
