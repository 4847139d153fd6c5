/** The sums of each service over its endpoints, as the last line of a backend is in HAProxy's table; percentiles are of its endpoints together. */
import { h } from 'preact';
import { rowsOf, type EndpointRow, type ServiceRow } from '../../gateway/admin/live-model.ts';
import { bytesText, countText } from '../charts/format.ts';
import { live } from '../feed.ts';
import { beat, lastOf, rowKey, sumOf } from '../history.ts';
import { hashOf } from '../router.ts';
import { errorsOf, isOut } from '../traffic.ts';
import type { View } from '../view.ts';
import { type Column, Table } from './table.ts';
import { type Traffic, trafficColumns } from './traffic-columns.ts';

/** Of an endpoint, what is added up. */
const added = [
  ...(['inFlight', 'queued', 'connections', 'idle', 'requests', 'bytesSent', 'bytesReceived'] as const),
  ...(['s2xx', 's4xx', 's5xx', 'retries', 'ejections'] as const),
];
type Added = Readonly<Record<(typeof added)[number], number>>;

interface Total extends Added, Traffic, Pick<ServiceRow, 'name' | 'balance'> {
  readonly endpoints: number;
  readonly serving: number;
  readonly lately: Float32Array;
  readonly faults: number;
}

/** `wanted` is empty for all. */
export function ServiceTotals({ wanted }: { readonly wanted: string }): View {
  void beat.value;
  const { endpoints, services } = live.value!.tables;
  const members = Map.groupBy(rowsOf(endpoints), ({ service }) => service);
  const rows = rowsOf(services)
    .filter(({ name }) => wanted === '' || name === wanted)
    .map((service) => totalOf(service, members.get(service.name) ?? []));
  return h('section', { class: 'panel' }, [
    h('header', {}, [h('h2', {}, 'Services'), h('span', { class: 'dim' }, 'all endpoints of each together')]),
    h(Table<Total>, {
      ...{ id: 's', label: 'totals of services', columns, rows, empty: 'There is no service.' },
      keyOf: ({ name }) => name,
      classOf: ({ endpoints: all, serving }) => (all > 0 && serving === 0 ? 'out' : ''),
    }),
  ]);
}

function totalOf(service: ServiceRow, members: readonly EndpointRow[]): Total {
  const keys = members.map(({ address }) => rowKey('endpoints', service.name, address));
  const lately = sumOf(keys, 'requests');
  const [requests, errors] = [lastOf(lately, 30), lastOf(sumOf(keys, 'errors'), 30)];
  const sum = (of: (row: EndpointRow) => number): number => members.reduce((all, row) => all + of(row), 0);
  return {
    ...service,
    ...(Object.fromEntries(added.map((column) => [column, sum((row) => row[column])])) as Added),
    endpoints: members.length,
    serving: members.filter((row) => !isOut(row)).length,
    perSecond: lastOf(lately, 5),
    errorShare: errors === null || requests === null || requests === 0 ? null : Math.min(1, errors / requests),
    lately,
    faults: sum(errorsOf),
  };
}

const count = (id: (typeof added)[number] | 'faults', title: string, group: string, tone = ''): Column<Total> => ({
  ...{ id, title, group },
  value: (row) => row[id],
  show: (row) => h('span', { class: row[id] === 0 ? 'dim' : tone }, countText(row[id])),
});
const bytes = (id: 'bytesSent' | 'bytesReceived', title: string): Column<Total> => ({
  ...{ id, title, group: 'Since the start' },
  value: (row) => row[id],
  show: (row) => h('span', { class: row[id] === 0 ? 'dim' : '' }, bytesText(row[id])),
});

const columns: readonly Column<Total>[] = [
  {
    ...{ id: 'service', title: 'Service', kind: 'text', group: 'Service' },
    value: ({ name }) => name,
    show: ({ name }) => h('a', { href: hashOf('service', { service: name }) }, name),
  },
  { id: 'balance', title: 'Balance', kind: 'text', group: 'Service', value: ({ balance }) => balance },
  {
    ...{ id: 'serving', title: 'Serve', group: 'Service', help: 'Of its endpoints' },
    value: ({ serving }) => serving,
    show: ({ endpoints, serving }) =>
      h('span', { class: serving < endpoints ? 'bad' : '' }, `${serving} of ${endpoints}`),
  },
  ...trafficColumns<Total>(({ lately }) => lately),
  count('inFlight', 'In flight', 'Now'),
  count('queued', 'Queue', 'Now'),
  count('connections', 'Conn.', 'Now'),
  count('idle', 'Idle', 'Now'),
  count('requests', 'Requests', 'Since the start'),
  bytes('bytesSent', 'In'),
  bytes('bytesReceived', 'Out'),
  count('s2xx', '2xx', 'Since the start'),
  count('s4xx', '4xx', 'Since the start'),
  count('s5xx', '5xx', 'Since the start', 'bad'),
  count('retries', 'Retries', 'Since the start'),
  count('faults', 'Faults', 'Since the start', 'bad'),
  count('ejections', 'Ejected', 'Since the start', 'warn'),
];
