/**
 * Limits: each policy, how full it is, how much it lets pass and refuses, where it counts, and whom it refuses most, of the gateway and of services; who
 * leads and who holds locks; stores, breakers and caches; what the gateway refuses itself.
 */
import { h } from 'preact';
import { type LimitRow, type RefusalRow, type RefusedRow, rowsOf } from '../../gateway/admin/live-model.ts';
import type { StoreState } from '../../gateway/control/gateway-state.ts';
import { countText, durationText, rateText } from '../charts/format.ts';
import { Leaders } from '../components/leaders.ts';
import { FullnessBar, RefusedBar } from '../components/limit-bars.ts';
import { Sparkline } from '../components/sparkline.ts';
import { type Column, Table } from '../components/table.ts';
import {
  AllBreakers,
  CachesOfServices,
  LimitsOfServices,
  RefusedByServices,
  useTold,
} from '../components/told-policies.ts';
import { live } from '../feed.ts';
import { beat, historyOf, meanOf, rowKey } from '../history.ts';
import type { Fullness } from '../../limit/filled.ts';
import { filledOf } from '../limits-filled.ts';
import { seriesPath } from '../series.ts';
import type { SeriesAnswer } from '../../gateway/admin/series-answer.ts';
import type { View } from '../view.ts';
import { useWatched } from '../watched.ts';

/** How full limits are, of the last minute: long enough for a key that comes now and then. */
const filledPath = seriesPath({ name: 'spillway_limit_filled_total' }, { spanMs: 60_000, stepMs: 10_000 });
const FILLED_EVERY_S = 3;

export function Limits(): View {
  void beat.value;
  const { value: filled } = useWatched(FILLED_EVERY_S, [filledPath], ([answer]: readonly [SeriesAnswer]) =>
    filledOf(answer),
  );
  const told = useTold();
  const { limits, refused, refusals, stores } = live.value!.tables;
  return h('div', { class: 'screen' }, [
    h('section', { class: 'panel' }, [
      h('header', {}, h('h2', {}, 'Limits')),
      h(Table<LimitRow>, {
        ...{
          id: 'l',
          label: 'limits',
          columns: limitColumns(filled ?? new Map()),
          rows: rowsOf(limits),
          keyOf: (row: LimitRow) => row.name,
        },
        empty: 'The config has no limit; see “limits” in the guide.',
      }),
    ]),
    h(LimitsOfServices, { told }),
    h('div', { class: 'columns' }, [
      h('section', { class: 'panel' }, [
        h('header', {}, [
          h('h2', {}, 'Refused most'),
          h('span', { class: 'dim' }, 'keys as hashes, unless the config shows them'),
        ]),
        h(Table<RefusedRow>, {
          ...{ id: 'k', label: 'keys that are refused most', columns: keyColumns, empty: 'Nobody was refused.' },
          rows: rowsOf(refused).toSorted((one, other) => other.count - one.count),
          keyOf: ({ limit, key }) => `${limit} ${key}`,
        }),
      ]),
      h(RefusedByServices, { told }),
      h('section', { class: 'panel' }, [
        h('header', {}, h('h2', {}, 'Refused by the gateway')),
        h(Table<RefusalRow>, {
          ...{ id: 'r', label: 'refusals of the gateway', columns: refusalColumns, empty: 'Nothing was refused.' },
          rows: rowsOf(refusals),
          keyOf: ({ reason }) => reason,
        }),
      ]),
    ]),
    h(Leaders, {}),
    h('div', { class: 'columns' }, [
      h('section', { class: 'panel' }, [
        h('header', {}, h('h2', {}, 'Stores')),
        h(Table<StoreState>, {
          ...{
            id: 's',
            label: 'stores of limits',
            columns: storeColumns,
            rows: rowsOf(stores),
            keyOf: (row: StoreState) => row.name,
          },
          empty: 'No limit counts in a store: all count in this process.',
        }),
      ]),
      h(AllBreakers, { told }),
      h(CachesOfServices, { told }),
    ]),
  ]);
}

function share(part: number | null, all: number | null): number | null {
  return part === null || all === null || all === 0 ? null : Math.min(1, part / all);
}

function lately(name: string, of: 'requests' | 'errors'): number | null {
  return meanOf(rowKey('limits', name), of, 10);
}

const rate = (perSecond: number | null): string => (perSecond === null ? '–' : rateText(perSecond));

