/**
 * A trace beside another of its kind: how much longer or shorter it took, their waterfalls on one axis, and in which places they differ. And which
 * others there are to compare it with: an ordinary one above all, because what is slow is seen best beside what is not.
 */
import { h } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import type { SpanRecord } from '../../observe/trace/span-record.ts';
import type { FoundTraces, TraceSummary } from '../../observe/trace/store.ts';
import { mainRoot } from '../charts/critical-path.ts';
import { clockText, durationText } from '../charts/format.ts';
import { compareTraces, diffSentence, type PlaceDiff, type Stay, type TraceDiff } from '../charts/trace-diff.ts';
import { onOneScale, type Trace, traceOf, Waterfall } from '../charts/waterfall.ts';
import { hashOf, setQuery } from '../router.ts';
import { chooseRow, chosenRow, traceIdIn, tracePath, tracesPath, type WholeTrace } from '../traces.ts';
import { useWatched } from '../watched.ts';
import type { View } from '../view.ts';
import { Asking } from './asking.ts';
import { SpanDetails } from './span-details.ts';
import { type Column, Table } from './table.ts';

/** Spans of other services come a little later than those of the gateway. */
const EVERY_S = 5;
/** What is pointed at should stay where it is. */
const PEERS_EVERY_S = 60;

export function TraceCompare({ here, other }: { readonly here: WholeTrace; readonly other: string }): View {
  const { traceId } = here;
  const { value: there, problem } = useWatched(EVERY_S, [tracePath(other)], ([trace]: readonly [WholeTrace]) => trace);
  return h('section', { class: 'panel' }, [
    h('header', {}, [
      h('h2', {}, 'Compared'),
      h('a', { class: 'end', href: hashOf('traces', { id: other, with: traceId }) }, 'The other way round'),
    ]),
    there === null ? h(Asking, { problem }) : null,
    h(Compared, { here, there }),
  ]);
}

/** Also before the other is known: what is looked at stays where it is. */
function Compared(whole: { readonly here: WholeTrace; readonly there: WholeTrace | null }): View {
  const here = useMemo(() => traceOf(whole.here.spans), [whole.here]);
  const there = useMemo(() => traceOf(whole.there?.spans ?? []), [whole.there]);
  const diff = useMemo(() => compareTraces(here, there), [here, there]);
  const [scaledHere, scaledThere] = useMemo(() => onOneScale([here, there]), [here, there]) as [Trace, Trace];
  const [spanThere, setSpanThere] = useState<string | null>(null);
  const rowThere = there.rows.find(({ span }) => span.spanId === spanThere);
  return h('div', {}, [
    whole.there === null ? null : h('p', {}, h('b', {}, diffSentence(diff))),
    h('div', { class: 'sides' }, [
      h(One, { title: 'This', trace: scaledHere, whole: whole.here, chosen: chosenRow(here), onChoose: (row) => chooseRow(here, row) }),
      whole.there === null
        ? null
        : h(One, { title: 'The other', trace: scaledThere, whole: whole.there, chosen: chosenRow(there, spanThere), onChoose: (row) => setSpanThere(there.rows[row]!.span.spanId) }),
    ]),
    rowThere === undefined ? null : h(SpanDetails, { row: rowThere }),
    whole.there === null ? null : h(Places, diff),
  ]);
} // prettier-ignore

function Places({ places }: TraceDiff): View {
  const most = Math.max(1e-9, ...places.map(apart).map(Math.abs));
  return h(Table<PlaceDiff>, {
    ...{ id: 'd', label: 'where the two differ', rows: places, empty: 'Neither has a span.' },
    columns: columnsOf(most),
    keyOf: ({ id }) => id,
    classOf: ({ here: { failed } }) => (failed > 0 ? 'failed' : ''),
  });
}

interface OneProps {
  readonly title: string;
  readonly trace: Trace;
  readonly whole: WholeTrace;
  readonly chosen: number;
  readonly onChoose: (row: number) => void;
}

function One({ title, trace, whole, chosen, onChoose }: OneProps): View {
  const root = trace.rows[mainRoot(trace.rows)];
  const { traceId, dropped } = whole;
  const what = root === undefined ? traceId : `${root.span.name}, ${clockText(root.span.startMs, true)}`;
  return h('figure', {}, [
    h('figcaption', {}, [
      `${title}: `,
      h('a', { href: hashOf('traces', { id: traceId }) }, what),
      h('span', { class: 'dim' }, ` ${traceId}${dropped === 0 ? '' : `; ${dropped} of its spans were too many to keep`}`),
    ]),
    h(Waterfall, { trace, chosen, onChoose, label: `Spans of ${title.toLowerCase()} trace` }),
  ]);
} // prettier-ignore

