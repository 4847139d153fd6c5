/**
 * GCRA, the generic cell rate algorithm: `limit` takes in each `per`, evenly spaced, of which `burst` may come at once.
 *
 * It is the token bucket in another notation: what is owed, divided by the rate, is how far the "theoretical arrival time" of
 * ITU-T I.371 lies ahead. So it has the same state and the same arithmetic (token-bucket.ts), and any rate is exact that
 * whole numbers can say: `{ limit: 1, per: '3s' }` as well as `{ limit: 7, per: '1d' }`.
 *
 * In any time t it admits at most burst + t × limit / per. For `limit` in every window of `per`, whatever the moment, there is
 * `slidingLog`.
 */
import type { Duration } from '../kernel/units.ts';
import { LIMIT_MAX, type RateAlgorithm } from './algorithm.ts';
import { checkInteger, checkKeys, durationUs } from './options.ts';
import { TokenBucket } from './token-bucket.ts';

export interface GcraOptions {
  /** Takes in each `per`: an integer from 1 to 1,000,000,000. */
  readonly limit: number;
  /** `'1m'`, or milliseconds: up to 366 days. */
  readonly per: Duration | number;
  /** How many may come at once; 1 spaces all of them. @defaultValue `limit` */
  readonly burst?: number;
}

/**
 * Evenly spaced takes, some of which may come at once.
 *
 * @example
 * const limiter = createLimiter({ name: 'mail', algorithm: gcra({ limit: 6, per: '1m', burst: 1 }) });
 * limiter.takeSync('ann');
 * console.log(limiter.takeSync('ann').retryAfterMs > 9_000); // true
 */
export function gcra(options: GcraOptions): RateAlgorithm {
  checkKeys('gcra', options, ['limit', 'per', 'burst']);
  const limit = checkInteger('gcra: limit', options.limit, 1, LIMIT_MAX);
  const burst = checkInteger('gcra: burst', options.burst ?? limit, 1, LIMIT_MAX);
  return new TokenBucket('gcra', burst, limit, durationUs('gcra: per', options.per));
}
