/** What `/metrics` says of limits. Pure but for reading the cells. */
import { filledSlots, LIMIT_SLOTS, limitSlots } from '../slots.ts';
import type { Snapshot } from '../snapshot.ts';
import { each, lazily, type Samples, type Series, type Subject, subject } from './metric-subjects.ts';

type Slots = readonly (readonly [value: string, slot: number])[];

const { allowed, refused, shadowed, byStore, byCache, byFallback, byOpen, byClosed } = limitSlots;
const outcomes: Slots = Object.entries({ allowed, refused, shadowed });
const filled: Slots = filledSlots.map(({ filled: tenth, slot }) => [tenth, slot]);
const sources: Slots = Object.entries({
  store: byStore,
  cache: byCache,
  fallback: byFallback,
  open: byOpen,
  closed: byClosed,
});

export function limitSamples(limits: Snapshot['limits']): Series {
  const ofAll = limitSubjects(limits);
  const ofStored = limitSubjects(limits.filter(({ store }) => store !== null));
  return {
    spillway_limit_requests_total: labelled(ofAll, 'outcome', outcomes),
    spillway_limit_filled_total: labelled(ofAll, 'filled', filled),
    spillway_limit_decisions_total: labelled(ofStored, 'source', sources),
  };
}

function limitSubjects(limits: Snapshot['limits']): Iterable<Subject> {
  return lazily(limits, ({ name, cell }) => subject({ limit: name }, cell, LIMIT_SLOTS));
}

/** The same label of each limit with several values. */
function labelled(subjects: Iterable<Subject>, label: string, slots: Slots): Samples {
  return each(subjects, ({ labels, sinceMs, count }) =>
    slots.map(([value, slot]) => ({ labels: { ...labels, [label]: value }, sinceMs, value: count(slot) })),
  );
}
