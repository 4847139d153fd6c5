/**
 * Test vectors of rate limiting: what each algorithm answers, to the microsecond, at its edges: one microsecond before and after,
 * rates without an end in decimals, a token a microsecond and one in a year. For stores in any language.
 */
import {
  type Algorithm,
  concurrency,
  fixedWindow,
  gcra,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from '../limit/index.ts';

/** When each trace begins, in microseconds since the Unix epoch. */
export const VECTORS_START_US = 1_800_000_000_000_000;

/**
 * One question: how long after the one before, what, the cost (of a refund: the amount), how many times, the holder, and the answer:
 * granted, remaining, microseconds until the next is granted, and until all has come back. Of `release` and `renew` the
 * answer is only whether it found something, and of `refund` nothing.
 */
export type VectorStep = readonly [
  afterUs: number,
  verb: 'take' | 'peek' | 'refund' | 'release' | 'renew',
  cost: number,
  times: number,
  holder: number,
  answer: readonly number[],
];

export interface LimitVector {
  readonly algorithm: () => Algorithm;
  readonly steps: readonly VectorStep[];
}

/** Each is a trace of one key. */
export const limitVectors: readonly LimitVector[] = [
  {
    algorithm: () => tokenBucket({ capacity: 10, refillPerSecond: 3 }),
    steps: [
      [0, 'take', 4, 1, 0, [1, 6, 0, 1_333_334]],
      [0, 'take', 7, 1, 0, [0, 6, 333334, 1_333_334]],
      [333333, 'take', 7, 1, 0, [0, 6, 1, 1_000_001]],
      [1, 'take', 7, 1, 0, [1, 0, 0, 3_333_333]],
      [0, 'take', 11, 1, 0, [0, 0, Infinity, 3_333_333]],
      [0, 'take', 0, 1, 0, [1, 0, 0, 3_333_333]],
      [500000, 'take', 1, 5, 0, [1, 0, 166666, 3_166_666]],
      [0, 'refund', 2, 1, 0, []],
      [0, 'take', 1, 9, 0, [2, 0, 166666, 3_166_666]],
      [100, 'refund', 99, 1, 0, []],
      [0, 'peek', 10, 1, 0, [1, 10, 0, 0]],
    ],
  },
  {
    algorithm: () => tokenBucket({ capacity: 1, refillPerSecond: 1_000_000 }),
    steps: [
      [0, 'take', 1, 1, 0, [1, 0, 0, 1]],
      [0, 'take', 1, 1, 0, [0, 0, 1, 1]],
      [1, 'take', 1, 1, 0, [1, 0, 0, 1]],
      [1, 'take', 1, 3, 0, [1, 0, 1, 1]],
    ],
  },
  {
    algorithm: () => tokenBucket({ capacity: 5, refillPerSecond: 0.000001 }),
    steps: [
      [0, 'take', 5, 1, 0, [1, 0, 0, 5_000_000_000_000]],
      [999_999_999_999, 'take', 1, 1, 0, [0, 0, 1, 4_000_000_000_001]],
      [1, 'take', 1, 1, 0, [1, 0, 0, 5_000_000_000_000]],
      [0, 'take', 2, 1, 0, [0, 0, 2_000_000_000_000, 5_000_000_000_000]],
    ],
  },
  {
    algorithm: () => gcra({ limit: 7, per: '1d', burst: 2 }),
    steps: [
      [0, 'take', 1, 1, 0, [1, 1, 0, 12_342_857_143]],
      [0, 'take', 1, 1, 0, [1, 0, 0, 24_685_714_286]],
      [0, 'take', 1, 1, 0, [0, 0, 12_342_857_143, 24_685_714_286]],
      [12_342_857_142, 'take', 1, 1, 0, [0, 0, 1, 12_342_857_144]],
      [1, 'take', 1, 1, 0, [1, 0, 0, 24_685_714_286]],
      [0, 'peek', 2, 1, 0, [0, 0, 24_685_714_286, 24_685_714_286]],
    ],
  },
  {
    algorithm: () => gcra({ limit: 1, per: '366d' }),
    steps: [
      [0, 'take', 1, 1, 0, [1, 0, 0, 31_622_400_000_000]],
      [31_622_399_999_999, 'take', 1, 1, 0, [0, 0, 1, 1]],
      [1, 'take', 1, 1, 0, [1, 0, 0, 31_622_400_000_000]],
    ],
  },
  {
    algorithm: () => fixedWindow({ limit: 5, per: '1m' }),
    steps: [
      [0, 'take', 5, 1, 0, [1, 0, 0, 60_000_000]],
      [59_999_999, 'take', 1, 1, 0, [0, 0, 1, 1]],
      [1, 'take', 5, 1, 0, [1, 0, 0, 60_000_000]],
      [0, 'take', 1, 1, 0, [0, 0, 60_000_000, 60_000_000]],
      [0, 'refund', 2, 1, 0, []],
      [1_000_000, 'take', 1, 3, 0, [2, 0, 59_000_000, 59_000_000]],
      [59_000_000, 'refund', 5, 1, 0, []],
      [0, 'take', 6, 1, 0, [0, 5, Infinity, 0]],
    ],
  },
  {
    algorithm: () => slidingWindow({ limit: 10, per: '1m' }),
    steps: [
      [0, 'take', 10, 1, 0, [1, 0, 0, 120_000_000]],
      [30_000_000, 'take', 1, 1, 0, [0, 0, 36_000_000, 90_000_000]],
      [30_000_000, 'take', 1, 1, 0, [0, 0, 6_000_000, 60_000_000]],
      [5_999_999, 'take', 1, 1, 0, [0, 0, 1, 54_000_001]],
      [1, 'take', 1, 1, 0, [1, 0, 0, 114_000_000]],
      [24_000_000, 'take', 4, 3, 0, [1, 0, 24_000_000, 90_000_000]],
      [0, 'refund', 3, 1, 0, []],
      [0, 'take', 1, 9, 0, [3, 0, 6_000_000, 90_000_000]],
      [90_000_000, 'take', 10, 1, 0, [1, 0, 0, 120_000_000]],
      [60_000_000, 'peek', 1, 1, 0, [0, 0, 6_000_000, 60_000_000]],
    ],
  },
  {
    algorithm: () => slidingWindow({ limit: 1_000_000, per: '1d' }),
    steps: [
      [0, 'take', 1_000_000, 1, 0, [1, 0, 0, 144_000_000_000]],
      [86_400_000_000, 'take', 1, 1, 0, [1, 333332, 0, 144_000_000_000]],
      [86399, 'take', 1, 1, 0, [1, 333332, 0, 143_999_913_601]],
      [1, 'take', 1, 1, 0, [1, 333331, 0, 143_999_913_600]],
      [43_199_913_600, 'take', 1_000_000, 1, 0, [0, 833330, 100_800_000_000, 100_800_000_000]],
    ],
  },
  {
    algorithm: () => slidingLog({ limit: 3, per: '10s' }),
    steps: [
      [0, 'take', 1, 1, 0, [1, 2, 0, 10_000_000]],
      [1_000_000, 'take', 2, 1, 0, [1, 0, 0, 10_000_000]],
      [0, 'take', 1, 1, 0, [0, 0, 9_000_000, 10_000_000]],
      [8_999_999, 'take', 1, 1, 0, [0, 0, 1, 1_000_001]],
      [1, 'take', 1, 1, 0, [1, 0, 0, 10_000_000]],
      [0, 'take', 2, 1, 0, [0, 0, 1_000_000, 10_000_000]],
      [1_000_000, 'take', 1, 3, 0, [2, 0, 9_000_000, 10_000_000]],
      [500000, 'refund', 1, 1, 0, []],
      [0, 'take', 1, 1, 0, [1, 0, 0, 10_000_000]],
      [0, 'peek', 3, 1, 0, [0, 0, 10_000_000, 10_000_000]],
    ],
  },
  {
    algorithm: () => concurrency({ limit: 3, lease: '30s' }),
    steps: [
      [0, 'take', 1, 1, 100, [1, 2, 0, 30_000_000]],
      [10_000_000, 'take', 1, 3, 200, [2, 0, 20_000_000, 30_000_000]],
      [0, 'release', 1, 1, 200, [1]],
      [0, 'release', 1, 1, 200, [0]],
      [5_000_000, 'renew', 1, 1, 100, [1]],
      [0, 'take', 1, 2, 300, [1, 0, 25_000_000, 30_000_000]],
      [0, 'peek', 2, 1, 0, [0, 0, 30_000_000, 30_000_000]],
      [20_000_000, 'take', 1, 1, 400, [0, 0, 5_000_000, 10_000_000]],
      [10_000_000, 'take', 2, 1, 500, [1, 1, 0, 30_000_000]],
      [0, 'release', 1, 1, 100, [0]],
      [0, 'renew', 1, 1, 500, [1]],
      [30_000_000, 'peek', 3, 1, 0, [1, 3, 0, 0]],
    ],
  },
];
