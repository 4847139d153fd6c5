/** How finely, and for how long: each second of an hour, each ten of a day, each five minutes of 35 days. */

export interface Resolution {
  readonly stepMs: number;
  /** A little more than is promised, so that a whole hour, day or window is there at any moment of a step of the next coarser one. */
  readonly steps: number;
}

/** How far back anything is known. */
export const KEPT_DAYS = 35;

const second = { stepMs: 1000, steps: 3600 + 60 };
const ten = { stepMs: 10_000, steps: 8640 + 60 };
const five = { stepMs: 300_000, steps: KEPT_DAYS * 288 + 24 };

/** The finest first; each step is whole ones of the finer. */
export const resolutions: readonly Resolution[] = [second, ten, five];

/**
 * How much is kept of a series: `full`, some 90 KB after 35 days of a counter that changes each second, 600 KB of a histogram
 * with six buckets in each; or `brief`, for what there are thousands of: each ten seconds of an hour and each five minutes of a day, 5 KB.
 */
export type SeriesDetail = 'full' | 'brief';

/** In the order of `resolutions`; 0 is not kept. */
export const keptSteps: Readonly<Record<SeriesDetail, readonly number[]>> = {
  full: resolutions.map(({ steps }) => steps),
  brief: [0, 360 + 60, 288 + 24],
};
