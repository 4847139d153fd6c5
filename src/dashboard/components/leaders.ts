/** Who leads what since when and in which term, which locks are held and waited for, and who holds them since when, as services tell that push their metrics here. */
import { Fragment, h } from 'preact';
import type { FoundSeries } from '../../gateway/control/received-metrics.ts';
import { countText, durationText } from '../charts/format.ts';
import { live } from '../feed.ts';
import {
  type HeldRow,
  heldKey,
  heldOf,
  type LockRow,
  locksOf,
  type SeatRow,
  seatsOf,
} from '../../gateway/control/leaders.ts';
import type { View } from '../view.ts';
import { useWatched } from '../watched.ts';
import { type Column, Table } from './table.ts';

const EVERY_S = 2;
const paths = ['spillway_seat_', 'spillway_lock_'].map((prefix) => `/api/received?prefix=${prefix}`);

export function Leaders(): View {
  const { value, problem } = useWatched(EVERY_S, paths, (found: readonly FoundSeries[]) =>
    found.flatMap(({ series }) => series),
  );
  const rows = value ?? [];
  const seats = seatsOf(rows);
  const locks = locksOf(rows);
  const held = heldOf(rows);
  const untold = locks.reduce((sum, lock) => sum + lock.held, 0) - held.length;
  return h(Fragment, {}, [
    h('div', { class: 'columns' }, [
      h('section', { class: 'panel' }, [
        h('header', {}, h('h2', {}, 'Leaders')),
        problem === null ? null : h('p', { class: 'bad' }, problem.message),
        h(Table<SeatRow>, {
          ...{ id: 'a', label: 'seats and who leads', columns: seatColumns, rows: seats },
          keyOf: ({ seat }) => seat,
          classOf: ({ holder }) => (holder === null ? 'out' : ''),
          empty: 'No service that pushes its metrics here holds elections.',
        }),
      ]),
      h('section', { class: 'panel' }, [
        h('header', {}, h('h2', {}, 'Locks')),
        h(Table<LockRow>, {
          ...{ id: 'o', label: 'locks', columns: lockColumns, rows: locks },
          keyOf: ({ lock, store, service }) => `${service} ${lock} ${store}`,
          empty: 'No service that pushes its metrics here uses locks.',
        }),
      ]),
    ]),
    h('section', { class: 'panel' }, [
      h('header', {}, [
        h('h2', {}, 'Locks held longest'),
        h('span', { class: 'dim' }, 'of each lock, or of each name where its service shows them'),
      ]),
      h(Table<HeldRow>, {
        ...{ id: 'q', label: 'locks that are held longest', columns: heldColumns, rows: held },
        keyOf: heldKey,
        empty: 'No service that pushes its metrics here holds a lock for a second.',
      }),
      untold > 0 && held.length > 0 ? h('p', { class: 'dim' }, `And ${countText(untold)} more.`) : null,
    ]),
  ]);
}

const seatColumns: readonly Column<SeatRow>[] = [
  { id: 'seat', title: 'Seat', kind: 'text', value: ({ seat }) => seat, show: ({ seat }) => h('b', {}, seat) },
  {
    ...{ id: 'holder', title: 'Leads', kind: 'text' },
    value: ({ holder }) => holder,
    show: ({ holder }) => (holder === null ? h('span', { class: 'bad' }, 'nobody') : h('code', {}, holder)),
  },
  { id: 'term', title: 'Term', value: ({ term }) => term, show: ({ term }) => (term === null ? '–' : String(term)) },
  {
    ...{ id: 'since', title: 'For' },
    value: ({ sinceMs }) => sinceMs,
    show: ({ sinceMs }) => (sinceMs === null ? '–' : sinceText(sinceMs)),
  },
  { id: 'candidates', title: 'Candidates', value: ({ candidates }) => candidates },
];

function sinceText(sinceMs: number): string {
  return durationText(Math.max(0, (live.value?.atMs ?? sinceMs) - sinceMs));
}

const text = (id: 'lock' | 'service' | 'store', title: string): Column<HeldRow> => ({
  ...{ id, title, kind: 'text' },
  value: (row) => row[id],
});

const heldColumns: readonly Column<HeldRow>[] = [
  { id: 'name', title: 'Name', kind: 'text', value: ({ name }) => name, show: ({ name }) => (name === '' ? '–' : h('code', {}, name)) },
  { id: 'holder', title: 'Held by', kind: 'text', value: ({ holder }) => holder, show: ({ holder }) => h('code', {}, holder) },
  {
    ...{ id: 'since', title: 'For', value: ({ sinceMs }) => -sinceMs },
    show: ({ sinceMs }) => h('span', { title: `Since ${new Date(sinceMs).toISOString()}` }, sinceText(sinceMs)),
  },
  text('lock', 'Lock'),
  text('service', 'Service'),
  text('store', 'Store'),
]; // prettier-ignore

const lockColumns: readonly Column<LockRow>[] = [
  { id: 'lock', title: 'Lock', kind: 'text', value: ({ lock }) => lock, show: ({ lock }) => h('b', {}, lock) },
  { id: 'service', title: 'Service', kind: 'text', value: ({ service }) => service },
  { id: 'store', title: 'Store', kind: 'text', value: ({ store }) => store },
  { id: 'held', title: 'Held', value: ({ held }) => held, show: ({ held }) => countText(held) },
  { id: 'waiting', title: 'Waiting', value: ({ waiting }) => waiting, show: ({ waiting }) => countText(waiting) },
];
