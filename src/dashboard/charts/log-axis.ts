/**
 * An axis on which equal ratios are equal distances: latencies from a tenth of a millisecond to ten seconds are all to be seen, and p99 does not
 * press p50 flat. Begins and ends at 1, 2 or 5 times a power of ten. Pure.
 */

export interface LogAxis {
  readonly min: number;
  readonly max: number;
}

/** The least axis that holds both, and at least a decade. */
export function logAxis(least: number, greatest: number): LogAxis {
  const min = stepDown(least);
  return { min, max: Math.max(stepUp(greatest), min * 10) };
}

/** 1, 2 and 5 times powers of ten, from `min` to `max`. */
export function logTicks({ min, max }: LogAxis): number[] {
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(min)); power <= Math.ceil(Math.log10(max)); power++) {
    for (const times of [1, 2, 5]) {
      const tick = Number(`${times}e${power}`);
      if (tick >= min * 0.999 && tick <= max * 1.001) ticks.push(tick);
    }
  }
  return ticks;
}

/** Where a value is between the ends, 0 to 1; beyond them 0 or 1. */
export function logPosition({ min, max }: LogAxis, value: number): number {
  return Math.min(1, Math.max(0, Math.log(value / min) / Math.log(max / min)));
}

function stepDown(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const times = value / power;
  return power * (times >= 4.999 ? 5 : times >= 1.999 ? 2 : 1);
}

function stepUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const times = value / power;
  return power * (times <= 1.001 ? 1 : times <= 2.001 ? 2 : times <= 5.001 ? 5 : 10);
}
