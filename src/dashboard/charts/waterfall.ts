/**
 * The waterfall of a trace: its spans as rows of a tree, each with a bar for when it ran, and the critical path drawn into the bars.
 *
 * A tree grid with one stop for the Tab key: arrows walk, fold and unfold. Only the rows on the screen are in the page, so ten thousand spans
 * cost no more than forty. Names come from the wire: they are text, and nothing else.
 */
import { h } from 'preact';
import { useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { SpanRecord } from '../../observe/trace/span-record.ts';
import type { View } from '../view.ts';
import { criticalPath, type PathPart } from './critical-path.ts';
import { durationText } from './format.ts';
import { type SpanRow, spanRows } from './span-tree.ts';
import { shownRows, stepInTree, windowOf } from './tree-rows.ts';

const ROW_PX = 22;
/** Beyond that a name is not indented further: the bars are what there must be room for. */
const DEPTH_MAX = 16;

export type TraceRow = SpanRow<SpanRecord>;

export interface Trace {
  readonly rows: readonly TraceRow[];
  readonly path: readonly PathPart[];
  /** In the order in which they come; a colour for each. */
  readonly services: readonly string[];
  /** How long the axis is. */
  readonly totalMs: number;
}

export function traceOf(spans: readonly SpanRecord[]): Trace {
  const rows = spanRows(spans);
  const totalMs = rows.reduce((most, { end }) => Math.max(most, end), 0);
  const services = [...new Set(rows.map(({ span }) => span.service))];
  return { rows, path: criticalPath(rows), services, totalMs };
}

/** Several beside one another: one axis for all of them, and one colour for a service. */
export function onOneScale(traces: readonly Trace[]): readonly Trace[] {
  const services = [...new Set(traces.flatMap((trace) => trace.services))];
  const totalMs = Math.max(0, ...traces.map((trace) => trace.totalMs));
  return traces.map((trace) => ({ ...trace, services, totalMs }));
}

/** Eight colours; the ninth service has the first again, and its name. */
export function serviceColor({ services }: Trace, service: string): string {
  return `var(--service-${services.indexOf(service) % 8})`;
}

export function Waterfall(props: {
  readonly trace: Trace;
  /** Whose it is, to those who do not see it. */
  readonly label?: string;
  readonly chosen: number;
  readonly onChoose: (row: number) => void;
}): View {
  const { trace, label = 'Spans of the trace', chosen, onChoose } = props;
  const { rows } = trace;
  const id = useId();
  // By their ids: spans that come late move rows.
  const [foldedSpans, setFolded] = useState<ReadonlySet<string>>(new Set());
  const [scrollPx, setScroll] = useState(0);
  const [heightPx, setHeight] = useState(600);
  const box = useRef<HTMLDivElement>(null);
  const folded = useMemo(() => {
    const all = rows.map(({ span }, row) => (foldedSpans.has(span.spanId) ? row : -1));
    return new Set(all.filter((row) => row >= 0));
  }, [rows, foldedSpans]);
  const shown = useMemo(() => shownRows(rows, folded), [rows, folded]);
  const parts = useMemo(() => partsByRow(trace), [trace]);

  useEffect(() => {
    const watch = new ResizeObserver(() => setHeight(box.current?.clientHeight ?? 600));
    watch.observe(box.current!);
    return () => watch.disconnect();
  }, []);
  // Only when another is chosen or something is folded: an answer that came meanwhile does not take the reader back.
  useLayoutEffect(() => {
    const at = shown.indexOf(chosen);
    const element = box.current!;
    if (at < 0) return;
    const top = at * ROW_PX;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + ROW_PX > element.scrollTop + element.clientHeight)
      element.scrollTop = top + ROW_PX - element.clientHeight;
  }, [rows[chosen]?.span.spanId, foldedSpans]);

  const fold = (row: number, isFolded: boolean): void => {
    const next = new Set(foldedSpans);
    const { spanId } = rows[row]!.span;
    if (isFolded) next.add(spanId);
    else next.delete(spanId);
    setFolded(next);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = stepInTree(event.key, chosen, { rows, shown, folded });
    if (step === null) return;
    event.preventDefault();
    if (step.fold !== null) fold(step.fold.row, step.fold.folded);
    onChoose(step.to);
  };
  const { from, to } = windowOf(shown.length, { scrollPx, heightPx, rowPx: ROW_PX });
  return h('div', { class: 'waterfall' }, [
    h(Ruler, { totalMs: trace.totalMs }),
    h(
      'div',
      {
        ref: box,
        class: 'rows',
        role: 'treegrid',
        tabIndex: 0,
        'aria-label': label,
        'aria-rowcount': shown.length,
        'aria-activedescendant': rows.length === 0 ? undefined : `${id}-${chosen}`,
        onKeyDown,
        onScroll: () => setScroll(box.current?.scrollTop ?? 0),
      },
      h(
        'div',
        { role: 'presentation', style: { height: `${shown.length * ROW_PX}px`, paddingTop: `${from * ROW_PX}px` } },
        shown.slice(from, to).map(
          (row, index) =>
          h(Row, {
            key: rows[row]!.span.spanId,
            id: `${id}-${row}`,
            trace, row,
            at: from + index,
            parts: parts.get(row) ?? [],
            isFolded: folded.has(row),
            isChosen: row === chosen,
            onChoose: () => onChoose(row),
            onFold: () => fold(row, !folded.has(row)),
          }), // prettier-ignore
        ),
      ),
    ),
  ]);
}

