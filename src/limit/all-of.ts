/**
 * Several limits at once: a request that must fit the limit of its user, of its organisation and of everybody. Taken from all, or, if
 * one refuses, from none, and the decision says which; so nobody's quota is spent on what another limit refuses.
 *
 * The limiters must be in one store, for only a store can decide about several keys at one moment: the memory of a thread and shared
 * memory do it at once, a remote one in one question. A limiter in shadow mode never holds up the others.
 */
import { createOutcome, type Outcome } from './algorithm.ts';
import type { Decision } from './decision.ts';
import type { SpillwayError } from '../kernel/errors.ts';
import type { Limiter, SyncLimiter } from './limiter.ts';
import { isOutage, type PartOfQuestion } from './line.ts';
import { LocalLimiter, type LocalWish } from './local-limiter.ts';
import { checkAmount, checkKey, checkKeys, invalid } from './options.ts';
import { RemoteLimiter } from './remote-limiter.ts';
import type { LocalStore } from './store.ts';

/** What is told of all limits together: the fields of the limit that refused and takes longest, or else has least left. */
export interface AllDecision extends Decision {
  /**
   * What each limiter said, in order; `allowed` there is whether that one would have let it pass. Null if it was not asked, because
   * another was known to refuse.
   */
  readonly decisions: readonly (Decision | null)[];
}

/** One key for all limiters, or one each. */
type Keys = string | readonly string[];

export interface AllTakeOptions {
  /** One cost for all limiters, or one each. @defaultValue 1 */
  readonly cost?: number | readonly number[];
  readonly signal?: AbortSignal;
}

export interface AllOf {
  readonly limiters: readonly Limiter[];
  /** Takes from all limiters or from none. */
  take(keys: Keys, options?: AllTakeOptions): Promise<AllDecision>;
}

export interface SyncAllOf extends AllOf {
  /** The same without a promise, where the store is local. */
  takeSync(keys: Keys, cost?: number | readonly number[]): AllDecision;
}

type Member = LocalLimiter | RemoteLimiter;

/** What is wanted of one limiter, and what the store said of it last. */
interface Wish<M extends Member = Member> {
  readonly limiter: M;
  readonly key: string;
  readonly cost: number;
  out: Outcome;
  holder: number;
}

/** Of a list, or of one for all. */
function at<T>(given: T | readonly T[], index: number): T {
  return Array.isArray(given) ? (given as readonly T[])[index]! : (given as T);
}

function checkEach(what: string, given: unknown, limiters: readonly Member[]): void {
  if (!Array.isArray(given) || given.length === limiters.length) return;
  throw invalid(`allOf: ${given.length} ${what} for ${limiters.length} limiters; expected one for all, or one each.`);
}

function checkWishes(keys: Keys, cost: number | readonly number[], limiters: readonly Member[]): void {
  checkEach('keys', keys, limiters);
  checkEach('costs', cost, limiters);
  for (let index = 0; index < limiters.length; index++) {
    checkKey(at(keys, index));
    checkAmount('cost', at(cost, index));
  }
}

/** Who is asked again after a refusal: those who were willing, if nobody but limiters in shadow mode refused. */
function willing<W extends Wish>(tried: readonly W[]): readonly W[] {
  if (tried.some(({ out, limiter }) => out.granted === 0 && !limiter.shadow)) return [];
  return tried.filter(({ out }) => out.granted > 0);
}

/** Puts together what limiters say to what the store said of all wishes, having taken from some. */
function decided(all: readonly Wish[], takenFrom: readonly Wish[]): AllDecision {
  const decisions: Decision[] = [];
  for (let index = 0; index < all.length; index++) {
    const wish = all[index]!;
    const { limiter, cost, out, holder } = wish;
    const taken = takenFrom === all || takenFrom.includes(wish) ? cost : 0;
    decisions.push(limiter.decisionOf(out, taken, out.granted > 0, holder));
  }
  return together(all, decisions);
}

