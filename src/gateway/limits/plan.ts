/** Limits as the config is compiled to: plain data that crosses threads, and memory that they share. */
import {
  concurrency,
  fixedWindow,
  gcra,
  slidingLog,
  slidingWindow,
  tokenBucket,
  type Algorithm,
} from '../../limit/index.ts';
import type { Cell } from '../../kernel/cells.ts';
import type { StorePlan } from './stores.ts';

/** An algorithm by its name, with the options that the library has for it. */
export type AlgorithmPlan =
  | { readonly type: 'token-bucket'; readonly capacity: number; readonly refillPerSecond: number }
  | { readonly type: 'gcra'; readonly limit: number; readonly per: number; readonly burst: number }
  | { readonly type: 'fixed-window' | 'sliding-window' | 'sliding-log'; readonly limit: number; readonly per: number }
  | { readonly type: 'concurrency'; readonly limit: number; readonly lease: number };

/** What makes two requests count together. */
export type LimitKeySource =
  | { readonly kind: 'client' | 'listener' | 'route' }
  | { readonly kind: 'header' | 'query' | 'cookie' | 'claim'; readonly name: string };

export interface LimitPlan {
  readonly name: string;
  readonly algorithm: AlgorithmPlan;
  /** All of them together; none is one count for everybody. */
  readonly keys: readonly LimitKeySource[];
  /** What becomes of a request that lacks one of `keys`: see limit-schema.ts. */
  readonly missing: 'client' | 'together' | 'skip';
  readonly shadow: boolean;
  /** When an answer tells the client how much it has left. */
  readonly fields: 'always' | 'refused' | 'never';
  /** Refused keys are told as they are, and not as a hash. */
  readonly showKeys: boolean;
  /** Where it counts for a whole fleet; null: in `memory`. */
  readonly store: LimitStorePlan | null;
  /** The counters of all workers: of a limit with a store, while that does not answer. */
  readonly memory: SharedArrayBuffer;
  /** The same for client addresses, for a limit by something that anybody can claim; else null. */
  readonly floor: SharedArrayBuffer | null;
  readonly cell: Cell;
  /** Who is refused most: refused-keys.ts. */
  readonly refusedKeys: SharedArrayBuffer;
}

/** A store as one limit uses it. */
export interface LimitStorePlan extends StorePlan {
  readonly outage: OutagePlan;
}

/** What is answered while the store does not. */
export interface OutagePlan {
  readonly answer: 'fallback' | 'open' | 'closed';
  /** Of `fallback`: the part of the limit that this gateway, all its workers together, admits by itself. */
  readonly share: number;
  /** How long the store has to answer. */
  readonly deadlineMs: number;
}

/** A limit as a listener or route uses it. */
export interface LimitUse {
  /** Its name. */
  readonly limit: string;
  /** What one request takes of it. */
  readonly cost: number;
}

/** Throws `OPTIONS_INVALID` for numbers that mean nothing. */
export function algorithmOf(plan: AlgorithmPlan): Algorithm {
  switch (plan.type) {
    case 'token-bucket':
      return tokenBucket({ capacity: plan.capacity, refillPerSecond: plan.refillPerSecond });
    case 'gcra':
      return gcra({ limit: plan.limit, per: plan.per, burst: plan.burst });
    case 'fixed-window':
      return fixedWindow({ limit: plan.limit, per: plan.per });
    case 'sliding-window':
      return slidingWindow({ limit: plan.limit, per: plan.per });
    case 'sliding-log':
      return slidingLog({ limit: plan.limit, per: plan.per });
    case 'concurrency':
      return concurrency({ limit: plan.limit, lease: plan.lease });
    default:
      return plan satisfies never;
  }
}

/** Something anybody can claim is in the key: nothing here has looked at a signature. */
export function isClaimed({ keys }: Pick<LimitPlan, 'keys'>): boolean {
  return keys.some(({ kind }) => kind === 'claim');
}

/** The limiter of client addresses beside one that goes by claims. No name in a config begins like it. */
export function floorName(name: string): string {
  return `_${name}`;
}
