/**
 * A tree as rows of which some are folded away, and where keys lead in it: as in a tree grid (WAI-ARIA Authoring Practices). Pure.
 * Cost: O(rows) to find those that are shown; which of them are on the screen is arithmetic, whatever their number.
 */

export interface TreeRow {
  /** -1 of a root. */
  readonly parent: number;
  /** Rows below it, which follow it. */
  readonly below: number;
}

/** The rows that are shown: not those below a folded one. */
export function shownRows(rows: readonly TreeRow[], folded: ReadonlySet<number>): number[] {
  const shown: number[] = [];
  for (let row = 0; row < rows.length; row += 1 + (folded.has(row) ? rows[row]!.below : 0)) shown.push(row);
  return shown;
}

export interface TreeStep {
  /** The row that is chosen then. */
  readonly to: number;
  /** The row that is to be folded or unfolded. */
  readonly fold: { readonly row: number; readonly folded: boolean } | null;
}

/** Rows to a page. */
const PAGE = 20;

/** Where a key leads from a row; null: the key is not for the tree. */
export function stepInTree(
  key: string,
  from: number,
  {
    rows,
    shown,
    folded,
  }: { readonly rows: readonly TreeRow[]; readonly shown: readonly number[]; readonly folded: ReadonlySet<number> },
): TreeStep | null {
  const row = rows[from];
  if (row === undefined) return null;
  const at = shown.indexOf(from);
  const shownAt = (index: number): TreeStep => ({
    to: shown[Math.min(shown.length - 1, Math.max(0, index))]!,
    fold: null,
  });
  const fold = (folded: boolean): TreeStep => ({ to: from, fold: { row: from, folded } });
  switch (key) {
    case 'ArrowDown':
      return shownAt(at + 1);
    case 'ArrowUp':
      return shownAt(at - 1);
    case 'PageDown':
      return shownAt(at + PAGE);
    case 'PageUp':
      return shownAt(at - PAGE);
    case 'Home':
      return shownAt(0);
    case 'End':
      return shownAt(shown.length - 1);
    case 'ArrowRight':
      if (row.below === 0) return shownAt(at);
      return folded.has(from) ? fold(false) : shownAt(at + 1);
    case 'ArrowLeft':
      if (row.below > 0 && !folded.has(from)) return fold(true);
      return { to: row.parent < 0 ? from : row.parent, fold: null };
    default:
      return null;
  }
}

/** Which of the rows are within reach of the screen, and how far the first of them is from the top. */
export function windowOf(
  count: number,
  { scrollPx, heightPx, rowPx }: { readonly scrollPx: number; readonly heightPx: number; readonly rowPx: number },
): { readonly from: number; readonly to: number } {
  const spare = 8;
  const from = Math.max(0, Math.min(count, Math.floor(scrollPx / rowPx) - spare));
  return { from, to: Math.min(count, Math.max(from, Math.ceil((scrollPx + heightPx) / rowPx) + spare)) };
}
