/**
 * Which lines of a text went and came. Pure. The shortest script by Myers' greedy algorithm (E. Myers, "An O(ND) Difference Algorithm and
 * Its Variations", 1986); of texts that differ in more than `CHANGES_MAX` lines, all that is between their common ends.
 *
 * Invariant: the kept and gone lines in order are the one text, the kept and new ones the other. Cost: O((lines) × changes), 4 MB at most.
 */

export interface DiffLine {
  readonly kind: 'same' | 'gone' | 'new';
  readonly text: string;
}

const CHANGES_MAX = 1000;

export function diffLines(before: readonly string[], after: readonly string[]): DiffLine[] {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head++;
  let tail = 0;
  const room = Math.min(before.length, after.length) - head;
  while (tail < room && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail++;
  const same = (text: string): DiffLine => ({ kind: 'same', text });
  return [
    ...before.slice(0, head).map(same),
    ...middle(before.slice(head, before.length - tail), after.slice(head, after.length - tail)),
    ...before.slice(before.length - tail).map(same),
  ];
}

function middle(before: readonly string[], after: readonly string[]): DiffLine[] {
  const traces = search(before, after);
  if (traces === null) {
    return [
      ...before.map((text): DiffLine => ({ kind: 'gone', text })),
      ...after.map((text): DiffLine => ({ kind: 'new', text })),
    ];
  }
  return walkBack(before, after, traces);
}

/** For each number of changes, how far each diagonal came; null if there are too many changes. */
function search(before: readonly string[], after: readonly string[]): Int32Array[] | null {
  const most = Math.min(CHANGES_MAX, before.length + after.length);
  const at = new Int32Array(2 * most + 3);
  const traces: Int32Array[] = [];
  for (let changes = 0; changes <= most; changes++) {
    traces.push(at.slice(most + 1 - changes - 1, most + 1 + changes + 2));
    for (let diagonal = -changes; diagonal <= changes; diagonal += 2) {
      const index = most + 1 + diagonal;
      const isDown = diagonal === -changes || (diagonal !== changes && at[index - 1]! < at[index + 1]!);
      let x = isDown ? at[index + 1]! : at[index - 1]! + 1;
      while (x < before.length && x - diagonal < after.length && before[x] === after[x - diagonal]) x++;
      at[index] = x;
      if (x >= before.length && x - diagonal >= after.length) return traces;
    }
  }
  return null;
}

function walkBack(before: readonly string[], after: readonly string[], traces: readonly Int32Array[]): DiffLine[] {
  const lines: DiffLine[] = [];
  let x = before.length;
  let y = after.length;
  for (let changes = traces.length - 1; changes >= 0; changes--) {
    const trace = traces[changes]!;
    // The slice begins one diagonal before the first.
    const reached = (diagonal: number): number => trace[diagonal + changes + 1]!;
    const diagonal = x - y;
    const isDown = diagonal === -changes || (diagonal !== changes && reached(diagonal - 1) < reached(diagonal + 1));
    const from = isDown ? diagonal + 1 : diagonal - 1;
    const fromX = changes === 0 ? 0 : reached(from);
    const fromY = changes === 0 ? 0 : fromX - from;
    while (x > fromX && y > fromY) {
      x--;
      y--;
      lines.push({ kind: 'same', text: before[x]! });
    }
    if (changes === 0) break;
    if (isDown) lines.push({ kind: 'new', text: after[--y]! });
    else lines.push({ kind: 'gone', text: before[--x]! });
  }
  return lines.reverse();
}