function apart({ here, there }: PlaceDiff): number {
  return here.ms - there.ms;
}

function columnsOf(most: number): readonly Column<PlaceDiff>[] {
  return [
    { id: 'service', title: 'Service', kind: 'text', value: ({ service }) => service },
    { id: 'name', title: 'Span', kind: 'text', value: ({ name }) => name },
    {
      ...{ id: 'apart', title: 'Difference', help: 'All of them add up to that of the two traces' },
      value: apart,
      show: (place) => h(Difference, { ms: apart(place), most }),
    },
    stay('This', 'here'),
    stay('The other', 'there'),
    { id: 'under', title: 'Under', kind: 'text', value: ({ under }) => under },
    {
      ...{ id: 'spans', title: 'Spans', help: 'In this one, and in the other', kind: 'text' },
      value: ({ here, there }) => here.spans - there.spans,
      show: ({ here, there }) => [h(Spans, { of: here }), ' / ', h(Spans, { of: there })],
    },
  ];
}

function stay(title: string, side: 'here' | 'there'): Column<PlaceDiff> {
  return {
    ...{ id: side, title, help: 'How long the answer waited for this, on the critical path' },
    value: (place) => place[side].ms,
    show: ({ [side]: { ms, spans } }) => (spans === 0 ? h('span', { class: 'dim' }, 'not there') : durationText(ms)),
  };
}

function Spans({ of: { failed, spans } }: { readonly of: Stay }): View {
  return h('span', { class: failed > 0 ? 'bad' : undefined }, failed > 0 ? `${spans}, ${failed} failed` : `${spans}`);
}

/** To the right what took longer, to the left what took shorter. */
function Difference({ ms, most }: { readonly ms: number; readonly most: number }): View {
  const length = (Math.abs(ms) / most) * 40;
  return h('span', { class: 'deviation' }, [
    h('svg', { width: 82, height: 8, 'aria-hidden': 'true' }, [
      h('path', { class: 'axis', d: 'M41 0V8' }),
      h('rect', { class: ms > 0 ? 'bad' : 'good', x: ms < 0 ? 41 - length : 41, y: 2, width: length, height: 4 }),
    ]),
    h('span', { class: ms === 0 ? 'length dim' : 'length' }, ms > 0 ? `+${durationText(ms)}` : durationText(ms)),
  ]);
}

/** The others of its kind: of the same route, or whose span has the same name. */
export function Peers({ traceId, root }: { readonly traceId: string; readonly root: SpanRecord }): View {
  const { name, service, attributes } = root;
  const route = attributes['http.route'];
  const wanted = { ...(typeof route === 'string' ? { route } : { text: name.slice(0, 256) }), service, limit: '1000' };
  const { value } = useWatched(PEERS_EVERY_S, [tracesPath(wanted)], ([found]: readonly [FoundTraces]) => found);
  const peers = (value?.traces ?? []).filter((one) => one.name === name && one.traceId !== traceId);
  const find = (event: InputEvent): void => {
    const id = traceIdIn((event.target as HTMLInputElement).value);
    if (id !== null) setQuery({ with: id });
  };
  return h('p', { class: 'peers' }, [
    'Compare with ',
    choicesOf(peers).map(([what, peer]) =>
      h('span', { key: what }, [
        h('a', { href: hashOf('traces', { id: traceId, with: peer.traceId }) }, what),
        h('span', { class: 'dim' }, ` ${durationText(peer.durationMs)}`),
        ', ',
      ]),
    ),
    peers.length === 0 ? null : 'or ',
    h('input', { type: 'search', onInput: find, spellcheck: false, placeholder: 'a trace id', 'aria-label': 'Id of the trace to compare with' }),
  ]); // prettier-ignore
}

/** Ordinary is in the middle of those that went well. */
function choicesOf(peers: readonly TraceSummary[]): (readonly [what: string, peer: TraceSummary])[] {
  const sorted = peers.filter(({ status }) => status === 'ok').toSorted((one, other) => one.durationMs - other.durationMs);
  const ends = [
    ['an ordinary one', sorted[Math.floor((sorted.length - 1) / 2)]],
    ['the fastest', sorted[0]],
    ['the slowest', sorted.at(-1)],
  ] as const;
  const seen = new Set<TraceSummary>();
  return ends.flatMap(([what, peer]) => {
    if (peer === undefined || seen.has(peer)) return [];
    seen.add(peer);
    return [[what, peer] as const];
  });
} // prettier-ignore
