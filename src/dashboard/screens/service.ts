/**
 * The service screen: how many requests, how many of them failed, how long they took (percentiles on a log axis, and where all of them fall), how
 * full everything is, which routes and endpoints that comes from, and the slowest of late.
 *
 * Percentiles are taken here from the buckets that the gateway counted, merged over routes first, by the code the gateway takes them with.
 */
import { h } from 'preact';
import type { SeriesAnswer } from '../../gateway/admin/series-answer.ts';
import { changes } from '../changes.ts';
import { HeatMap } from '../charts/heat-map.ts';
import { LineChart } from '../charts/line-chart.ts';
import type { ChartData, ChartLine, Dot, Mark } from '../charts/reading.ts';
import { Asking } from '../components/asking.ts';
import { Breakers } from '../components/breakers.ts';
import { EndpointTable, RouteTable } from '../components/service-tables.ts';
import { SlowestRequests } from '../components/slowest-requests.ts';
import { live } from '../feed.ts';
import { place, setQuery } from '../router.ts';
import type { ExemplarAnswer } from '../../gateway/admin/traces-api.ts';
import { dotsOf, dotsPath } from '../traces.ts';
import {
  alongside,
  type Buckets,
  bucketsOf,
  countsOf,
  gridOf,
  percentileColumns,
  everyOf,
  ratesOf,
  seriesPath,
  sinceSampled,
  type TimeSpan,
  timeSpanOf,
  timeSpans,
} from '../series.ts';
import type { View } from '../view.ts';
import { useWatched } from '../watched.ts';

const rateLines: readonly ChartLine[] = [
  { label: 'answers', color: '--line-rate', filled: true },
  { label: '4xx', color: '--line-client' },
  { label: '5xx', color: '--line-error' },
];
const errorLines: readonly ChartLine[] = [
  { label: '5xx', color: '--line-error', filled: true },
  { label: '4xx', color: '--line-client' },
];
const durationLines: readonly ChartLine[] = [
  { label: 'p50', color: '--line-p50' },
  { label: 'p90', color: '--line-p90' },
  { label: 'p99', color: '--line-p99' },
  { label: 'p99.9', color: '--line-p999' },
];
const fullLines: readonly ChartLine[] = [
  { label: 'in flight', color: '--line-rate', filled: true },
  { label: 'waiting for a connection', color: '--line-error' },
];
const lagLines: readonly ChartLine[] = [{ label: 'the worst worker', color: '--line-quiet', filled: true }];

const DOTS_EVERY_S = 3;

/** What is drawn. */
interface Drawn {
  readonly rate: ChartData;
  readonly failed: ChartData;
  /** Null: nothing was ever counted. */
  readonly durations: {
    readonly grid: Omit<ChartData, 'columns'>;
    readonly buckets: Buckets;
    readonly columns: ChartData['columns'];
  } | null;
  readonly full: ChartData;
  readonly lag: ChartData;
}

/** In the order in which `drawnOf` takes them. */
function pathsOf(service: string, span: TimeSpan): readonly string[] {
  const labels: Readonly<Record<string, string>> = service === '' ? {} : { service };
  // Added up by the gateway, so that nothing is left out however many there are.
  const merged = (name: string, more: Readonly<Record<string, string>> = {}): string =>
    seriesPath({ name, merged: true, labels: { ...labels, ...more } }, span);
  return [
    merged('spillway_requests_total'),
    merged('spillway_requests_total', { code_class: '4xx' }),
    merged('spillway_requests_total', { code_class: '5xx' }),
    merged('spillway_request_duration_seconds'),
    merged('spillway_requests_in_flight'),
    merged('spillway_endpoint_queued'),
    seriesPath({ name: 'spillway_worker_event_loop_lag_seconds' }, span),
  ];
}

type Seven<T> = readonly [T, T, T, T, T, T, T];

function drawnOf(answers: Seven<SeriesAnswer>): Drawn {
  const [requests, client, server, durations, inFlight, queued, lag] = answers.map(
    sinceSampled,
  ) as unknown as Seven<SeriesAnswer>;
  const grid = gridOf(requests);
  const counts = countsOf(requests);
  // Asked at once, and yet one may have begun a step that another has not.
  const [clientErrors, serverErrors] = [client, server].map((one) =>
    alongside(grid, one, countsOf(one)).map((count) => count ?? 0),
  ) as [number[], number[]];
  const shareOf = (part: readonly number[]): (number | null)[] =>
    part.map((count, at) => (counts[at] === 0 ? null : count / counts[at]!));
  const buckets = bucketsOf(durations);
  const full = gridOf(inFlight);
  return {
    rate: { ...grid, columns: [counts, clientErrors, serverErrors].map((values) => ratesOf(requests, values)) },
    failed: { ...grid, columns: [shareOf(serverErrors), shareOf(clientErrors)] },
    durations: buckets === null ? null : { grid: gridOf(durations), buckets, columns: percentileColumns(buckets) },
    full: { ...full, columns: [highest(inFlight), alongside(full, queued, highest(queued))] },
    lag: { ...gridOf(lag), columns: [highest(lag, 1000)] },
  };
}