function partsByRow({ path }: Trace): ReadonlyMap<number, readonly PathPart[]> {
  const parts = new Map<number, PathPart[]>();
  for (const part of path) {
    const known = parts.get(part.row);
    if (known === undefined) parts.set(part.row, [part]);
    else known.push(part);
  }
  return parts;
}

function Ruler({ totalMs }: { readonly totalMs: number }): View {
  // All of a trace that took no time is at one moment.
  const marks = totalMs === 0 ? [0] : [0, 0.25, 0.5, 0.75, 1];
  return h('div', { class: 'ruler', 'aria-hidden': 'true' }, [
    h('span', {}, 'Span'),
    h(
      'div',
      {},
      marks.map((share) => h('i', { key: share, style: { left: `${share * 100}%` } }, durationText(totalMs * share))),
    ),
  ]);
}

interface RowProps {
  readonly id: string;
  readonly trace: Trace;
  readonly row: number;
  readonly at: number;
  readonly parts: readonly PathPart[];
  readonly isFolded: boolean;
  readonly isChosen: boolean;
  readonly onChoose: () => void;
  readonly onFold: () => void;
}

function Row({ id, trace, row, at, parts, isFolded, isChosen, onChoose, onFold }: RowProps): View {
  const { span, depth, start, end, below } = trace.rows[row]!;
  const isError = span.status === 'error';
  return h(
    'div',
    {
      id,
      class: `row${isChosen ? ' chosen' : ''}${isError ? ' error' : ''}`,
      role: 'row',
      'aria-level': depth + 1,
      'aria-rowindex': at + 1,
      'aria-selected': isChosen,
      'aria-expanded': below === 0 ? undefined : !isFolded,
      onClick: onChoose,
    },
    [
      h('span', { class: 'name', role: 'gridcell', style: { paddingLeft: `${Math.min(depth, DEPTH_MAX) * 12}px` } }, [
        h(
          'span',
          {
            class: 'fold',
            'aria-hidden': 'true',
            onClick: (event: Event) => {
              event.stopPropagation();
              if (below > 0) onFold();
            },
          },
          below === 0 ? '' : isFolded ? '▸' : '▾',
        ),
        h('i', { style: { background: serviceColor(trace, span.service) } }),
        h('b', {}, span.service),
        ' ',
        span.name,
        isError ? h('span', { class: 'bad' }, ' failed') : null,
        isFolded ? h('span', { class: 'dim' }, ` +${below}`) : null,
      ]),
      h('span', { class: 'bars', role: 'gridcell' }, [
        bar('bar', start, end, trace, serviceColor(trace, span.service)),
        ...parts.map((part) => bar('critical', part.start, part.end, trace)),
        ...momentsOf(trace, row),
        h('span', { class: 'length', style: lengthPlace(start, end, trace.totalMs) }, durationText(end - start)),
      ]),
    ],
  );
}

function bar(kind: string, start: number, end: number, { totalMs }: Trace, background?: string): View {
  const share = (ms: number): number => (totalMs === 0 ? 0 : (ms / totalMs) * 100);
  return h('span', {
    key: `${kind} ${start}`,
    class: kind,
    style: {
      left: `${share(start)}%`,
      width: `${share(end - start)}%`,
      ...(background === undefined ? {} : { background }),
    },
  });
}

/** Beside the bar where there is room, else within the end of the line. */
function lengthPlace(start: number, end: number, totalMs: number): Readonly<Record<string, string>> {
  const [from, to] = totalMs === 0 ? [0, 0] : [start / totalMs, end / totalMs];
  if (to < 0.86) return { left: `calc(${to * 100}% + 6px)` };
  return from > 0.14
    ? { right: `calc(${(1 - from) * 100}% + 6px)` }
    : { right: '6px', background: 'var(--panel)', padding: '0 4px' };
}

/** Events of a span, as ticks on its bar. Their number is bounded where spans are taken in. */
function momentsOf({ rows, totalMs }: Trace, row: number): View[] {
  const { span, start, shiftMs } = rows[row]!;
  const zero = span.startMs + shiftMs - start;
  return span.events.map(({ timeMs, name }, at) =>
    h('span', {
      key: `event ${at}`,
      class: 'moment',
      title: name,
      style: { left: `${Math.min(100, Math.max(0, ((timeMs + shiftMs - zero) / Math.max(totalMs, 1e-9)) * 100))}%` },
    }),
  );
}
