/** What an alert should have told: incidents that somebody wrote down, or what spent a part of the budget. Pure. */
import type { Spent } from '../ledger/entry.ts';
import { SpendRecorder } from '../ledger/recorder.ts';
import { spendings } from '../ledger/spendings.ts';
import { errorBudget, type Slo, sloId } from '../objective.ts';
import {
  beginningsOf,
  readSeconds,
  readTable,
  type Reading,
  type Recording,
  show,
  TableMistakes,
} from './recording.ts';

export interface Incident {
  readonly name: string;
  readonly fromS: number;
  readonly toS: number;
}

/** Columns `from`, `to` and, if wanted, `name`. */
export function readIncidents(text: string, file: string): Reading<readonly Incident[]> {
  const table = readTable(text, file, { needed: ['from', 'to'], known: ['from', 'to', 'name'] });
  if (!table.ok) return table;
  const mistakes = new TableMistakes(file);
  const incidents = table.value.flatMap((row, at): Incident[] => {
    const [fromS, toS] = [readSeconds(row.cell('from')), readSeconds(row.cell('to'))];
    for (const [name, value] of [
      ['from', fromS],
      ['to', toS],
    ] as const) {
      if (value === null)
        mistakes.add(row.line, row.column(name), `${show(row.cell(name))} is no time; write 2026-11-01T00:00:00Z`);
    }
    if (fromS === null || toS === null) return [];
    if (fromS >= toS) mistakes.add(row.line, row.column('to'), 'it ends before it begins');
    return [{ name: row.cell('name') || `incident ${at + 1}`, fromS, toS }];
  });
  return mistakes.list.length > 0 ? { ok: false, mistakes: mistakes.list } : { ok: true, value: incidents };
}

/** Bursts, as the ledger has them, that took at least this share of a budget, by the traffic that was recorded. */
export function deriveIncidents(slo: Slo, { steps }: Recording, share: number): readonly Incident[] {
  const [first, last] = [steps[0], steps.at(-1)];
  if (first === undefined || last === undefined) return [];
  const total = steps.reduce((sum, { good, bad }) => sum + good + bad, 0);
  const recordedMs = (last.atS - first.atS) * 1000;
  const budgetEvents = (errorBudget(slo) * total * slo.windowMs) / recordedMs;
  const recorder = new SpendRecorder({ slo: sloId(slo), errorBudget: errorBudget(slo) });
  const spent: Spent[] = [];
  const beginnings = beginningsOf(steps);
  for (const [at, { atS, good, bad }] of steps.entries()) {
    const fromMs = (beginnings[at] ?? atS) * 1000;
    spent.push(...recorder.step({ fromMs, toMs: atS * 1000, good, bad }, budgetEvents));
  }
  spent.push(...recorder.end(budgetEvents));
  const entries = spent.map((each, at) => ({ id: String(at), atMs: 0, ...each }));
  return spendings(entries, sloId(slo), { fromMs: (beginnings[0] ?? 0) * 1000, toMs: last.atS * 1000 })
    .filter(({ burst, bad }) => burst && bad >= share * budgetEvents)
    .map(({ fromMs, toMs }) => ({ name: new Date(fromMs).toISOString(), fromS: fromMs / 1000, toS: toMs / 1000 }))
    .toSorted((one, other) => one.fromS - other.fromS);
}
