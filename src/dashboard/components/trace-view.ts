/** One trace: what it was, where its time went and how another compares, its waterfall, all of the span that is chosen, and the lines of logs that belong to it. */
import { h } from 'preact';
import { useMemo } from 'preact/hooks';
import { mainRoot, timeSpent } from '../charts/critical-path.ts';
import { dateText, durationText, shareText } from '../charts/format.ts';
import { serviceColor, type Trace, traceOf, Waterfall } from '../charts/waterfall.ts';
import { hashOf, place } from '../router.ts';
import { chooseRow, chosenRow, tracePath, type WholeTrace } from '../traces.ts';
import { useWatched } from '../watched.ts';
import type { View } from '../view.ts';
import { Asking } from './asking.ts';
import { LogLines } from './log-lines.ts';
import { SpanDetails } from './span-details.ts';
import { Peers, TraceCompare } from './trace-compare.ts';

/** Spans of other services come a little later than those of the gateway. */
const EVERY_S = 5;

export function TraceView({ traceId }: { readonly traceId: string }): View {
  const { value, problem } = useWatched(EVERY_S, [tracePath(traceId)], ([trace]: readonly [WholeTrace]) => trace);
  const other = place.value.query.get('with') ?? '';
  return h('div', { class: 'screen' }, [
    h('p', {}, [h('a', { href: hashOf('traces') }, '‹ Traces'), ' ', h('code', {}, traceId)]),
    value === null || other === '' ? null : h(TraceCompare, { key: other, here: value, other }),
    value === null ? h(Asking, { problem }) : h(Whole, { whole: value, isCompared: other !== '' }),
    h(LogLines, { title: 'Log lines of this trace', wanted: { traceId } }),
  ]);
}

/** Compared, its waterfall is beside the other. */
function Whole({ whole, isCompared }: { readonly whole: WholeTrace; readonly isCompared: boolean }): View {
  // Once for each answer: of as many spans as before, one may be another.
  const trace = useMemo(() => traceOf(whole.spans), [whole.spans]);
  const chosen = chosenRow(trace);
  const row = trace.rows[chosen];
  const root = trace.rows[mainRoot(trace.rows)];
  return h('section', { class: 'panel' }, [
    h(Summary, { trace, dropped: whole.dropped }),
    root === undefined ? null : h(Peers, { traceId: whole.traceId, root: root.span }),
    isCompared ? null : h(Waterfall, { trace, chosen, onChoose: (at) => chooseRow(trace, at) }),
    row === undefined ? null : h(SpanDetails, { row }),
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
