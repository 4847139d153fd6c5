/**
 * Whether a config on trial is worse than the one in force: two counts of requests, errors and durations from the same time, one
 * of connections on the new config and one of the others.
 *
 * Worse is what chance does not explain. Errors: more than the old share leads to expect, plus three standard deviations of a
 * binomial, plus one; so a single error among few requests decides nothing, and twenty in a hundred where there were none do at
 * once. In the same way, answers that do not come: requests that wait, or were given up. Time: the median or the 95th percentile is half as long again, and by 10 ms at least, over 100 answers each;
 * below that nobody waits.
 *
 * What it cannot see: an error that is answered with 200, and whatever takes longer to show than it was watched. Too few requests are
 * no proof, so they do not promote. Pure.
 */
import type { HistogramReading } from '../../observe/metrics/reading.ts';
import { quantileMs } from './read-durations.ts';

export interface CanaryCounts {
  /** Answered, or broken off. */
  readonly requests: number;
  /** 5xx, answers that could not be finished, and what no route takes. */
  readonly errors: number;
  /** Neither: they wait, or their clients gave up. */
  readonly unanswered: number;
  /** In ms. */
  readonly durations: HistogramReading;
}

/** Fewer say nothing. */
const REQUESTS_MIN = 20;
const SAMPLES_MIN = 100;
const DEVIATIONS = 3;
const SLOWER = 1.5;
const SLOWER_MIN_MS = 10;

/** Why the new one is worse, in numbers; null if it is not known to be. */
export function worseThan(before: CanaryCounts, canary: CanaryCounts): string | null {
  return (
    moreErrors(before, canary) ??
    moreUnanswered(before, canary) ??
    slower(before, canary, 0.5) ??
    slower(before, canary, 0.95)
  );
}

/** Why there is no telling; null if there is. */
export function tooFew({ requests }: CanaryCounts): string | null {
  return requests >= REQUESTS_MIN
    ? null
    : `only ${requests} requests came its way, of ${REQUESTS_MIN} that it takes to tell`;
}

/** The numbers, for people. */
export function describeCounts(counts: CanaryCounts): string {
  const { requests, errors, unanswered, durations } = counts;
  const without = unanswered === 0 ? '' : `, ${unanswered} without an answer`;
  if (requests === 0) return `no requests${without}`;
  const times = [0.5, 0.95].map(
    (share) => `p${share * 100} ${formatMs(durations.count === 0 ? 0 : quantileMs(durations, share))}`,
  );
  return `${requests} requests, ${errors} errors (${percent(errors / requests)}), ${times.join(', ')}${without}`;
}

function moreErrors(before: CanaryCounts, canary: CanaryCounts): string | null {
  const [was, is] = [before, canary].map(({ requests: of, errors: count }) => ({ count, of })) as [Share, Share];
  return isMore(was, is) ? `${shareOf(is)} of its requests fail, ${shareOf(was)} of the others` : null;
}

/** Times are of what was answered: a server that hangs has none. */
function moreUnanswered(before: CanaryCounts, canary: CanaryCounts): string | null {
  const [was, is] = [before, canary].map(({ requests, unanswered: count }) => ({ count, of: requests + count })) as [
    Share,
    Share,
  ];
  return isMore(was, is) ? `${shareOf(is)} of its requests wait or were given up, ${shareOf(was)} of the others` : null;
}

interface Share {
  readonly count: number;
  readonly of: number;
}

/** More than chance explains. */
function isMore(was: Share, is: Share): boolean {
  // As if one more had been counted and one had not: a share of 0 of 10 is not 0.
  const share = (was.count + 1) / (was.of + 2);
  const expected = share * is.of;
  return is.count > expected + DEVIATIONS * Math.sqrt(expected * (1 - share)) + 1;
}

function shareOf({ count, of }: Share): string {
  return percent(of === 0 ? 0 : count / of);
}

function slower(before: CanaryCounts, canary: CanaryCounts, share: number): string | null {
  if (before.durations.count < SAMPLES_MIN || canary.durations.count < SAMPLES_MIN) return null;
  const [was, is] = [quantileMs(before.durations, share), quantileMs(canary.durations, share)];
  if (is < was * SLOWER || is - was < SLOWER_MIN_MS) return null;
  return `p${share * 100} is ${formatMs(is)}, ${formatMs(was)} for the others`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 2 : 1)} %`;
}

function formatMs(ms: number): string {
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}
