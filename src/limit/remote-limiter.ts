/**
 * A limiter whose store is somewhere else. What is between it and the store: refusals that are known (refusals.ts), what was
 * taken ahead (reserves.ts), calls of one tick made one (line.ts), and what to answer when the store does not (outage.ts).
 */
import { abortable } from '../kernel/abort.ts';
import type { Algorithm, Outcome } from './algorithm.ts';
import {
  type Decision,
  decide,
  type DecisionSource,
  type LeaseDecision,
  type TakeOptions,
  withLease,
} from './decision.ts';
import type { MetricsSink } from '../observe/metrics/metrics.ts';
import { type DecisionEvents, DecisionMetrics } from './limit-metrics.ts';
import { type Answer, isOutage, type Line, lineTo, type Outage, type PartOfQuestion, shareOf } from './line.ts';
import { LocalLimiter } from './local-limiter.ts';
import { checkAmount, checkKey, checkTake, invalid } from './options.ts';
import type { Outages } from './outage.ts';
import { Refusals } from './refusals.ts';
import { Reserves } from './reserves.ts';
import { hasLeases, type Question, type RemoteStore } from './store.ts';
import { type LimiterCounts, Tally } from './tally.ts';
import { readWait, Waiting, type WaitOptions } from './waiting.ts';

export interface RemoteLimiterOptions {
  readonly name: string;
  readonly algorithm: Algorithm;
  readonly store: RemoteStore;
  readonly shadow: boolean;
  readonly outages: Outages;
  readonly knownRefusals: boolean;
  /** How many are taken ahead; null for none. */
  readonly reserve: number | null;
  readonly metrics: MetricsSink | null;
  readonly showKeys: boolean;
  readonly events: DecisionEvents | null;
}

interface Taking {
  readonly times: number;
  /** False for who asks again until it is granted, and counts then. */
  readonly counted: boolean;
}

const ONCE: Taking = { times: 1, counted: true };

export class RemoteLimiter {
  readonly name: string;
  readonly store: RemoteStore;
  readonly shadow: boolean;
  readonly line: Line;
  readonly tally: Tally;
  readonly #outages: Outages;
  readonly #refusals: Refusals | null;
  readonly #reserves: Reserves | null;
  #algorithm: Algorithm;
  #leases: boolean;
  #fallback: LocalLimiter | null = null;
  #waiting: Waiting | null = null;

  constructor(options: RemoteLimiterOptions) {
    const { name, algorithm, store, shadow, outages, knownRefusals, reserve, metrics, showKeys, events } = options;
    this.name = name;
    this.tally = new Tally(metrics === null ? null : new DecisionMetrics(metrics, name, showKeys), events);
    this.#algorithm = algorithm;
    this.#leases = hasLeases(algorithm);
    this.store = store;
    this.shadow = shadow;
    this.#outages = outages;
    this.line = lineTo(store, outages.deadlineMs);
    if (metrics !== null) this.line.measure(metrics);
    this.#refusals = knownRefusals ? new Refusals() : null;
    this.#reserves =
      reserve === null
        ? null
        : new Reserves({
            size: reserve,
            clock: this.line.clock,
            giveBack: (key, amount) => {
              this.#refusals?.forget(key, this.line.clock.nowMs());
              // What cannot be given back comes back by itself.
              return this.refund(key, amount).catch(() => {});
            },
          });
  }

  get algorithm(): Algorithm {
    return this.#algorithm;
  }

  get counts(): LimiterCounts {
    return this.tally.read();
  }

  get outage(): Outage | null {
    return this.line.outage;
  }

  take(key: string, options: TakeOptions = {}): Promise<Decision | LeaseDecision> {
    return this.#take(key, options, ONCE);
  }

