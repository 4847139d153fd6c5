/** What spent a budget, as people ask for it: whole bursts, the largest first, with what was said of them. Pure. */
import type { LedgerEntry, Span } from './entry.ts';
import { entriesInForce } from './ledger.ts';

export interface Spending extends Span {
  readonly good: number;
  readonly bad: number;
  readonly burst: boolean;
  /** Of incidents at that time. */
  readonly notes: readonly string[];
}

/** Parts of one burst are written minutes apart. */
const SAME_BURST_MS = 5 * 60_000;

/** Of one objective, as far as it reaches into a stretch of time; it counts whole. */
export function spendings(entries: readonly LedgerEntry[], slo: string, within: Span): readonly Spending[] {
  const holding = entriesInForce(entries);
  const whole: Spending[] = [];
  const spent = holding
    .filter((entry) => entry.kind === 'spent')
    .filter((entry) => entry.slo === slo && overlap(entry, within))
    .toSorted((one, other) => one.fromMs - other.fromMs);
  for (const { fromMs, toMs, good, bad, burst } of spent) {
    const at = whole.findLastIndex((each) => each.burst === burst);
    const before = whole[at];
    if (before !== undefined && burst && fromMs - before.toMs <= SAME_BURST_MS) {
      const until = Math.max(before.toMs, toMs);
      whole[at] = { ...before, toMs: until, good: before.good + good, bad: before.bad + bad };
    } else whole.push({ fromMs, toMs, good, bad, burst, notes: [] });
  }
  const incidents = holding
    .filter((entry) => entry.kind === 'incident')
    .filter((entry) => entry.slo === null || entry.slo === slo);
  return whole
    .map((each) => ({ ...each, notes: incidents.filter((entry) => overlap(entry, each)).map(({ text }) => text) }))
    .toSorted((one, other) => other.bad - one.bad);
}

function overlap(one: Span, other: Span): boolean {
  return one.fromMs < other.toMs && other.fromMs < one.toMs;
}
