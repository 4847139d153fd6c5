/**
 * The spans of a trace as the rows of a waterfall: each below its parent, by when it began, on one clock. Pure.
 *
 * Whatever arrives makes rows, each span in one of them: a parent that is missing, that comes later or that is its own grandchild, the
 * same span twice, ten thousand in one chain. Nothing recurses. Cost: O(n log n) for n spans.
 *
 * Clocks of services differ, and only two things prove it: an effect before its cause, and work that begins after its answer came. A
 * span with such a parent is moved, to the middle of it if it fits, and what its service did below moves with it. A span that outlives
 * its parent is left alone: the caller gave up, and that is what is to be seen. (Jaeger moves those too.)
 */

/** What of a span matters for where it is drawn. */
export interface SpanTiming {
  readonly spanId: string;
  readonly parentId: string | null;
  readonly service: string;
  readonly kind: string;
  readonly status: string;
  readonly startMs: number;
  readonly durationMs: number;
}

export interface SpanRow<Span extends SpanTiming> {
  readonly span: Span;
  /** The row of its parent; -1 of a root. */
  readonly parent: number;
  readonly depth: number;
  /** On the clock of the first root, in ms after the first of all spans. */
  readonly start: number;
  readonly end: number;
  /** How far the clock of its service was moved. */
  readonly shiftMs: number;
  /** Rows below it, at any depth: they follow it. */
  below: number;
  /** A root because its parent is not here, or because its ancestors are a circle. */
  readonly lost: 'parent' | 'circle' | null;
}

interface Entry<Span> {
  readonly span: Span;
  readonly start: number;
  readonly duration: number;
  readonly children: Entry<Span>[];
  shift: number;
  done: boolean;
}

/** Numbers that are none are drawn at the start of the trace, with no length. */
function finite(value: number, otherwise: number): number {
  return Number.isFinite(value) ? value : otherwise;
}

/** How far a child's clock is off, as its parent's proves; 0 if nothing does. `shift` is what is known of that clock so far. */
function provenShift<Span extends SpanTiming>(child: Entry<Span>, parent: Entry<Span>, shift: number): number {
  if (child.span.service === parent.span.service) return shift;
  const [start, from] = [child.start + shift, parent.start + parent.shift];
  const answered = child.span.kind === 'server' && parent.span.kind === 'client' && parent.span.status !== 'error';
  const late = answered && start > from + parent.duration;
  if (start >= from && !late) return shift;
  const slack = Math.max(0, parent.duration - child.duration);
  return from + slack / 2 - child.start;
}

function linked<Span extends SpanTiming>(spans: readonly Span[]): { all: Entry<Span>[]; roots: Entry<Span>[] } {
  const starts = spans.map(({ startMs }) => startMs).filter(Number.isFinite);
  const zero = starts.reduce((least, start) => Math.min(least, start), starts[0] ?? 0);
  const byId = new Map<string, Entry<Span>>();
  for (const span of spans) {
    const start = finite(span.startMs - zero, 0);
    const duration = Math.max(0, finite(span.durationMs, 0));
    byId.set(span.spanId, { span, start, duration, children: [], shift: 0, done: false });
  }
  const all = [...byId.values()].toSorted((one, other) => one.start - other.start);
  const roots: Entry<Span>[] = [];
  for (const entry of all) {
    const parent = entry.span.parentId === null ? undefined : byId.get(entry.span.parentId);
    (parent?.children ?? roots).push(entry);
  }
  return { all, roots };
}

/** The rows of a trace, each root and what is below it together. */
export function spanRows<Span extends SpanTiming>(spans: readonly Span[]): SpanRow<Span>[] {
  const { all, roots } = linked(spans);
  const rows: SpanRow<Span>[] = [];
  for (const root of roots) place(root, root.span.parentId === null ? null : 'parent', rows);
  // What no root leads to hangs below a circle; it is opened at its earliest span.
  for (const entry of all) if (!entry.done) place(entry, 'circle', rows);
  // Where clocks were moved the first of all is another.
  const first = rows.reduce((least, { start }) => Math.min(least, start), Number.POSITIVE_INFINITY);
  return first === 0 ? rows : rows.map((row) => ({ ...row, start: row.start - first, end: row.end - first }));
}

function place<Span extends SpanTiming>(root: Entry<Span>, lost: SpanRow<Span>['lost'], rows: SpanRow<Span>[]): void {
  /** What is known of each service's clock above the row at hand, the nearest last. */
  const clocks = new Map<string, number[]>();
  const stack: { entry: Entry<Span>; parent: number; depth: number; row: number }[] = [];
  const push = (entry: Entry<Span>, parent: number, depth: number): void => {
    entry.done = true;
    stack.push({ entry, parent, depth, row: -1 });
  };
  push(root, -1, 0);
  for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
    const { entry, parent, depth } = frame;
    const { span, start, duration, shift } = entry;
    if (frame.row >= 0) {
      // All below it are placed.
      stack.pop();
      clocks.get(span.service)?.pop();
      rows[frame.row]!.below = rows.length - 1 - frame.row;
      continue;
    }
    frame.row = rows.length;
    const at = start + shift;
    rows.push({
      span,
      parent,
      depth,
      start: at,
      end: at + duration,
      shiftMs: shift,
      below: 0,
      lost: depth === 0 ? lost : null,
    });
    const known = clocks.get(span.service);
    if (known === undefined) clocks.set(span.service, [shift]);
    else known.push(shift);
    const children = entry.children.filter(({ done }) => !done);
    for (const child of children) child.shift = provenShift(child, entry, clocks.get(child.span.service)?.at(-1) ?? 0);
    // The earliest is on top of the stack.
    children.sort((one, other) => other.start + other.shift - (one.start + one.shift));
    for (const child of children) push(child, frame.row, depth + 1);
  }
}
