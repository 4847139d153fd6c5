/**
 * What moves when the nodes change: from whom, to whom, which share of the keys, and for placements of ranges exactly which
 * positions. Computed, not sampled.
 *
 * For a ring or a Maglev table both sets of ranges are walked side by side, once: O(ranges), 3 ms for 100 nodes of 160
 * points (`npm run bench -- ring`). The others scatter each node's positions, and their shares have a closed form, true of
 * an ideal hash.
 */
import { checkParts, invalid } from '../kernel/options.ts';
import { type Arcs, checkPlacement, type Flow, type Placement } from './placement.ts';

/** Positions from `first` to `last`, both included, of 2^32. */
export interface Range {
  readonly first: number;
  readonly last: number;
}

export interface Move extends Flow {
  /** In ascending order; null if the algorithm scatters. */
  readonly ranges: readonly Range[] | null;
}

export interface Plan {
  /** Share of all keys that move. */
  readonly moved: number;
  /** Share that had to move, given what each node has before and after: no placement can move less. */
  readonly least: number;
  /** The largest first. */
  readonly moves: readonly Move[];
}

const POSITIONS = 2 ** 32;
/** Moves without ranges, 100 MB of them: a remainder of 1,000 nodes makes a million, one of 65,536 would make more than fit. */
const MOVES_MAX = 2 ** 20;

/** Walks two sets of ranges side by side and collects those whose owner changes. */
function moveArcs(from: Placement, to: Placement, before: Arcs, after: Arcs): Move[] {
  const ranges = new Map<number, Range[]>();
  const names = new Map<string, number>();
  // Owners as numbers that mean the same in both; -1 is nobody.
  const numbers = (placement: Placement): number[] =>
    placement.nodes.map(({ name }) => {
      const number = names.get(name) ?? names.size;
      names.set(name, number);
      return number;
    });
  const [fromNumbers, toNumbers] = [numbers(from), numbers(to)];
  const list = [...names.keys()];
  const count = list.length + 1;
  let [at, next] = [0, 0];
  for (let first = 0; first < POSITIONS;) {
    const last = Math.min(before.ends[at] ?? POSITIONS - 1, after.ends[next] ?? POSITIONS - 1);
    // Behind the last point the first one's owner has what is left.
    const giver = fromNumbers[before.owners[at] ?? before.owners[0] ?? -1] ?? -1;
    const taker = toNumbers[after.owners[next] ?? after.owners[0] ?? -1] ?? -1;
    if (giver !== taker) {
      const pair = (giver + 1) * count + taker + 1;
      const own = ranges.get(pair);
      if (own === undefined) ranges.set(pair, [{ first, last }]);
      else if (own.at(-1)!.last === first - 1) own[own.length - 1] = { first: own.at(-1)!.first, last };
      else own.push({ first, last });
    }
    while (before.ends[at]! <= last) at++;
    while (after.ends[next]! <= last) next++;
    first = last + 1;
  }
  return Array.from(ranges, ([pair, own]) => ({
    from: list[Math.floor(pair / count) - 1] ?? null,
    to: list[(pair % count) - 1] ?? null,
    share: own.reduce((sum, { first, last }) => sum + (last - first + 1), 0) / POSITIONS,
    ranges: own,
  }));
}

function nobody(placement: Placement): boolean {
  return placement.shares().every((share) => share === 0);
}

/** The flows between two placements of an algorithm that scatters, also where nobody has keys. */
function flowsBetween(from: Placement, to: Placement): Iterable<Flow> {
  if (nobody(from)) return Array.from(to.shares(), (share, at) => ({ from: null, to: to.nodes[at]!.name, share }));
  if (nobody(to)) return Array.from(from.shares(), (share, at) => ({ from: from.nodes[at]!.name, to: null, share }));
  return from.flows(to);
}

/** What had to move: the sum of what each node gains. */
function leastOf(from: Placement, to: Placement): number {
  const before = new Map(Array.from(from.shares(), (share, index) => [from.nodes[index]!.name, share]));
  if (nobody(to)) return nobody(from) ? 0 : 1;
  let gained = 0;
  for (const [index, share] of to.shares().entries()) {
    gained += Math.max(0, share - (before.get(to.nodes[index]!.name) ?? 0));
  }
  return gained;
}

/** Refuses what `plan` did not make. */
export function checkPlan(given: unknown): void {
  checkParts('The plan', given, 'what plan(from, to) answers', ['moves', 'moved', 'least']);
}

/**
 * What moves when `from` becomes `to`.
 *
 * @example
 * const before = createModulo(['a', 'b', 'c', 'd']);
 * const { moved, least } = plan(before, before.with(['a', 'b', 'c', 'd', 'e']));
 * console.log(moved.toFixed(2), least.toFixed(2)); // 0.80 0.20
 */
export function plan(from: Placement, to: Placement): Plan {
  checkPlacement('plan: from', from);
  checkPlacement('plan: to', to);
  if (from.hash !== to.hash) {
    throw invalid('The two placements hash keys differently, so every key may move: there is nothing to plan.');
  }
  const [before, after] = [from.arcs(), to.arcs()];
  let moves: Move[] = [];
  if (before !== null && after !== null) moves = moveArcs(from, to, before, after);
  else if (from.algorithm === to.algorithm) moves = scatteredMoves(flowsBetween(from, to));
  else throw invalid(`What moves from ${from.algorithm} to ${to.algorithm} has no closed form.`);
  moves.sort((a, b) => b.share - a.share || compare(a.from, b.from) || compare(a.to, b.to));
  return { moved: moves.reduce((sum, { share }) => sum + share, 0), least: leastOf(from, to), moves };
}

function scatteredMoves(flows: Iterable<Flow>): Move[] {
  const moves: Move[] = [];
  for (const { from, to, share } of flows) {
    if (from === to || !(share > 0)) continue;
    if (moves.length === MOVES_MAX) {
      throw invalid(`The plan has more than ${MOVES_MAX} moves; ask for fewer nodes.`);
    }
    moves.push({ from, to, share, ranges: null });
  }
  return moves;
}

function compare(a: string | null, b: string | null): number {
  if (a === b) return 0;
  return (a ?? '') < (b ?? '') ? -1 : 1;
}
