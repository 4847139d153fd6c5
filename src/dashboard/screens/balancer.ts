/**
 * The balancer: one dense table of all endpoints, as HAProxy has it, with what its users miss there: percentiles of each, the share of
 * the traffic it gets beside the share it should get, and why it is out. Endpoints are drained and brought back from here.
 */
import { h } from 'preact';
import { type EndpointRow, rowsOf } from '../../gateway/admin/live-model.ts';
import { bytesText, countText, dateText, durationText, shareText } from '../charts/format.ts';
import { ServiceTotals } from '../components/service-totals.ts';
import { DrainButton } from '../components/drain-button.ts';
import { type Column, Table } from '../components/table.ts';
import { type Traffic, trafficColumns } from '../components/traffic-columns.ts';
import { latenciesText, live } from '../feed.ts';
import { beat, historyOf, meanOf, rowKey } from '../history.ts';
import { hashOf, place, setQuery } from '../router.ts';
import { errorsOf, isOut, sharesOf } from '../traffic.ts';
import type { View } from '../view.ts';

interface Row extends EndpointRow, Traffic {
  /** Of the requests of its service, and of the weights of those that serve; null if nothing is known. */
  readonly share: number | null;
  readonly fair: number | null;
}

export function Balancer(): View {
  void beat.value;
  const { tables } = live.value!;
  const wanted = place.value.query.get('service') ?? '';
  const services = tables.services.name;
  const all = rowsOf(tables.endpoints);
  const rows = withShares(wanted === '' ? all : all.filter(({ service }) => service === wanted));
  const hasZones = rows.some(({ zone }) => zone !== null);
  return h('div', { class: 'screen' }, [
    h(ServiceTotals, { wanted }),
    h('section', { class: 'panel' }, [
      h('header', {}, [
        h('h2', {}, 'Endpoints'),
        h('span', { class: 'dim' }, `${summary(rows)}; percentiles ${latenciesText()}`),
        h('label', { class: 'end' }, [
          'Service ',
          h(
            'select',
            {
              value: wanted,
              onChange: (event: Event) => setQuery({ service: (event.target as HTMLSelectElement).value }),
            },
            [
              h('option', { value: '' }, 'all'),
              ...services.map((name) => h('option', { key: name, value: name }, name)),
            ],
          ),
        ]),
      ]),
      h(Table<Row>, {
        ...{ id: 'e', label: 'endpoints', rows, empty: 'There is no endpoint.' },
        columns: hasZones ? columns : columns.filter(({ id }) => id !== 'zone'),
        keyOf: ({ service, address }) => `${service} ${address}`,
        classOf: (row) => (isOut(row) ? 'out' : ''),
      }),
    ]),
  ]);
}

function summary(rows: readonly EndpointRow[]): string {
  const out = rows.filter(isOut).length;
  return out === 0
    ? `${rows.length}, all serve`
    : `${rows.length}, of which ${out} ${out === 1 ? 'takes' : 'take'} no requests`;
}

/** A rate is of five seconds, so that it can be read; what is compared is of half a minute, so that it is no accident. */
function withShares(rows: readonly EndpointRow[]): Row[] {
  const keys = rows.map(({ service, address }) => rowKey('endpoints', service, address));
  const lately = keys.map((key) => meanOf(key, 'requests', 30));
  const shares = sharesOf(rows.map((row, at) => ({ ...row, perSecond: lately[at]! })));
  return rows.map((row, at) => {
    const errors = meanOf(keys[at]!, 'errors', 30);
    const requests = lately[at]!;
    return {
      ...row,
      ...shares[at]!,
      perSecond: meanOf(keys[at]!, 'requests', 5),
      errorShare: errors === null || requests === null || requests === 0 ? null : Math.min(1, errors / requests),
    };
  });
}

const count = (id: keyof Row, title: string, group: string, help?: string): Column<Row> => ({
  ...{ id, title, group },
  ...(help === undefined ? {} : { help }),
  value: (row) => row[id],
  show: (row) => zeroDim(Number(row[id])),
});

const bytes = (id: 'bytesSent' | 'bytesReceived', title: string, help: string): Column<Row> => ({
  ...{ id, title, group: 'Since the start', help },
  value: (row) => row[id],
  show: (row) => h('span', { class: row[id] === 0 ? 'dim' : '' }, bytesText(row[id])),
});

function zeroDim(value: number, tone = ''): View {
  return h('span', { class: value === 0 ? 'dim' : tone }, countText(value));
}

