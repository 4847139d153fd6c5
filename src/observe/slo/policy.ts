/**
 * What follows when the budget runs low: a warning, a review of what is deployed, a freeze, each from some share of the
 * budget left on down. Pure.
 *
 * A level holds for what is left over the window, so it ends by itself, when what was spent leaves the window or a new period begins. A budget is a
 * share of what was counted: while that is little, one failure is many times what may fail, so nothing freezes until enough is known.
 */
import { formatDuration, formatPercentage } from '../../kernel/units.ts';

/** Shares of the budget that is left, from 0 to 1, at or below which a level holds; null: never. None is above the one before. */
export interface BudgetPolicy {
  readonly warn: number | null;
  readonly review: number | null;
  readonly freeze: number | null;
  /** So much of the window must be known before a budget freezes, and before a gate says yes. */
  readonly historyMs: number;
}

/** The worst last. */
export const budgetLevels = ['ok', 'warn', 'review', 'freeze'] as const;
export type BudgetLevel = (typeof budgetLevels)[number];

/** What is said of one that is not set. An hour is what the alert for the fastest loss looks back over. */
export const defaultPolicy: BudgetPolicy = { warn: 0.5, review: 0.25, freeze: 0, historyMs: 3_600_000 };

/** What somebody wrote of it; what is not there is as usual. */
export type PartialPolicy = {
  readonly [Key in PolicyKey]?: (Key extends 'history' ? number : number | null) | undefined;
};
/** As they are written. */
export type PolicyKey = PolicyLevel | 'history';
export type PolicyLevel = Exclude<BudgetLevel, 'ok'>;
export const policyKeys = ['warn', 'review', 'freeze', 'history'] as const satisfies readonly PolicyKey[];

/** The last that says something of a key decides. */
export function policyOf(...given: readonly (PartialPolicy | undefined)[]): BudgetPolicy {
  const last = <Key extends PolicyKey>(key: Key): PartialPolicy[Key] =>
    given.findLast((each) => each?.[key] !== undefined)?.[key];
  const level = (key: PolicyLevel): number | null => {
    const share = last(key);
    return share === undefined ? defaultPolicy[key] : share;
  };
  const historyMs = last('history') ?? defaultPolicy.historyMs;
  return { warn: level('warn'), review: level('review'), freeze: level('freeze'), historyMs };
}

/** What a share is of. */
export interface KnownPart {
  /** Of the window. */
  readonly knownMs: number;
  /** Failures that what was counted in it allows. */
  readonly events: number;
}

/** Fewer, and the first failure overdraws the budget, however good the service is. */
export const EVENTS_MIN = 1;
/** Where nobody can say how much is known, it is taken to be enough. */
const enough: KnownPart = { knownMs: Number.POSITIVE_INFINITY, events: Number.POSITIVE_INFINITY };

/** `leftShare` is 1 for a whole budget, 0 for none, below 0 for one that is overdrawn. */
export function budgetLevel(policy: BudgetPolicy, leftShare: number, { knownMs, events } = enough): BudgetLevel {
  const mayFreeze = knownMs >= policy.historyMs && events >= EVENTS_MIN;
  const reached = (level: PolicyLevel): boolean => {
    const at = policy[level];
    return at !== null && leftShare <= at && (level !== 'freeze' || mayFreeze);
  };
  return budgetLevels.findLast((level) => level === 'ok' || reached(level)) ?? 'ok';
}

export function worstLevel(levels: readonly BudgetLevel[]): BudgetLevel {
  return budgetLevels.findLast((level) => levels.includes(level)) ?? 'ok';
}

/** `warn at 50%, review at 25%, freeze at 0% of it left, once 1h is known`; what never comes is left out. */
export function formatPolicy(policy: BudgetPolicy): string {
  const parts = budgetLevels.flatMap((level) => {
    const at = level === 'ok' ? null : policy[level];
    return at === null ? [] : [`${level} at ${formatPercentage(at)}`];
  });
  if (parts.length === 0) return 'none';
  const known = policy.freeze === null ? '' : `, once ${formatDuration(policy.historyMs)} is known`;
  return `${parts.join(', ')} of it left${known}`;
}
