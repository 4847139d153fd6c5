/**
 * `checkLinearizable`: whether what many processes saw of one object could have been seen had they come one at a time, each operation at
 * some instant between its call and its return. What it is not: a proof about the object; it judges the history that it is given.
 *
 * Each key is searched by itself, since a history is linearizable exactly if it is for each of its objects (Herlihy and Wing, theorem 1;
 * Horn and Kroening, "Faster linearizability checking via P-compositionality", 2015). Cost and reference of a search: search.ts.
 */
import { checkInteger, checkKeys } from '../../kernel/options.ts';
import type { Model } from './model.ts';
import { checkHistory, type History, type Operation } from './operation.ts';
import { Search } from './search.ts';
import { operationText, timeline, valueText } from './timeline.ts';

export interface LinearizableOptions {
  /** Ends the search: the call throws the signal's reason. */
  readonly signal?: AbortSignal;
  /**
   * How many configurations one key may lead to, before it is undecided; from 1 to 50,000,000. Each takes about 70 bytes and a microsecond
   * where ten processes overlap: the default ends within seconds and 100 MB, while a history that is decided at all mostly needs a few for each operation. @defaultValue 1,000,000
   */
  readonly statesMax?: number;
}

/** Why a history is not linearizable. */
export interface Unexplained<Input, Output> {
  /** The key whose operations have no order; empty if the model has no keys. */
  readonly key: string;
  /** The longest order that was found: all that returned before `at` did, and some that overlap it. */
  readonly ordered: readonly Operation<Input, Output>[];
  /** The first to return of which no order is left, whichever of those that overlap it come before. */
  readonly at: Operation<Input, Output>;
  /** What could have come next, `at` among it: of those that returned none fits, and none of the others would help. */
  readonly unplaced: readonly Operation<Input, Output>[];
}

/** Not linearizable, or not known: `ok` is true for neither. */
export type Verdict<Input, Output> =
  | {
      readonly ok: true;
      /** One order that explains it. Without those that never returned and need not have happened. */
      readonly order: readonly Operation<Input, Output>[];
    }
  | {
      readonly ok: false;
      readonly why: Unexplained<Input, Output>;
      /** The same for people: what happened around the failure, as a timeline. */
      readonly text: string;
    }
  | {
      /** Undecided: `statesMax` was met. */
      readonly ok: null;
      /** The configurations that were seen of the key that has too many. */
      readonly statesSeen: number;
      readonly text: string;
    };

/** Steps between two looks at the signal: some milliseconds. */
const STEPS = 10_000;

/** How many of the last operations in the order a timeline shows, and how many in all: a screen. */
const SHOWN_ORDERED = 6;
const SHOWN_MAX = 24;

/**
 * Decides whether a history is linearizable. Throws `HISTORY_INVALID` for one that cannot have been.
 *
 * @example
 * const verdict = await checkLinearizable(register(0), [
 *   { process: 'a', invoked: 1, returned: 4, input: { op: 'write', value: 1 } },
 *   { process: 'b', invoked: 2, returned: 3, input: { op: 'read' }, output: 1 },
 *   { process: 'b', invoked: 5, returned: 6, input: { op: 'read' }, output: 0 },
 * ]);
 * console.log(verdict.ok); // false
 * if (verdict.ok !== true) console.log(verdict.text);
 */
export async function checkLinearizable<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: History<Input, Output>,
  options: LinearizableOptions = {},
): Promise<Verdict<Input, Output>> {
  checkKeys('checkLinearizable', options, ['signal', 'statesMax']);
  const { signal, statesMax = 1_000_000 } = options;
  checkInteger('statesMax', statesMax, 1, 50_000_000);
  checkHistory(history);
  const orders: Operation<Input, Output>[][] = [];
  let undecided: Verdict<Input, Output> | null = null;
  for (const [key, operations] of Map.groupBy(history, ({ input }) => model.key?.(input) ?? '')) {
    const search = new Search(model, operations, statesMax);
    const found = await decide(search, signal);
    if (found === true) orders.push(search.order);
    else if (found === false) return failure(model, key, operations, search);
    else undecided ??= { ok: null, statesSeen: search.statesSeen, text: undecidedText(model, key, search.statesSeen) };
  }
  return undecided ?? { ok: true, order: merged(orders) };
}

async function decide(
  search: { run(stepsMax: number): boolean | 'full' | null },
  signal: AbortSignal | undefined,
): Promise<boolean | 'full'> {
  while (true) {
    signal?.throwIfAborted();
    const found = search.run(STEPS);
    if (found !== null) return found;
    await new Promise((resume) => setImmediate(resume));
  }
}

const named = ({ name }: { readonly name: string }, key: string): string => (key === '' ? name : `${name} “${key}”`);

function undecidedText(model: { readonly name: string }, key: string, statesSeen: number): string {
  return `${named(model, key)}: undecided after ${statesSeen} states. Raise statesMax, or record a history in which less overlaps and less is left open.`;
}

function failure<State, Input, Output>(
  model: Model<State, Input, Output>,
  key: string,
  operations: History<Input, Output>,
  search: Search<State, Input, Output>,
): Verdict<Input, Output> {
  const { ordered, state, at } = search.stuck;
  const placed = new Set(ordered);
  // What was begun after the return of `at` has to come after it.
  const unplaced = operations.filter((operation) => !placed.has(operation) && operation.invoked <= at.returned!);
  const first = Math.max(0, ordered.length - SHOWN_ORDERED);
  const opens = unplaced.some(({ returned }) => returned === null);
  const rows = [
    ...ordered.slice(first).map((operation, index) => ({ mark: String(first + index + 1), operation })),
    ...[at, ...unplaced.filter((operation) => operation !== at)].map((operation) => ({
      mark: operation.returned === null ? '?' : '✗',
      operation,
    })),
  ];
  const text = [
    `${named(model, key)}: no order explains “${operationText(at)}” of process ${at.process}.`,
    `After ${ordered.length} of ${operations.length} operations in order it holds ${valueText(state)}, and none of those marked ✗ can be next${opens ? ', nor would those marked ? help' : ''}:`,
    timeline(rows.slice(0, SHOWN_MAX)),
    ...(rows.length > SHOWN_MAX ? [`and ${rows.length - SHOWN_MAX} more`] : []),
  ].join('\n');
  return { ok: false, why: { key, ordered, at, unplaced }, text };
}

/** One order of all from that of each key: each operation at the latest call of those up to it, which is no later than its return. */
function merged<Input, Output>(orders: readonly (readonly Operation<Input, Output>[])[]): Operation<Input, Output>[] {
  const points = orders.flatMap((order) => {
    let atLeast = -Infinity;
    return order.map((operation) => ({ operation, point: (atLeast = Math.max(atLeast, operation.invoked)) }));
  });
  return points.sort((a, b) => a.point - b.point).map(({ operation }) => operation);
}
