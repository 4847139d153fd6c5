/** Traces in simulated time whose kept spans are looked at. */
import { seededRandom } from '../../src/kernel/random.ts';
import { SimulatedClock } from '../../src/kernel/simulated-clock.ts';
import type { TraceContext } from '../../src/observe/context/trace-context.ts';
import type { SpanRecord } from '../../src/observe/trace/span-record.ts';
import { createTraces, type Traces, type TracesOptions } from '../../src/observe/trace/traces.ts';

export const WALL_MS = 1_800_000_000_000;

interface Setup {
  readonly traces: Traces;
  readonly clock: SimulatedClock;
  readonly kept: SpanRecord[];
  readonly batches: number[];
}

export function setup(options: Partial<TracesOptions> = {}): Setup {
  const clock = new SimulatedClock(WALL_MS);
  const kept: SpanRecord[] = [];
  const batches: number[] = [];
  const to = {
    add(spans: readonly SpanRecord[]) {
      batches.push(spans.length);
      kept.push(...spans);
    },
  };
  return {
    traces: createTraces({ service: 'shop', to, clock, random: seededRandom(7), ...options }),
    clock,
    kept,
    batches,
  };
}

/** A span of another process. */
export const caller = (flags: number): TraceContext => ({
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  flags,
  state: 'congo=1',
});
