/** Where a service's requests go and where their time goes: by route, as clients waited, and by endpoint, until the first byte of its answer. */
import { h } from 'preact';
import type { SeriesAnswer } from '../../gateway/admin/series-answer.ts';
import { countText, durationText, rateText, shareText, valueText } from '../charts/format.ts';
import { live } from '../feed.ts';
import { bucketsOf, countsOf, sampledMs, seriesPath, sinceSampled, type TimeSpan, wholeOf } from '../series.ts';
import type { View } from '../view.ts';
import { useWatched } from '../watched.ts';
import { type Column, Table } from './table.ts';

const EVERY_S = 5;
/** Steps that a whole is asked for in: few, and what is asked for is right to a tenth of the time shown. */
const STEPS = 10;

interface Row {
  readonly name: string;
  readonly service: string;
  readonly count: number;
  readonly perSecond: number;
  /** Null: not all of its answers were told. */
  readonly failed: number | null;
  readonly sumMs: number;
  /** Of the time of all rows. */
  readonly timeShare: number;
  readonly percentiles: readonly (number | null)[];
}

interface Wanted {
  readonly service: string;
  readonly span: TimeSpan;
}

interface Rows {
  readonly rows: readonly Row[];
  /** What else to say of them: that there are more than are told. */
  readonly note: string;
}

function useRows(by: 'route' | 'endpoint', { service, span }: Wanted): Rows | null {
  const [requests, durations] =
    by === 'route'
      ? ['spillway_requests_total', 'spillway_request_duration_seconds']
      : ['spillway_endpoint_requests_total', 'spillway_upstream_duration_seconds'];
  const labels: Readonly<Record<string, string>> = service === '' ? {} : { service };
  const whole = { ...span, stepMs: Math.max(span.stepMs, span.spanMs / STEPS) };
  const paths = [
    ...[requests, durations].map((name) => seriesPath({ name, labels }, whole)),
    // For when something was sampled, more finely: the step that a whole begins with may be before it.
    seriesPath(
      { name: 'spillway_requests_total', labels, merged: true },
      { ...span, spanMs: span.spanMs + whole.stepMs },
    ),
  ];
  const { value } = useWatched(EVERY_S, paths, (answers: readonly [SeriesAnswer, SeriesAnswer, SeriesAnswer]) =>
    answers.map(sinceSampled),
  );
  if (value === null) return null;
  const [counts, times, known] = value as [SeriesAnswer, SeriesAnswer, SeriesAnswer];
  const { rows, more } = times;
  const note =
    more === 0 ? '' : `; the ${countText(rows.length)} that answered last of ${countText(rows.length + more)}`;
  return { rows: rowsOf(by, counts, times, known), note };
}

// WHY four parameters: three answers to three questions, asked together.
function rowsOf(by: 'route' | 'endpoint', requests: SeriesAnswer, durations: SeriesAnswer, known: SeriesAnswer): Row[] {
  const startedMs = Date.parse(live.value!.gateway.startedAt);
  const seconds = Math.max(1, sampledMs(known, durations.fromMs, startedMs) / 1000);
  const rows = durations.rows.flatMap((row): Row[] => {
    const buckets = bucketsOf(durations, row);
    if (buckets === null) return [];
    const { count, sumMs, percentiles } = wholeOf(buckets);
    const labels = { service: row.labels['service'] ?? '', [by]: row.labels[by] ?? '' };
    const sum = (counts: readonly number[]): number => counts.reduce((all, one) => all + one, 0);
    const answers = sum(countsOf(requests, labels));
    const failed =
      requests.more > 0
        ? null
        : answers === 0
          ? 0
          : sum(countsOf(requests, { ...labels, code_class: '5xx' })) / answers;
    return count === 0
      ? []
      : [
          {
            name: labels[by]!,
            service: labels.service,
            count,
            perSecond: count / seconds,
            failed,
            sumMs,
            percentiles,
            timeShare: 0,
          },
        ];
  });
  const all = rows.reduce((sum, { sumMs }) => sum + sumMs, 0);
  return rows
    .map((row) => ({ ...row, timeShare: all === 0 ? 0 : row.sumMs / all }))
    .toSorted((one, other) => other.sumMs - one.sumMs);
}

