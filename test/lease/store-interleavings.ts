/**
 * The shell of leases, with promises and timers: two processes' `Leases` over one store in memory, whose answers come in any order, late, not at all
 * or as failures, and whose wakes are lost or doubled. Callers abort, give back (twice too) and close at any point between.
 *
 * Time and the order of everything are drawn from the seed; nothing else decides, as long as promises settle between two steps.
 */
import { setImmediate } from 'node:timers/promises';
import { SpillwayError } from '../../src/kernel/errors.ts';
import { type Random, seededRandom } from '../../src/kernel/random.ts';
import { SimulatedClock } from '../../src/kernel/simulated-clock.ts';
import { memoryLeases } from '../../src/lease/index.ts';
import type { Lease } from '../../src/lease/lease.ts';
import { Leases } from '../../src/lease/leases.ts';
import { type Claim, type LeaseStore, type Unwatch, type Waiting, WHOLE } from '../../src/lease/store.ts';

const TTL_MS = 1000;
const KEYS = ['a', 'b'];
/** What `acquire` may reject with, beside the reason of its signal; the last is that answers took more than half the ttl. */
const failures: ReadonlySet<unknown> = new Set(['STORE_UNAVAILABLE', 'LEASE_LATE', 'LEASES_CLOSED', 'OPTIONS_INVALID']);

interface Caller {
  readonly stop: AbortController;
  lease: Lease | null;
  isSettled: boolean;
  releases: number;
}

