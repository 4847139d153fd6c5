/**
 * Traces and logs: recent traces, searched by id, route, service, status, how long they took and what stands in them; one of them as a waterfall with
 * its critical path; and the lines of logs that belong to it. What is searched for is in the address, so a link shows the same.
 */
import { h } from 'preact';
import { Asking } from '../components/asking.ts';
import { NoTraces, TraceTable } from '../components/slowest-requests.ts';
import { LogLines } from '../components/log-lines.ts';
import { TraceView } from '../components/trace-view.ts';
import { live } from '../feed.ts';
import { place, setQuery } from '../router.ts';
import { traceIdIn, tracesPath, type TracesWanted } from '../traces.ts';
import type { FoundTraces } from '../../observe/trace/store.ts';
import type { View } from '../view.ts';
import { useWatched } from '../watched.ts';

const EVERY_S = 3;
const LIMIT = '100';

export function Traces(): View {
  const { query } = place.value;
  const id = query.get('id') ?? '';
  return h(
    'div',
    { class: 'screen' },
    id === '' ? [h(Search, {}), h(Found, {}), h(LatestLogs, {})] : h(TraceView, { key: id, traceId: id }),
  );
}

const fields = ['text', 'service', 'route', 'status', 'minMs', 'order'] as const;

function wantedOf(query: URLSearchParams): TracesWanted {
  return Object.fromEntries(fields.map((field) => [field, query.get(field) ?? '']));
}

function Search(): View {
  const { tables } = live.value!;
  const wanted = wantedOf(place.value.query);
  const set = (field: (typeof fields)[number]) => (event: Event) => {
    const { value } = event.target as HTMLInputElement;
    const id = field === 'text' ? traceIdIn(value) : null;
    setQuery(id === null ? { [field]: value } : { id, text: undefined });
  };
  const choice = (
    field: 'service' | 'route' | 'status' | 'order',
    title: string,
    options: readonly (readonly [value: string, text: string])[],
  ): View =>
    h('label', {}, [
      `${title} `,
      h(
        'select',
        { value: wanted[field], onChange: set(field) },
        options.map(([value, text]) => h('option', { key: value, value }, text)),
      ),
    ]);
  const names = (all: readonly string[]): (readonly [string, string])[] => [
    ['', 'all'],
    ...all.map((name) => [name, name] as const),
  ];
  return h('form', { class: 'choices', role: 'search', onSubmit: (event: Event) => event.preventDefault() }, [
    h('input', {
      ...{ type: 'search', value: wanted.text, onInput: set('text'), spellcheck: false },
      ...{ placeholder: 'Trace id, or any text  /', 'aria-label': 'Trace id, or text in a span' },
    }),
    h('label', {}, [
      'Service ',
      h('input', { class: 'short', value: wanted.service, onInput: set('service'), spellcheck: false, list: 'services' }),
      h('datalist', { id: 'services' }, ['gateway', ...tables.services.name].map((name) => h('option', { key: name, value: name }))),
    ]),
    choice('route', 'Route', names(tables.routes.name)),
    choice('status', 'Status', [['', 'any'], ['ok', 'ok'], ['error', 'failed']]),
    h('label', {}, [
      'At least ',
      h('input', { ...{ class: 'short', type: 'number', min: 0, value: wanted.minMs, onInput: set('minMs') } }),
      ' ms',
    ]),
    choice('order', 'Order', [['', 'newest'], ['slowest', 'slowest']]),
  ]); // prettier-ignore
}

function Found(): View {
  const wanted = wantedOf(place.value.query);
  const { value, problem } = useWatched(
    EVERY_S,
    [tracesPath({ ...wanted, limit: LIMIT })],
    ([found]: readonly [FoundTraces]) => found,
  );
  return h('section', { class: 'panel' }, [
    h('header', {}, [
      h('h2', {}, 'Traces'),
      h('span', { class: 'dim', role: 'status' }, value === null ? '' : countOf(value.traces.length, value.more)),
    ]),
    value === null
      ? h(Asking, { problem })
      : value.traces.length === 0
        ? h(NoTraces, {})
        : h(TraceTable, { traces: value.traces }),
  ]);
}

function countOf(shown: number, more: number): string {
  return more === 0 ? `${shown}` : `${shown}, and ${more} more`;
}

function LatestLogs(): View {
  const { query } = place.value;
  return h(LogLines, { title: 'Log lines', wanted: { text: query.get('text') ?? '' } });
}
