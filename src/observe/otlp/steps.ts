/**
 * Work that stops every half of a millisecond or so, that others may have their turn: who drives it looks at the clock between two steps.
 * Invariant: nobody sees a half of it, since what it is about comes with its end.
 */
export type Steps<Result> = Generator<void, Result>;

/** Messages, spans or lines in a step. */
export const STEP = 500;

/** For those who need not stop. */
export function atOnce<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
