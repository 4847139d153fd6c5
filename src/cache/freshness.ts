/**
 * How old a value may be, and when it is loaded again: pure arithmetic of times. A value is *fresh* until its end. A little before it
 * may be refreshed early; for a while after it, it is *stale* and good enough until a refresh that it causes is done (`whileRevalidate`), and
 * for another while only if loading fails (`ifError`).
 *
 * - Early refreshes are drawn at each request, `now − loadMs × β × ln(u) ≥ end` with `u` uniform in (0, 1]: the busier a key and the longer its load,
 *   the sooner, so that a busy key is refreshed before it ends and one that nobody asks for is not. Optimal for the exponential
 *   distribution: Vattani, Chierichetti, Lowenstein, “Optimal probabilistic cache stampede prevention”, VLDB 2015 (XFetch).
 * - `whileRevalidate` and `ifError` are those of RFC 5861, both counted from the end.
 * - Of the ttl a random share is taken away, so that what was loaded together does not end together.
 */
import type { Random } from '../kernel/random.ts';

/** How old a value may be, in milliseconds. */
export interface Freshness {
  /** β: 1 as in the paper, more for earlier, 0 for never. */
  readonly earlyRefresh: number;
  /** The largest share of a ttl that is taken away. */
  readonly jitter: number;
  readonly whileRevalidateMs: number;
  readonly ifErrorMs: number;
}

/** `early` is fresh and drawn to be refreshed; `lapsed` is for when loading fails; `over` is for nothing. */
export type State = 'fresh' | 'early' | 'stale' | 'lapsed' | 'over';

/** The smallest draw: 32 bits, and never 0. */
const DRAW_MIN = 2 ** -32;
/** −ln of it. Longer before its end than so many loads, no draw refreshes a value. */
export const EARLY_LOADS_MAX = -Math.log(DRAW_MIN);

/** What is kept of a value: until when it is fresh, and from when on a draw may refresh it. */
export interface Times {
  readonly endMs: number;
  readonly earlyMs: number;
}

/** How long a value with this ttl is fresh. */
export function freshMsOf(ttlMs: number, jitter: number, random: Random): number {
  return ttlMs * (1 - jitter * random.unit());
}

/** Of a value that is fresh for so long from `nowMs` on, and took `loadMs` to load. */
export function timesOf({
  nowMs,
  freshMs,
  loadMs,
  earlyRefresh,
}: {
  nowMs: number;
  freshMs: number;
  loadMs: number;
  earlyRefresh: number;
}): Times {
  const endMs = nowMs + freshMs;
  return { endMs, earlyMs: endMs - earlyRefresh * loadMs * EARLY_LOADS_MAX };
}

/** @param lasts whether it may be served when it has ended */
export function stateOf(
  { endMs, earlyMs }: Times,
  { freshness, nowMs, lasts, random }: { freshness: Freshness; nowMs: number; lasts: boolean; random: Random },
): State {
  if (nowMs < endMs) {
    if (nowMs < earlyMs) return 'fresh';
    const spreadMs = (endMs - earlyMs) / EARLY_LOADS_MAX;
    const draw = Math.max(DRAW_MIN, 1 - random.unit());
    return nowMs - spreadMs * Math.log(draw) >= endMs ? 'early' : 'fresh';
  }
  const sinceMs = nowMs - endMs;
  if (!lasts) return 'over';
  if (sinceMs < freshness.whileRevalidateMs) return 'stale';
  return sinceMs < freshness.ifErrorMs ? 'lapsed' : 'over';
}
