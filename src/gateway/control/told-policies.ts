/** Limits and caches as rows, from the last values that services pushed. Pure: each process counts its own, and a row is what they say together. O(n). */
import type { ReceivedSeries } from './received-metrics.ts';

/** Since the start of the processes that count. */
export interface ToldLimit {
  readonly limit: string;
  readonly service: string;
  readonly allowed: number;
  readonly refused: number;
  /** Let through only because it is in shadow mode. */
  readonly shadowed: number;
  /** Who decided how often: `memory`, `store`, `fallback`, … */
  readonly sources: Readonly<Record<string, number>>;
}

export interface ToldCache {
  readonly cache: string;
  readonly service: string;
  /** Those that were answered with what is kept, also where that is that there is nothing; of all that were answered. */
  readonly hits: number;
  readonly stale: number;
  readonly requests: number;
  /** Loads that failed, as those saw it who waited. */
  readonly failed: number;
  readonly evictions: number;
  /** Null where it is not told. */
  readonly entries: number | null;
  readonly bytes: number | null;
}

export function toldLimits(series: readonly ReceivedSeries[]): ToldLimit[] {
  const told = series.filter(({ name, labels }) => name === 'spillway_limit_decisions_total' && 'outcome' in labels);
  return [...Map.groupBy(told, (one) => keyOf(one, 'limit')).values()].map((members) => {
    const [{ labels, service }] = members as [ReceivedSeries];
    const sources: Record<string, number> = {};
    for (const { labels: { source = '' }, value } of members) sources[source] = (sources[source] ?? 0) + (value ?? 0); // prettier-ignore
    const of = (outcome: string): number => sum(members.filter((one) => one.labels['outcome'] === outcome));
    const counts = { allowed: of('allowed'), refused: of('refused'), shadowed: of('shadowed') };
    return { limit: labels['limit'] ?? '', service, ...counts, sources };
  });
}

const hits = ['hit', 'absent'];
const stales = ['stale', 'stale_error'];

export function toldCaches(series: readonly ReceivedSeries[]): ToldCache[] {
  const told = series.filter(({ name, labels }) => name.startsWith('spillway_cache_') && 'cache' in labels);
  return [...Map.groupBy(told, (one) => keyOf(one, 'cache')).values()].map((members) => {
    const [{ labels, service }] = members as [ReceivedSeries];
    const named = (name: string) => members.filter((one) => one.name === `spillway_cache_${name}`);
    const requests = named('requests_total');
    const of = (results: readonly string[]): number =>
      sum(requests.filter((one) => results.includes(one.labels['result'] ?? '')));
    const gauge = (name: string): number | null => (named(name).length === 0 ? null : sum(named(name)));
    return {
      ...{ cache: labels['cache'] ?? '', service, requests: sum(requests) },
      ...{ hits: of(hits), stale: of(stales), failed: of(['failed']) },
      ...{ evictions: sum(named('evictions_total')), entries: gauge('entries'), bytes: gauge('bytes') },
    };
  });
}

function keyOf({ labels, service }: ReceivedSeries, label: string): string {
  return JSON.stringify([service, labels[label]]);
}

function sum(series: readonly ReceivedSeries[]): number {
  return series.reduce((all, { value }) => all + (value ?? 0), 0);
}
