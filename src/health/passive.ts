/**
 * Passive health: what an endpoint's traffic says is wrong with it, compared with its neighbours.
 *
 * Three rules, each of which can be turned off:
 *
 * - **consecutive errors**: it fails whatever it is asked. Not compared with anyone: a server that refuses five times in a row
 *   is no use, whoever else is.
 * - **error rate**: a good part of what it is asked fails, and clearly more than at the others. Compared, because what fails
 *   everywhere (a database, a bad release, one URL that someone found) is not mended by having fewer servers.
 * - **latency**: it is slower than the others by a factor. Median *and* mean must be: where one answer in two is cached, the
 *   median of a healthy server jumps between two values, and where times have a long tail, the mean does. Nobody's fault moves
 *   both.
 *
 * Who is compared with: endpoints that are in use and, for latency, settled. An ejected or cold one is no measure of the
 * others, and is not judged itself.
 *
 * Pure; O(n log n) for n endpoints. What it is not: the decision to eject, which also depends on how many are out:
 * `ejection.ts`. Sources: Envoy's outlier detection for the first two (with the comparison by median in place of a standard
 * deviation, which one very bad endpoint inflates until it hides itself).
 */
import { resultTexts, RESULTS, trafficResults, type RowPolicy } from './traffic.ts';
import type { TrafficSummary } from './traffic-window.ts';

export interface PassivePolicy {
  /**
   * Errors in a row that eject. 5xx answers do not count unless asked for: one URL that makes a server answer 500 would let
   * anybody eject one server after the other. @defaultValue `{ errors: 5, serverErrors: false }`
   */
  readonly consecutive: RowPolicy | null;
  readonly errorRate: {
    /** Share of results that are errors, above 0 to 1. @defaultValue 0.5 */
    readonly shareMin: number;
    /** So many times the median share of the others, or theirs together if none of them has `resultsMin` but all half of it; at least 1. @defaultValue 2 */
    readonly factor: number;
    /** With fewer results in the window nothing is said. @defaultValue 20 */
    readonly resultsMin: number;
    /** Whether a 5xx is an error. @defaultValue true */
    readonly serverErrors: boolean;
  } | null;
  readonly latency: {
    /** So many times the median of the others, above 1. @defaultValue 3, more than old machines beside new ones differ */
    readonly factor: number;
    /** And by at least so much. @defaultValue 100: below it few people notice, and a ratio of small numbers is noise */
    readonly differenceMinMs: number;
    /** Answers in the window, of it and of each it is compared with. @defaultValue 100 */
    readonly samplesMin: number;
    /** With fewer others nobody knows who the odd one is. @defaultValue 3 */
    readonly peersMin: number;
    /** Not judged so soon after it came in: caches and compilers are cold. @defaultValue 30_000 */
    readonly graceMs: number;
  } | null;
  /** How far back traffic is looked at. @defaultValue 10_000 */
  readonly windowMs: number;
}

export const defaultPassivePolicy: PassivePolicy = {
  consecutive: { errors: 5, serverErrors: false },
  errorRate: { shareMin: 0.5, factor: 2, resultsMin: 20, serverErrors: true },
  latency: { factor: 3, differenceMinMs: 100, samplesMin: 100, peersMin: 3, graceMs: 30_000 },
  windowMs: 10_000,
};

export interface Observed {
  readonly traffic: TrafficSummary;
  /** In use: neither down, nor ejected, nor on trial. Others are neither judged nor compared with. */
  readonly inUse: boolean;
  /** How long it has been in use. */
  readonly settledMs: number;
}

export interface Fault {
  readonly rule: 'consecutive-errors' | 'error-rate' | 'latency';
  readonly reason: string;
  /** Whom to eject first if not all may be: errors in a row above error rates above slowness, and the worse above the better. */
  readonly severity: number;
}

/** One answer for each endpoint, in the same order: the worst that can be said of it, or null. */
export function faultsOf(fleet: readonly Observed[], policy: PassivePolicy): (Fault | null)[] {
  const rate = errorRateRule(fleet, policy.errorRate);
  const latency = latencyRule(fleet, policy.latency);
  return fleet.map((one, index) =>
    one.inUse ? (consecutiveRule(one, policy.consecutive) ?? rate(one, index) ?? latency(one, index)) : null,
  );
}

/** How many results were good and how many were not, by the rule that is stricter with 5xx. */
export function goodAndBad(results: readonly number[], policy: PassivePolicy): { good: number; bad: number } {
  const strict = policy.errorRate?.serverErrors === true || policy.consecutive?.serverErrors === true;
  const bad = errorsOf(results, strict);
  return { good: total(results) - bad, bad };
}

/** What was asked of an endpoint's traffic before the rule of error rates says anything. */
export function resultsMinOf(policy: PassivePolicy): number {
  return policy.errorRate?.resultsMin ?? 1;
}

