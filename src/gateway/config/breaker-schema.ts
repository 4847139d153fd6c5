/** `breaker` of a service: when it is not asked any more, and how it is found out that it may be. The comment beside a default says why that number. */
import type * as z from 'zod';
import type { BreakerPolicy } from '../../resilience/breaker-policy.ts';
import { count, duration, percentage, section } from '../../reading/values.ts';
import { FAILURES_IN_ROW_MAX, TRIAL_CALLS_MAX } from '../breakers/service-breaker.ts';

export const breakerSchema = section({
  // Below half, retries and the other endpoints carry it.
  failureRate: percentage({ min: 0.01 })
    .prefault('50%')
    .describe(
      'Share of attempts that fail at which it opens: a 5xx, no connection, no answer in time, one that is cut or is not HTTP.',
    ),
  window: duration({ min: 1000, max: 600_000 }).prefault('10s').describe('How far back attempts are looked at.'),
  // One in twenty is 5 %: with fewer, chance opens it.
  requests: count(1, 1_000_000).prefault(20).describe('With fewer attempts in the window no share of them opens it.'),
  failuresInRow: count(1, FAILURES_IN_ROW_MAX)
    .optional()
    .describe(
      'Attempts that fail without a good one between them, over all workers, that open it, however few there are in the window. Absent: no row is long enough.',
    ),
  slow: section({
    over: duration().describe(
      'An attempt that takes so long, to the first byte of its answer or to its failure, is slow.',
    ),
    rate: percentage({ min: 0.01 }).describe('Share of attempts that are slow at which it opens.'),
  })
    .optional()
    .describe('Open it also for slowness. Absent: only failures open it, of which a timeout is one.'),
  // As the first ejection of an endpoint.
  openFor: duration({ min: 100, max: 86_400_000 })
    .prefault('5s')
    .describe(
      'How long it is open at least. Each opening takes any time from this to a bound that is twice it at first and doubles with each opening in a row.',
    ),
  openForMax: duration({ min: 100, max: 86_400_000 })
    .prefault('1m')
    .describe('How long at most. A row of openings ends when it was closed for so long. At least `openFor`.'),
  halfOpen: count(1, TRIAL_CALLS_MAX)
    .prefault(5)
    .describe(
      'How many attempts are let go, over all workers, when its time is over; by their share of failures and slow ones it closes or opens again.',
    ),
});

type Given = z.output<typeof breakerSchema>;

/** `trialMs`: how long the permit of an attempt may be out. */
export function compileBreaker(given: Given, trialMs: number): BreakerPolicy {
  const { failureRate, window, requests, failuresInRow, slow, openFor, openForMax, halfOpen } = given;
  return {
    windowMs: window,
    callsMin: requests,
    failureRatio: failureRate,
    slow: slow === undefined ? null : { overMs: slow.over, ratio: slow.rate },
    failuresInRow: failuresInRow ?? null,
    openMs: openFor,
    openMaxMs: openForMax,
    trialCalls: halfOpen,
    trialMs,
  };
}
