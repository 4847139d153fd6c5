/**
 * Work that stops every half of a millisecond or so, that others may have their turn: who drives it looks at the clock between two steps.
 * Invariant: nobody sees a half of it, since what it is about comes with its end.
 */
import type { Clock } from './clock.ts';

export type Steps<Result> = Generator<void, Result>;

/** Messages, spans, lines or samples in a step. */
export const STEP = 500;

/** For those who need not stop. */
export function atOnce<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

export interface TurnOptions {
  readonly clock: Pick<Clock, 'nowMs'>;
  /** After so long others have their turn. */
  readonly turnMs: number;
  /** Nobody waits for a turn any more. @defaultValue never */
  readonly isAlone?: () => boolean;
}

/** Does it a turn of the event loop at a time. */
export async function inTurns<Result>(steps: Steps<Result>, options: TurnOptions): Promise<Result> {
  const { clock, turnMs, isAlone = () => false } = options;
  let endMs = clock.nowMs() + turnMs;
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (isAlone() || clock.nowMs() < endMs) continue;
    await new Promise((resolve) => setImmediate(resolve));
    endMs = clock.nowMs() + turnMs;
  }
}
