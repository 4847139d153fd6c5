/** What a holder has in its hands. */
/**
 * A lease that was granted: the right to act, until it is over.
 *
 * Whoever holds it may be paused (by garbage collection, by the scheduler, by a suspended machine) between looking at the clock and acting, and
 * nothing here can prevent that. What must be safe checks `token` at the resource: a write is refused there if a greater token has been seen.
 */
export interface Lease extends AsyncDisposable {
  readonly key: string;
  /** The fencing token: greater than that of every lease of this store before. Fits the `bigint` of SQL; 64 bits. */
  readonly token: bigint;
  /** Aborted when the lease is lost, *before* the store can give it to another, or released; its reason is an error `LEASE_LOST`. */
  readonly signal: AbortSignal;
  /** How long the lease may still be trusted if it were not renewed any more; 0 if it is over. Reads the clocks, not a timer. */
  remainingMs(): number;
  /** Throws `LEASE_LOST` unless it is held at this moment, by both clocks; right also after the process was paused. */
  assertHeld(): void;
  /**
   * Gives it back: true if the store has it back, false if it had been lost or the store could not be told, which is then told again until the lease
   * would be over anyway. Never rejects, and never takes what is somebody else's. Called again, the same answer.
   */
  release(): Promise<boolean>;
}