/** Which of two decisions is told: the one that refused, and takes longest; else that which has least left. */
function governing(a: Decision, b: Decision): Decision {
  if (a.allowed !== b.allowed) return a.allowed ? b : a;
  return (a.allowed ? b.remaining < a.remaining : b.retryAfterMs > a.retryAfterMs) ? b : a;
}

/** Puts together what the caller hears, and counts it. */
function together(all: readonly Wish[], decisions: readonly (Decision | null)[]): AllDecision {
  let governs: Decision | null = null;
  for (const decision of decisions) {
    if (decision !== null) governs = governs === null ? decision : governing(governs, decision);
  }
  // Somebody was asked, or known to refuse.
  const told = governs!;
  let shadowed = false;
  for (let index = 0; index < decisions.length; index++) {
    const decision = decisions[index]!;
    // Who would have let it pass decided nothing when another refused.
    if (decision === null || (!told.allowed && decision.allowed)) continue;
    all[index]!.limiter.tally.count(decision, all[index]!.key);
    shadowed ||= decision.shadowed;
  }
  // Field by field: to spread an object takes ten times as long.
  return {
    allowed: told.allowed,
    granted: told.granted,
    limit: told.limit,
    remaining: told.remaining,
    retryAfterMs: told.retryAfterMs,
    resetAfterMs: told.resetAfterMs,
    policy: told.policy,
    source: told.source,
    shadowed: told.allowed && shadowed,
    decisions,
  };
}

/** Limiters of one local store. A take fills in the wishes of the one before, which has its answer. */
class LocalMembers {
  readonly #limiters: readonly LocalLimiter[];
  readonly #store: LocalStore;
  readonly #wishes: readonly LocalWish[];

  constructor(limiters: readonly LocalLimiter[]) {
    this.#limiters = limiters;
    this.#store = limiters[0]!.store;
    this.#wishes = limiters.map((limiter) => limiter.part());
  }

