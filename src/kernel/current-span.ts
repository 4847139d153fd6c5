/**
 * What a module tells the span that runs: an event, if somebody wants it. Invariant: what traces of a user's own throw goes no further. Cost: nothing
 * without traces, a look without a span that records.
 */
import { quietly } from './quietly.ts';

/** What is used of the traces of `spillway/observe`. */
export interface CurrentSpan {
  readonly current: EventSpan | null;
}

export interface EventSpan {
  readonly isRecording: boolean;
  addEvent(name: string, attributes: Readonly<Record<string, string>>): unknown;
}

export function tellSpan(traces: CurrentSpan, name: string, attributes: Readonly<Record<string, string>>): void {
  quietly(() => {
    const { current } = traces;
    // Returned: it may be a promise, whose rejection would end the process.
    return current?.isRecording === true ? current.addEvent(name, attributes) : undefined;
  });
}