  async takeUpTo(key: string, amount: number, options: TakeOptions = {}): Promise<Decision> {
    checkTake(options);
    const { signal } = options;
    checkKey(key);
    checkAmount('amount', amount);
    if (this.#leases) throw invalid(`takeUpTo: limiter “${this.name}” has leases, which are taken whole.`);
    // One more than the limit is as good as any number above it, and what many ask for together still adds up.
    const times = Math.min(amount, this.#algorithm.limit + 1);
    return this.#take(key, signal === undefined ? {} : { signal }, { times, counted: true });
  }

  async peek(key: string, options: TakeOptions = {}): Promise<Decision> {
    checkTake(options);
    const { cost = 1, signal } = options;
    checkKey(key);
    checkAmount('cost', cost);
    signal?.throwIfAborted();
    const reserved = this.#reservesFor(cost, 1)?.look(key) ?? null;
    if (reserved !== null) return this.#decision(reserved, 0, true, 'reserve');
    try {
      const answer = await this.#ask('peek', key, { cost, times: 1 }, signal);
      return this.#decision(answer, 0, answer.granted === 1, 'store');
    } catch (error) {
      signal?.throwIfAborted();
      return this.withoutStore(error, () => this.fallback.peekSync(key, cost), 0);
    }
  }

  async wait(key: string, options: WaitOptions = {}): Promise<Decision> {
    checkKey(key);
    this.#waiting ??= new Waiting({
      clock: this.line.clock,
      take: (of, cost) => this.#take(of, { cost }, { times: 1, counted: false }),
      peek: (of, cost) => this.peek(of, { cost }),
      giveBack: (of, cost, decision) =>
        'lease' in decision ? this.release(of, Number(decision.lease)) : this.refund(of, cost),
      leases: () => this.#leases,
    });
    return this.tally.count(await this.#waiting.wait(key, readWait(options)), key);
  }

  async reset(key: string): Promise<void> {
    checkKey(key);
    await this.#giveBack('reset', key, 0);
  }

  async refund(key: string, amount = 1): Promise<void> {
    checkKey(key);
    checkAmount('amount', amount);
    if (this.#leases) throw invalid(`refund: limiter “${this.name}” has leases; release gives back what was taken.`);
    await this.#giveBack('refund', key, amount);
  }

  async release(key: string, lease: number): Promise<boolean> {
    const released = await this.#ofLease('release', key, lease);
    this.#waiting?.givenBack(key);
    return released;
  }

  async renew(key: string, lease: number): Promise<boolean> {
    return this.#ofLease('renew', key, lease);
  }

  change(algorithm: Algorithm): boolean {
    const continues = algorithm.layout === this.#algorithm.layout;
    this.#algorithm = algorithm;
    this.#leases = hasLeases(algorithm);
    this.#refusals?.clear(this.line.clock.nowMs());
    this.#reserves?.clear();
    this.#fallback?.change(algorithm.share(this.#outages.share));
    return continues;
  }

  async #giveBack(verb: 'reset' | 'refund', key: string, cost: number): Promise<void> {
    try {
      await this.#ask(verb, key, { cost, times: 1 });
    } finally {
      // Also what was not answered may have been done.
      this.#refusals?.forget(key, this.line.clock.nowMs());
      if (verb === 'reset') this.#reserves?.forget(key);
      this.#waiting?.givenBack(key);
    }
  }

  async #ofLease(verb: 'release' | 'renew', key: string, lease: number): Promise<boolean> {
    checkKey(key);
    if (!this.#leases)
      throw invalid(`${verb}: limiter “${this.name}” has no leases; refund gives back what was taken.`);
    if (lease === 0) return false;
    if (lease < 0) {
      const fallback = this.fallback;
      return verb === 'release' ? fallback.releaseSync(key, -lease) : fallback.renewSync(key, -lease);
    }
    return (await this.#ask(verb, key, { cost: 0, times: 1, holder: lease })).granted === 1;
  }

  /** Checks, takes and counts, all in one: each promise more would be a tenth of a take that shares its question. */
  async #take(key: string, options: TakeOptions, { times, counted }: Taking): Promise<Decision> {
    checkTake(options);
    const { cost = 1, signal } = options;
    checkKey(key);
    checkAmount('cost', cost);
    signal?.throwIfAborted();
    const reserves = this.#reservesFor(cost, times);
    let decision = reserves === null ? this.known(key, cost) : await this.#takeAhead(reserves, key, signal);
    if (decision === null) {
      try {
        const part = this.part(key, cost, times);
        const place = this.line.take(part);
        const [all] = await (signal === undefined ? place.answers : this.line.hear(place, signal, part));
        const answer = shareOf(all!, place.before, part);
        if (answer.granted < times) this.learn(key, cost, answer);
        decision = this.decisionOf(answer, answer.granted * cost, answer.granted > 0 || times === 0, answer.holder);
      } catch (error) {
        signal?.throwIfAborted();
        const { fallback } = this;
        const local = (): Decision => (times === 1 ? fallback.takeSync(key, cost) : fallback.takeUpToSync(key, times));
        decision = this.withoutStore(error, () => this.ofFallback(local()), cost * times);
      }
    }
    return counted ? this.tally.count(decision, key) : decision;
  }

  /** Takes one of what is here, or one from the store and, if nobody has asked yet, more with it. */
  async #takeAhead(reserves: Reserves, key: string, signal?: AbortSignal): Promise<Decision> {
    signal?.throwIfAborted();
    const reserved = this.#draw(reserves, key) ?? this.known(key, 1);
    if (reserved !== null) return reserved;
    try {
      const reservation = reserves.begin(key);
      const part = this.part(key, 1, reservation === null ? 1 : Math.min(reserves.size, this.#algorithm.limit));
      const { answers, before } = this.line.take(part);
      if (reservation !== null) {
        // Also if the caller gives up; and before those of the same tick who were left without, and look here again.
        answers
          .then(([all]) => reserves.keep(key, reservation, shareOf(all!, before, part)))
          .catch(() => reserves.drop(key, reservation));
      }
      const [all] = await abortable(answers, signal);
      const answer = shareOf(all!, before, part);
      if (answer.granted < part.times) this.learn(key, 1, answer);
      if (answer.granted === 0) return this.#draw(reserves, key) ?? this.#decision(answer, 0, false, 'store');
      const out = { ...answer, remaining: answer.remaining + reserves.left(key), retryAfterUs: 0 };
      return this.#decision(out, 1, true, 'store');
    } catch (error) {
      signal?.throwIfAborted();
      return this.withoutStore(error, () => this.fallback.takeSync(key), 1);
    }
  }

  #draw(reserves: Reserves, key: string): Decision | null {
    const out = reserves.draw(key);
    return out === null ? null : this.#decision(out, 1, true, 'reserve');
  }

  /** Only what costs one and has no lease is taken ahead. */
  #reservesFor(cost: number, times: number): Reserves | null {
    return cost === 1 && times === 1 && !this.#leases ? this.#reserves : null;
  }

