/** How long a store is waited for, and left alone when it does not answer: one measure for whatever can do without it for a while. */
import type { Duration } from '../kernel/units.ts';

/** Of a call. Longer than a store takes on a bad day, shorter than a user's patience. */
export const STORE_DEADLINE_DEFAULT: Duration = '500ms';
export const STORE_DEADLINE_MAX_MS = 60_000;

/** Short: most failures are one connection that is made anew. */
const PAUSE_FIRST_MS = 100;
/** How late a store that is back may be noticed. */
const PAUSE_MAX_MS = 5000;

/** For how long nobody asks it again, after so many failures in a row before this one. */
export function storePauseMs(failures: number): number {
  return Math.min(PAUSE_MAX_MS, PAUSE_FIRST_MS * 2 ** failures);
}