const limitColumns = (filled: ReadonlyMap<string, Fullness>): readonly Column<LimitRow>[] => [
  {
    ...{ id: 'name', title: 'Limit', kind: 'text' },
    value: ({ name }) => name,
    show: ({ name, shadow }) => [
      h('b', {}, name),
      shadow ? h('span', { class: 'tag', title: 'Refuses nobody, and counts whom it would' }, 'shadow') : null,
    ],
  },
  { id: 'algorithm', title: 'Policy', kind: 'text', value: ({ algorithm }) => algorithm },
  { id: 'key', title: 'Counts by', kind: 'text', value: ({ key }) => key },
  { id: 'used', title: 'Used by', kind: 'text', value: ({ usedBy }) => usedBy },
  {
    ...{ id: 'asked', title: 'Asked', help: 'Requests that met it, a second, in the last ten seconds' },
    value: ({ name }) => lately(name, 'requests'),
    show: ({ name }) => rate(lately(name, 'requests')),
  },
  {
    ...{
      id: 'full',
      title: 'How full',
      help: 'How much of it the key had used that had used most, in the last minute',
    },
    value: ({ name }) => filled.get(name)?.most ?? null,
    show: ({ name }) => h(FullnessBar, { fullness: filled.get(name) ?? null }),
  },
  {
    ...{ id: 'refused', title: 'Refused', help: 'Of these; in shadow mode, those that would have been' },
    value: ({ name }) => share(lately(name, 'errors'), lately(name, 'requests')),
    show: ({ name }) => h(RefusedBar, { refused: share(lately(name, 'errors'), lately(name, 'requests')) }),
  },
  {
    ...{ id: 'trend', title: '2 min', help: 'Refused a second' },
    value: ({ name }) => lately(name, 'errors'),
    show: ({ name }) => h(Sparkline, { values: historyOf(rowKey('limits', name), 'errors'), tone: 'bad' }),
  },
  number('allowed', 'Allowed in all'),
  number('refused', 'Refused in all', 'refusedAll'),
  number('shadowed', 'Would be refused'),
  {
    ...{ id: 'store', title: 'Counts in', kind: 'text' },
    value: ({ store }) => store,
    show: ({ outage, store }) =>
      store === '' ? 'this process' : h('span', { title: `If it does not answer: ${outage}` }, store),
  },
  {
    ...{
      id: 'by',
      title: 'Decided by',
      kind: 'text',
      help: 'The store, or this process: because it knew, or in its place',
    },
    value: ({ byStore }) => byStore,
    show: decidedBy,
  },
];

function number(of: 'allowed' | 'refused' | 'shadowed', title: string, id: string = of): Column<LimitRow> {
  return {
    id,
    title,
    value: (row) => row[of],
    show: (row) => h('span', { class: row[of] === 0 ? 'dim' : '' }, countText(row[of])),
  };
}

function decidedBy({ byCache, byClosed, byFallback, byOpen, byStore, store }: LimitRow): string {
  if (store === '') return '–';
  const parts = Object.entries({
    store: byStore,
    cache: byCache,
    fallback: byFallback,
    open: byOpen,
    closed: byClosed,
  });
  return parts.flatMap(([who, count]) => (count === 0 ? [] : [`${who} ${countText(count)}`])).join(', ');
}

const keyColumns: readonly Column<RefusedRow>[] = [
  { id: 'key', title: 'Key', kind: 'text', value: ({ key }) => key, show: ({ key }) => h('code', {}, key) },
  { id: 'limit', title: 'Limit', kind: 'text', value: ({ limit }) => limit },
  { id: 'count', title: 'Refused', value: ({ count }) => count, show: ({ count }) => countText(count) },
];

const refusalColumns: readonly Column<RefusalRow>[] = [
  { id: 'reason', title: 'Reason', kind: 'text', value: ({ reason }) => reason },
  { id: 'count', title: 'Requests', value: ({ count }) => count, show: ({ count }) => countText(count) },
];

const storeColumns: readonly Column<StoreState>[] = [
  { id: 'name', title: 'Store', kind: 'text', value: ({ name }) => name },
  {
    ...{ id: 'state', title: 'State', kind: 'text' },
    value: ({ downFor }) => downFor,
    show: ({ downFor }) =>
      downFor === 0
        ? h('span', { class: 'good' }, 'answers')
        : h('span', { class: 'bad' }, `does not answer ${downFor} ${downFor === 1 ? 'worker' : 'workers'}`),
  },
  { id: 'calls', title: 'Calls', value: ({ calls }) => calls, show: ({ calls }) => countText(calls) },
  { id: 'failures', title: 'Failed', value: ({ failures }) => failures, show: ({ failures }) => countText(failures) },
  {
    id: 'mean',
    title: 'Mean',
    value: ({ meanMs }) => meanMs,
    show: ({ meanMs }) => (meanMs === null ? '–' : durationText(meanMs)),
  },
];
