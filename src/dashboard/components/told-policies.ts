/** Limits of services that push their metrics here and whom they refuse, their caches and breakers, and the breakers of the gateway beside them. */
import { h } from 'preact';
import { rowsOf } from '../../gateway/admin/live-model.ts';
import { type BreakerRow, breakersOf } from '../../gateway/control/leaders.ts';
import type { FoundSeries } from '../../gateway/control/received-metrics.ts';
import {
  type ToldCache,
  toldCaches,
  type ToldLimit,
  toldLimits,
  type ToldRefused,
  toldRefused,
} from '../../gateway/control/told-policies.ts';
import { bytesText, countText, shareText } from '../charts/format.ts';
import { live } from '../feed.ts';
import type { View } from '../view.ts';
import { useWatched } from '../watched.ts';
import { FullnessBar, RefusedBar } from './limit-bars.ts';
import { type Column, Table } from './table.ts';

const EVERY_S = 2;
const prefixes = ['limit_decisions_', 'limit_filled_', 'limit_most_refused', 'cache_', 'breaker_'];
const paths = prefixes.map((what) => `/api/received?prefix=spillway_${what}`);

interface Told {
  readonly limits: readonly ToldLimit[];
  readonly refused: readonly ToldRefused[];
  readonly breakers: readonly BreakerRow[];
  readonly caches: readonly ToldCache[];
}

const NOTHING: Told = { limits: [], refused: [], breakers: [], caches: [] };

/** What services push, for the panels below. */
export function useTold(): Told {
  const { value } = useWatched(EVERY_S, paths, (found: readonly FoundSeries[]): Told => {
    const series = found.flatMap((one) => one.series);
    return {
      limits: toldLimits(series),
      refused: toldRefused(series),
      breakers: breakersOf(series),
      caches: toldCaches(series),
    };
  });
  return value ?? NOTHING;
}

interface ToldProps {
  readonly told: Told;
}

export function LimitsOfServices({ told: { limits } }: ToldProps): View {
  return panel('Limits of services', 'as they push their metrics', {
    ...{ id: 'm', label: 'limits of services', columns: limitColumns, rows: limits },
    keyOf: ({ limit, service }: ToldLimit) => `${service} ${limit}`,
    empty: 'No service that pushes its metrics here has limits.',
  });
}

export function RefusedByServices({ told: { refused } }: ToldProps): View {
  return panel('Refused most by services', 'keys as hashes, unless their limiters show them', {
    ...{ id: 'n', label: 'keys that services refuse most', columns: refusedColumns, rows: refused },
    keyOf: ({ key, limit, service }: ToldRefused) => `${service} ${limit} ${key}`,
    empty: 'No limit of a service that pushes its metrics here refuses one key more than others.',
  });
}

export function AllBreakers({ told: { breakers } }: ToldProps): View {
  return panel('Breakers', 'of the gateway, and of services that push their metrics', {
    ...{ id: 'b', label: 'breakers', columns: breakerColumns, rows: [...ownBreakers(), ...breakers.map(told)] },
    keyOf: ({ breaker, instance, service }: Breaker) => `${service} ${instance} ${breaker}`,
    classOf: ({ phase }: Breaker) => (phase === 'open' || phase === 'isolated' ? 'out' : ''),
    empty: 'No service of the config has a breaker, and none that pushes its metrics here.',
  });
}

export function CachesOfServices({ told: { caches } }: ToldProps): View {
  return panel('Caches of services', 'as they push their metrics', {
    ...{ id: 'c', label: 'caches', columns: cacheColumns, rows: caches },
    keyOf: ({ cache, service }: ToldCache) => `${service} ${cache}`,
    empty: 'No service that pushes its metrics here has a cache.',
  });
}

function panel<Row>(title: string, note: string, props: Parameters<typeof Table<Row>>[0]): View {
  return h('section', { class: 'panel' }, [
    h('header', {}, [h('h2', {}, title), h('span', { class: 'dim' }, note)]),
    h(Table<Row>, props),
  ]);
}

interface Breaker extends BreakerRow {
  /** Empty where it is not told. */
  readonly reason: string;
}

function ownBreakers(): Breaker[] {
  return rowsOf(live.value!.tables.services).flatMap(({ breaker: phase, breakerReason, name }) =>
    phase === null ? [] : [{ breaker: name, service: 'gateway', instance: '', phase, reason: breakerReason ?? '' }],
  );
}

function told(row: BreakerRow): Breaker {
  return { ...row, reason: '' };
}

const tones: Readonly<Record<string, string>> = { closed: 'good', 'half-open': 'warn' };

