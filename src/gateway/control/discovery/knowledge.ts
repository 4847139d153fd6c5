/**
 * What is known from one source of endpoints, answer by answer. Pure.
 *
 * Invariants: a failure takes nothing away, and neither does an empty answer unless the policy says that it means "none"; no
 * address is known twice; never more than `max` are known, and none that the gateway must not send requests to; `endpoints` is
 * the same array as long as nothing about them has changed.
 * Cost: O(n) an answer.
 */
import { isDeepStrictEqual } from 'node:util';
import type { FoundEndpoint } from '../../config/index.ts';
import type { Address } from '../../config/address.ts';

export interface Knowledge {
  /** Null before the first good answer. */
  readonly endpoints: readonly FoundEndpoint[] | null;
  /** On the clock: when the last good answer came. */
  readonly answeredAtMs: number | null;
  /** What is wrong with the source now, in words; null if nothing is. */
  readonly problem: string | null;
  /** What its last answer named and is not used, and why; a line each. */
  readonly leftOut: readonly string[];
  readonly answers: number;
  readonly failures: number;
}

export interface KnowledgePolicy {
  readonly max: number;
  readonly whenEmpty: 'keep' | 'remove';
  /** Why requests must not be sent there; null if they may. */
  readonly fault: (address: Address) => string | null;
}

/** What came of asking. Both: a part is new and a part could not be had. */
export interface Outcome {
  /** Null if nothing could be had. */
  readonly endpoints: readonly FoundEndpoint[] | null;
  readonly problem: string | null;
}

/** Enough to see what is going on. */
const LEFT_OUT_MAX = 10;

export const ignorance: Knowledge = {
  endpoints: null,
  answeredAtMs: null,
  problem: null,
  leftOut: [],
  answers: 0,
  failures: 0,
};

/** Of a service whose endpoints were known from elsewhere: they are good until this source answers. */
export function inherited({ endpoints }: Knowledge, policy: KnowledgePolicy): Knowledge {
  const { taken } = sift(endpoints ?? [], policy);
  if (taken.length === 0) return ignorance;
  return { ...ignorance, endpoints: taken, problem: 'nothing from here yet; the endpoints known before stay' };
}

export function learn(known: Knowledge, outcome: Outcome, policy: KnowledgePolicy, nowMs: number): Knowledge {
  if (outcome.endpoints === null) {
    return { ...known, problem: outcome.problem ?? 'no answer', failures: known.failures + 1 };
  }
  const { taken, leftOut } = sift(outcome.endpoints, policy);
  const had = known.endpoints?.length ?? 0;
  const lines = leftOut.slice(0, LEFT_OUT_MAX);
  if (leftOut.length > lines.length) lines.push(`and ${leftOut.length - lines.length} more`);
  const emptyWhy = leftOut.length > 0 ? 'it names nothing that may be used' : 'its answer is empty';
  const isLoss = taken.length === 0 && policy.whenEmpty === 'keep';
  const problem = outcome.problem ?? (isLoss ? emptyWhy : null);
  if (isLoss && had > 0) {
    const kept = had === 1 ? 'the endpoint known before stays' : `the ${had} endpoints known before stay`;
    const told = `${problem}; ${kept} (whenEmpty: remove would take them away)`;
    return { ...known, problem: told, leftOut: lines, failures: known.failures + 1 };
  }
  const isSame = known.endpoints !== null && isDeepStrictEqual(known.endpoints, taken);
  return {
    endpoints: isSame ? known.endpoints : taken,
    answeredAtMs: nowMs,
    problem,
    leftOut: lines,
    answers: known.answers + (problem === null ? 1 : 0),
    failures: known.failures + (problem === null ? 0 : 1),
  };
}

function sift(given: readonly FoundEndpoint[], { max, fault }: KnowledgePolicy) {
  const taken = new Map<string, FoundEndpoint>();
  const leftOut: string[] = [];
  let over = 0;
  for (const endpoint of given) {
    const { address } = endpoint;
    if (taken.has(address.text)) continue;
    const why = fault(address);
    if (why !== null) leftOut.push(`${address.text}: ${why}`);
    else if (taken.size === max) over += 1;
    else taken.set(address.text, endpoint);
  }
  if (over > 0) leftOut.unshift(`${over} of ${taken.size + over} endpoints, as max is ${max}`);
  return { taken: [...taken.values()], leftOut };
}
