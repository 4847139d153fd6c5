/**
 * What follows when the budget runs low: a warning, a review of what is deployed, a freeze, each from some share of the
 * budget left on down. Pure.
 *
 * A level holds for what is left over the rolling window, so it ends by itself, when what was spent leaves the window.
 */
import { formatPercentage } from '../../kernel/units.ts';

/** Shares of the budget that is left, from 0 to 1, at or below which a level holds; null: never. None is above the one before. */
export interface BudgetPolicy {
  readonly warn: number | null;
  readonly review: number | null;
  readonly freeze: number | null;
}

/** The worst last. */
export const budgetLevels = ['ok', 'warn', 'review', 'freeze'] as const;
export type BudgetLevel = (typeof budgetLevels)[number];

/** What is said of one that is not set. */
export const defaultPolicy: BudgetPolicy = { warn: 0.5, review: 0.25, freeze: 0 };

/** What somebody wrote of it; what is not there is as in the one before. */
export type PartialPolicy = { readonly [Level in keyof BudgetPolicy]?: BudgetPolicy[Level] | undefined };

export function mergePolicies(...given: readonly (PartialPolicy | undefined)[]): BudgetPolicy {
  const of = (level: keyof BudgetPolicy): number | null =>
    given.findLast((each) => each?.[level] !== undefined)?.[level] ?? null;
  return { warn: of('warn'), review: of('review'), freeze: of('freeze') };
}

/** `leftShare` is 1 for a whole budget, 0 for none, below 0 for one that is overdrawn. */
export function budgetLevel(policy: BudgetPolicy, leftShare: number): BudgetLevel {
  const reached = (at: number | null): boolean => at !== null && leftShare <= at;
  return budgetLevels.findLast((level) => level === 'ok' || reached(policy[level])) ?? 'ok';
}

export function worstLevel(levels: readonly BudgetLevel[]): BudgetLevel {
  return budgetLevels.findLast((level) => levels.includes(level)) ?? 'ok';
}

/** `warn at 50%, review at 25%, freeze at 0%`; what never comes is left out. */
export function formatPolicy(policy: BudgetPolicy): string {
  const parts = budgetLevels.flatMap((level) => {
    const at = level === 'ok' ? null : policy[level];
    return at === null ? [] : [`${level} at ${formatPercentage(at)}`];
  });
  return parts.length === 0 ? 'none' : parts.join(', ');
}
