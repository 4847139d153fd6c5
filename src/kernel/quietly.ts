/**
 * Tells somebody whose failure is not ours: metrics or a listener of a user's own, told in the middle of work that does not depend on them. What they
 * throw goes nowhere, for there is nobody else to tell.
 */
export function quietly(tell: () => void): void {
  try {
    tell();
  } catch {
    // WHY nothing is said: see above.
  }
}
