/**
 * What all algorithms are put through alike: ten servers of which four are not as they should be, and requests that are mostly
 * short and now and then very long. The same seed makes the same requests, to the microsecond.
 */
import { type Random, seededRandom } from '../../src/kernel/random.ts';

export interface Server {
  readonly name: string;
  /** As the config says; the truth is in `slots` and `speed`. */
  readonly weight: number;
  /** Requests it works on at once; others wait in its line. */
  readonly slots: number;
  /** Work done in a millisecond. */
  speed(nowMs: number): number;
  /** When it is down next, or has been since; Infinity for never. */
  downMs(nowMs: number): number;
  /** Whether the gateway takes it to be up: checks need a while to notice either. */
  seemsUp(nowMs: number): boolean;
}

export interface Scenario {
  readonly servers: readonly Server[];
  /** By request, in the order of arrival. */
  readonly arrivalsMs: Float64Array;
  /** How long each takes at speed 1. */
  readonly workMs: Float64Array;
  readonly keyHashes: Int32Array;
  /** Which worker of the gateway each comes to. */
  readonly workers: Uint8Array;
  readonly workerCount: number;
  /** Drawn once more by each algorithm, for its own chance. */
  readonly seed: number;
}

const SLOTS_PER_WEIGHT = 4;
/** Of what the servers can bear by their weights. */
const UTILISATION = 0.6;
const WORKERS = 4;
/** A bounded Pareto distribution: the heavy tail that measured web requests have (Crovella and Bestavros 1997). */
const WORK = { shape: 1.5, minMs: 8, maxMs: 3000 } as const;
/** Zipf's law: the k-th key comes k^-0.8 times as often as the first, as measured on web caches (Breslau et al. 1999). */
const KEYS = 5000;
const KEY_EXPONENT = 0.8;

const FLAP = {
  periodMs: 40_000,
  downFromMs: 20_000,
  downForMs: 8000,
  noticedAfterMs: 3000,
  trustedAfterMs: 1000,
} as const;
const SLOW = { fromMs: 45_000, toMs: 75_000, speed: 1 / 3 } as const;

function steady(name: string, weight: number, speed = 1): Server {
  return {
    name,
    weight,
    slots: SLOTS_PER_WEIGHT * weight,
    speed: () => speed,
    downMs: () => Number.POSITIVE_INFINITY,
    seemsUp: () => true,
  };
}

function slowForAWhile(name: string): Server {
  return { ...steady(name, 1), speed: (nowMs) => (nowMs >= SLOW.fromMs && nowMs < SLOW.toMs ? SLOW.speed : 1) };
}

function flapping(name: string): Server {
  const { periodMs, downFromMs, downForMs, noticedAfterMs, trustedAfterMs } = FLAP;
  return {
    ...steady(name, 1),
    downMs(nowMs) {
      const period = Math.floor(nowMs / periodMs);
      const at = nowMs - period * periodMs;
      return (at < downFromMs + downForMs ? period : period + 1) * periodMs + downFromMs;
    },
    seemsUp(nowMs) {
      const at = (nowMs % periodMs) - downFromMs;
      return at < noticedAfterMs || at >= downForMs + trustedAfterMs;
    },
  };
}

const servers: readonly Server[] = [
  steady('strong 1', 2),
  steady('strong 2', 2),
  ...[1, 2, 3, 4, 5].map((number) => steady(`ordinary ${number}`, 1)),
  steady('older than its weight', 1, 0.75),
  slowForAWhile('slow for half a minute'),
  flapping('down for 8 s of 40 s'),
];

/** What docs/guides/load-balancing.md shows: two and a half minutes. */
export const DEFAULTS = { requests: 200_000, seed: 1 } as const;

export function createScenario({ requests, seed }: { readonly requests: number; readonly seed: number }): Scenario {
  const random = seededRandom(seed);
  const slots = servers.reduce((sum, server) => sum + server.slots, 0);
  const everyMs = meanWorkMs() / (UTILISATION * slots);
  const draws = keyDraws(random);
  const arrivalsMs = new Float64Array(requests);
  const workMs = new Float64Array(requests);
  const keyHashes = new Int32Array(requests);
  const workers = new Uint8Array(requests);
  let nowMs = 0;
  for (let request = 0; request < requests; request++) {
    nowMs -= Math.log(1 - random.unit()) * everyMs;
    arrivalsMs[request] = nowMs;
    workMs[request] = drawWorkMs(random);
    keyHashes[request] = draws();
    workers[request] = Math.floor(random.unit() * WORKERS);
  }
  return { servers, arrivalsMs, workMs, keyHashes, workers, workerCount: WORKERS, seed };
}

/** By inversion. */
function drawWorkMs(random: Random): number {
  const { shape, minMs, maxMs } = WORK;
  const kept = 1 - (minMs / maxMs) ** shape;
  return minMs / (1 - random.unit() * kept) ** (1 / shape);
}

function meanWorkMs(): number {
  const { shape, minMs, maxMs } = WORK;
  const kept = 1 - (minMs / maxMs) ** shape;
  return ((minMs ** shape * shape) / ((shape - 1) * kept)) * (minMs ** (1 - shape) - maxMs ** (1 - shape));
}

/** Draws the hash of a key. */
function keyDraws(random: Random): () => number {
  const hashes = Int32Array.from({ length: KEYS }, () => random.int32());
  const upTo = new Float64Array(KEYS);
  let sum = 0;
  for (let key = 0; key < KEYS; key++) upTo[key] = sum += (key + 1) ** -KEY_EXPONENT;
  return () => {
    const drawn = random.unit() * sum;
    let [low, high] = [0, KEYS - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (upTo[middle]! > drawn) high = middle;
      else low = middle + 1;
    }
    return hashes[low]!;
  };
}
