/** The answer of `GET /api/slo` as somebody kept it in a file: as much of it as a gate goes by. Pure. */
import type { GateStanding } from './gate.ts';
import { budgetLevel, budgetLevels, type BudgetPolicy } from './policy.ts';

export type KeptStatus = GateStanding & { readonly service: string; readonly atMs: number };

/** Or what is wrong with it, as part of a sentence. */
export function readStatuses(text: string): readonly KeptStatus[] | string {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch (error) {
    return error instanceof Error ? `it is not JSON (${error.message})` : 'it is not JSON';
  }
  const list = (given as { readonly slos?: unknown } | null)?.slos;
  if (!Array.isArray(list)) return 'it has no list "slos"';
  if (list.length === 0) return 'there is no objective in it';
  const statuses: KeptStatus[] = [];
  for (const [at, each] of list.entries()) {
    const status = readStatus(each);
    if (typeof status === 'string') return `slos[${at}] has no ${status}`;
    statuses.push(status);
  }
  return statuses;
}

function readStatus(given: unknown): KeptStatus | string {
  const { id, service, atMs, budget, policy } = (given ?? {}) as Partial<Record<string, unknown>>;
  const { share, minutesLeft } = (budget ?? {}) as Partial<Record<string, unknown>>;
  if (typeof id !== 'string') return 'id';
  if (typeof service !== 'string') return 'service';
  if (!isNumber(atMs)) return 'atMs';
  if (!isNumber(share)) return 'budget.share';
  if (!isNumber(minutesLeft)) return 'budget.minutesLeft';
  if (!isPolicy(policy)) return 'policy with warn, review and freeze';
  // What was decided then is not taken for granted: it is decided again.
  return { id, service, atMs, policy, level: budgetLevel(policy, share), budget: { share, minutesLeft } };
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function isPolicy(value: unknown): value is BudgetPolicy {
  const given = (value ?? {}) as Partial<Record<string, unknown>>;
  return budgetLevels.every((level) => level === 'ok' || given[level] === null || isNumber(given[level]));
}
