/** What metrics say of themselves, on every page and in every push. */
import type { MetricFamily, Sample } from '../prometheus.ts';
import { type Arena, refusalCauses } from './arena.ts';

type OwnFamily = Exclude<MetricFamily, { readonly type: 'histogram' }> & { readonly samples: readonly Sample[] };

export function ownFamilies(arena: Arena): OwnFamily[] {
  const one = (value: number): Sample[] => [{ labels: {}, value }];
  return [
    {
      name: 'spillway_metrics_refused_total',
      type: 'counter',
      help: 'What was not counted where it belongs: a series beyond its limit, a series without memory, a value that is no number.',
      samples: refusalCauses.map((cause) => ({ labels: { cause }, value: arena.refused(cause) })),
    },
    {
      name: 'spillway_metrics_memory_bytes',
      type: 'gauge',
      help: 'Memory that metrics have used.',
      samples: one(arena.bytesUsed),
    },
    {
      name: 'spillway_metrics_memory_limit_bytes',
      type: 'gauge',
      help: 'Memory that metrics may use.',
      samples: one(arena.memory.byteLength),
    },
  ];
}