function columns(first: string): readonly Column<Row>[] {
  const percentile = (at: number, title: string): Column<Row> => ({
    id: title,
    title,
    value: ({ percentiles }) => percentiles[at] ?? null,
    show: ({ percentiles }) => valueText('duration', percentiles[at] ?? null),
  });
  return [
    { id: 'name', title: first, kind: 'text', value: ({ name }) => name },
    { id: 'service', title: 'Service', kind: 'text', value: ({ service }) => service },
    { id: 'rate', title: 'Rate', value: ({ perSecond }) => perSecond, show: ({ perSecond }) => rateText(perSecond) },
    {
      id: 'failed',
      title: '5xx',
      value: ({ failed }) => failed,
      show: ({ failed }) => (failed === null ? '–' : h('span', { class: failed > 0 ? 'bad' : '' }, shareText(failed))),
    },
    percentile(0, 'p50'),
    percentile(1, 'p90'),
    percentile(2, 'p99'),
    percentile(3, 'p99.9'),
    {
      id: 'time',
      title: 'Of the time',
      help: 'What it took of all the time that requests took: the rate times the mean.',
      value: ({ timeShare }) => timeShare,
      show: ({ timeShare }) => [
        h('i', { class: 'part', 'aria-hidden': 'true', style: { width: `${timeShare * 60}px` } }),
        shareText(timeShare),
      ],
    },
  ];
}
const routeColumns = columns('Route');
const endpointColumns = columns('Endpoint');

export function RouteTable(wanted: Wanted): View | null {
  const { rows = [], note } = useRows('route', wanted) ?? {};
  if (rows.length === 0) return null;
  return h('section', { class: 'panel' }, [
    h('header', {}, [
      h('h2', {}, 'Top routes'),
      h(
        'span',
        { class: 'dim' },
        `last ${wanted.span.title}, from the head of a request to the last byte of its answer${note}`,
      ),
    ]),
    h(Table<Row>, { id: 'r', label: 'routes', columns: routeColumns, rows, keyOf, empty: '' }),
  ]);
}

export function EndpointTable(wanted: Wanted): View | null {
  const { rows = [], note } = useRows('endpoint', wanted) ?? {};
  const routes = useRows('route', wanted);
  if (rows.length === 0) return null;
  return h('section', { class: 'panel' }, [
    h('header', {}, [
      h('h2', {}, 'Where the time goes'),
      h(
        'span',
        { class: 'dim' },
        `last ${wanted.span.title}, by endpoint, from a request to the first byte of its answer${note}`,
      ),
    ]),
    h(TimeParts, { routes: routes?.rows ?? [], endpoints: rows }),
    h(Table<Row>, { id: 'u', label: 'endpoints', columns: endpointColumns, rows, keyOf, empty: '' }),
  ]);
}

function keyOf({ name, service }: Row): string {
  return `${service} ${name}`;
}

/** Of the time that clients waited, how much was waiting for servers. */
function TimeParts(props: { readonly routes: readonly Row[]; readonly endpoints: readonly Row[] }): View | null {
  const sum = (rows: readonly Row[]): number => rows.reduce((all, { sumMs }) => all + sumMs, 0);
  const [whole, servers] = [sum(props.routes), sum(props.endpoints)];
  const count = props.routes.reduce((all, row) => all + row.count, 0);
  if (whole === 0) return null;
  const share = Math.min(1, servers / whole);
  return h('p', { class: 'parts' }, [
    h('span', { class: 'bar', 'aria-hidden': 'true' }, [
      h('i', { style: { width: `${share * 100}%` } }),
      h('b', { style: { width: `${(1 - share) * 100}%` } }),
    ]),
    `Of ${durationText(whole / count)} that a request takes on average, `,
    h('b', {}, shareText(share)),
    ` is waiting for servers, the rest the gateway, queues, retries and the transfer of bodies.`,
  ]);
}
