/** A client that asks all the time across the edge of a window, and what each algorithm grants it. Nothing is measured: the same everywhere. */
import { SimulatedClock } from '../../src/kernel/simulated-clock.ts';
import {
  createLimiter,
  fixedWindow,
  memoryStore,
  type RateAlgorithm,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from '../../src/limit/index.ts';

/** The limit of all: a hundred in a minute. */
export const LIMIT = 100;
const PER = '1m';

export const edgeAlgorithms = {
  'fixed window': fixedWindow({ limit: LIMIT, per: PER }),
  'sliding window': slidingWindow({ limit: LIMIT, per: PER }),
  'sliding log': slidingLog({ limit: LIMIT, per: PER }),
  'token bucket': tokenBucket({ capacity: 50, refillPerSecond: 1.666666 }),
} as const satisfies Record<string, RateAlgorithm>;

export type EdgeName = keyof typeof edgeAlgorithms;

/** It begins ten seconds before the edge, and asks every 25 ms for two minutes. */
export const BEFORE_MS = 10_000;
export const LASTS_MS = 120_000;
const EVERY_MS = 25;
/** A full minute. */
const EDGE_MS = 1_800_000_000_000;

/** When each take was granted, in milliseconds from the edge. */
export function grants(algorithm: RateAlgorithm): number[] {
  const clock = new SimulatedClock(EDGE_MS - BEFORE_MS);
  const limiter = createLimiter({ name: 'edge', algorithm, store: memoryStore({ clock }) });
  const granted: number[] = [];
  for (let atMs = -BEFORE_MS; atMs < LASTS_MS - BEFORE_MS; atMs += EVERY_MS) {
    if (limiter.takeSync('client').allowed) granted.push(atMs);
    clock.pass(EVERY_MS);
  }
  return granted;
}

/** The most that was granted within any stretch of that length. */
export function mostWithin(granted: readonly number[], ms: number): number {
  let most = 0;
  for (let [first, last] = [0, 0]; last < granted.length; last++) {
    while (granted[last]! - granted[first]! >= ms) first += 1;
    most = Math.max(most, last - first + 1);
  }
  return most;
}
