/**
 * Whether something may be deployed: not while the budget of an objective that it could spend is frozen. Pure.
 *
 * What mends always passes: a rollback, and a change that is marked as a security fix. Anything else passes only if somebody
 * says why. Who let what through is for the ledger, not for here.
 */
import { formatPercentage } from '../../kernel/units.ts';
import type { SloStatus } from './live/status.ts';
import { type BudgetLevel, budgetLevels, worstLevel } from './policy.ts';

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
};

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
  readonly open: boolean;
  /** The worst of all. */
  readonly level: BudgetLevel;
  /** Every objective that is not well, the worst first. */
  readonly reasons: readonly GateReason[];
  /** What opened it although a budget is frozen; else null. */
  readonly pass: Pass['kind'] | null;
}

export function judgeGate(standings: readonly GateStanding[], pass: Pass | null = null): GateVerdict {
  const level = worstLevel(standings.map((each) => each.level));
  const reasons = standings.filter((each) => each.level !== 'ok').map(reasonOf);
  const rank = (reason: GateReason): number => budgetLevels.indexOf(reason.level);
  const frozen = level === 'freeze';
  return {
    open: !frozen || pass !== null,
    level,
    reasons: reasons.toSorted((one, other) => rank(other) - rank(one) || one.share - other.share),
    pass: frozen ? (pass?.kind ?? null) : null,
  };
}

const means: Readonly<Record<BudgetLevel, string>> = {
  ok: 'is well',
  warn: 'warns',
  review: 'asks for a review',
  freeze: 'is frozen',
};

function reasonOf({ id, level, budget: { share, minutesLeft }, policy }: GateStanding): GateReason {
  const amount = `${formatPercentage(round(Math.abs(share), 4))} of its budget (${round(Math.abs(minutesLeft), 1)} min)`;
  const left = share > 0 ? `${amount} is left` : share < 0 ? `${amount} is spent beyond all` : 'its budget is spent';
  const at = level === 'ok' ? null : policy[level];
  const text = `${id} ${means[level]}: ${left}; it does from ${formatPercentage(at ?? 1)} left on down.`;
  return { slo: id, level, share, minutesLeft, text };
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

/** In a sentence, for a log and a person; only what keeps it shut. */
export function formatGate({ level, reasons, pass }: GateVerdict): string {
  if (level !== 'freeze') return level === 'ok' ? 'No budget runs low.' : reasons.map(({ text }) => text).join(' ');
  const frozen = reasons.filter((reason) => reason.level === 'freeze').map(({ text }) => text);
  return pass === null ? frozen.join(' ') : `Let through (${pass}) although ${frozen.join(' ')}`;
}

/** What opens it. */
export const passAdvice =
  'Rollbacks pass; a security fix passes with --security-fix "CVE-…", anything else with --override "why".';
