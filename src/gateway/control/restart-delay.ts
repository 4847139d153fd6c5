/**
 * How long a lost worker stays down before it is replaced: exponential with jitter, so that a config or a request that
 * kills workers cannot keep the machine busy with starting them, and lanes lost together do not come back together.
 *
 * 100 ms is below what a client notices while other lanes serve; 10 s is the longest a repaired cause goes unnoticed.
 * Half of each delay is random. A worker that served for `STABLE_MS` starts the row anew.
 */
import type { Random } from '../../kernel/random.ts';

const FIRST_MS = 100;
const LONGEST_MS = 10_000;

/** A worker that lived this long was not lost because of how it started. */
export const STABLE_MS = 10_000;

/** `lossesInRow`: earlier losses without a stable life between, 0 for the first. */
export function restartDelayMs(lossesInRow: number, random: Random): number {
  const ceiling = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(lossesInRow, 16));
  return ceiling * (0.5 + 0.5 * random.unit());
}
