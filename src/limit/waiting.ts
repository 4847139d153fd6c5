/**
 * Waiting for a turn: those who wait for a key are served in the order of their priority and, within it, of their coming; nobody who
 * wants little overtakes one who wants much. A limiter's `take` does not wait and so does not queue.
 *
 * The first in a queue takes as soon as the limiter says it can, within 2 ms; who would wait beyond their time is refused at once
 * rather than then. With a remote store the order holds within this process.
 *
 * Invariants: at most `WAITERS_MAX` wait; one who leaves (granted, out of time, given up) leaves nothing behind; one timer for all, and
 * only while somebody waits, who then keeps the process alive. The timer remembers nothing of the caller who happened to be the first (`AsyncLocalStorage`).
 * Cost: O(log n) by bisection in a queue of n, and O(n) to move those behind; a key has a queue only while somebody waits for it.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Clock } from '../kernel/clock.ts';
import { TicklessWheel } from '../kernel/tickless-wheel.ts';
import { Deadline, type Timed } from '../kernel/timer-wheel.ts';
import type { Duration } from '../kernel/units.ts';
import type { Decision } from './decision.ts';
import { checkAmount, checkKeys, durationUs, invalid } from './options.ts';

/** Each is a caller with a promise; ten thousand of them are already a queue that nobody should stand in. */
const WAITERS_MAX = 10_000;
/** A wait is met within two ticks. */
const TICK_MS = 1;
/** Leases are released at any time, perhaps elsewhere: so often somebody looks. */
const LEASE_LOOK_MS = 100;

/** The longest a caller waits who does not say: most who asked have gone by then. */
const WAIT_DEFAULT = '30s';

export interface WaitOptions {
  /** What it costs, as for `take`. @defaultValue 1 */
  readonly cost?: number;
  /** Those with a higher number are served first; among equals, who came first. Any finite number. @defaultValue 0 */
  readonly priority?: number;
  /** How long at most: `'500ms'`, or milliseconds; 0 does not wait. @defaultValue '30s' */
  readonly maxWait?: Duration | number;
  /** Gives up waiting: the call rejects with its reason, and takes nothing. */
  readonly signal?: AbortSignal;
}

/** Runs something as if no caller had come: with the context of when this module was loaded. */
const outside = AsyncLocalStorage.snapshot();

type MaybePromise<T> = T | Promise<T>;

export interface WaitingOptions {
  readonly clock: Clock;
  readonly take: (key: string, cost: number) => MaybePromise<Decision>;
  readonly peek: (key: string, cost: number) => MaybePromise<Decision>;
  /** Gives back what was granted to somebody who had left meanwhile. */
  readonly giveBack: (key: string, cost: number, decision: Decision) => MaybePromise<unknown>;
  /** Whether what is taken may be given back at any time, so that `retryAfterMs` is only the longest it takes. */
  readonly leases: () => boolean;
}

interface Wait {
  readonly cost: number;
  readonly priority: number;
  readonly maxWaitMs: number;
  readonly signal: AbortSignal | undefined;
}

export function readWait(options: WaitOptions): Wait {
  checkKeys('wait', options, ['cost', 'priority', 'maxWait', 'signal']);
  const { cost = 1, priority = 0, maxWait = WAIT_DEFAULT, signal } = options;
  checkAmount('cost', cost);
  if (!Number.isFinite(priority)) throw invalid(`wait: priority is ${priority}; expected a finite number.`);
  return { cost, priority, maxWaitMs: maxWait === 0 ? 0 : durationUs('wait: maxWait', maxWait) / 1000, signal };
}

class Waiter implements Timed {
  readonly deadline = new Deadline(this);
  readonly cost: number;
  readonly priority: number;
  readonly untilMs: number;
  readonly settled = Promise.withResolvers<Decision>();
  readonly #queue: Queue;

  constructor(queue: Queue, { cost, priority, maxWaitMs }: Wait, nowMs: number) {
    this.#queue = queue;
    this.cost = cost;
    this.priority = priority;
    this.untilMs = nowMs + maxWaitMs;
  }

  onDeadline(): void {
    this.#queue.refuse(this);
  }
}

/** Those who wait for one key. */
class Queue implements Timed {
  readonly deadline = new Deadline(this);
  readonly key: string;
  readonly waiters: Waiter[] = [];
  readonly #waiting: Waiting;
  #asking = false;
  /** Something was given back while the store was asked, which may not have known of it. */
  #again = false;

  constructor(waiting: Waiting, key: string) {
    this.#waiting = waiting;
    this.key = key;
  }

  onDeadline(): void {
    void this.serve();
  }