const breakerColumns: readonly Column<Breaker>[] = [
  { id: 'breaker', title: 'Breaker', kind: 'text', value: ({ breaker }) => breaker, show: ({ breaker }) => h('b', {}, breaker) },
  { id: 'whose', title: 'Of', kind: 'text', value: ({ instance, service }) => `${service} ${instance}`.trim() },
  {
    ...{ id: 'phase', title: 'State', kind: 'text', value: ({ phase }) => phase },
    show: ({ phase, reason }) => h('span', { class: tones[phase] ?? 'bad', title: reason }, phase),
  },
  { id: 'reason', title: 'Why', kind: 'text', value: ({ reason }) => reason },
]; // prettier-ignore

const service = <Row extends { readonly service: string }>(): Column<Row> => ({
  ...{ id: 'service', title: 'Service', kind: 'text' },
  value: (row) => row.service,
});

function part(count: number, of: number, tone: string): View | string {
  return of === 0 ? '–' : h('span', { class: count > 0 ? tone : 'dim' }, shareText(count / of));
}

const known = (value: number | null, text: (value: number) => string): string => (value === null ? '–' : text(value));

const cacheColumns: readonly Column<ToldCache>[] = [
  { id: 'cache', title: 'Cache', kind: 'text', value: ({ cache }) => cache, show: ({ cache }) => h('b', {}, cache) },
  service(),
  {
    ...{ id: 'hits', title: 'Hit', help: 'Answered with what was kept and not too old, of all requests' },
    value: ({ hits, requests }) => (requests === 0 ? null : hits / requests),
    show: ({ hits, requests }) => part(hits, requests, 'good'),
  },
  {
    ...{ id: 'stale', title: 'Stale', help: 'Answered with an old value meanwhile, of all requests' },
    value: ({ requests, stale }) => (requests === 0 ? null : stale / requests),
    show: ({ requests, stale }) => part(stale, requests, ''),
  },
  {
    ...{ id: 'failed', title: 'Failed', value: ({ failed, requests }) => (requests === 0 ? null : failed / requests) },
    show: ({ failed, requests }) => part(failed, requests, 'bad'),
  },
  { id: 'requests', title: 'Requests', value: ({ requests }) => requests, show: ({ requests }) => countText(requests) },
  { id: 'entries', title: 'Entries', value: ({ entries }) => entries, show: ({ entries }) => known(entries, countText) },
  { id: 'bytes', title: 'Size', value: ({ bytes }) => bytes, show: ({ bytes }) => known(bytes, bytesText) },
  { id: 'evictions', title: 'Evicted', value: ({ evictions }) => evictions, show: ({ evictions }) => countText(evictions) },
]; // prettier-ignore

const limitColumns: readonly Column<ToldLimit>[] = [
  { id: 'limit', title: 'Limit', kind: 'text', value: ({ limit }) => limit, show: ({ limit }) => h('b', {}, limit) },
  service(),
  {
    ...{ id: 'full', title: 'How full', help: 'How much of it the key had used that had used most, in the last minute or less' },
    value: ({ fullness }) => fullness?.most ?? null,
    show: ({ fullness }) => h(FullnessBar, { fullness }),
  },
  {
    ...{ id: 'refused', title: 'Refused', help: 'Of all that it decided in the last minute or less; in shadow mode, those that would have been' },
    value: ({ lately }) => refusedShare(lately),
    show: ({ lately }) => h(RefusedBar, { refused: refusedShare(lately) }),
  },
  {
    ...{ id: 'all', title: 'Refused in all', value: ({ refused }) => refused },
    show: ({ refused }) => h('span', { class: refused === 0 ? 'dim' : '' }, countText(refused)),
  },
  { id: 'asked', title: 'Decided', value: (row) => asked(row), show: (row) => countText(asked(row)) },
  {
    ...{ id: 'by', title: 'Decided by', kind: 'text', value: ({ sources }) => sourcesText(sources) },
  },
]; // prettier-ignore

const refusedColumns: readonly Column<ToldRefused>[] = [
  { id: 'key', title: 'Key', kind: 'text', value: ({ key }) => key, show: ({ key }) => h('code', {}, key) },
  { id: 'limit', title: 'Limit', kind: 'text', value: ({ limit }) => limit },
  service(),
  { ...{ id: 'refused', title: 'Refused', help: 'At least, since its process started' }, value: ({ refused }) => refused, show: ({ refused }) => countText(refused) },
]; // prettier-ignore

function asked({ allowed, refused, shadowed }: ToldLimit): number {
  return allowed + refused + shadowed;
}

function refusedShare(lately: ToldLimit['lately']): number | null {
  return lately === null || lately.asked === 0 ? null : lately.refused / lately.asked;
}

function sourcesText(sources: ToldLimit['sources']): string {
  return Object.entries(sources)
    .flatMap(([who, count]) => (count === 0 ? [] : [`${who} ${countText(count)}`]))
    .join(', ');
}