export class StoreInterleavings {
  readonly #seed: number;
  readonly #random: Random;
  readonly #clock = new SimulatedClock();
  readonly #memory = memoryLeases({ clock: this.#clock });
  readonly #processes: readonly Leases[];
  readonly #callers: Caller[] = [];
  /** Messages on their way: each goes on when it is drawn. */
  readonly #pending: (() => void)[] = [];
  /** What this seed does not spare us. */
  readonly #isLossy: boolean;
  readonly #isFailing: boolean;
  #watches = 0;
  #unreleased = 0;
  #calm = false;
  /** What must not reject and did. */
  #rejected: string | null = null;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = seededRandom(seed);
    this.#isLossy = this.#chance(0.3);
    this.#isFailing = this.#chance(0.3);
    const store = this.#store();
    const open = (): Leases => new Leases({ store, timeoutMs: 300, random: this.#random });
    this.#processes = [open(), open()];
  }

  /** How many leases were granted. */
  async run(): Promise<number> {
    const steps = 20 + this.#below(80);
    for (let step = 0; step < steps; step++) {
      this.#step();
      // What comes next may come between two steps of a promise.
      if (this.#chance(0.5)) {
        await settle(this.#below(6));
        continue;
      }
      await settle();
      this.#check();
    }
    await this.#rest();
    // Node tells of a rejection that nobody handled when it is done with all promises, and the runner fails the test.
    await setImmediate();
    return this.#callers.filter(({ lease }) => lease !== null).length;
  }

  #step(): void {
    const lot = this.#below(100);
    if (lot < 50 && this.#pending.length > 0) this.#go();
    else if (lot < 70) this.#clock.pass(this.#random.unit() * (this.#chance(0.1) ? TTL_MS : 60));
    else if (lot < 82) this.#acquire();
    else if (lot < 87) this.#callers[this.#below(this.#callers.length)]?.stop.abort(new Error('enough'));
    else if (lot < 98) this.#release();
    else if (lot === 99 && this.#chance(0.3)) this.#close(this.#draw(this.#processes));
  }

  /** One message goes on, or is lost. */
  #go(): void {
    const [go] = this.#pending.splice(this.#below(this.#pending.length), 1);
    if (this.#isLossy && !this.#calm && this.#chance(0.1)) return;
    go!();
  }

  #acquire(): void {
    const stop = new AbortController();
    if (this.#chance(0.05)) stop.abort(new Error('enough before'));
    const caller: Caller = { stop, lease: null, isSettled: false, releases: 0 };
    this.#callers.push(caller);
    const waitMs = this.#draw([0, 200, 3000, Number.POSITIVE_INFINITY]);
    const request = { key: this.#draw(KEYS), holder: 'me', ttlMs: TTL_MS, waitMs, signal: stop.signal };
    void this.#draw(this.#processes)
      .acquire(request)
      .then(
        (lease) => {
          caller.isSettled = true;
          caller.lease = lease;
        },
        (error: unknown) => {
          caller.isSettled = true;
          const isExpected = error instanceof SpillwayError ? failures.has(error.code) : error === stop.signal.reason;
          if (!isExpected) this.#rejected ??= `acquire rejects with ${String(error)}`;
        },
      );
  }

  #release(): void {
    const held = this.#callers.filter(({ lease, releases }) => lease !== null && releases < 2);
    const caller = held[this.#below(held.length)];
    if (caller === undefined) return;
    caller.releases++;
    this.#unreleased++;
    void caller.lease!.release().then(
      () => void this.#unreleased--,
      (error: unknown) => void (this.#rejected ??= `release rejects with ${String(error)}`),
    );
  }

  #close(leases: Leases): void {
    this.#unreleased++;
    void leases[Symbol.asyncDispose]().then(
      () => void this.#unreleased--,
      (error: unknown) => void (this.#rejected ??= `closing rejects with ${String(error)}`),
    );
  }

  #check(): void {
    if (this.#rejected !== null) this.#fail(this.#rejected);
    const holders = new Map<string, number>();
    for (const { lease, stop, isSettled } of this.#callers) {
      if (stop.signal.aborted && !isSettled) this.#fail('who gave up is not told');
      if (lease === null) continue;
      const isHeld = lease.remainingMs() > 0;
      if (isHeld !== holds(lease)) this.#fail(`a lease is ${isHeld ? 'held' : 'over'}, and says it is not`);
      if (isHeld === lease.signal.aborted)
        this.#fail(`a lease is ${isHeld ? 'held' : 'over'}, and its signal says not`);
      if (isHeld) holders.set(lease.key, (holders.get(lease.key) ?? 0) + 1);
    }
    for (const [key, count] of holders) if (count > 1) this.#fail(`${count} hold ${key}`);
  }

  /** Everything ends, and is looked after. */
  async #rest(): Promise<void> {
    this.#calm = true;
    for (const leases of this.#processes) this.#close(leases);
    for (let turn = 0; turn < 200; turn++) {
      await settle();
      while (this.#pending.length > 0) {
        this.#go();
        await settle();
      }
      const isQuiet = this.#clock.timers === 0 && this.#unreleased === 0;
      if (isQuiet) break;
      this.#clock.pass(50);
    }
    this.#check();
    if (this.#callers.some(({ isSettled }) => !isSettled)) this.#fail('somebody waits for ever');
    if (this.#unreleased > 0) this.#fail('a release is never done');
    if (this.#clock.timers > 0) this.#fail(`${this.#clock.timers} timers are left`);
    if (this.#watches > 0) this.#fail(`${this.#watches} watches are left`);
    // What got lost ends by its time.
    if (this.#isLossy || this.#isFailing) this.#clock.pass(TTL_MS);
    for (const key of KEYS) {
      const claim = { key, id: 'last', holder: 'last', share: WHOLE, of: WHOLE, ttlMs: TTL_MS, queue: false };
      const { granted } = await this.#memory.try(claim, { signal: new AbortController().signal });
      if (!granted) this.#fail(`${key} is held, or somebody has a place, and nobody knows of it`);
    }
  }

  #store(): LeaseStore {
    const memory = this.#memory;
    return {
      name: 'interleaved',
      clock: this.#clock,
      limits: memory.limits,
      try: (claim, waiting) => this.#ask(() => memory.try(claim, waiting), waiting),
      renew: (claim, waiting) => this.#ask(() => memory.renew(claim, waiting), waiting),
      release: (claim, waiting) => this.#ask(() => memory.release(claim, waiting), waiting),
      read: (key, waiting) => memory.read(key, waiting),
      watch: (key, claim, wake) => this.#watch(key, claim, wake),
      [Symbol.asyncDispose]: () => memory[Symbol.asyncDispose](),
    };
  }

  async #ask<T>(run: () => Promise<T>, { signal }: Waiting): Promise<T> {
    await this.#way();
    // As a store may that has not sent it yet.
    if (signal.aborted && this.#chance(0.3)) throw this.#down(true);
    if (this.#fails()) throw this.#down(this.#chance(0.8));
    const answer = await run();
    await this.#way();
    if (this.#fails()) throw this.#down(this.#chance(0.8));
    return answer;
  }

  #way(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#pending.push(resolve);
    return promise;
  }

  #fails(): boolean {
    return this.#isFailing && !this.#calm && this.#chance(0.1);
  }

  #down(retryable: boolean): SpillwayError {
    return new SpillwayError('STORE_UNAVAILABLE', 'connection reset', { retryable });
  }

  #watch(key: string, claim: Claim | null, wake: () => void): Unwatch {
    this.#watches++;
    let isOver = false;
    const unwatch = this.#memory.watch(key, claim, () => {
      const times = this.#calm ? 1 : this.#below(3);
      for (let time = 0; time < times; time++) this.#pending.push(wake);
    });
    return () => {
      unwatch();
      if (!isOver) this.#watches--;
      isOver = true;
    };
  }

  #chance(probability: number): boolean {
    return this.#random.unit() < probability;
  }

  #below(count: number): number {
    return Math.floor(this.#random.unit() * count);
  }

  #draw<T>(some: readonly T[]): T {
    return some[this.#below(some.length)]!;
  }

  #fail(what: string): never {
    throw new Error(`seed ${this.#seed}: ${what}`);
  }
}

function holds(lease: Lease): boolean {
  try {
    lease.assertHeld();
    return true;
  } catch {
    return false;
  }
}

/** Whatever is settled has been heard by all. */
async function settle(turns = 20): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await Promise.resolve();
}
