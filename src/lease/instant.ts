/**
 * A moment on both clocks of this machine, and how long a lease that began then may still be trusted.
 *
 * The monotonic clock cannot be set, but it stands still while a machine is suspended; the wall clock goes on then, but somebody can set
 * it. Time has passed if either of them says so: a step of the wall clock forward ends leases early. None lasts too long, unless both happen since it
 * was renewed: the machine is suspended *and* its wall clock set back. Then it does by the shorter of the two, beyond what `driftMs` allows for.
 */
import { type Clock, CLOCKS_APART_RATIO } from '../kernel/clock.ts';

export interface Instant {
  readonly nowMs: number;
  readonly wallMs: number;
}

export function readInstant(clock: Clock): Instant {
  return { nowMs: clock.nowMs(), wallMs: clock.wallMs() };
}

/** Servers round to milliseconds, and timers here are late by about one. */
const DRIFT_MS = 2;

/** How much sooner than the server a holder takes its lease for over: the clocks of the two may run apart by that much. */
export function driftMs(ttlMs: number): number {
  return ttlMs * CLOCKS_APART_RATIO + DRIFT_MS;
}

/** What is left of a lease that the server cannot have begun to count before `since`; 0 or less if it is over. */
export function remainingMs(since: Instant, ttlMs: number, now: Instant): number {
  const passedMs = Math.max(now.nowMs - since.nowMs, now.wallMs - since.wallMs);
  return ttlMs - driftMs(ttlMs) - passedMs;
}
