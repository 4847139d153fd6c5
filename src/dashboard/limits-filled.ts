/** How full limits are: of each the key that had used most of it lately, and what is usual, from `spillway_limit_filled_total`. Pure. */
import type { SeriesAnswer } from '../gateway/admin/series-answer.ts';
import { type Fullness, fullnessOf } from '../limit/filled.ts';

/** By the name of the limit; one that nobody met in that time is not there, and nothing is known if not all rows are. */
export function filledOf({ more, rows }: SeriesAnswer): ReadonlyMap<string, Fullness> {
  const filled = new Map<string, Fullness>();
  if (more > 0) return filled;
  for (const [limit, members] of Map.groupBy(rows, ({ labels }) => labels['limit'] ?? '')) {
    const fullness = fullnessOf(
      members.map((row) => ({
        filled: row.labels['filled'] ?? '',
        count: row.kind === 'counter' ? row.values.reduce((sum, value) => sum + value, 0) : 0,
      })),
    );
    if (fullness !== null) filled.set(limit, fullness);
  }
  return filled;
}
