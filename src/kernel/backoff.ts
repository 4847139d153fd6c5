/**
 * How long to wait before something that failed is tried again: any time up to a bound that doubles with each failure, so that those who failed
 * together drift apart (full jitter; Brooker, “Exponential backoff and jitter”, 2015).
 */
import type { Random } from './random.ts';

export interface Backoff {
  readonly shortestMs: number;
  /** The bound is this, doubled with each failure. */
  readonly baseMs: number;
  /** What the bound grows to. */
  readonly longestMs: number;
}

/** After so many failures in a row, from 1. */
export function backoffMs({ shortestMs, baseMs, longestMs }: Backoff, failures: number, random: Random): number {
  const boundMs = Math.min(longestMs, baseMs * 2 ** failures);
  return shortestMs + random.unit() * (boundMs - shortestMs);
}
