/** One trace: what it was, where its time went and how another compares, its waterfall, all of the span that is chosen, and the lines of logs that belong to it. */
import { h } from 'preact';
import { useMemo } from 'preact/hooks';
import type { SpanRecord } from '../../observe/trace/span-record.ts';
import { mainRoot, timeSpent } from '../charts/critical-path.ts';
import { clockText, dateText, durationText, shareText } from '../charts/format.ts';
import { serviceColor, type Trace, traceOf, Waterfall } from '../charts/waterfall.ts';
import { usePolled } from '../polled.ts';
import { hashOf, place, setQuery } from '../router.ts';
import { askTrace, type WholeTrace } from '../traces.ts';
import type { View } from '../view.ts';
import { Asking } from './asking.ts';
import { LogLines } from './log-lines.ts';
import { Peers, TraceCompare } from './trace-compare.ts';

/** Spans of other services come a little later than those of the gateway. */
const PERIOD_MS = 5000;

export function TraceView({ traceId }: { readonly traceId: string }): View {
  const { value, problem } = usePolled(traceId, PERIOD_MS, (signal) => askTrace(traceId, signal));
  const other = place.value.query.get('with') ?? '';
  return h('div', { class: 'screen' }, [
    h('p', {}, [h('a', { href: hashOf('traces') }, '‹ Traces'), ' ', h('code', {}, traceId)]),
    other === '' ? null : h(TraceCompare, { traceId, other }),
    value === null ? h(Asking, { problem }) : h(Whole, { whole: value }),
    h(LogLines, { title: 'Log lines of this trace', wanted: { traceId } }),
  ]);
}

function Whole({ whole }: { readonly whole: WholeTrace }): View {
  // Once for each answer: of as many spans as before, one may be another.
  const trace = useMemo(() => traceOf(whole.spans), [whole.spans]);
  const wanted = place.value.query.get('span');
  const found = trace.rows.findIndex(({ span }) => span.spanId === wanted);
  const chosen = found < 0 ? Math.max(0, mainRoot(trace.rows)) : found;
  const row = trace.rows[chosen];
  const root = trace.rows[mainRoot(trace.rows)];
  return h('section', { class: 'panel' }, [
    h(Summary, { trace, dropped: whole.dropped }),
    root === undefined ? null : h(Peers, { traceId: whole.traceId, root: root.span }),
    h(Waterfall, { trace, chosen, onChoose: (at) => setQuery({ span: trace.rows[at]!.span.spanId }) }),
    row === undefined ? null : h(SpanDetails, { span: row.span, shiftMs: row.shiftMs, lost: row.lost }),
  ]);
}

function Summary({ trace, dropped }: { readonly trace: Trace; readonly dropped: number }): View {
  const { rows, path } = trace;
  const root = rows[mainRoot(rows)];
  if (root === undefined) return h('p', { class: 'dim' }, 'This trace has no span.');
  const failed = rows.filter(({ span }) => span.status === 'error').length;
  const total = Math.max(root.end - root.start, 1e-9);
  const spent = timeSpent(rows, path, ({ service }) => service);
  return h('header', { class: 'trace-summary' }, [
    h('h2', {}, [root.span.name]),
    h('span', { class: 'dim' }, [
      `${dateText(root.span.startMs)}, ${durationText(root.end - root.start)}, ${rows.length} ${rows.length === 1 ? 'span' : 'spans'}`,
      dropped === 0 ? '' : ` (${dropped} more were too many to keep)`,
    ]),
    failed === 0 ? null : h('span', { class: 'bad' }, `${failed} failed`),
    h('p', { class: 'parts' }, [
      h(
        'span',
        { class: 'bar', 'aria-hidden': 'true' },
        spent.map(({ group, ms }) =>
          h('i', { key: group, style: { width: `${(ms / total) * 100}%`, background: serviceColor(trace, group) } }),
        ),
      ),
      h('span', {}, [
        'Critical path: ',
        spent.map(({ group, ms }, at) => [
          at === 0 ? '' : ', ',
          h('b', {}, group),
          ` ${durationText(ms)} (${shareText(ms / total)})`,
        ]),
      ]),
    ]),
  ]);
}

const lostWords = {
  parent: 'Its parent is not here: it was not kept, or never sent.',
  circle: 'Its parents are a circle; the waterfall was opened here.',
} as const;

function SpanDetails(props: {
  readonly span: SpanRecord;
  readonly shiftMs: number;
  readonly lost: 'parent' | 'circle' | null;
}): View {
  const { span, shiftMs, lost } = props;
  const { dropped } = span;
  const left = dropped.attributes + dropped.events + dropped.links;
  const facts: readonly (readonly [name: string, value: string])[] = [
    ['service', span.service],
    ['kind', span.kind],
    ['span id', span.spanId],
    ...(span.statusMessage === '' ? [] : [['error', span.statusMessage] as const]),
    ...Object.entries(span.attributes).map(([name, value]) => [name, String(value)] as const),
  ];
  return h('div', { class: 'span-details' }, [
    h('h3', {}, [span.name, h('span', { class: span.status === 'error' ? 'bad' : 'dim' }, ` ${span.status === 'error' ? 'failed' : ''} ${durationText(span.durationMs)}`)]),
    shiftMs === 0 ? null : h('p', { class: 'warn' }, `The clock of ${span.service} differs: what it sent was moved by ${durationText(shiftMs)}.`),
    lost === null ? null : h('p', { class: 'warn' }, lostWords[lost]),
    h('dl', {}, facts.map(([name, value]) => h('div', { key: name }, [h('dt', {}, name), h('dd', {}, value)]))),
    span.events.length === 0
      ? null
      : h('ol', { class: 'events' }, [
          span.events.map(({ timeMs, name, attributes }, at) =>
            h('li', { key: at }, [
              h('time', {}, `+${durationText(Math.max(0, timeMs - span.startMs))}`),
              h('b', {}, name),
              ...Object.entries(attributes).map(([key, value]) => h('span', { key }, ` ${key}=${String(value)}`)),
            ]),
          ),
        ]),
    span.links.map((link) => h('p', { key: link.spanId }, ['Linked to ', h('a', { href: hashOf('traces', { id: link.traceId }) }, link.traceId)])),
    left === 0 ? null : h('p', { class: 'dim' }, `${left} attributes, events or links had no room and are not shown.`),
    h('p', { class: 'dim' }, `Began ${clockText(span.startMs, true)}.`),
  ]); // prettier-ignore
}
