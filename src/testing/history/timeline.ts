/**
 * A few operations as text, one on a line, with bars that say what overlaps what: `├` is the call, `┤` the return, `···` never returned.
 * The columns are events in their order, not time; what happened at one instant is in one column.
 */
import { inspect } from 'node:util';
import type { Operation } from './operation.ts';

/** Columns of an event: room for the two ends of a bar to be told apart. */
const WIDTH = 2;

/** Of a longer operation the rest is cut off, for bars to stay in sight. */
const LABEL_MAX = 48;

export interface TimelineRow {
  /** What stands before it: its place in the order, or a mark. */
  readonly mark: string;
  readonly operation: Operation;
}

export const valueText = (value: unknown): string => inspect(value, { breakLength: Infinity, depth: 4 });

/** `write 1`, `read → 1`, `acquire → ?` */
export function operationText({ input, output, returned }: Operation): string {
  let asked = valueText(input);
  if (typeof input === 'object' && input !== null && 'op' in input) {
    const { op, key: _, ...rest } = input as { readonly op: unknown; readonly key?: unknown };
    asked = [String(op), ...Object.values(rest).map((value) => valueText(value))].join(' ');
  }
  if (returned === null) return `${asked} → ?`;
  return output === undefined ? asked : `${asked} → ${valueText(output)}`;
}

export function timeline(rows: readonly TimelineRow[]): string {
  const times = rows.flatMap(({ operation: { invoked, returned } }) =>
    returned === null ? [invoked] : [invoked, returned],
  );
  const columns = new Map([...new Set(times)].sort((a, b) => a - b).map((time, at) => [time, at * WIDTH]));
  const end = columns.size * WIDTH;
  const cells = rows.map(({ mark, operation }) => {
    const text = operationText(operation);
    return {
      head: [mark, String(operation.process), text.length > LABEL_MAX ? `${text.slice(0, LABEL_MAX - 1)}…` : text],
      bar: bar(
        columns.get(operation.invoked)!,
        operation.returned === null ? null : columns.get(operation.returned)!,
        end,
      ),
    };
  });
  const widths = [0, 1, 2].map((at) => Math.max(0, ...cells.map(({ head }) => head[at]!.length)));
  return cells
    .map(
      ({ head, bar }) =>
        `${head[0]!.padStart(widths[0]!)}  ${head[1]!.padEnd(widths[1]!)}  ${head[2]!.padEnd(widths[2]!)}  ${bar}`,
    )
    .join('\n');
}

function bar(from: number, to: number | null, end: number): string {
  const indent = ' '.repeat(from);
  if (to === null) return `${indent}├${'─'.repeat(end - from)}···`;
  return to === from ? `${indent}│` : `${indent}├${'─'.repeat(to - from - 1)}┤`;
}
