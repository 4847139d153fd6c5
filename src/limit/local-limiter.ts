/**
 * A limiter whose store answers at once. Everything is done by the methods that end in `Sync`; their twins wrap the answer in a
 * promise. A take allocates its decision and nothing else.
 */
import { type Algorithm, type Ask, createOutcome, type Outcome } from './algorithm.ts';
import { type Decision, decide, type DecisionFrame, type LeaseDecision } from './decision.ts';
import { drawHolder } from './holder.ts';
import type { LimiterCounts, TakeOptions } from './limiter.ts';
import { checkAmount, checkKey, invalid } from './options.ts';
import { type Counters, hasLeases, type LocalStore } from './store.ts';

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
  #leases: boolean;
  #frame: DecisionFrame;

  constructor({ name, algorithm, store, shadow }: LocalLimiterOptions) {
    this.name = name;
    this.#store = store;
    this.#shadow = shadow;
    this.#algorithm = algorithm;
    this.#counters = store.open(name, algorithm);
    this.#leases = hasLeases(algorithm);
    this.#frame = { name, limit: algorithm.limit, shadow, source: 'store' };
  }

  get algorithm(): Algorithm {
    return this.#algorithm;
  }

  get counts(): LimiterCounts {
    return { ...this.#counts };
  }

  takeSync(key: string, cost = 1): Decision | LeaseDecision {
    checkKey(key);
    checkAmount('cost', cost);
    return this.#take(key, cost, 1);
  }

  takeUpToSync(key: string, amount: number): Decision {
    checkKey(key);
    checkAmount('amount', amount);
    if (this.#leases) throw invalid(`takeUpTo: limiter “${this.name}” has leases, which are taken whole.`);
    return this.#take(key, 1, amount);
  }

  peekSync(key: string, cost = 1): Decision {
    checkKey(key);
    checkAmount('cost', cost);
    this.#counters.peek(key, this.#fill(cost, 1, 0), this.#out);
    return decide(this.#frame, this.#out, 0, this.#out.granted === 1);
  }

  resetSync(key: string): void {
    checkKey(key);
    this.#counters.reset(key);
  }

  refundSync(key: string, amount = 1): void {
    checkKey(key);
    checkAmount('amount', amount);
    this.#counters.refund(key, this.#fill(amount, 1, 0));
  }

  releaseSync(key: string, lease: number): boolean {
    checkKey(key);
    return this.#counters.release(key, this.#fill(1, 1, lease));
  }

  renewSync(key: string, lease: number): boolean {
    checkKey(key);
    return this.#counters.renew(key, this.#fill(1, 1, lease));
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

  async release(key: string, lease: number): Promise<boolean> {
    return this.releaseSync(key, lease);
  }

  async renew(key: string, lease: number): Promise<boolean> {
    return this.renewSync(key, lease);
  }

  change(algorithm: Algorithm): boolean {
    const continues = algorithm.layout === this.#algorithm.layout;
    this.#counters = this.#store.open(this.name, algorithm);
    this.#leases = hasLeases(algorithm);
    this.#algorithm = algorithm;
    this.#frame = { name: this.name, limit: algorithm.limit, shadow: this.#shadow, source: 'store' };
    return continues;
  }

  #take(key: string, cost: number, times: number): Decision | LeaseDecision {
    const out = this.#out;
    const holder = this.#leases ? drawHolder() : 0;
    this.#counters.take(key, this.#fill(cost, times, holder), out);
    const decision = decide(this.#frame, out, out.granted * cost, out.granted > 0 || times === 0);
    if (decision.shadowed) this.#counts.shadowed += 1;
    else if (decision.allowed) this.#counts.allowed += 1;
    else this.#counts.refused += 1;
    return this.#leases ? { ...decision, lease: out.granted > 0 ? holder : 0 } : decision;
  }

  #fill(cost: number, times: number, holder: number): Ask {
    const ask = this.#ask;
    ask.cost = cost;
    ask.times = times;
    ask.holder = holder;
    return ask;
  }
}