const columns: readonly Column<Row>[] = [
  {
    ...{ id: 'service', title: 'Service', kind: 'text', group: 'Endpoint' },
    value: ({ service }) => service,
    show: ({ service }) => h('a', { href: hashOf('service', { service }) }, service),
  },
  {
    ...{ id: 'address', title: 'Address', kind: 'text', group: 'Endpoint' },
    value: ({ address, backup }) => (backup ? `${address} backup` : address),
    show: ({ address, backup }) => [
      address,
      backup ? h('span', { class: 'tag', title: 'Gets work only when no other is up' }, 'backup') : null,
    ],
  },
  { id: 'zone', title: 'Zone', kind: 'text', group: 'Endpoint', value: ({ zone }) => zone },
  {
    ...{ id: 'state', title: 'State', kind: 'text', group: 'Endpoint' },
    value: ({ drain, health, reason }) => `${drain ?? health} ${reason}`,
    show: (row) => h(Health, { row }),
  },
  { id: 'act', title: '', group: 'Endpoint', kind: 'text', value: () => null, show: (row) => h(DrainButton, { row }) },
  {
    ...{
      id: 'check',
      title: 'Last check',
      kind: 'text',
      group: 'Health',
      help: 'What came of it, how long it took, and when',
    },
    value: ({ check, checkReason }) => (check === null ? null : `${check} ${checkReason}`),
    show: (row) => h(Check, { row }),
  },
  {
    ...{ id: 'out', title: 'Down', group: 'Health', help: 'How long it was out in all, for its checks or its traffic' },
    value: ({ outMs }) => outMs,
    show: ({ outMs, outSince }) =>
      h(
        'span',
        { class: outSince !== null ? 'bad' : outMs === 0 ? 'dim' : '', title: downText(outSince) },
        outMs === 0 ? '0' : durationText(outMs),
      ),
  },
  count('weight', 'Weight', 'Share'),
  {
    ...{ id: 'share', title: 'Share', group: 'Share', help: 'Of the requests of its service in the last half minute' },
    value: ({ share }) => share,
    show: ({ share }) => (share === null ? '–' : shareText(share)),
  },
  {
    ...{ id: 'deviation', title: '±', group: 'Share', help: 'How far that is from its part of the weights, in points' },
    value: ({ share, fair }) => (share === null || fair === null ? null : Math.abs(share - fair)),
    show: ({ share, fair }) => (share === null || fair === null ? '–' : h(Deviation, { points: (share - fair) * 100 })),
  },
  ...trafficColumns<Row>(({ service, address }) => historyOf(rowKey('endpoints', service, address), 'requests')),
  count('inFlight', 'In flight', 'Now'),
  count('queued', 'Queue', 'Now', 'Requests that wait for a connection'),
  count('connections', 'Conn.', 'Now', 'Connections to it, idle ones too'),
  count('idle', 'Idle', 'Now'),
  count('requests', 'Requests', 'Since the start'),
  bytes('bytesSent', 'In', 'Bytes of bodies that it was sent'),
  bytes('bytesReceived', 'Out', 'Bytes of bodies that it answered with'),
  count('s2xx', '2xx', 'Since the start'),
  count('s4xx', '4xx', 'Since the start'),
  {
    ...count('s5xx', '5xx', 'Since the start'),
    show: (row) => zeroDim(row.s5xx, 'bad'),
  },
  count('retries', 'Retries', 'Since the start', 'Requests that were tried again elsewhere'),
  {
    ...{ id: 'faults', title: 'Faults', group: 'Since the start', help: 'Connects that failed, timeouts and resets' },
    value: errorsOf,
    show: (row) =>
      h(
        'span',
        {
          class: errorsOf(row) === 0 ? 'dim' : 'bad',
          title: `${row.connectFailures} connects failed, ${row.timeouts} timeouts, ${row.resets} resets`,
        },
        countText(errorsOf(row)),
      ),
  },
  {
    ...count('ejections', 'Ejected', 'Since the start', 'How often its traffic had it taken out'),
    show: (row) => zeroDim(row.ejections, 'warn'),
  },
];

/** A word, a mark of another shape for each, so that colour is not needed, and why. */
function Health({ row }: { readonly row: Row }): View {
  const { cause, drain, drainUntil, health, reason, since } = row;
  const { atMs } = live.value!;
  const word = drain ?? health;
  const forMs = since === null || drain !== null ? null : atMs - Date.parse(since);
  const leftMs = drain === 'draining' && drainUntil !== null ? Date.parse(drainUntil) - atMs : null;
  const more =
    leftMs !== null ? `${durationText(Math.max(0, leftMs))} left` : forMs === null ? '' : durationText(forMs);
  return h('span', { class: `state ${word}`, title: reason }, [
    h('i', { 'aria-hidden': 'true' }, marks[word] ?? '●'),
    h('b', {}, word),
    isOut(row) && drain === null ? h('span', { class: 'why' }, reason === '' ? cause : reason) : null,
    h('span', { class: 'dim' }, more),
  ]);
}

function downText(outSince: string | null): string {
  return outSince === null ? 'It is not out now' : `Out since ${dateText(Date.parse(outSince))}`;
}

/** Such as `ok 1 ms`, and how long ago; of a failure why. */
function Check({ row: { check, checkAt, checkMs, checkReason } }: { readonly row: Row }): View | string {
  if (check === null || checkAt === null) return h('span', { class: 'dim' }, 'none');
  const agoMs = Math.max(0, live.value!.atMs - Date.parse(checkAt));
  return h('span', { class: 'check', title: `${checkReason}, ${dateText(Date.parse(checkAt))}` }, [
    check === 'success' ? h('span', { class: 'good' }, 'ok') : h('span', { class: 'bad' }, checkReason),
    ` ${durationText(checkMs ?? 0)} `,
    h('span', { class: 'dim' }, `${Math.round(agoMs / 1000)} s ago`),
  ]);
}

const marks: Readonly<Record<string, string>> = {
  down: '▼',
  ejected: '■',
  trial: '◐',
  draining: '◔',
  cutting: '◔',
  drained: '○',
};

/** A bar from the middle: left too little, right too much. */
function Deviation({ points }: { readonly points: number }): View {
  const length = Math.min(20, Math.abs(points));
  const text = `${points < 0 ? '−' : '+'}${Math.abs(points).toFixed(1)}`;
  return h('span', { class: 'deviation' }, [
    h('svg', { width: 42, height: 8, 'aria-hidden': 'true' }, [
      h('path', { class: 'axis', d: 'M21 0V8' }),
      h('rect', { x: points < 0 ? 21 - length : 21, y: 2, width: length, height: 4 }),
    ]),
    text,
  ]);
}
