/**
 * Who takes from memory of one thread, or of several; each in a process of its own (turns.ts).
 *
 * The keys stay in use: none is as good as new when it is asked for again. What it costs if each is, so that the table forgets them all the time
 * and makes them anew, is a subject of its own. A `Map` that only finds the same strings again is the floor: it has their hashes in them.
 */
import { RateLimiterMemory } from 'rate-limiter-flexible';
import {
  allOf,
  createLimiter,
  createSharedMemory,
  type LocalStore,
  memoryStore,
  type RateAlgorithm,
  sharedMemoryStore,
  slidingWindow,
  tokenBucket,
} from '../../src/limit/index.ts';
import { inTurn } from './keys.ts';
import type { Run, Subjects } from './turns.ts';

/** Never reached, so that every take is granted: what is refused costs rate-limiter-flexible an exception as well. */
const LIMIT = 1e8;
/** Of each key more is taken than comes back. */
const bucket = tokenBucket({ capacity: LIMIT, refillPerSecond: 1 });
/** A take has come back before the key is asked for again, if there are a thousand. */
const quick = tokenBucket({ capacity: LIMIT, refillPerSecond: 1_000_000 });
const sliding = slidingWindow({ limit: LIMIT, per: '1m' });

function takesSync(keys: readonly string[], algorithm: RateAlgorithm, store: LocalStore = memoryStore()): Run {
  const limiter = createLimiter({ name: 'limiter', algorithm, store });
  const next = inTurn(keys);
  return (takes) => {
    for (let take = 0; take < takes; take++) limiter.takeSync(next());
  };
}

export const subjects = {
  'token bucket, takeSync': (keys) => takesSync(keys, bucket),
  'sliding window, takeSync': (keys) => takesSync(keys, sliding),
  'both together, takeSync'(keys) {
    const store = memoryStore();
    const both = allOf(
      createLimiter({ name: 'bucket', algorithm: bucket, store }),
      createLimiter({ name: 'window', algorithm: sliding, store }),
    );
    const next = inTurn(keys);
    return (takes) => {
      for (let take = 0; take < takes; take++) both.takeSync(next());
    };
  },
  'token bucket, await take'(keys) {
    const limiter = createLimiter({ name: 'bucket', algorithm: bucket });
    const next = inTurn(keys);
    return async (takes) => {
      for (let take = 0; take < takes; take++) await limiter.take(next());
    };
  },
  'the floor: Map.get of the same string'(keys) {
    const map = new Map(keys.map((key, index) => [key, index]));
    const next = inTurn(keys);
    let found = 0;
    return (takes) => {
      for (let take = 0; take < takes; take++) found += map.get(next())!;
      if (Number.isNaN(found)) throw new Error('a key is missing');
    };
  },
  'rate-limiter-flexible, await consume'(keys) {
    const limiter = new RateLimiterMemory({ points: LIMIT, duration: 60 });
    const next = inTurn(keys);
    return async (takes) => {
      for (let take = 0; take < takes; take++) await limiter.consume(next());
    };
  },
  'keys that are forgotten and made anew': (keys) => takesSync(keys, quick),
  'memory that threads share, takeSync': (keys) =>
    takesSync(keys, bucket, sharedMemoryStore(createSharedMemory({ keysMax: 100_000 }))),
} as const satisfies Subjects;
