/**
 * How the budget of an objective was spent, and what follows if things go on as they do. Pure.
 *
 * The curve begins at 100 % where the window began and ends at what is left now: what is drawn is how the budget as it stands was spent, not
 * what was left at each past moment of a window that rolled on since. The projection is a cone: straight on at the slowest and at the fastest of
 * the burn rates that alerts look at, with that of the last hour between, and nothing coming back; a window that rolls gives some back.
 */
import { errorBudget } from '../../observe/slo/objective.ts';
import type { SloStatus } from '../../observe/slo/live/status.ts';

/** What was counted in each step of time: `times` are their ends, wall ms. Null: nothing is known of that step. */
export interface SloSteps {
  readonly times: readonly number[];
  readonly good: readonly (number | null)[];
  readonly bad: readonly (number | null)[];
}

/** Part of the budget that is left after each step; 1 before anything was counted. `passed` is the part of the window that they are of. */
export function budgetLeft({ good, bad }: Omit<SloSteps, 'times'>, objective: number, passed = 1): number[] {
  let events = 0;
  for (const [at, count] of good.entries()) events += (count ?? 0) + (bad[at] ?? 0);
  const allowed = (events * errorBudget({ objective })) / passed;
  let spent = 0;
  return good.map((_, at) => {
    spent += bad[at] ?? 0;
    return allowed === 0 ? 1 : 1 - spent / allowed;
  });
}

export interface Projection {
  /** Wall ms, from now on. */
  readonly times: readonly number[];
  /** At the burn rate of the last hour, and between what rates of burning. Null: no events to tell by. */
  readonly middle: readonly number[];
  readonly best: readonly number[];
  readonly worst: readonly number[];
}

const STEPS = 40;

/** Null if no window has seen an event: there is nothing to go by. */
export function projection(status: SloStatus, horizonMs: number): Projection | null {
  const known = status.burn.filter(({ value }) => value !== null);
  if (known.length === 0) return null;
  // The long windows of alerts: a rate of five minutes says nothing of next week.
  const long = status.burn.filter(({ windowS, value }) => value !== null && isLong(status, windowS));
  const rates = (long.length === 0 ? known : long).map(({ value }) => value!);
  const [middle, best, worst] = [rates[0]!, Math.min(...rates), Math.max(...rates)];
  const spans = Array.from({ length: STEPS + 1 }, (_, step) => (horizonMs * step) / STEPS);
  // A budget that was overdrawn is drawn on from there; one that is whole cannot become more.
  const at = (rate: number) => spans.map((ms) => status.budget.share - (rate * ms) / status.windowMs);
  return { times: spans.map((ms) => status.atMs + ms), middle: at(middle), best: at(best), worst: at(worst) };
}

function isLong({ alerts, windowMs }: SloStatus, windowS: number): boolean {
  if (alerts.length > 0) return alerts.some(({ longS }) => longS === windowS);
  return windowS >= windowMs / 1000 / 720;
}

/** How far to look ahead: until the worst of the cone is at zero and a little on, at least a fifth of the window and at most all of it, or what is left of a period. */
export function horizonMs(status: SloStatus): number {
  const rates = status.burn.map(({ value }) => value ?? 0);
  const worst = Math.max(0, ...rates);
  const empty = worst === 0 ? 0 : (Math.max(0, status.budget.share) / worst) * status.windowMs;
  const { period, atMs, windowMs } = status;
  return Math.min(period === null ? windowMs : period.toMs - atMs, Math.max(windowMs / 5, empty * 1.2));
}
