/**
 * Latencies in microseconds, counted by value: exact to 1 µs up to 200 ms, the rest in one last bucket whose maximum is kept.
 * Cost: 0.8 MB, no allocation per value.
 */

const BUCKETS = 200_000;

export interface Latencies {
  record(us: number): void;
  /** The smallest value that at least `share` (0…1) of all do not exceed; 0 when there are none. */
  quantile(share: number): number;
  count(): number;
}

export function createLatencies(): Latencies {
  const counts = new Uint32Array(BUCKETS + 1);
  let total = 0;
  let maxUs = 0;
  return {
    record(us) {
      const bucket = Math.min(BUCKETS, Math.max(0, Math.round(us)));
      counts[bucket] = (counts[bucket] ?? 0) + 1;
      total += 1;
      if (us > maxUs) maxUs = us;
    },
    quantile(share) {
      if (total === 0) return 0;
      const wanted = Math.max(1, Math.ceil(share * total));
      let seen = 0;
      for (let bucket = 0; bucket < BUCKETS; bucket++) {
        seen += counts[bucket] ?? 0;
        if (seen >= wanted) return bucket;
      }
      return Math.round(maxUs);
    },
    count: () => total,
  };
}
