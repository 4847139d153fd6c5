/**
 * The nearest valid name for a typo: "did you mean".
 *
 * Distance is optimal string alignment (insert, delete, substitute, swap neighbours: each 1), case ignored. A name is offered
 * only within a third of the typo's length, at least 1, so that a wrong guess is rarer than none; if there is none, the
 * shortest that begins with the word stands for its abbreviation.
 * Cost: O(candidates × length²); words over 64 characters are not compared.
 */

const LENGTH_MAX = 64;
/** `in` begins too many words to stand for one. */
const ABBREVIATION_MIN = 3;

/** The number of single-character edits that make `b` of `a`. */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1] ? 0 : 1;
      let cost = Math.min((last[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1, (last[column - 1] ?? 0) + same);
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) cost = Math.min(cost, (beforeLast[column - 2] ?? 0) + 1);
      current.push(cost);
    }
    beforeLast = last;
    last = current;
  }
  return last[b.length] ?? 0;
}

/** The candidate nearest to `word`, or null if none is near enough. Of equals, the first. */
export function nearest(word: string, candidates: Iterable<string>): string | null {
  if (word.length === 0 || word.length > LENGTH_MAX) return null;
  const lower = word.toLowerCase();
  let best: string | null = null;
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  let longer: string | null = null;
  for (const candidate of candidates) {
    if (candidate.length > LENGTH_MAX) continue;
    const name = candidate.toLowerCase();
    const distance = editDistance(lower, name);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
    if (name.startsWith(lower) && (longer === null || candidate.length < longer.length)) longer = candidate;
  }
  return best ?? (word.length < ABBREVIATION_MIN ? null : longer);
}
