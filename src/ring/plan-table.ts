/** A plan as text, for a terminal: what each node gives and gets. */
import { checkInteger, checkKeys } from '../kernel/options.ts';
import { checkPlan, type Plan } from './plan.ts';

const ROWS_DEFAULT = 20;

const percent = (share: number): string => `${(share * 100).toFixed(2)} %`;

/**
 * A plan as a table, the largest moves first; beyond `rows` (20) only their number and sum.
 *
 * @example
 * const four = createModulo(['a', 'b', 'c', 'd']);
 * console.log(planTable(plan(four, four.with(['a', 'b', 'c', 'd', 'e'])), { rows: 0 }));
 * // … 16 more with 80.00 %
 * // 80.00 % of all keys move, at least 20.00 % had to
 */
export function planTable(plan: Plan, options: { readonly rows?: number } = {}): string {
  checkPlan(plan);
  checkKeys('A table', options, ['rows']);
  const rowsMax = checkInteger('rows', options.rows ?? ROWS_DEFAULT, 0, Number.MAX_SAFE_INTEGER);
  const shown = plan.moves.slice(0, rowsMax);
  const rest = plan.moves.slice(shown.length);
  const rows = [['from', 'to', 'keys', 'ranges']];
  for (const { from, to, share, ranges } of shown) {
    rows.push([
      from ?? '(nobody)',
      to ?? '(nobody)',
      percent(share),
      ranges === null ? 'scattered' : String(ranges.length),
    ]);
  }
  const widths = rows[0]!.map((_, column) => rows.reduce((widest, row) => Math.max(widest, row[column]!.length), 0));
  const lines = rows.map(([from = '', to = '', share = '', ranges = '']) =>
    [from.padEnd(widths[0]!), to.padEnd(widths[1]!), share.padStart(widths[2]!), ranges.padStart(widths[3]!)].join(
      '  ',
    ),
  );
  if (rest.length > 0) {
    lines.push(`… ${rest.length} more with ${percent(rest.reduce((sum, { share }) => sum + share, 0))}`);
  }
  lines.push(`${percent(plan.moved)} of all keys move, at least ${percent(plan.least)} had to`);
  return lines.join('\n');
}