  async #ask(
    verb: Question['verb'],
    key: string,
    ask: { readonly cost: number; readonly times: number; readonly holder?: number },
    signal?: AbortSignal,
  ): Promise<Answer> {
    signal?.throwIfAborted();
    const part: PartOfQuestion = { name: this.name, algorithm: this.#algorithm, key, ...ask };
    const [answer] = await abortable(this.line.ask(verb, part), signal);
    return answer!;
  }

  /** The decision that needs no asking, because the store has refused the same until later. */
  known(key: string, cost: number): Decision | null {
    if (this.#leases || this.#refusals === null || this.#refusals.none) return null;
    const out = this.#refusals.find(key, cost, this.line.clock.nowMs());
    return out === null ? null : this.#decision(out, 0, false, 'cache');
  }

  /** Remembers a refusal; not of leases, which others give back all the time. */
  learn(key: string, cost: number, answer: Answer): void {
    if (answer.retryAfterUs > 0 && !this.#leases) this.#refusals?.note(key, cost, answer);
  }

  /** What a question says of this limiter. */
  part(key: string, cost: number, times = 1): PartOfQuestion {
    return { name: this.name, algorithm: this.#algorithm, key, cost, times };
  }

  /** What the store said: `granted` was taken; `enough` says whether this limiter would have let it pass. */
  decisionOf(out: Outcome, granted: number, enough: boolean, holder: number): Decision {
    const decision = this.#decision(out, granted, enough, 'store');
    return this.#leases ? withLease(decision, granted > 0 ? holder : 0) : decision;
  }

  /** The answer of `outage`, if the store is unavailable; any other error is the caller's to hear. */
  withoutStore<T>(error: unknown, local: () => T, amount: number): Decision | T {
    if (!isOutage(error)) throw error;
    const { answer } = this.#outages;
    if (answer === 'fallback') return local();
    const { limit } = this.#algorithm;
    const open = answer === 'open';
    const retryAfterUs = open ? 0 : Math.max(1, this.line.pauseMs) * 1000;
    const out: Outcome = { granted: 0, remaining: open ? limit : 0, retryAfterUs, resetAfterUs: retryAfterUs };
    const decision = this.#decision(out, open ? Math.min(amount, limit) : 0, open, answer);
    return this.#leases ? withLease(decision, 0) : decision;
  }

  /** Who limits while the store is unavailable. */
  get fallback(): LocalLimiter {
    return (this.#fallback ??= new LocalLimiter({
      name: this.name,
      algorithm: this.#algorithm.share(this.#outages.share),
      store: this.line.fallback,
      shadow: this.shadow,
      source: 'fallback',
    }));
  }

  /** A decision of the fallback as this limiter's own: its leases are told by their sign. */
  ofFallback<D extends Decision | null>(decision: D): D {
    return decision !== null && 'lease' in decision ? { ...decision, lease: -Number(decision.lease) } : decision;
  }

  #decision(out: Outcome, granted: number, enough: boolean, source: DecisionSource): Decision {
    return decide({ name: this.name, limit: this.#algorithm.limit, shadow: this.shadow, source }, out, granted, enough);
  }
}
