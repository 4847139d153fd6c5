/** What `/metrics` says of limits and of the stores that they count in. Pure but for reading the cells. */
import { cellBornMs } from '../../kernel/cells.ts';
import type { Sample } from '../../observe/prometheus.ts';
import type { LimitState } from '../control/gateway-state.ts';
import { reader } from '../control/read-cell.ts';
import { filledSlots, LIMIT_SLOTS } from '../slots.ts';
import type { Snapshot } from '../snapshot.ts';

/** `states` are those of `limits`, in their order. */
export function limitSamples(
  limits: Snapshot['limits'],
  states: readonly LimitState[],
): Readonly<Record<string, readonly Sample[]>> {
  /** The same label of each limit with several values. */
  const of = (label: string, read: (limit: Snapshot['limits'][number], state: LimitState) => Counts): Sample[] =>
    limits.flatMap((limit, at) =>
      read(limit, states[at]!).map(([each, value]) => ({
        labels: { limit: limit.name, [label]: each },
        sinceMs: cellBornMs(limit.cell),
        value,
      })),
    );
  return {
    spillway_limit_requests_total: of('outcome', (_, { allowed, refused, shadowed }) =>
      Object.entries({ allowed, refused, shadowed }),
    ),
    spillway_limit_filled_total: of('filled', ({ cell }) => {
      const count = reader(cell, LIMIT_SLOTS);
      return filledSlots.map(({ filled, slot }) => [filled, count(slot)]);
    }),
    spillway_limit_decisions_total: of('source', (_, { store }) => Object.entries(store?.decisions ?? {})),
  };
}

type Counts = readonly (readonly [each: string, value: number])[];