  add(waiter: Waiter): void {
    let [low, high] = [0, this.waiters.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.waiters[middle]!.priority >= waiter.priority) low = middle + 1;
      else high = middle;
    }
    this.waiters.splice(low, 0, waiter);
  }

  /** Takes for the first, and on, until one has to wait. */
  async serve(): Promise<void> {
    this.#again = this.#asking;
    if (this.#asking) return;
    this.#asking = true;
    const { take, giveBack, leases, clock } = this.#waiting.options;
    try {
      for (let first = this.waiters[0]; first !== undefined; first = this.waiters[0]) {
        this.#again = false;
        const taken = take(this.key, first.cost);
        const decision = taken instanceof Promise ? await taken : taken;
        if (!this.waiters.includes(first)) {
          if (decision.granted > 0) await giveBack(this.key, first.cost, decision);
          continue;
        }
        if (decision.allowed) {
          this.#leave(first, decision);
          continue;
        }
        if (this.#again) continue;
        const nowMs = clock.nowMs();
        const retryMs = leases() ? Math.min(decision.retryAfterMs, LEASE_LOOK_MS) : decision.retryAfterMs;
        const hopeless =
          decision.retryAfterMs === Number.POSITIVE_INFINITY || (!leases() && nowMs + retryMs > first.untilMs);
        if (hopeless) {
          this.#leave(first, decision);
          continue;
        }
        this.#waiting.arm(this.deadline, nowMs + retryMs);
        return;
      }
    } catch (error) {
      for (const waiter of [...this.waiters]) {
        this.#waiting.leave(this, waiter);
        waiter.settled.reject(error);
      }
    } finally {
      this.#asking = false;
    }
  }

  /** Out of time. */
  refuse(waiter: Waiter): void {
    this.#waiting.leave(this, waiter);
    waiter.settled.resolve(this.#waiting.refusal(this.key, waiter.cost));
  }

  #leave(waiter: Waiter, decision: Decision): void {
    this.#waiting.leave(this, waiter);
    waiter.settled.resolve(decision);
  }
}

export class Waiting {
  readonly options: WaitingOptions;
  readonly #wheel: TicklessWheel;
  readonly #queues = new Map<string, Queue>();
  #waiters = 0;

  constructor(options: WaitingOptions) {
    this.options = options;
    this.#wheel = new TicklessWheel(options.clock, { tickMs: TICK_MS, ref: true });
  }

  /** Those who wait. */
  get size(): number {
    return this.#waiters;
  }

  async wait(key: string, wait: Wait): Promise<Decision> {
    const { signal } = wait;
    signal?.throwIfAborted();
    let queue = this.#queues.get(key);
    if (queue === undefined) {
      const decision = await this.options.take(key, wait.cost);
      if (signal?.aborted === true) {
        if (decision.granted > 0) await this.options.giveBack(key, wait.cost, decision);
        throw signal.reason;
      }
      if (decision.allowed) return decision;
      queue = this.#queues.get(key);
    }
    if (this.#waiters >= WAITERS_MAX || wait.maxWaitMs <= 0) return this.refusal(key, wait.cost);
    if (queue === undefined) this.#queues.set(key, (queue = new Queue(this, key)));
    const waiter = new Waiter(queue, wait, this.options.clock.nowMs());
    queue.add(waiter);
    this.#waiters += 1;
    this.arm(waiter.deadline, waiter.untilMs);
    const onAbort = (): void => {
      this.leave(queue, waiter);
      waiter.settled.reject(signal!.reason);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    // The first is asked for now, also if it has come in before those who were already waiting.
    if (queue.waiters[0] === waiter) outside(() => void queue.serve());
    try {
      return await waiter.settled.promise;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** What is told to one whose turn did not come, also where there is room by now, for others are before them. */
  async refusal(key: string, cost: number): Promise<Decision> {
    const seen = await this.options.peek(key, cost);
    return { ...seen, allowed: false, retryAfterMs: Math.max(1, seen.retryAfterMs) };
  }

  /** Something was given back: perhaps the first can go on. */
  givenBack(key: string): void {
    const queue = this.#queues.get(key);
    if (queue !== undefined) void queue.serve();
  }

  arm(entry: Deadline, atMs: number): void {
    outside(() => this.#wheel.arm(entry, atMs));
  }

  /** Takes one out of the queue, and the queue away when it was the last. */
  leave(queue: Queue, waiter: Waiter): void {
    const place = queue.waiters.indexOf(waiter);
    if (place < 0) return;
    queue.waiters.splice(place, 1);
    this.#waiters -= 1;
    this.#wheel.remove(waiter.deadline);
    if (queue.waiters.length > 0) {
      // The next may want less, or have more time.
      if (place === 0) this.arm(queue.deadline, this.options.clock.nowMs());
      return;
    }
    this.#wheel.remove(queue.deadline);
    if (this.#queues.get(queue.key) === queue) this.#queues.delete(queue.key);
  }
}