export function Service(): View {
  const { query } = place.value;
  const service = query.get('service') ?? '';
  const span = timeSpanOf(query.get('span') ?? '');
  const { value, problem } = useWatched(everyOf(span), pathsOf(service, span), drawnOf);
  const dots = useWatched(DOTS_EVERY_S, [dotsPath(service, span)], ([found]: readonly [ExemplarAnswer]) =>
    dotsOf(found),
  );
  return h('div', { class: 'screen' }, [
    h(Choices, { service, span }),
    h(Breakers, { service }),
    value === null
      ? h(Asking, { problem })
      : isEmpty(value)
        ? h(NoRequests, { service, span })
        : h(Charts, { drawn: value, service, dots: dots.value ?? [] }),
    h(RouteTable, { service, span }),
    h(EndpointTable, { service, span }),
    h(SlowestRequests, { service }),
  ]);
}

function Choices({ service, span }: { readonly service: string; readonly span: TimeSpan }): View {
  const choose = (event: Event): void => setQuery({ service: (event.target as HTMLSelectElement).value });
  return h('div', { class: 'choices' }, [
    h('label', {}, [
      'Service ',
      h('select', { value: service, onChange: choose }, [
        h('option', { value: '' }, 'all'),
        ...live.value!.tables.services.name.map((name) => h('option', { key: name, value: name }, name)),
      ]),
    ]),
    h(
      'div',
      { role: 'group', 'aria-label': 'Time that is shown', class: 'spans' },
      timeSpans.map(({ id, title }) =>
        h('button', { key: id, 'aria-pressed': id === span.id, onClick: () => setQuery({ span: id }) }, title),
      ),
    ),
  ]);
}

function isEmpty({ durations }: Drawn): boolean {
  return durations === null || durations.buckets.steps.every((step) => step === null || step.length === 0);
}

/** What is missing, and how to get it. */
function NoRequests({ service, span }: { readonly service: string; readonly span: TimeSpan }): View {
  const address = live.value!.tables.listeners.address[0];
  const whom = service === '' ? '' : ` for ${service}`;
  return h('section', { class: 'panel empty' }, [
    h('p', {}, `No request${whom} was answered in the last ${span.title}.`),
    address === undefined ? null : h('p', { class: 'dim' }, ['Send one: ', h('code', {}, `curl http://${address}/`)]),
  ]);
}

function Charts(props: { readonly drawn: Drawn; readonly service: string; readonly dots: readonly Dot[] }): View {
  const { drawn, dots, service } = props;
  const { durations, failed, full, lag, rate } = drawn;
  const marks = changes.value.filter(
    (change): change is typeof change & Mark =>
      service === '' || change.service === undefined || change.service === service,
  );
  return h('div', { class: 'pairs' }, [
    panel(LineChart, { title: 'Rate', unit: 'rate', lines: rateLines, marks, data: rate }),
    panel(LineChart, { title: 'Failed', unit: 'share', lines: errorLines, marks, least: 0.01, data: failed }),
    durations === null
      ? null
      : panel(LineChart, {
          ...{ title: 'Duration', unit: 'duration', axis: 'log', lines: durationLines, marks, height: 190 },
          data: { ...durations.grid, columns: durations.columns, dots },
        }),
    durations === null
      ? null
      : panel(HeatMap, { title: 'Where answers fall', marks, dots, ...durations.grid, ...durations.buckets }),
    panel(LineChart, { title: 'How full', unit: 'count', lines: fullLines, marks, least: 1, data: full }),
    panel(LineChart, { title: 'Event loop lag', unit: 'duration', lines: lagLines, marks, least: 1, data: lag }),
  ]);
}

function panel<Props extends { readonly title: string }>(chart: (props: Props) => View, props: Props): View {
  return h('section', { class: 'panel', key: props.title }, h(chart as never, props as never));
}

/** Of each step the highest that any row was; nothing was set where it was zero. */
function highest({ rows, sampled }: SeriesAnswer, factor = 1): (number | null)[] {
  return sampled.map((known, at) => {
    const values = rows.map((row) => (row.kind === 'gauge' ? (row.max[at] ?? 0) : 0));
    return known ? Math.max(0, ...values) * factor : null;
  });
}
