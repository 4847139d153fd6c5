/**
 * A limiter whose store answers at once. Everything is done by the methods that end in `Sync`; their twins wrap the answer in a
 * promise. A take allocates its decision and nothing else.
 */
import { type Algorithm, type Ask, createOutcome, type Outcome } from './algorithm.ts';
import {
  type Decision,
  decide,
  type DecisionFrame,
  type DecisionSource,
  type LeaseDecision,
  type TakeOptions,
  withLease,
} from './decision.ts';
import { drawHolder } from './holder.ts';
import type { DecisionEvents, DecisionMetrics, TakeTimes } from './limit-metrics.ts';
import { checkAmount, checkKey, checkTake, invalid } from './options.ts';
import { type Counters, hasLeases, type LocalPart, type LocalStore } from './store.ts';
import { type LimiterCounts, Tally } from './tally.ts';
import { readWait, Waiting, type WaitOptions } from './waiting.ts';

/** What is wanted of one of several limiters. */
export interface LocalWish extends LocalPart {
  readonly limiter: LocalLimiter;
  counters: Counters;
  key: string;
  cost: number;
  holder: number;
}

export interface LocalLimiterOptions {
  readonly name: string;
  readonly algorithm: Algorithm;
  readonly store: LocalStore;
  readonly shadow: boolean;
  /** @defaultValue 'store' */
  readonly source?: DecisionSource;
  /** @defaultValue none */
  readonly metrics?: DecisionMetrics | null;
  /** @defaultValue none */
  readonly times?: TakeTimes | null;
  /** @defaultValue none */
  readonly events?: DecisionEvents | null;
}

export class LocalLimiter {
  readonly name: string;
  readonly store: LocalStore;
  readonly shadow: boolean;
  readonly tally: Tally;
  readonly #ask: Ask = { nowUs: 0, cost: 1, times: 1, holder: 0 };
  readonly #out: Outcome = createOutcome();
  readonly #source: DecisionSource;
  readonly #times: TakeTimes | null;
  #algorithm: Algorithm;
  #counters: Counters;
  #leases: boolean;
  #frame: DecisionFrame;
  #waiting: Waiting | null = null;

  constructor(options: LocalLimiterOptions) {
    const { name, algorithm, store, shadow, source = 'store', metrics = null, times = null, events = null } = options;
    this.name = name;
    this.tally = new Tally(metrics, events);
    this.store = store;
    this.shadow = shadow;
    this.#source = source;
    this.#times = times;
    this.#algorithm = algorithm;
    this.#counters = store.open(name, algorithm);
    this.#leases = hasLeases(algorithm);
    this.#frame = { name, limit: algorithm.limit, shadow, source };
  }

  get algorithm(): Algorithm {
    return this.#algorithm;
  }

  get counts(): LimiterCounts {
    return this.tally.read();
  }

  takeSync(key: string, cost = 1): Decision | LeaseDecision {
    checkKey(key);
    checkAmount('cost', cost);
    return this.tally.count(this.#take(key, cost, 1), key);
  }

  takeUpToSync(key: string, amount: number): Decision {
    checkKey(key);
    checkAmount('amount', amount);
    if (this.#leases) throw invalid(`takeUpTo: limiter “${this.name}” has leases, which are taken whole.`);
    return this.tally.count(this.#take(key, 1, amount), key);
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
    this.#waiting?.givenBack(key);
  }

  refundSync(key: string, amount = 1): void {
    checkKey(key);
    checkAmount('amount', amount);
    this.#counters.refund(key, this.#fill(amount, 1, 0));
    this.#waiting?.givenBack(key);
  }

  releaseSync(key: string, lease: number): boolean {
    checkKey(key);
    const released = this.#counters.release(key, this.#fill(1, 1, lease));
    this.#waiting?.givenBack(key);
    return released;
  }

  renewSync(key: string, lease: number): boolean {
    checkKey(key);
    return this.#counters.renew(key, this.#fill(1, 1, lease));
  }

  async take(key: string, options: TakeOptions = {}): Promise<Decision> {
    checkTake(options);
    const { cost = 1, signal } = options;
    signal?.throwIfAborted();
    return this.takeSync(key, cost);
  }

  async takeUpTo(key: string, amount: number, options: TakeOptions = {}): Promise<Decision> {
    checkTake(options);
    options.signal?.throwIfAborted();
    return this.takeUpToSync(key, amount);
  }

  async peek(key: string, options: TakeOptions = {}): Promise<Decision> {
    checkTake(options);
    const { cost = 1, signal } = options;
    signal?.throwIfAborted();
    return this.peekSync(key, cost);
  }

  async wait(key: string, options: WaitOptions = {}): Promise<Decision> {
    checkKey(key);
    this.#waiting ??= new Waiting({
      clock: this.store.clock,
      take: (of, cost) => this.#take(of, cost, 1),
      peek: (of, cost) => this.peekSync(of, cost),
      // What a local store grants, it grants while the caller is there.
      giveBack: () => undefined,
      leases: () => this.#leases,
    });
    return this.tally.count(await this.#waiting.wait(key, readWait(options)), key);
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
    this.#counters = this.store.open(this.name, algorithm);
    this.#leases = hasLeases(algorithm);
    this.#algorithm = algorithm;
    this.#frame = { name: this.name, limit: algorithm.limit, shadow: this.shadow, source: this.#source };
    return continues;
  }

  /** For `allOf`: one of several that are taken from together, to be filled in for each take. */
  part(): LocalWish {
    const ask = { nowUs: 0, cost: 0, times: 1, holder: 0 };
    return { limiter: this, counters: this.#counters, key: '', cost: 0, holder: 0, ask, out: createOutcome() };
  }

  fill(part: LocalWish, key: string, cost: number): void {
    const holder = this.#leases ? drawHolder() : 0;
    part.counters = this.#counters;
    part.key = key;
    part.cost = cost;
    part.holder = holder;
    part.ask.cost = cost;
    part.ask.holder = holder;
  }

  /** For `allOf`: `granted` was taken; `enough` says whether this limiter would have let it pass. */
  decisionOf(out: Outcome, granted: number, enough: boolean, holder: number): Decision {
    const decision = decide(this.#frame, out, granted, enough);
    return this.#leases ? withLease(decision, granted > 0 ? holder : 0) : decision;
  }

  #take(key: string, cost: number, times: number): Decision | LeaseDecision {
    const out = this.#out;
    const holder = this.#leases ? drawHolder() : 0;
    const beganMs = this.#times?.begin() ?? -1;
    this.#counters.take(key, this.#fill(cost, times, holder), out);
    if (beganMs !== -1) this.#times?.ended(beganMs);
    return this.decisionOf(out, out.granted * cost, out.granted > 0 || times === 0, holder);
  }

  #fill(cost: number, times: number, holder: number): Ask {
    const ask = this.#ask;
    ask.cost = cost;
    ask.times = times;
    ask.holder = holder;
    return ask;
  }
}
