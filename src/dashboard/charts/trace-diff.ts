/**
 * Two traces of the same kind side by side: for each place in them, how long the answer waited there, in the one and in the other. Pure.
 *
 * A place is a name below names: what the same code did, however often, is one. The time is that of the critical path and no sum of
 * durations, which count what ran at once twice. Invariant: the differences of all places add up to that of the two roots, so whoever reads the
 * first lines knows what the rest is. Cost: O(n log n) for n spans.
 */
import { mainRoot, type PathPart } from './critical-path.ts';
import { durationText } from './format.ts';
import type { SpanRow, SpanTiming } from './span-tree.ts';

export interface NamedSpan extends SpanTiming {
  readonly name: string;
}

export interface TimedTrace<Span extends NamedSpan> {
  readonly rows: readonly SpanRow<Span>[];
  readonly path: readonly PathPart[];
}

/** Of one trace at one place; nothing of it is there if it has no spans. */
export interface Stay {
  /** On the critical path. */
  readonly ms: number;
  readonly spans: number;
  readonly failed: number;
}

export interface PlaceDiff {
  readonly id: string;
  readonly service: string;
  readonly name: string;
  /** The name above; empty of a root. */
  readonly under: string;
  readonly here: Stay;
  readonly there: Stay;
}

export interface TraceDiff {
  readonly hereMs: number;
  readonly thereMs: number;
  /** The greatest difference first; of equal ones in the order of the traces. */
  readonly places: readonly PlaceDiff[];
}

type Draft = { readonly [Key in keyof PlaceDiff]: PlaceDiff[Key] extends Stay ? Counted : PlaceDiff[Key] };
type Counted = { -readonly [Key in keyof Stay]: Stay[Key] };

export function compareTraces<Span extends NamedSpan>(here: TimedTrace<Span>, there: TimedTrace<Span>): TraceDiff {
  const places = new Map<string, Draft>();
  gather(places, here, 'here');
  gather(places, there, 'there');
  const apart = ({ here: one, there: other }: PlaceDiff): number => Math.abs(one.ms - other.ms);
  return {
    hereMs: lengthOf(here),
    thereMs: lengthOf(there),
    places: [...places.values()].toSorted((one, other) => apart(other) - apart(one)),
  };
}

function gather<Span extends NamedSpan>(
  places: Map<string, Draft>,
  { path, rows }: TimedTrace<Span>,
  side: 'here' | 'there',
): void {
  const ofRow: Draft[] = [];
  for (const { parent, span } of rows) {
    const { name, service, status } = span;
    // A parent has its row before its children.
    const above = ofRow[parent];
    const key = JSON.stringify([above?.id ?? '', service, name]);
    let place = places.get(key);
    if (place === undefined) {
      const none = (): Counted => ({ ms: 0, spans: 0, failed: 0 });
      place = { id: String(places.size), service, name, under: above?.name ?? '', here: none(), there: none() };
      places.set(key, place);
    }
    place[side].spans += 1;
    if (status === 'error') place[side].failed += 1;
    ofRow.push(place);
  }
  for (const { end, row, start } of path) ofRow[row]![side].ms += end - start;
}

function lengthOf<Span extends NamedSpan>({ rows }: TimedTrace<Span>): number {
  const root = rows[mainRoot(rows)];
  return root === undefined ? 0 : root.end - root.start;
}

/** `118 ms, the other 2.23 ms: 116 ms longer. Most of it is shop: GET /search, 110 ms longer.` */
export function diffSentence({ hereMs, places, thereMs }: TraceDiff): string {
  const longer = hereMs - thereMs;
  const said = `${durationText(hereMs)}, the other ${durationText(thereMs)}`;
  // What can be told apart in what is said.
  if (durationText(hereMs) === durationText(thereMs)) return `${said}: as long.`;
  const most = places.find(({ here, there }) => (here.ms - there.ms) * longer > 0);
  const where = most === undefined ? '' : ` Most of it is ${most.service}: ${most.name}, ${differenceText(most)}.`;
  return `${said}: ${lengthText(longer)}.${where}`;
}

function differenceText({ here, there }: PlaceDiff): string {
  const is = here.spans === 0 ? ', which is only in the other' : there.spans === 0 ? ', which the other has not' : '';
  return lengthText(here.ms - there.ms) + is;
}

function lengthText(ms: number): string {
  return `${durationText(Math.abs(ms))} ${ms < 0 ? 'shorter' : 'longer'}`;
}
