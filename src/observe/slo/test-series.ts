/**
 * From a scenario to series: the counters that a gateway would have shown, and promtool's notation for them. Pure.
 */
import type { GatewayIndicator } from './gateway-indicator.ts';
import { quoted } from './promql.ts';
import type { Step } from './scenarios.ts';
import type { SloCounter } from './simulate.ts';

export interface TestSeries extends SloCounter {
  readonly values: readonly Value[];
  /** As PromQL names it. */
  readonly name: string;
}

/** Null is a scrape that was lost. */
export type Value = number | null;

/** Counters of one gateway; a route is named even where the indicator does not ask for one. */
export function gatewaySeries(gateway: GatewayIndicator, steps: readonly Step[], stepS: number): readonly TestSeries[] {
  const { service, route } = gateway.requests;
  const own = { instance: 'gateway-1', job: 'spillway', route: route ?? 'any', service };
  const series = (
    metric: string,
    labels: Readonly<Record<string, string>>,
    grows: (step: Step) => number,
    part: Part,
  ) => {
    const values = accumulate(steps, grows);
    const samples = values.flatMap((value, at) => (value === null ? [] : [{ atS: at * stepS, value }]));
    return { name: seriesName(metric, { ...own, ...labels }), values, samples, ...part };
  };
  const all = ({ good, bad }: Step): number => good + bad;
  return gateway.kind === 'availability'
    ? [
        series('spillway_requests_total', { code_class: '2xx' }, ({ good }) => good, { bad: 0, total: 1 }),
        series('spillway_requests_total', { code_class: '5xx' }, ({ bad }) => bad, { bad: 1, total: 1 }),
        series('spillway_requests_broken_total', {}, () => 0, { bad: 1, total: 0 }),
        // As many again are held back by a limit, and are none of it.
        series('spillway_requests_total', { code_class: '4xx' }, all, { bad: 0, total: 1 }),
        series('spillway_requests_limited_total', {}, all, { bad: 0, total: -1 }),
      ]
    : [
        series('spillway_request_duration_seconds_count', {}, all, { bad: 1, total: 1 }),
        series('spillway_request_duration_seconds_bucket', { le: String(gateway.boundS) }, ({ good }) => good, {
          bad: -1,
          total: 0,
        }),
      ];
}

interface Part {
  readonly bad: number;
  readonly total: number;
}

function accumulate(steps: readonly Step[], grows: (step: Step) => number): readonly Value[] {
  let value = 0;
  return steps.map((step) => {
    if (step.reset) value = 0;
    value += grows(step);
    return step.gap ? null : value;
  });
}

export function seriesName(metric: string, labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}=${quoted(value)}`);
  return `${metric}{${pairs.join(', ')}}`;
}

/** `0+5x9` for ten samples that grow by five: runs of equal steps, as promtool expands them. */
export function notation(values: readonly Value[]): string {
  const words: string[] = [];
  for (let at = 0; at < values.length;) {
    const [start, next] = [values[at] ?? null, values[at + 1] ?? null];
    let end = at + 1;
    if (start === null) {
      while (end < values.length && values[end] === null) end++;
      words.push(end - at === 1 ? '_' : `_x${end - at}`);
    } else if (next === null || at + 1 >= values.length) words.push(String(start));
    else {
      const step = next - start;
      while (end < values.length && values[end] !== null && values[end] === start + step * (end - at)) end++;
      words.push(`${start}${step < 0 ? '-' : '+'}${Math.abs(step)}x${end - at - 1}`);
    }
    at = end;
  }
  return words.join(' ');
}
