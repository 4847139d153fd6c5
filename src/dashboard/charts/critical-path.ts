/**
 * The critical path of a trace: for each moment of its root, the one span that the answer was waiting for. To make the trace faster, make
 * one of these faster; nothing else helps. Pure.
 *
 * Walked from the end to the beginning: before a moment, a span was waiting for the child that ended last; where none ran, it was
 * working itself. (CRISP, Zhang et al., USENIX ATC 2022.) Children that outlive their parent were not waited for.
 * Invariant: the parts follow one another without a gap and cover the root exactly. Cost: O(n log n).
 */
import type { SpanRow, SpanTiming } from './span-tree.ts';

export interface PathPart {
  readonly row: number;
  readonly start: number;
  readonly end: number;
}

/** Clocks and flushes differ a little: a child may end after its parent by such a part of itself, or of its parent, and was waited for all the same. */
const LATE_SHARE = { ofChild: 0.05, ofParent: 0.01 } as const;

/** The root that the trace is about: one that has no parent rather than one that lost it; of those the longest. -1 of no rows. */
export function mainRoot<Span extends SpanTiming>(rows: readonly SpanRow<Span>[]): number {
  let best = -1;
  for (const [at, row] of rows.entries()) {
    if (row.parent >= 0) continue;
    const than = rows[best];
    const real = Number(row.lost === null) - Number(than?.lost === null);
    if (than === undefined || real > 0 || (real === 0 && row.end - row.start > than.end - than.start)) best = at;
  }
  return best;
}

/** In order of time. */
export function criticalPath<Span extends SpanTiming>(rows: readonly SpanRow<Span>[]): PathPart[] {
  const root = mainRoot(rows);
  if (root < 0) return [];
  const children = rows.map((): number[] => []);
  for (const [at, { parent }] of rows.entries()) if (parent >= 0) children[parent]!.push(at);
  const lastFirst = (row: number): number[] => children[row]!.sort((one, other) => rows[other]!.end - rows[one]!.end);

  const parts: PathPart[] = [];
  const add = (row: number, start: number, end: number): void => {
    if (end > start) parts.push({ row, start, end });
  };
  const frame = (row: number, from: number, until: number) => ({ row, from, until, waits: lastFirst(row), next: 0 });
  const stack = [frame(root, rows[root]!.start, rows[root]!.end)];
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const child = top.waits[top.next++];
    if (child === undefined) {
      add(top.row, top.from, top.until);
      stack.pop();
      continue;
    }
    const { start, end } = rows[child]!;
    const [from, until] = [Math.max(start, top.from), Math.min(end, top.until)];
    const parent = rows[top.row]!;
    const slack = Math.max((end - start) * LATE_SHARE.ofChild, (parent.end - parent.start) * LATE_SHARE.ofParent);
    if (until <= from || end > top.until + slack) continue;
    add(top.row, until, top.until);
    top.until = from;
    stack.push(frame(child, from, until));
  }
  return parts.reverse();
}

/** What the path spent in each group of rows, the greatest first: by service, or by span. */
export function timeSpent<Span extends SpanTiming>(
  rows: readonly SpanRow<Span>[],
  parts: readonly PathPart[],
  groupOf: (span: Span) => string,
): { readonly group: string; readonly ms: number }[] {
  const spent = new Map<string, number>();
  for (const { row, start, end } of parts) {
    const group = groupOf(rows[row]!.span);
    spent.set(group, (spent.get(group) ?? 0) + end - start);
  }
  return [...spent].map(([group, ms]) => ({ group, ms })).toSorted((one, other) => other.ms - one.ms);
}
