/** What a caller says of a breaker, read: every mistake is refused with both values where two do not fit. */
import type { Clock } from '../kernel/clock.ts';
import { checkDuration, checkInteger, checkKeys, invalid, textOfGiven } from '../kernel/options.ts';
import type { Random } from '../kernel/random.ts';
import { type Duration, parsePercentage, type Percentage, percentageExpected } from '../kernel/units.ts';
import type { MetricsSink } from '../observe/metrics/metrics.ts';
import type { Attributes } from '../observe/trace/span-record.ts';
import { TRIAL_CALLS_MAX } from './breaker-core.ts';
import type { BreakerPhase } from './breaker-life.ts';
import type { BreakerPolicy } from './breaker-policy.ts';

/** How a call that was let go ended: with a value, or with an error. */
export type Settled = { readonly value: unknown } | { readonly error: unknown };

/** What that says of whoever was called: `ignored` says nothing, as a mistake of the caller. */
export type CallVerdict = 'good' | 'failed' | 'ignored';

export interface BreakerReading {
  readonly phase: BreakerPhase;
  /** Why it is in this state, in words. */
  readonly reason: string;
  /** Since when, in milliseconds since the Unix epoch. */
  readonly sinceMs: number;
  /** Whole milliseconds until calls may be let go; 0 if they may be now, `Infinity` if it is isolated. */
  readonly retryAfterMs: number;
  /** Openings in a row that are not forgotten. */
  readonly openings: number;
}

/** What of traces a breaker uses: the span that is current, if there is one. */
export interface SpanSource {
  readonly current: { addEvent(name: string, attributes?: Attributes): unknown } | null;
}

export interface BreakerOptions {
  /** Identifies it in outcomes, metrics and traces: 1 to 64 of `a-z A-Z 0-9 _ . -`. */
  readonly name: string;
  /** How far back calls are looked at: `'10s'`, or milliseconds, from 100 ms to 1 hour. @defaultValue '10s' */
  readonly window?: Duration | number;
  /** With fewer calls in the window no share of them opens it: 1 to 1,000,000. @defaultValue 20, of which one failure is 5 % */
  readonly callsMin?: number;
  /** Share of calls that fail at which it opens: `'50%'`, or 0.5; null: none. @defaultValue '50%' */
  readonly failureRate?: Percentage | number | null;
  /** A call that takes `over` or longer is slow, however it ends; a share of `rate` of such opens it. @defaultValue calls may take any time */
  readonly slow?: { readonly over: Duration | number; readonly rate: Percentage | number };
  /** Failures without a good call between them that open it, whatever `callsMin`: 1 to 1,000,000. @defaultValue no row is long enough */
  readonly failuresInRow?: number;
  /** How long it is open at least: `'5s'`, or milliseconds. @defaultValue '5s' */
  readonly openFor?: Duration | number;
  /**
   * How long at most. Each opening takes any time from `openFor` up to a bound that is twice it at first and doubles with each opening in a row, up to
   * this. A row ends when it was closed for so long. Not below `openFor`. @defaultValue '1m'
   */
  readonly openForMax?: Duration | number;
  /**
   * How many calls are let go when the time is over, from 1 to 1,000; by their share of failures and slow ones it closes or opens again.
   * @defaultValue 5
   */
  readonly halfOpen?: number;
  /** After so long such a call without a result has failed. It is not ended. @defaultValue '1m' */
  readonly halfOpenFor?: Duration | number;
  /**
   * What an outcome says. Not asked of a call whose `signal` was aborted: that is ignored, unless its reason is a `TimeoutError`, which is an
   * error like any other. What it throws counts as if it were not there. @defaultValue errors failed, values are good
   */
  readonly judge?: (settled: Settled) => CallVerdict;
  /** Is told of each change; what it throws goes nowhere. */
  readonly onChange?: (state: BreakerReading, before: BreakerPhase) => void;
  /** Where to count: the metrics of `spillway/observe`, or what has `counter`, `gauge` and `histogram` as they do; see docs/metrics.md. @defaultValue nowhere */
  readonly metrics?: MetricsSink;
  /** The traces of `spillway/observe`: a call that is refused, and a change, are events of the span that is current then. @defaultValue nowhere */
  readonly traces?: SpanSource;
  /** @defaultValue the machine's */
  readonly clock?: Clock;
  /** For jitter. @defaultValue seeded by the operating system */
  readonly random?: Random;
}

const known = [
  'name',
  'window',
  'callsMin',
  'failureRate',
  'slow',
  'failuresInRow',
  'openFor',
  'openForMax',
  'halfOpen',
  'halfOpenFor',
  'judge',
  'onChange',
  'metrics',
  'traces',
  'clock',
  'random',
] as const satisfies readonly (keyof BreakerOptions)[];

const NAME = /^[\w.-]{1,64}$/;
const CALLS_MAX = 1_000_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export function readBreakerPolicy(options: BreakerOptions): BreakerPolicy {
  checkKeys('createBreaker', options, known);
  const { name, failureRate = '50%', slow, failuresInRow } = options;
  if (!NAME.test(name)) {
    throw invalid(`createBreaker: name is “${name}”; expected 1 to 64 of the characters a-z A-Z 0-9 _ . -`);
  }
  const what = (option: string): string => `createBreaker: ${option} of “${name}”`;
  if (failureRate === null && slow === undefined && failuresInRow === undefined) {
    throw invalid(
      `${what('failureRate')} is null, and there is neither slow nor failuresInRow: nothing would ever open it.`,
    );
  }
  const openMs = checkDuration(what('openFor'), options.openFor ?? '5s', 1, DAY_MS);
  const openMaxMs = checkDuration(what('openForMax'), options.openForMax ?? Math.max(openMs, 60_000), 1, DAY_MS);
  if (openMaxMs < openMs) {
    throw invalid(
      `${what('openForMax')} is ${textOfGiven(options.openForMax)}, which is less than openFor, ${openMs}ms.`,
    );
  }
  return {
    windowMs: checkDuration(what('window'), options.window ?? '10s', 100, HOUR_MS),
    callsMin: checkInteger(what('callsMin'), options.callsMin ?? 20, 1, CALLS_MAX),
    failureRatio: failureRate === null ? null : readRatio(what('failureRate'), failureRate),
    slow: slow === undefined ? null : readSlow(what('slow'), slow),
    failuresInRow:
      failuresInRow === undefined ? null : checkInteger(what('failuresInRow'), failuresInRow, 1, CALLS_MAX),
    openMs,
    openMaxMs,
    trialCalls: checkInteger(what('halfOpen'), options.halfOpen ?? 5, 1, TRIAL_CALLS_MAX),
    trialMs: checkDuration(what('halfOpenFor'), options.halfOpenFor ?? '1m', 1, DAY_MS),
  };
}

function readSlow(what: string, slow: NonNullable<BreakerOptions['slow']>): BreakerPolicy['slow'] {
  checkKeys(what, slow, ['over', 'rate']);
  return {
    overMs: checkDuration(`${what}: over`, slow.over, 0.001, DAY_MS),
    ratio: readRatio(`${what}: rate`, slow.rate),
  };
}

function readRatio(what: string, value: unknown): number {
  const parsed = typeof value === 'number' ? { ok: true as const, value } : parsePercentage(textOfGiven(value));
  if (!parsed.ok)
    throw invalid(`${what} is “${textOfGiven(value)}”; expected ${percentageExpected}, or a share such as 0.5.`);
  if (parsed.value > 0 && parsed.value <= 1) return parsed.value;
  throw invalid(`${what} is ${textOfGiven(value)}; expected a share above 0 and up to 1, or a percentage.`);
}
