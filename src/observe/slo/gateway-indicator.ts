/**
 * Indicators made of the gateway's own counters (docs/metrics.md), so that nobody need write PromQL. Pure.
 *
 * Availability: an answer is bad if its status is 5xx or if it began and could not be finished. What a limit refused is no answer: a flood that is
 * held back would hide an outage behind it. Latency: a request is bad if
 * its answer took longer, from the head of the request to the last byte, whatever the status. Thresholds that people promise
 * are bounds of the gateway's histogram (`latency-bounds.ts`); another stands for the nearest, which may be 5 % away and no more.
 */
import { latencyBoundsS } from './latency-bounds.ts';
import { quoted } from './promql.ts';

export type GatewayIndicator =
  | { readonly kind: 'availability'; readonly requests: RequestSelector }
  | { readonly kind: 'latency'; readonly requests: RequestSelector; readonly boundS: number };

/** Which requests: those for a service, or of one route to it. */
export interface RequestSelector {
  readonly service: string;
  readonly route: string | null;
}

/** How far the bound that is counted by may be from the threshold that is asked for. */
const TOLERANCE = 0.05;

export interface Neighbours {
  readonly below: number | null;
  readonly above: number | null;
}

/** The bound that a threshold stands for; or, if none is near enough, those on both sides. */
export function nearestBound(thresholdS: number): { readonly boundS: number } | Neighbours {
  const below = latencyBoundsS.findLast((bound) => bound <= thresholdS) ?? null;
  const above = latencyBoundsS.find((bound) => bound >= thresholdS) ?? null;
  const distance = (bound: number) => Math.abs(bound / thresholdS - 1);
  const near = [below, above].filter((bound) => bound !== null).filter((bound) => distance(bound) <= TOLERANCE);
  const [boundS] = near.toSorted((one, other) => distance(one) - distance(other));
  return boundS === undefined ? { below, above } : { boundS };
}

/** Whether the growth of a counter is added to a number of events, taken from it, or neither. */
type Sign = 1 | 0 | -1;

/** A counter, and what its growth is to what is bad, and to all. */
export interface CounterPart {
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly bad: Sign;
  readonly total: Sign;
}

/** What the indicator is computed from. */
export function counterParts(gateway: GatewayIndicator): readonly CounterPart[] {
  const { service, route } = gateway.requests;
  const labels = { service, ...(route === null ? {} : { route }) };
  if (gateway.kind === 'availability') {
    return [
      { metric: 'spillway_requests_total', labels: { ...labels, code_class: '5xx' }, bad: 1, total: 0 },
      { metric: 'spillway_requests_broken_total', labels, bad: 1, total: 0 },
      { metric: 'spillway_requests_total', labels, bad: 0, total: 1 },
      { metric: 'spillway_requests_limited_total', labels, bad: 0, total: -1 },
    ];
  }
  const name = 'spillway_request_duration_seconds';
  return [
    { metric: `${name}_count`, labels, bad: 1, total: 1 },
    { metric: `${name}_bucket`, labels: { ...labels, le: String(gateway.boundS) }, bad: -1, total: 0 },
  ];
}

/** PromQL for bad and for all requests a second, over `$window`. */
export function gatewayQueries(gateway: GatewayIndicator): { readonly bad: string; readonly total: string } {
  const parts = counterParts(gateway);
  return { bad: sumOf(parts, 'bad'), total: sumOf(parts, 'total') };
}

/** The first part is never one that is taken away. */
function sumOf(parts: readonly CounterPart[], of: 'bad' | 'total'): string {
  const terms = parts.filter((part) => part[of] !== 0).map((part) => [part[of] > 0 ? ' + ' : ' - ', rateOf(part)]);
  return terms.flat().slice(1).join('');
}

function rateOf({ metric, labels }: CounterPart): string {
  const pairs = Object.entries(labels).map(([name, value]) => matcher(name, value));
  return `sum(rate(${metric}{${pairs.join(',')}}[$window]))`;
}

/** A whole bound is `1` in the text format and `1.0` in OpenMetrics and to Prometheus 3, whatever it has scraped. */
function matcher(name: string, value: string): string {
  const isWhole = name === 'le' && /^\d+$/.test(value);
  return isWhole ? `${name}=~${quoted(`${value}(\\.0)?`)}` : `${name}=${quoted(value)}`;
}
