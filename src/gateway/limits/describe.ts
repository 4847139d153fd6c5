/** Limits in words, for screens and explanations. */
import { formatDuration, formatPercentage } from '../../kernel/units.ts';
import type { AlgorithmPlan, LimitPlan, OutagePlan } from './plan.ts';

/** `token-bucket 100, 10/s`, `fixed-window 100 per 1m`, `concurrency 20`. */
export function describeAlgorithm(plan: AlgorithmPlan): string {
  switch (plan.type) {
    case 'token-bucket':
      return `${plan.type} ${plan.capacity}, ${plan.refillPerSecond}/s`;
    case 'concurrency':
      return `${plan.type} ${plan.limit}`;
    case 'gcra':
      return `${plan.type} ${plan.limit} per ${formatDuration(plan.per)}, ${plan.burst} at once`;
    default:
      return `${plan.type} ${plan.limit} per ${formatDuration(plan.per)}`;
  }
}

/** `everybody`, `client`, `header:X-Api-Key + route`. */
export function describeKey({ keys }: Pick<LimitPlan, 'keys'>): string {
  if (keys.length === 0) return 'everybody';
  return keys.map((source) => ('name' in source ? `${source.kind}:${source.name}` : source.kind)).join(' + ');
}

/** `fallback to 50% after 500ms`, `closed after 1s`. */
export function describeOutage({ answer, share, deadlineMs }: OutagePlan): string {
  const part = answer === 'fallback' ? ` to ${formatPercentage(share)}` : '';
  return `${answer}${part} after ${formatDuration(deadlineMs)}`;
}
