/** A cache on a clock that stands still, before a source that is asked and answers by hand. */
import { SimulatedClock } from '../../src/kernel/simulated-clock.ts';
import { type Cache, type CacheOptions, createCache, type Load } from '../../src/cache/index.ts';

class Source {
  readonly asked: { readonly signal: AbortSignal; readonly answer: PromiseWithResolvers<string | null> }[] = [];

  readonly load: Load<string | null> = ({ signal }) => {
    const answer = Promise.withResolvers<string | null>();
    this.asked.push({ signal, answer });
    return answer.promise;
  };

  async answer(value: string | null, nth = this.asked.length - 1): Promise<void> {
    this.asked[nth]!.answer.resolve(value);
    await turn();
  }

  async fail(error: unknown, nth = this.asked.length - 1): Promise<void> {
    this.asked[nth]!.answer.reject(error);
    await turn();
  }
}

/** Whatever was settled has been heard of. */
async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

export interface World {
  readonly clock: SimulatedClock;
  readonly cache: Cache<string | null>;
  readonly source: Source;
}

export function world(options: Partial<CacheOptions<string | null>> = {}): World {
  const clock = new SimulatedClock();
  const source = new Source();
  const cache = createCache<string | null>({
    name: 'c',
    ttl: '60s',
    jitter: '0%',
    earlyRefresh: 0,
    clock,
    ...options,
  });
  return { clock, cache, source };
}

/** Of a cache that knows `old`, loaded just now. */
export async function knowing(options: Partial<CacheOptions<string | null>> = {}): Promise<World> {
  const made = world(options);
  await made.cache.set('k', 'old');
  return made;
}

export const stale = { whileRevalidate: '30s', ifError: '10m' } as const;