type Rule = (one: Observed, index: number) => Fault | null;
const silent: Rule = () => null;

function consecutiveRule({ traffic }: Observed, policy: PassivePolicy['consecutive']): Fault | null {
  const { errors, kinds } = traffic.row;
  if (policy === null || errors < policy.errors) return null;
  const reason = `${errors} errors in a row: ${kinds.map((kind) => resultTexts[kind]).join(', ')}`;
  return { rule: 'consecutive-errors', reason, severity: 3 };
}

function errorRateRule(fleet: readonly Observed[], policy: PassivePolicy['errorRate']): Rule {
  if (policy === null) return silent;
  const { resultsMin, serverErrors } = policy;
  const counted = fleet.map(({ inUse, traffic: { recent } }) =>
    inUse ? { results: total(recent), errors: errorsOf(recent, serverErrors) } : { results: 0, errors: 0 },
  );
  const results = total(counted.map((one) => one.results));
  const errors = total(counted.map((one) => one.errors));
  const shares = counted.map((one) => (one.results >= resultsMin ? one.errors / one.results : Number.NaN));
  const others = medianOfOthers(shares);
  return ({ traffic: { recent } }, index) => {
    const share = shares[index]!;
    const own = counted[index]!;
    const { median, count } = others(index);
    // Who is the first to have enough results is not at fault for it: what the others have is taken together then, if that is worth a word.
    const rest = results - own.results;
    const areKnown = rest > 0 && 2 * rest >= resultsMin;
    const together = areKnown ? (errors - own.errors) / rest : 0;
    const usual = count > 0 ? median : together;
    // A NaN compares as false: too few results to say anything.
    if (!(share >= policy.shareMin) || share < policy.factor * usual) return null;
    const worst = worstKind(recent, serverErrors);
    const compared = count > 0 ? othersText(count) : areKnown ? 'others together' : '';
    const beside = compared === '' ? '' : `; ${percent(usual)} at the ${compared}`;
    const reason = `${percent(share)} of ${own.results} requests failed, mostly ${resultTexts[worst]}${beside}`;
    return { rule: 'error-rate', reason, severity: 1 + share };
  };
}

function latencyRule(fleet: readonly Observed[], policy: PassivePolicy['latency']): Rule {
  if (policy === null) return silent;
  const judged = fleet.map(
    ({ inUse, settledMs, traffic: { latency } }) =>
      inUse && settledMs >= policy.graceMs && latency.samples >= policy.samplesMin,
  );
  const othersMedian = medianOfOthers(fleet.map((one, i) => (judged[i]! ? one.traffic.latency.medianMs : Number.NaN)));
  const othersMean = medianOfOthers(fleet.map((one, i) => (judged[i]! ? one.traffic.latency.meanMs : Number.NaN)));
  return ({ traffic: { latency } }, index) => {
    const { median, count } = othersMedian(index);
    if (!judged[index]! || count < policy.peersMin) return null;
    if (latency.meanMs < policy.factor * othersMean(index).median) return null;
    if (latency.medianMs < policy.factor * median || latency.medianMs - median < policy.differenceMinMs) return null;
    const times = (latency.medianMs / median).toFixed(1);
    const reason = `p50 of ${milliseconds(latency.medianMs)}, ${times} times the median ${milliseconds(median)} of the ${othersText(count)}`;
    return { rule: 'latency', reason, severity: 1 - median / latency.medianMs };
  };
}

/** For each index the median of the values at the other indexes, and how many there are; NaN is no value. O(n log n) once. */
function medianOfOthers(values: readonly number[]): (index: number) => { median: number; count: number } {
  const order = values.map((_, index) => index).filter((index) => !Number.isNaN(values[index]!));
  order.sort((a, b) => values[a]! - values[b]!);
  const sorted = order.map((index) => values[index]!);
  const rank = new Map(order.map((index, at) => [index, at]));
  return (index) => {
    const own = rank.get(index) ?? sorted.length;
    const count = sorted.length - (own < sorted.length ? 1 : 0);
    if (count === 0) return { median: 0, count };
    const at = (place: number): number => sorted[place < own ? place : place + 1]!;
    return { median: (at((count - 1) >> 1) + at(count >> 1)) / 2, count };
  };
}

function total(results: readonly number[]): number {
  return results.reduce((sum, count) => sum + count, 0);
}

function errorsOf(results: readonly number[], serverErrors: boolean): number {
  const first = serverErrors ? trafficResults.serverError : trafficResults.refused;
  return total(results.slice(first, RESULTS));
}

function worstKind(results: readonly number[], serverErrors: boolean): number {
  const first = serverErrors ? trafficResults.serverError : trafficResults.refused;
  return results.reduce(
    (worst, count, kind) => (kind > first && count > results[worst]! ? kind : worst),
    first as number,
  );
}

function othersText(count: number): string {
  return count === 1 ? 'other' : `${count} others`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function milliseconds(ms: number): string {
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}
