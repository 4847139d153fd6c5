/**
 * The calls of one trial in one thread: who has a permit, since when, and what came of those that ended.
 *
 * Invariant: permits out and results together are never more than `calls`. A permit is given up in one of three ways, once: with a
 * result, back (then somebody else may have it), or by itself when its time is over, which is a failure. Cost: O(calls) at most.
 */
import type { CallCounts } from './breaker-policy.ts';

/** Nobody has this place, or its call has ended. */
const FREE = Number.NaN;
const ENDED = Number.POSITIVE_INFINITY;

export class BreakerTrial implements CallCounts {
  readonly #lastMs: number;
  /** When each permit was given, by its place. */
  readonly #givenMs: Float64Array;
  calls = 0;
  failures = 0;
  slow = 0;

  constructor({ calls, lastMs }: { readonly calls: number; readonly lastMs: number }) {
    this.#lastMs = lastMs;
    this.#givenMs = new Float64Array(calls).fill(FREE);
  }

  /** The place of a permit; -1 if there is none. */
  take(nowMs: number): number {
    const place = this.#givenMs.findIndex((givenMs) => Number.isNaN(givenMs));
    if (place >= 0) this.#givenMs[place] = nowMs;
    return place;
  }

  /** False if the permit has ended before. */
  end(place: number, failed: boolean, slow: boolean): boolean {
    if (!this.#isOut(place)) return false;
    this.#givenMs[place] = ENDED;
    this.calls += 1;
    if (failed) this.failures += 1;
    if (slow) this.slow += 1;
    return true;
  }

  giveBack(place: number): void {
    if (this.#isOut(place)) this.#givenMs[place] = FREE;
  }

  /** Ends the permits whose time is over; true if there were any. */
  expire(nowMs: number): boolean {
    const before = this.calls;
    for (const [place, givenMs] of this.#givenMs.entries()) {
      if (nowMs - givenMs >= this.#lastMs) this.end(place, true, true);
    }
    return this.calls > before;
  }

  /** Nobody else may go. */
  get isFull(): boolean {
    return !this.#givenMs.some((givenMs) => Number.isNaN(givenMs));
  }

  /** When the first permit that is out is over; infinite if none is. */
  get nextMs(): number {
    let first = Number.POSITIVE_INFINITY;
    for (const givenMs of this.#givenMs) if (givenMs < first) first = givenMs;
    return first + this.#lastMs;
  }

  #isOut(place: number): boolean {
    return this.#givenMs[place]! < ENDED;
  }
}
