/** How full limits are: of each the key that had used most of it lately, and what is usual, from `spillway_limit_filled_total`. Pure. */
import type { SeriesAnswer } from '../gateway/admin/series-answer.ts';

/** Shares of the limit, in whole tenths upwards. */
export interface Filled {
  /** Of the key that had used the most when it was asked for. */
  readonly most: number;
  /** Half of the requests met a key that had used this or less. */
  readonly usual: number;
}

/** By the name of the limit; one that nobody met in that time is not there, and nothing is known if not all rows are. */
export function filledOf({ more, rows }: SeriesAnswer): ReadonlyMap<string, Filled> {
  const filled = new Map<string, Filled>();
  if (more > 0) return filled;
  for (const [limit, members] of Map.groupBy(rows, ({ labels }) => labels['limit'] ?? '')) {
    const counts = members
      .map((row) => ({
        share: Number(row.labels['filled']),
        count: row.kind === 'counter' ? row.values.reduce((sum, value) => sum + value, 0) : 0,
      }))
      .filter(({ count }) => count > 0)
      .toSorted((one, other) => one.share - other.share);
    const half = counts.reduce((sum, { count }) => sum + count, 0) / 2;
    let below = 0;
    const usual = counts.find(({ count }) => (below += count) >= half);
    if (usual !== undefined) filled.set(limit, { most: counts.at(-1)!.share, usual: usual.share });
  }
  return filled;
}
