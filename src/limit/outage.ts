/**
 * What a limiter answers while its store cannot: said by whoever makes the limiter, so that nobody finds out in the middle of the night.
 *
 * - `fallback`: each process limits by itself, at a share of the limit and the rate. With n processes of share s, at most n × s
 *   times the limit gets through; counters begin anew, once when the outage begins.
 * - `open`: everybody may go on.
 * - `closed`: nobody may, until the store is asked again; `retryAfterMs` says when that is.
 *
 * The decision's `source` says which it was. The store is back with its first answer, without anybody doing anything.
 */
import { STORE_DEADLINE_DEFAULT, STORE_DEADLINE_MAX_MS } from '../drivers/store-patience.ts';
import type { Duration } from '../kernel/units.ts';
import { checkKeys, durationUs, invalid } from './options.ts';

export interface OutageOptions {
  /** @defaultValue 'fallback' */
  readonly answer?: 'fallback' | 'open' | 'closed';
  /**
   * Of `fallback`: the part of the limit that this process may admit by itself, above 0 and at most 1. 1 divided by the number of
   * processes keeps the limit. @defaultValue 1
   */
  readonly share?: number;
  /**
   * How long a call to the store may take: `'100ms'`, or milliseconds, from 1 ms to 1 minute. What is not answered then is
   * answered as said here; it may still be counted. @defaultValue '500ms'
   */
  readonly deadline?: Duration | number;
}

export interface Outages {
  readonly answer: 'fallback' | 'open' | 'closed';
  readonly share: number;
  readonly deadlineMs: number;
}

export function readOutage(options: OutageOptions): Outages {
  checkKeys('createLimiter: outage', options, ['answer', 'share', 'deadline']);
  const { answer = 'fallback', share = 1, deadline = STORE_DEADLINE_DEFAULT } = options;
  if (!['fallback', 'open', 'closed'].includes(answer)) {
    throw invalid(`createLimiter: outage.answer is “${answer}”; expected fallback, open or closed.`);
  }
  if (!(share > 0 && share <= 1)) {
    throw invalid(`createLimiter: outage.share is ${share}; expected a number above 0 and at most 1.`);
  }
  if (share !== 1 && answer !== 'fallback') {
    throw invalid(`createLimiter: outage.share is ${share}, and outage.answer is ${answer}; a share is for fallback.`);
  }
  const deadlineMs = durationUs('createLimiter: outage.deadline', deadline) / 1000;
  if (deadlineMs < 1 || deadlineMs > STORE_DEADLINE_MAX_MS) {
    throw invalid(`createLimiter: outage.deadline is ${deadline}; expected from 1ms to 1m.`);
  }
  return { answer, share, deadlineMs };
}
