/** How full limits are, as it is counted: decisions by the tenth of the limit that their key had used then. One addition for each; nothing is kept by key. */
import type { Decision } from './decision.ts';

export const FILLED = 10;

/** As metrics name a tenth: `0.1` is up to a tenth. */
export function filledText(tenth: number): string {
  return String((tenth + 1) / FILLED);
}

/** In which tenth of the limit its use is now: 0 up to a tenth of it, 9 above nine. */
export function tenthOf({ limit, remaining }: Decision): number {
  const filled = FILLED * (limit - remaining);
  // Nearly always, and without a division.
  if (filled <= limit) return 0;
  return Math.min(FILLED, Math.ceil(filled / limit)) - 1;
}

/** Shares of the limit, in whole tenths upwards. */
export interface Fullness {
  /** Of the key that had used the most when it was asked for. */
  readonly most: number;
  /** Half of the decisions met a key that had used this or less. */
  readonly usual: number;
}

/** What counts by tenths say together, in whatever order; null if there are none. */
export function fullnessOf(counts: Iterable<{ readonly filled: string; readonly count: number }>): Fullness | null {
  const met = Array.from(counts, ({ filled, count }) => ({ share: Number(filled), count }))
    .filter(({ count }) => count > 0)
    .toSorted((one, other) => one.share - other.share);
  const half = met.reduce((sum, { count }) => sum + count, 0) / 2;
  let below = 0;
  const usual = met.find(({ count }) => (below += count) >= half);
  return usual === undefined ? null : { most: met.at(-1)!.share, usual: usual.share };
}
