/**
 * Several limits at once: a request that must fit the limit of its user, of its organisation and of everybody. Taken from all, or, if
 * one refuses, from none, and the decision says which; so nobody's quota is spent on what another limit refuses.
 *
 * The limiters must be in one store, for only a store can decide about several keys at one moment: the memory of a thread and shared
 * memory do it at once, a remote one in one question. A limiter in shadow mode never holds up the others.
 */
import { abortable } from '../kernel/abort.ts';
import type { Outcome } from './algorithm.ts';
import type { Decision } from './decision.ts';
import type { SpillwayError } from '../kernel/errors.ts';
import type { Limiter, SyncLimiter } from './limiter.ts';
import type { PartOfQuestion } from './line.ts';
import { LocalLimiter } from './local-limiter.ts';
import { checkAmount, checkKey, checkKeys, invalid } from './options.ts';
import { isUnavailable, RemoteLimiter } from './remote-limiter.ts';
import type { LocalPart } from './store.ts';

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

/** What is wanted of one limiter. */
interface Wish<M extends Member = Member> {
  readonly limiter: M;
  readonly key: string;
  readonly cost: number;
}

/** What a store said of some wishes, in their order, and whether it took from all of them. */
interface Reply {
  readonly taken: boolean;
  readonly outcomes: readonly (Outcome & { readonly holder: number })[];
}

function wishesOf<M extends Member>(limiters: readonly M[], keys: Keys, cost: number | readonly number[]): Wish<M>[] {
  const each = <T>(what: string, given: T | readonly T[]): readonly T[] => {
    const list = Array.isArray(given) ? (given as readonly T[]) : limiters.map(() => given as T);
    if (list.length === limiters.length) return list;
    throw invalid(`allOf: ${list.length} ${what} for ${limiters.length} limiters; expected one for all, or one each.`);
  };
  const keyOf = each('keys', keys);
  const costOf = each('costs', cost);
  keyOf.forEach((key) => checkKey(key));
  costOf.forEach((amount) => checkAmount('cost', amount));
  return limiters.map((limiter, index) => ({ limiter, key: keyOf[index]!, cost: costOf[index]! }));
}

/**
 * Asks for all wishes; if only limiters in shadow mode refuse, for the others. Yields what is to be asked and is given the store's reply,
 * so that it is the same with and without a promise.
 */
function* deciding<M extends Member>(all: readonly Wish<M>[]): Generator<readonly Wish<M>[], AllDecision, Reply> {
  const said = new Map<Wish<M>, Reply['outcomes'][number]>();
  let trying = all;
  let taken = false;
  while (!taken && trying.length > 0) {
    const reply = yield trying;
    trying.forEach((wish, index) => said.set(wish, reply.outcomes[index]!));
    taken = reply.taken;
    if (taken) break;
    const willing = trying.filter((wish) => said.get(wish)!.granted > 0);
    if (trying.some((wish) => !willing.includes(wish) && !wish.limiter.shadow)) break;
    trying = willing;
  }
  const decisions = all.map((wish) => {
    const out = said.get(wish)!;
    return wish.limiter.decisionOf(out, taken && trying.includes(wish) ? wish.cost : 0, out.granted > 0, out.holder);
  });
  return together(all, decisions);
}

/** Puts together what the caller hears, and counts it. */
function together(all: readonly Wish[], decisions: readonly (Decision | null)[]): AllDecision {
  const said = decisions.filter((decision) => decision !== null);
  const refused = said.filter(({ allowed }) => !allowed);
  all.forEach(({ limiter }, index) => {
    const decision = decisions[index] ?? null;
    // Who would have let it pass decided nothing when another refused.
    if (decision !== null && (refused.length === 0 || !decision.allowed)) limiter.tally.count(decision);
  });
  const governing =
    refused.length > 0
      ? refused.reduce((a, b) => (b.retryAfterMs > a.retryAfterMs ? b : a))
      : said.reduce((a, b) => (b.remaining < a.remaining ? b : a));
  return { ...governing, shadowed: refused.length === 0 && said.some(({ shadowed }) => shadowed), decisions };
}

function takeLocal(limiters: readonly LocalLimiter[], keys: Keys, cost: number | readonly number[]): AllDecision {
  const process = deciding(wishesOf(limiters, keys, cost));
  let step = process.next({ taken: false, outcomes: [] });
  while (step.done !== true) {
    const parts: LocalPart[] = step.value.map(({ limiter, key, cost }) => limiter.part(key, cost));
    const taken = limiters[0]!.store.takeAll(parts);
    step = process.next({ taken, outcomes: parts.map(({ out, ask }) => ({ ...out, holder: ask.holder })) });
  }
  return step.value;
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
  const all = wishesOf(limiters, keys, cost);
  signal?.throwIfAborted();
  const refused = knownToRefuse(all);
  if (refused !== null) return refused;
  const process = deciding(all);
  let step = process.next({ taken: false, outcomes: [] });
  try {
    while (step.done !== true) {
      const parts = step.value.map(({ limiter, key, cost }) => limiter.part(key, cost));
      limiters[0]!.store.checkTogether?.(parts);
      const answers = await abortable(limiters[0]!.line.ask('take', ...(parts as [PartOfQuestion])), signal);
      step.value.forEach(({ limiter, key, cost }, index) => limiter.learn(key, cost, answers[index]!));
      step = process.next({ taken: answers.every(({ granted }) => granted > 0), outcomes: answers });
    }
    return step.value;
  } catch (error) {
    if (!isUnavailable(error)) throw error;
    return withoutStore(all, error);
  }
}

/** Each limiter answers as its own `outage` says: all with a fallback together, from their local counters. */
function withoutStore(all: readonly Wish<RemoteLimiter>[], error: SpillwayError): AllDecision {
  const own = all.map(({ limiter, cost }) => limiter.withoutStore(error, () => null, cost));
  const local = all.filter((_, index) => own[index] === null);
  if (local.length === 0 || own.some((decision) => decision?.allowed === false)) return together(all, own);
  const { decisions } = takeLocal(
    local.map(({ limiter }) => limiter.fallback),
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
  const all: SyncAllOf = {
    limiters,
    takeSync: (keys, cost = 1) => takeLocal(local, keys, cost),
    async take(keys, given = {}) {
      const { cost = 1, signal } = options(given);
      signal?.throwIfAborted();
      return takeLocal(local, keys, cost);
    },
  };
  return all;
}
