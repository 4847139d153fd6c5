/** The answer of `GET /api/slo` as somebody kept it in a file: as much of it as a gate goes by. Pure. */
import { type GateStanding, standing } from './gate.ts';
import type { Period } from './calendar.ts';
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
  const {
    id,
    service,
    atMs,
    sinceMs,
    good,
    bad,
    budget,
    policy,
    period = null,
  } = (given ?? {}) as Partial<Record<string, unknown>>;
  const { share, minutesLeft, events } = (budget ?? {}) as Partial<Record<string, unknown>>;
  if (typeof id !== 'string') return 'id';
  if (typeof service !== 'string') return 'service';
  if (!isNumber(atMs)) return 'atMs';
  if (sinceMs !== null && !isNumber(sinceMs)) return 'sinceMs';
  if (!isNumber(good)) return 'good';
  if (!isNumber(bad)) return 'bad';
  if (!isNumber(share)) return 'budget.share';
  if (!isNumber(minutesLeft)) return 'budget.minutesLeft';
  if (!isNumber(events)) return 'budget.events';
  if (!isPolicy(policy)) return 'policy with warn, review, freeze and historyMs';
  if (period !== null && !isPeriod(period)) return 'period with fromMs and toMs';
  // What was decided then is not taken for granted: it is decided again.
  const level = budgetLevel(policy, share, { knownMs: sinceMs === null ? 0 : atMs - sinceMs, events });
  const counted = { good, bad, sinceMs, atMs, period };
  return { ...standing({ id, policy, level, budget: { share, minutesLeft }, ...counted }), service, atMs };
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function isPeriod(value: unknown): value is Period {
  const { fromMs, toMs } = (value ?? {}) as Partial<Record<string, unknown>>;
  return isNumber(fromMs) && isNumber(toMs);
}

function isPolicy(value: unknown): value is BudgetPolicy {
  const given = (value ?? {}) as Partial<Record<string, unknown>>;
  const isLevel = (level: string): boolean => given[level] === null || isNumber(given[level]);
  return budgetLevels.every((level) => level === 'ok' || isLevel(level)) && isNumber(given['historyMs']);
}