  take(keys: Keys, cost: number | readonly number[]): AllDecision {
    checkWishes(keys, cost, this.#limiters);
    const all = this.#wishes;
    for (let index = 0; index < all.length; index++) {
      const wish = all[index]!;
      wish.limiter.fill(wish, at(keys, index), at(cost, index));
    }
    for (let trying = all; trying.length > 0; trying = willing(trying)) {
      if (this.#store.takeAll(trying)) return decided(all, trying);
    }
    return decided(all, []);
  }
}

/** What is known to be refused is not asked for. */
function knownToRefuse(all: readonly Wish<RemoteLimiter>[]): AllDecision | null {
  const known = all.map(({ limiter, key, cost }) => (limiter.shadow ? null : limiter.known(key, cost)));
  return known.every((decision) => decision === null) ? null : together(all, known);
}

async function takeRemote(
  limiters: readonly RemoteLimiter[],
  keys: Keys,
  cost: number | readonly number[],
  signal: AbortSignal | undefined,
): Promise<AllDecision> {
  checkWishes(keys, cost, limiters);
  const all = limiters.map((limiter, index): Wish<RemoteLimiter> => {
    return { limiter, key: at(keys, index), cost: at(cost, index), out: createOutcome(), holder: 0 };
  });
  signal?.throwIfAborted();
  const refused = knownToRefuse(all);
  if (refused !== null) return refused;
  const { store, line } = limiters[0]!;
  try {
    for (let trying: readonly Wish<RemoteLimiter>[] = all; trying.length > 0; trying = willing(trying)) {
      const parts = trying.map(({ limiter, key, cost }) => limiter.part(key, cost)) as [PartOfQuestion];
      store.checkTogether?.(parts);
      const asked = line.ask('take', ...parts);
      const answers = await (signal === undefined ? asked : line.hear({ answers: asked, before: 0 }, signal, ...parts));
      for (const [index, wish] of trying.entries()) {
        wish.out = answers[index]!;
        wish.holder = answers[index]!.holder;
        wish.limiter.learn(wish.key, wish.cost, answers[index]!);
      }
      if (trying.every(({ out }) => out.granted > 0)) return decided(all, trying);
    }
    return decided(all, []);
  } catch (error) {
    if (!isOutage(error)) throw error;
    return withoutStore(all, error);
  }
}

/** Each limiter answers as its own `outage` says: all with a fallback together, from their local counters. */
function withoutStore(all: readonly Wish<RemoteLimiter>[], error: SpillwayError): AllDecision {
  const own = all.map(({ limiter, cost }) => limiter.withoutStore(error, () => null, cost));
  const local = all.filter((_, index) => own[index] === null);
  if (local.length === 0 || own.some((decision) => decision?.allowed === false)) return together(all, own);
  const { decisions } = new LocalMembers(local.map(({ limiter }) => limiter.fallback)).take(
    local.map(({ key }) => key),
    local.map(({ cost }) => cost),
  );
  return together(
    all,
    all.map((wish, index) => own[index] ?? wish.limiter.ofFallback(decisions[local.indexOf(wish)] ?? null)),
  );
}

function check(limiters: readonly unknown[]): readonly Member[] {
  if (limiters.length === 0) throw invalid('allOf: no limiter; expected one or more.');
  const members = limiters.map((limiter) => {
    if (limiter instanceof LocalLimiter || limiter instanceof RemoteLimiter) return limiter;
    throw invalid('allOf: expected limiters made by createLimiter.');
  });
  const stores = new Set(members.map(({ store }) => store));
  if (stores.size > 1) {
    const names = members.map(({ name }) => `“${name}”`).join(', ');
    throw invalid(
      `allOf: limiters ${names} are in ${stores.size} stores; nothing can be decided at one moment in several.`,
    );
  }
  const twice = members.find(({ name }, index) => members.findIndex((other) => other.name === name) !== index);
  if (twice !== undefined)
    throw invalid(`allOf: two limiters are called “${twice.name}”, and would count the same take twice.`);
  return members;
}

/**
 * Takes from all of several limiters or from none.
 *
 * @example
 * const store = memoryStore();
 * const perUser = createLimiter({ name: 'user', algorithm: tokenBucket({ capacity: 3, refillPerSecond: 1 }), store });
 * const everybody = createLimiter({ name: 'all', algorithm: fixedWindow({ limit: 4, per: '1d' }), store });
 * const both = allOf(perUser, everybody);
 * both.takeSync(['ann', 'all'], 3);
 * const { allowed, policy } = both.takeSync(['bob', 'all'], 2);
 * console.log(allowed, policy, perUser.peekSync('bob').remaining); // false all 3
 */
export function allOf(...limiters: readonly [Limiter & SyncLimiter, ...(Limiter & SyncLimiter)[]]): SyncAllOf;
export function allOf(...limiters: readonly [Limiter, ...Limiter[]]): AllOf;
export function allOf(...limiters: readonly Limiter[]): AllOf {
  const members = check(limiters);
  const local = members.filter((member) => member instanceof LocalLimiter);
  const remote = members.filter((member) => member instanceof RemoteLimiter);
  const options = (given: AllTakeOptions): AllTakeOptions => {
    checkKeys('allOf: take', given, ['cost', 'signal']);
    return given;
  };
  if (remote.length > 0) {
    return {
      limiters,
      async take(keys, given = {}) {
        const { cost = 1, signal } = options(given);
        return takeRemote(remote, keys, cost, signal);
      },
    };
  }
  const together = new LocalMembers(local);
  const all: SyncAllOf = {
    limiters,
    takeSync: (keys, cost = 1) => together.take(keys, cost),
    async take(keys, given = {}) {
      const { cost = 1, signal } = options(given);
      signal?.throwIfAborted();
      return together.take(keys, cost);
    },
  };
  return all;
}
