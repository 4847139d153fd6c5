/**
 * Tells somebody whose failure is not ours: metrics or a listener of a user's own, told in the middle of work that does not depend on them. What they
 * throw goes nowhere, for there is nobody else to tell; so does what a promise of theirs rejects with, which would else end the process.
 */
export function quietly(tell: () => unknown): void {
  try {
    const told = tell();
    if (told instanceof Promise) told.catch(() => {});
  } catch {
    // WHY nothing is said: see above.
  }
}
