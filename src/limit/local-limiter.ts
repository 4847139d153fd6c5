/**
 * A limiter whose store answers at once. Everything is done by the methods that end in `Sync`; their twins wrap the answer in a
 * promise. A take allocates its decision and nothing else.
 */
import { type Algorithm, type Ask, createOutcome, type Outcome } from './algorithm.ts';
import { type Decision, decide, type DecisionFrame } from './decision.ts';
import type { LimiterCounts, TakeOptions } from './limiter.ts';
import { checkAmount, checkKey } from './options.ts';
import type { Counters, LocalStore } from './store.ts';

export interface LocalLimiterOptions {
  readonly name: string;
  readonly algorithm: Algorithm;
  readonly store: LocalStore;
  readonly shadow: boolean;
}

export class LocalLimiter {
  readonly name: string;
  readonly #store: LocalStore;
  readonly #shadow: boolean;
  readonly #ask: Ask = { nowUs: 0, cost: 1, times: 1, holder: 0 };
  readonly #out: Outcome = createOutcome();
  readonly #counts = { allowed: 0, refused: 0, shadowed: 0 };
  #algorithm: Algorithm;
  #counters: Counters;
  #frame: DecisionFrame;

  constructor({ name, algorithm, store, shadow }: LocalLimiterOptions) {
    this.name = name;
    this.#store = store;
    this.#shadow = shadow;
    this.#algorithm = algorithm;
    this.#counters = store.open(name, algorithm);
    this.#frame = { name, limit: algorithm.limit, shadow, source: 'store' };
  }

  get algorithm(): Algorithm {
    return this.#algorithm;
  }

  get counts(): LimiterCounts {
    return { ...this.#counts };
  }

  takeSync(key: string, cost = 1): Decision {
    checkKey(key);
    checkAmount('cost', cost);
    return this.#take(key, cost, 1);
  }

  takeUpToSync(key: string, amount: number): Decision {
    checkKey(key);
    checkAmount('amount', amount);
    return this.#take(key, 1, amount);
  }

  peekSync(key: string, cost = 1): Decision {
    checkKey(key);
    checkAmount('cost', cost);
    this.#counters.peek(key, this.#fill(cost, 1), this.#out);
    return decide(this.#frame, this.#out, 0, this.#out.granted === 1);
  }

  resetSync(key: string): void {
    checkKey(key);
    this.#counters.reset(key);
  }

  refundSync(key: string, amount = 1): void {
    checkKey(key);
    checkAmount('amount', amount);
    this.#counters.refund(key, this.#fill(amount, 1));
  }

  async take(key: string, { cost = 1, signal }: TakeOptions = {}): Promise<Decision> {
    signal?.throwIfAborted();
    return this.takeSync(key, cost);
  }

  async takeUpTo(key: string, amount: number, { signal }: TakeOptions = {}): Promise<Decision> {
    signal?.throwIfAborted();
    return this.takeUpToSync(key, amount);
  }

  async peek(key: string, { cost = 1, signal }: TakeOptions = {}): Promise<Decision> {
    signal?.throwIfAborted();
    return this.peekSync(key, cost);
  }

  async reset(key: string): Promise<void> {
    this.resetSync(key);
  }

  async refund(key: string, amount = 1): Promise<void> {
    this.refundSync(key, amount);
  }

  change(algorithm: Algorithm): boolean {
    const continues = algorithm.continues(this.#algorithm);
    this.#counters = this.#store.open(this.name, algorithm);
    this.#algorithm = algorithm;
    this.#frame = { name: this.name, limit: algorithm.limit, shadow: this.#shadow, source: 'store' };
    return continues;
  }

  #take(key: string, cost: number, times: number): Decision {
    const out = this.#out;
    this.#counters.take(key, this.#fill(cost, times), out);
    const decision = decide(this.#frame, out, out.granted * cost, out.granted > 0 || times === 0);
    if (decision.shadowed) this.#counts.shadowed += 1;
    else if (decision.allowed) this.#counts.allowed += 1;
    else this.#counts.refused += 1;
    return decision;
  }

  #fill(cost: number, times: number): Ask {
    const ask = this.#ask;
    ask.cost = cost;
    ask.times = times;
    return ask;
  }
}
