/** The slowest of the traces that are kept of a service, each with a way to its waterfall. */
import { h } from 'preact';
import type { TraceSummary } from '../../observe/trace/stored-trace.ts';
import { clockText, durationText } from '../charts/format.ts';
import { hashOf } from '../router.ts';
import { noTraces, tracesPath } from '../traces.ts';
import { useWatched } from '../watched.ts';
import type { FoundTraces } from '../../observe/trace/store.ts';
import type { View } from '../view.ts';
import { Asking } from './asking.ts';
import { type Column, Table } from './table.ts';

const EVERY_S = 3;
const LIMIT = '10';

export function SlowestRequests({ service }: { readonly service: string }): View {
  const { value, problem } = useWatched(
    EVERY_S,
    [tracesPath({ service, order: 'slowest', limit: LIMIT })],
    ([found]: readonly [FoundTraces]) => found,
  );
  return h('section', { class: 'panel' }, [
    h('header', {}, [
      h('h2', {}, 'Slowest recent requests'),
      h('span', { class: 'dim' }, 'of those whose trace is kept'),
      h('a', { class: 'end', href: hashOf('traces', { service, order: 'slowest' }) }, 'All traces'),
    ]),
    value === null
      ? h(Asking, { problem })
      : value.traces.length === 0
        ? h(NoTraces, {})
        : h(TraceTable, { traces: value.traces }),
  ]);
}

export function NoTraces(): View {
  const [before, option, after] = noTraces.how;
  return h('p', {}, [`${noTraces.what} `, h('span', { class: 'dim' }, [before, h('code', {}, option), after])]);
}

/** Whatever led to the table leads on: the address of a trace is that of the screen with its id. */
export function TraceTable({ traces }: { readonly traces: readonly TraceSummary[] }): View {
  return h(Table<TraceSummary>, {
    ...{ id: 't', label: 'traces', columns, rows: traces, empty: noTraces.what, hasFilter: false },
    keyOf: ({ traceId }) => traceId,
    classOf: ({ status }) => (status === 'error' ? 'failed' : ''),
  });
}

const columns: readonly Column<TraceSummary>[] = [
  {
    id: 'at',
    title: 'Began',
    kind: 'text',
    value: ({ startMs }) => startMs,
    show: ({ startMs }) => clockText(startMs, true),
  },
  {
    id: 'name',
    title: 'Request',
    kind: 'text',
    value: ({ name }) => name,
    show: ({ name, traceId }) => h('a', { href: hashOf('traces', { id: traceId }) }, name),
  },
  { id: 'route', title: 'Route', kind: 'text', value: ({ route }) => route ?? '' },
  { id: 'services', title: 'Services', kind: 'text', value: ({ services }) => services.join(' → ') },
  {
    id: 'took',
    title: 'Took',
    value: ({ durationMs }) => durationMs,
    show: ({ durationMs }) => durationText(durationMs),
  },
  { id: 'spans', title: 'Spans', value: ({ spans }) => spans },
  {
    id: 'status',
    title: 'Status',
    kind: 'text',
    value: ({ status }) => status,
    show: ({ status, errors }) => (status === 'ok' ? 'ok' : h('span', { class: 'bad' }, `${errors} failed`)),
  },
  {
    id: 'kept',
    title: 'Kept',
    kind: 'text',
    help: 'Why this trace is kept: it was among the sample, or failed, or was slow.',
    value: ({ kept }) => kept,
  },
];
