/**
 * Rate limiting: the concept. A limiter is a name, an algorithm and a store; it answers whether somebody, known by a key, may
 * go on, and if not, when.
 *
 * Everything expected is a value: that something is refused, and also that the store is down (the decision's `source` says so). An
 * error means that the call was wrong (`OPTIONS_INVALID`), or was given up by its signal.
 * What is promised of every algorithm is in algorithm.ts, of every store in store.ts.
 */
import type { Algorithm, LeaseAlgorithm } from './algorithm.ts';
import type { Decision, LeaseDecision, TakeOptions } from './decision.ts';
import type { Outage } from './line.ts';
import type { MetricsSink } from '../observe/metrics/metrics.ts';
import type { CurrentSpan } from '../kernel/current-span.ts';
import { DecisionEvents, DecisionMetrics, TakeTimes } from './limit-metrics.ts';
import { LocalLimiter } from './local-limiter.ts';
import { memoryStore } from './memory.ts';
import { checkInteger, checkKeys, invalid } from './options.ts';
import { type OutageOptions, readOutage } from './outage.ts';
import { RemoteLimiter } from './remote-limiter.ts';
import { hasLeases, type LocalStore, type RemoteStore, type Store } from './store.ts';
import type { LimiterCounts } from './tally.ts';
import type { WaitOptions } from './waiting.ts';

export interface LimiterOptions<A extends Algorithm = Algorithm, S extends Store = Store> {
  /**
   * Identifies the counters in the store and the policy in decisions, header fields and metrics: 1 to 64 of `a-z A-Z 0-9 _ . -`.
   * Limiters of one name in one store share their counters.
   */
  readonly name: string;
  /** What is limited: `tokenBucket`, `gcra`, `fixedWindow`, `slidingWindow`, `slidingLog` or `concurrency`. */
  readonly algorithm: A;
  /** Where the counters are. @defaultValue a `memoryStore()` of its own */
  readonly store?: S;
  /**
   * Decides and counts, but refuses nobody: for trying a limit on live traffic. `Decision.shadowed` says what would have been
   * refused. @defaultValue false
   */
  readonly shadow?: boolean;
  /** With a remote store: what to answer while it does not. @defaultValue a local limiter at the whole limit */
  readonly outage?: OutageOptions;
  /**
   * With a remote store: whether a key that was refused is refused here, without asking, until the moment the store named, but for a
   * second at most: then it is asked again, for another process may have given back. False where such refunds and resets should be
   * heard at once. Never done for leases. @defaultValue true
   */
  readonly knownRefusals?: boolean;
  /**
   * With a remote store: how many a process takes ahead of a key that is asked for, to hand them out without asking; from 2 to the limit.
   * For keys that each process is asked for many times a second. Of n processes, each that reserves k, up to n × (k − 1) of a key
   * are held for up to a second, and refused to others; and as many more than the algorithm promises can go through in a stretch of time,
   * having been reserved before it. Only takes that cost 1 use it: not other costs, not `allOf`. Not for leases.
   * @defaultValue nothing is reserved
   */
  readonly reserve?: number;
  /**
   * Where to count: the metrics of `spillway/observe`, or whatever has `counter`, `gauge` and `histogram` as they do. Counted are decisions by
   * limiter, outcome and source, and by how full it was, and how long calls to a remote store take; of the few keys that are refused most, how often,
   * where there are `rows` too. See docs/metrics.md. @defaultValue nowhere
   */
  readonly metrics?: MetricsSink;
  /**
   * With `metrics`: whether the keys that are refused most are told as they are. Otherwise each is 16 hexadecimal digits of a hash with a secret of this
   * limiter, so that two processes tell one key by different digits. @defaultValue false
   */
  readonly showKeys?: boolean;
  /**
   * The traces of `spillway/observe`: each decision is an event `limit` of the span that is current then, with the limiter's name, the outcome and who
   * decided; never the key. @defaultValue nowhere
   */
  readonly traces?: CurrentSpan;
}

/** What every limiter can do. A key is any string but the empty one. */
export interface Limiter<D extends Decision = Decision> {
  readonly name: string;
  readonly algorithm: Algorithm;
  readonly store: Store;
  /** It decides and counts, and refuses nobody. */
  readonly shadow: boolean;
  readonly counts: LimiterCounts;
  /** Takes `cost` if there is room for all of it, else nothing. */
  take(key: string, options?: TakeOptions): Promise<D>;
  /** What `take` would answer now; takes nothing, counts nothing. */
  peek(key: string, options?: TakeOptions): Promise<D>;
  /**
   * Takes `cost` when its turn has come: those who wait for a key are served by priority and, within it, in the order of coming. The
   * decision says no if it does not come within `maxWait`, at once if that is known before, and if ten thousand wait already.
   */
  wait(key: string, options?: WaitOptions): Promise<D>;
  /** Forgets what the key has taken. */
  reset(key: string): Promise<void>;
  /**
   * Changes the limit while it runs. True if the counters go on, as they do for another limit, rate or window of the same
   * algorithm; false if everyone starts anew: another algorithm, or another limit of `slidingLog` or `concurrency`, which have
   * as much state as their limit.
   */
  change(algorithm: Algorithm): boolean;
}

