/**
 * What Prometheus' `rate` makes of the samples of a counter: resets, gaps and the extrapolation to the ends of the window
 * included. Pure. Source: `extrapolatedRate` as Prometheus describes it for counters. O(samples in the window).
 *
 * Up to version 2 a window holds its left end, from version 3 on not: `leftOpen` says which.
 */
export interface CounterSample {
  readonly atS: number;
  readonly value: number;
}

export interface RateWindow {
  readonly endS: number;
  readonly lengthS: number;
  readonly leftOpen: boolean;
}

/** A further sample is expected within this many mean intervals of the last; a counter that ends earlier has ended. */
const NEAR_INTERVALS = 1.1;

/** Growth a second; null with fewer than two samples in the window. `samples` are in the order of time. */
export function counterRate(samples: readonly CounterSample[], window: RateWindow): number | null {
  const { endS, lengthS, leftOpen } = window;
  const startS = endS - lengthS;
  const from = firstAt(samples, startS, leftOpen);
  const inside = samples.slice(from, firstAt(samples, endS, true));
  const [first] = inside;
  const last = inside.at(-1);
  if (first === undefined || last === undefined || inside.length < 2) return null;
  let growth = 0;
  for (const [at, { value }] of inside.entries()) {
    const before = inside[at - 1]?.value ?? value;
    growth += value < before ? value : value - before;
  }
  const sampledS = last.atS - first.atS;
  const meanS = sampledS / (inside.length - 1);
  const nearS = meanS * NEAR_INTERVALS;
  let toStartS = first.atS - startS;
  const toEndS = endS - last.atS;
  // A counter cannot have been below zero, however far back the window goes.
  if (growth > 0 && first.value >= 0) toStartS = Math.min(toStartS, sampledS * (first.value / growth));
  const coveredS = sampledS + (toStartS < nearS ? toStartS : meanS / 2) + (toEndS < nearS ? toEndS : meanS / 2);
  return (growth * (coveredS / sampledS)) / lengthS;
}

/** The index of the first sample at `atS` or later; `beyond` leaves out one that is there exactly. O(log n). */
function firstAt(samples: readonly CounterSample[], atS: number, beyond: boolean): number {
  let [low, high] = [0, samples.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const sampleS = samples[middle]?.atS ?? 0;
    if (sampleS < atS || (beyond && sampleS === atS)) low = middle + 1;
    else high = middle;
  }
  return low;
}
