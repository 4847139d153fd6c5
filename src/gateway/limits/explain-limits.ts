/** Which limits a request would meet, as what it would count, and what is left of each. Takes nothing. */
import { createLimiter, sharedMemoryStore } from '../../limit/index.ts';
import type { ListenerPlan, RoutePlan, Snapshot } from '../snapshot.ts';
import { describeAlgorithm, describeKey } from './describe.ts';
import { memoriesOf, usesOf } from './limits.ts';
import { algorithmOf, floorName, type LimitPlan } from './plan.ts';
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
  /** Null for a config that does not run: nobody has counted. */
  readonly now: {
    readonly limit: number;
    readonly remaining: number;
    readonly refused: boolean;
    /** Until the request would be let pass, if nobody else comes; 0 if it is. */
    readonly retryAfterMs: number;
  } | null;
}

/** `live`: the snapshot is one that runs, and its memory is counted in. */
export function explainLimits(
  { limits }: Snapshot,
  { requestLimits: ofListener }: ListenerPlan,
  { requestLimits: ofRoute }: RoutePlan,
  { request, live }: { readonly request: Keyed; readonly live: boolean },
): ExplainedLimit[] {
  const uses = usesOf(ofListener, ofRoute);
  const store = uses.length === 0 ? null : sharedMemoryStore(memoriesOf(limits));
  const peek = (name: string, { algorithm, shadow }: LimitPlan, key: string, cost: number): ExplainedLimit['now'] => {
    if (store === null || !live) return null;
    const limiter = createLimiter({ name, algorithm: algorithmOf(algorithm), store });
    const { limit, remaining, allowed, retryAfterMs } = limiter.peekSync(key, cost);
    return { limit, remaining, refused: !allowed && !shadow, retryAfterMs };
  };
  return uses.flatMap(({ limit, cost }) => {
    const plan = limits.find(({ name }) => name === limit);
    if (plan === undefined) return [];
    const common = { algorithm: describeAlgorithm(plan.algorithm), cost, shadow: plan.shadow };
    const lines: ExplainedLimit[] = [];
    if (plan.floor !== null) {
      const key = clientKey(request) ?? '';
      const now = peek(floorName(limit), plan, key, cost);
      lines.push({ ...common, name: limit, key: 'client', countsAs: shown(key), now });
    }
    const key = createKeyReader(plan)(request);
    const now = key === null ? null : peek(limit, plan, key, cost);
    lines.push({ ...common, name: limit, key: describeKey(plan), countsAs: key === null ? null : shown(key), now });
    return lines;
  });
}

/** Parts of a key are separated by line feeds. */
function shown(key: string): string {
  return key.startsWith('\n') ? `${key.slice(1)} (without the key)`.trimStart() : key.replaceAll('\n', ' + ');
}
