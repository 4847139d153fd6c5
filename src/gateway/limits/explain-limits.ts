/** Which limits a request would meet, as what it would count, and what is left of each. Takes nothing. */
import { createLimiter, type Decision, sharedMemoryStore } from '../../limit/index.ts';
import type { ListenerPlan, RoutePlan, Snapshot } from '../snapshot.ts';
import { describeAlgorithm, describeKey } from './describe.ts';
import { memoriesOf, usesOf } from './limits.ts';
import { algorithmOf, floorName, isClaimed, type LimitPlan } from './plan.ts';
import { clientKey, createKeyReader, type Keyed } from './request-key.ts';

export interface ExplainedLimit {
  readonly name: string;
  /** In words, as in `GET /api/state`. */
  readonly algorithm: string;
  readonly key: string;
  /** As what this request counts; null if the limit does not concern it. */
  readonly countsAs: string | null;
  readonly cost: number;
  readonly shadow: boolean;
  /** Where it is counted, if not in the memory of the gateway. */
  readonly store: string | null;
  /** Null if that is not known: for a config that does not run nobody has counted, and a store may not have answered. */
  readonly now: {
    readonly limit: number;
    readonly remaining: number;
    readonly refused: boolean;
    /** Until the request would be let pass, if nobody else comes; 0 if it is. */
    readonly retryAfterMs: number;
  } | null;
}

/** What a limiter has left for a key. */
export interface LeftQuestion {
  readonly plan: LimitPlan;
  readonly limiter: string;
  readonly key: string;
  readonly cost: number;
}

/** Null: not known. */
export type LeftReader = (question: LeftQuestion) => ExplainedLimit['now'];

export function leftOf(
  { limit, remaining, allowed, retryAfterMs }: Decision,
  { shadow }: LimitPlan,
): ExplainedLimit['now'] {
  return { limit, remaining, refused: !allowed && !shadow, retryAfterMs };
}

/** As the memory of a running gateway has it; of limits in a store, that is nothing. */
export function leftInMemory({ limits }: Snapshot): LeftReader {
  const store = limits.length === 0 ? null : sharedMemoryStore(memoriesOf(limits));
  return ({ plan, limiter: name, key, cost }) => {
    if (store === null || plan.store !== null) return null;
    const limiter = createLimiter({ name, algorithm: algorithmOf(plan.algorithm), store });
    return leftOf(limiter.peekSync(key, cost), plan);
  };
}

export function explainLimits(
  { limits }: Snapshot,
  { requestLimits: ofListener }: ListenerPlan,
  { requestLimits: ofRoute }: RoutePlan,
  { request, left }: { readonly request: Keyed; readonly left: LeftReader },
): ExplainedLimit[] {
  return usesOf(ofListener, ofRoute).flatMap(({ limit: name, cost }) => {
    const plan = limits.find((each) => each.name === name);
    if (plan === undefined) return [];
    const { shadow, store } = plan;
    const common = { name, algorithm: describeAlgorithm(plan.algorithm), cost, shadow, store: store?.name ?? null };
    const lines: ExplainedLimit[] = [];
    if (isClaimed(plan)) {
      const key = clientKey(request) ?? '';
      const now = left({ plan, limiter: floorName(name), key, cost });
      lines.push({ ...common, key: 'client', countsAs: shown(key), now });
    }
    const key = createKeyReader(plan)(request);
    const now = key === null ? null : left({ plan, limiter: name, key, cost });
    lines.push({ ...common, key: describeKey(plan), countsAs: key === null ? null : shown(key), now });
    return lines;
  });
}

/** Parts of a key are separated by line feeds. */
function shown(key: string): string {
  return key.startsWith('\n') ? `${key.slice(1)} (without the key)`.trimStart() : key.replaceAll('\n', ' + ');
}
