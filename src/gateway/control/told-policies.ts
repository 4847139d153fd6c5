/**
 * Limits, whom they refuse, and caches as rows, from the last values that services pushed. Pure: each process counts its own, and a row is what they say
 * together. O(n).
 */
import { type Fullness, fullnessOf } from '../../limit/filled.ts';
import type { ReceivedSeries } from './received-metrics.ts';
import { stillTold } from './still-told.ts';

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
  /** Of the last minute or less; null where nothing is known of before. */
  readonly lately: { readonly asked: number; readonly refused: number } | null;
  /** Lately; null if nobody met it. */
  readonly fullness: Fullness | null;
}

/** Since the start of the processes that count; a key that is told as a hash is told by each process as another. */
export interface ToldRefused {
  readonly key: string;
  readonly limit: string;
  readonly service: string;
  readonly refused: number;
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
  const filled = Map.groupBy(
    series.filter(({ name }) => name === 'spillway_limit_filled_total'),
    (one) => keyOf(one, 'limit'),
  );
  return [...Map.groupBy(told, (one) => keyOf(one, 'limit')).values()].map((members) => {
    const [{ labels, service }] = members as [ReceivedSeries];
    const sources: Record<string, number> = {};
    for (const { labels: { source = '' }, value } of members) sources[source] = (sources[source] ?? 0) + (value ?? 0); // prettier-ignore
    const of = (outcome: string): number => sum(members.filter((one) => one.labels['outcome'] === outcome));
    const counts = { allowed: of('allowed'), refused: of('refused'), shadowed: of('shadowed') };
    const fullness = fullnessOf(
      (filled.get(keyOf(members[0]!, 'limit')) ?? []).map((one) => ({
        filled: one.labels['filled'] ?? '',
        count: newOf(one),
      })),
    );
    return { limit: labels['limit'] ?? '', service, ...counts, sources, lately: latelyOf(members), fullness };
  });
}

function latelyOf(members: readonly ReceivedSeries[]): ToldLimit['lately'] {
  if (members.every(({ was }) => typeof was !== 'number')) return null;
  const sumOf = (of: readonly ReceivedSeries[]): number => of.reduce((all, one) => all + newOf(one), 0);
  return { asked: sumOf(members), refused: sumOf(members.filter(({ labels }) => labels['outcome'] !== 'allowed')) };
}

/** By how much it has grown lately; nothing where that is not known. */
function newOf({ value, was }: ReceivedSeries): number {
  return value === null || typeof was !== 'number' ? 0 : value - was;
}

/** Those that are refused most, the most first. */
export function toldRefused(series: readonly ReceivedSeries[]): ToldRefused[] {
  const told = stillTold(series, 'spillway_limit_most_refused');
  const whose = ({ labels, service }: ReceivedSeries): string =>
    JSON.stringify([service, labels['limit'], labels['key']]);
  return [...Map.groupBy(told, whose).values()]
    .map((members) => {
      const [{ labels, service }] = members as [ReceivedSeries];
      return { key: labels['key'] ?? '', limit: labels['limit'] ?? '', service, refused: sum(members) };
    })
    .toSorted((one, other) => other.refused - one.refused);
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
