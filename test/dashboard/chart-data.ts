/** What charts are shown in their tests: latencies with a tail and an hour in which it is fat, a trace of three services, an objective that burns. */
import type { HeatMapProps } from '../../src/dashboard/charts/heat-map.ts';
import type { LineChartProps } from '../../src/dashboard/charts/line-chart.ts';
import { Buckets, exponentialBounds } from '../../src/kernel/buckets.ts';
import { addSparse, quantile } from '../../src/kernel/quantile.ts';
import { seededRandom } from '../../src/kernel/random.ts';
import { burnAlerts } from '../../src/observe/slo/burn-alerts.ts';
import type { SloStatus } from '../../src/observe/slo/live/status.ts';
import type { SpanRecord } from '../../src/observe/trace/span-record.ts';

const STEP_MS = 10_000;
const buckets = new Buckets(exponentialBounds(0.05, 60_000, 4));
const { bounds } = buckets;

const durationLines = [
  { label: 'p50', color: '--line-p50' },
  { label: 'p90', color: '--line-p90' },
  { label: 'p99', color: '--line-p99' },
  { label: 'p99.9', color: '--line-p999' },
] as const;
const shares = [0.5, 0.9, 0.99, 0.999];

export interface Latencies {
  readonly heat: HeatMapProps;
  readonly lines: LineChartProps;
}

/** `steps` steps from `fromMs`, the last of them not over; nothing is known of three of them, and a third is slow. */
export function latencies(fromMs: number, steps: number, seed = 1): Latencies {
  const random = seededRandom(seed);
  const times = Array.from({ length: steps }, (_, step) => fromMs + step * STEP_MS);
  const filled = times.map((_, step): number[] | null => {
    if (step >= steps * 0.3 && step < steps * 0.3 + 3) return null;
    const slow = step > steps * 0.6 && step < steps * 0.8 ? 0.2 : 0.01;
    const counts = new Map<number, number>();
    for (let answer = 0; answer < 300; answer++) {
      const bell = random.unit() + random.unit() + random.unit() - 1.5;
      const bucket = buckets.bucketOf(2 * Math.exp(1.5 * bell) * (random.unit() < slow ? 60 : 1));
      counts.set(bucket, (counts.get(bucket) ?? 0) + 1);
    }
    return [...counts].flat();
  });
  const columns = shares.map((share) =>
    filled.map((pairs): number | null => {
      if (pairs === null) return null;
      const counts = new Float64Array(bounds.length);
      addSparse(counts, pairs);
      return quantile(bounds, counts, share);
    }),
  );
  const marks = [
    { atMs: fromMs + STEP_MS * steps * 0.6, kind: 'config', what: 'Config 3 was put in force.' },
    { atMs: fromMs + STEP_MS * steps * 0.7, kind: 'health', what: '127.0.0.1:9002 was ejected.' },
  ];
  const partial = steps - 1;
  const stepMs = STEP_MS;
  return {
    heat: { title: 'Where answers fall', times, stepMs, partial, bounds, steps: filled, marks },
    lines: {
      title: 'Duration', unit: 'duration', axis: 'log', height: 190, lines: durationLines, marks,
      data: { times, stepMs, columns, partial },
    }, // prettier-ignore
  };
}

export function span(given: Partial<SpanRecord> & Pick<SpanRecord, 'spanId'>): SpanRecord {
  return {
    traceId: 'a'.repeat(32), parentId: null, state: '', name: 'work', kind: 'internal', startMs: 1e12, durationMs: 1, status: 'ok',
    statusMessage: '', service: 'shop', attributes: {}, events: [], links: [], dropped: { attributes: 0, events: 0, links: 0 }, ...given,
  }; // prettier-ignore
}

/** A retry, two calls side by side, a server whose clock is five seconds behind, and a name that is not kind. */
export const order: readonly SpanRecord[] = [
  span({ spanId: 'a', service: 'gateway', name: 'GET /orders/{id}', kind: 'server', durationMs: 480 }),
  span({
    spanId: 'b', parentId: 'a', service: 'gateway', name: 'attempt 127.0.0.1:9001', kind: 'client', startMs: 1e12 + 2,
    durationMs: 120, status: 'error', events: [{ timeMs: 1e12 + 122, name: 'retry', attributes: {} }],
  }),
  span({ spanId: 'c', parentId: 'a', service: 'gateway', name: 'attempt 127.0.0.1:9002', kind: 'client', startMs: 1e12 + 140, durationMs: 335 }),
  span({ spanId: 'd', parentId: 'c', name: 'GET /orders/{id}', kind: 'server', startMs: 1e12 + 150, durationMs: 320 }),
  span({ spanId: 'e', parentId: 'd', name: 'pg.query SELECT orders', kind: 'client', startMs: 1e12 + 155, durationMs: 90 }),
  span({ spanId: 'f', parentId: 'd', name: 'GET stock', kind: 'client', startMs: 1e12 + 155, durationMs: 240 }),
  span({ spanId: 'g', parentId: 'f', service: 'stock', name: 'GET /stock', kind: 'server', startMs: 1e12 - 5000, durationMs: 230 }),
  span({ spanId: 'h', parentId: 'g', service: 'stock', name: 'redis GET', kind: 'client', startMs: 1e12 - 4990, durationMs: 12 }),
  span({ spanId: 'i', parentId: 'd', name: '<img src=x onerror=alert(1)>', startMs: 1e12 + 400, durationMs: 60 }),
]; // prettier-ignore

export function burning(): SloStatus {
  const slo = { objective: 0.999, windowMs: 30 * 86_400_000 };
  const phases = [
    { state: 'firing', longShare: 0.0201, shortShare: 0.0504 },
    { state: 'pending', longShare: 0.0042, shortShare: 0.0204 },
    { state: 'inactive', longShare: 0.0012, shortShare: 0.0052 },
    { state: 'inactive', longShare: null, shortShare: 0.0042 },
  ] as const;
  const alerts = burnAlerts(slo).map(({ severity, burn, longS, shortS }, at) => ({
    severity, burn, longS, shortS, sinceMs: 1e12, ...phases[at]!,
  })); // prettier-ignore
  return { ...slo, alerts, burn: [] } as never;
}
