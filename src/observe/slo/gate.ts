/**
 * Whether something may be deployed: not while the budget of an objective that it could spend is frozen. Pure.
 *
 * Where it is not known what is left of a budget that could freeze, the answer is not yes, and it is not that anything is frozen: who
 * asks for a pipeline stops there, who asks for a gateway that has just begun goes on.
 *
 * What mends always passes: a rollback, and a change that is marked as a security fix. Anything else passes only if somebody
 * says why. Who let what through is for the ledger, not for here.
 */
import { formatDuration, formatPercentage } from '../../kernel/units.ts';
import type { SloStatus } from './live/status.ts';
import { type BudgetLevel, budgetLevels, type BudgetPolicy, worstLevel } from './policy.ts';

/** What a change claims for itself. */
export interface Pass {
  readonly kind: 'rollback' | 'security-fix' | 'override';
  /** Why; of a rollback nothing is asked. */
  readonly text: string;
  /** Who says so. */
  readonly by: string;
}

/** What is known of an objective. */
export type GateStanding = Pick<SloStatus, 'id' | 'policy' | 'level'> & {
  readonly budget: Pick<SloStatus['budget'], 'share' | 'minutesLeft'>;
  /** Why that does not say whether it should be frozen, as part of a sentence; null: it does, or its policy never freezes. */
  readonly unknown: string | null;
};

/** What an evaluation says of an objective. */
export type Evaluated = Pick<SloStatus, 'id' | 'policy' | 'level' | 'good' | 'bad' | 'sinceMs' | 'atMs' | 'period'> &
  Pick<GateStanding, 'budget'>;

export function standing({ id, policy, level, budget, ...counted }: Evaluated): GateStanding {
  return { id, policy, level, budget, unknown: unknownOf(policy, counted) };
}

/** Of one that was not evaluated yet. */
export function newStanding(id: string, policy: BudgetPolicy): GateStanding {
  const unknown = policy.freeze === null ? null : 'nothing was counted yet';
  return { id, policy, level: 'ok', budget: { share: 1, minutesLeft: 0 }, unknown };
}

function unknownOf(
  { freeze, historyMs }: BudgetPolicy,
  { good, bad, sinceMs, atMs, period }: Pick<SloStatus, 'good' | 'bad' | 'sinceMs' | 'atMs' | 'period'>,
): string | null {
  if (freeze === null) return null;
  // Of a period that has just begun nothing is a whole budget.
  const isNew = period !== null && atMs - period.fromMs < historyMs;
  if (sinceMs === null || (good + bad <= 0 && !isNew)) return 'nothing was counted in its window';
  const knownMs = Math.max(0, atMs - sinceMs);
  if (knownMs >= historyMs) return null;
  return `${formatDuration(Math.floor(knownMs / 1000) * 1000)} of its window is known, and it takes ${formatDuration(historyMs)}`;
}

export interface GateReason {
  /** Of the objective: `shop-availability`. */
  readonly slo: string;
  readonly level: BudgetLevel;
  /** Part of the budget that is left; below 0 if it is overdrawn. */
  readonly share: number;
  readonly minutesLeft: number;
  /** A sentence. */
  readonly text: string;
}

export interface GateVerdict {
  /** False if a budget is frozen, and if it is not known of one that could be. */
  readonly open: boolean;
  /** The worst of all that is known: it is frozen if this says so, and else, if it is not open, not known. */
  readonly level: BudgetLevel;
  /** Every objective that is not well, the worst first. */
  readonly reasons: readonly GateReason[];
  /** Of every objective that could freeze and of which it is not known whether it should, a sentence. */
  readonly unknown: readonly string[];
  /** What opened it although it is frozen or not known; else null. */
  readonly pass: Pass['kind'] | null;
}

export function judgeGate(standings: readonly GateStanding[], pass: Pass | null = null): GateVerdict {
  const level = worstLevel(standings.map((each) => each.level));
  const reasons = standings.filter((each) => each.level !== 'ok').map(reasonOf);
  const rank = (reason: GateReason): number => budgetLevels.indexOf(reason.level);
  const unknown = standings.flatMap(({ id, unknown: why }) =>
    why === null ? [] : [`It is not known what is left of the budget of ${id}: ${why}.`],
  );
  const isShut = level === 'freeze' || unknown.length > 0;
  return {
    open: !isShut || pass !== null,
    level,
    reasons: reasons.toSorted((one, other) => rank(other) - rank(one) || one.share - other.share),
    unknown,
    pass: isShut ? (pass?.kind ?? null) : null,
  };
}

const means: Readonly<Record<BudgetLevel, string>> = {
  ok: 'is well',
  warn: 'warns',
  review: 'asks for a review',
  freeze: 'is frozen',
};

function reasonOf({ id, level, budget: { share, minutesLeft }, policy }: GateStanding): GateReason {
  const [part, minutes] = [formatPercentage(round(Math.abs(share), 4)), `${round(Math.abs(minutesLeft), 1)} min`];
  const left =
    share > 0
      ? `${part} of its budget (${minutes}) is left`
      : share < 0
        ? `its budget is overdrawn by ${part} (${minutes})`
        : 'its budget is spent';
  const at = level === 'ok' ? null : policy[level];
  const text = `${id} ${means[level]}: ${left}; it does from ${formatPercentage(at ?? 1)} left on down.`;
  return { slo: id, level, share, minutesLeft, text };
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

/** In a sentence, for a log and a person; only what keeps it shut. */
export function formatGate({ level, reasons, unknown, pass }: GateVerdict): string {
  const frozen = reasons.filter((reason) => reason.level === 'freeze').map(({ text }) => text);
  const shut = [...frozen, ...(level === 'freeze' ? [] : unknown)].join(' ');
  if (shut === '') return level === 'ok' ? 'No budget runs low.' : reasons.map(({ text }) => text).join(' ');
  return pass === null ? shut : `Let through (${pass}) although: ${shut}`;
}

/** What opens it. */
export const passAdvice =
  'Rollbacks pass; a security fix passes with --security-fix "CVE-…", anything else with --override "why".';