/** What algorithms can do whose limit comes back by itself: all but `concurrency`. */
export interface Rates {
  /**
   * Takes as much of `amount` as there is room for; `granted` says how much. Allowed if that is anything, and `retryAfterMs` is then
   * when there will be more.
   */
  takeUpTo(key: string, amount: number, options?: { readonly signal?: AbortSignal }): Promise<Decision>;
  /**
   * Gives back up to `amount` of what was taken and not yet come back: for work that turned out not to be done. Of a `slidingLog` the
   * newest, whoever took it: what others took in between then comes back as early as what was refunded would have.
   */
  refund(key: string, amount?: number): Promise<void>;
}

/** What `concurrency` can do, whose limit comes back when leases end. */
export interface Leases {
  /** Ends a lease. False if it had ended by itself: somebody else may have the slot since, and keeps it. */
  release(key: string, lease: number): Promise<boolean>;
  /** Another whole lease from now on. False if it had ended. */
  renew(key: string, lease: number): Promise<boolean>;
}

/** The same without a promise, where the store is local: two thirds of the time (`npm run bench -- limit --only memory`). */
export interface SyncLimiter<D extends Decision = Decision> {
  takeSync(key: string, cost?: number): D;
  peekSync(key: string, cost?: number): D;
  resetSync(key: string): void;
}

/** What a limiter with a remote store knows of it. */
export interface StoreState {
  /** Since when the store does not answer, and why; null while it does. */
  readonly outage: Outage | null;
}

export interface SyncRates {
  takeUpToSync(key: string, amount: number): Decision;
  refundSync(key: string, amount?: number): void;
}

export interface SyncLeases {
  releaseSync(key: string, lease: number): boolean;
  renewSync(key: string, lease: number): boolean;
}

type DecisionOf<A> = A extends LeaseAlgorithm ? LeaseDecision : Decision;

/** What a limiter can do with this algorithm in this store. */
export type LimiterOf<A extends Algorithm, S extends Store> = Limiter<DecisionOf<A>> &
  (A extends LeaseAlgorithm ? Leases : Rates) &
  (S extends LocalStore ? SyncLimiter<DecisionOf<A>> & (A extends LeaseAlgorithm ? SyncLeases : SyncRates) : unknown) &
  (S extends RemoteStore ? StoreState : unknown);

function readReserve(reserve: number, algorithm: Algorithm): number {
  if (hasLeases(algorithm)) {
    throw invalid(`createLimiter: reserve is ${reserve}, and the algorithm has leases, which are taken one by one.`);
  }
  return checkInteger('createLimiter: reserve', reserve, 2, algorithm.limit);
}

const NAME = /^[\w.-]{1,64}$/;

/**
 * A limiter.
 *
 * @example
 * const perUser = createLimiter({ name: 'api', algorithm: tokenBucket({ capacity: 100, refillPerSecond: 10 }) });
 * const decision = await perUser.take('user:42');
 * console.log(decision.allowed, decision.remaining); // true 99
 */
export function createLimiter<const A extends Algorithm, S extends Store = LocalStore>(
  options: LimiterOptions<A, S>,
): LimiterOf<A, S> {
  checkKeys('createLimiter', options, [
    'name',
    'algorithm',
    'store',
    'shadow',
    'outage',
    'knownRefusals',
    'reserve',
    'metrics',
    'showKeys',
    'traces',
  ]);
  const {
    name,
    algorithm,
    shadow = false,
    outage,
    knownRefusals,
    reserve,
    metrics,
    showKeys = false,
    traces,
  } = options;
  const store: Store = options.store ?? memoryStore();
  if (!NAME.test(name)) {
    throw invalid(`createLimiter: name is “${name}”; expected 1 to 64 of the characters a-z A-Z 0-9 _ . -`);
  }
  if (typeof algorithm?.take !== 'function') {
    throw invalid(`createLimiter: limiter “${name}” has no algorithm; expected one such as tokenBucket({ … }).`);
  }
  const events = traces === undefined ? null : new DecisionEvents(traces, name);
  if (!store.local) {
    const outages = readOutage(outage ?? {});
    const limiter = new RemoteLimiter({
      name,
      algorithm,
      store,
      shadow,
      outages,
      knownRefusals: knownRefusals ?? true,
      reserve: reserve === undefined ? null : readReserve(reserve, algorithm),
      metrics: metrics ?? null,
      showKeys,
      events,
    });
    return limiter as unknown as LimiterOf<A, S>;
  }
  if (outage !== undefined || knownRefusals !== undefined || reserve !== undefined) {
    throw invalid(
      `createLimiter: limiter “${name}” has a local store, which never fails and is near; ` +
        'outage, knownRefusals and reserve are for remote ones.',
    );
  }
  const counted = metrics !== undefined && {
    metrics: new DecisionMetrics(metrics, name, showKeys),
    times: new TakeTimes(metrics, name),
  };
  return new LocalLimiter({ name, algorithm, store, shadow, ...counted, events }) as unknown as LimiterOf<A, S>;
}
