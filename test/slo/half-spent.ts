/** How the objective `shop-up` stands when half of its budget is spent, for tests of what is told of it. */
import type { SloStatus } from '../../src/observe/slo/live/status.ts';

/** What else `changes` does not say of it, nobody who is told asks for. */
export function halfSpent(changes: Partial<SloStatus>): SloStatus {
  const status: Partial<SloStatus> = {
    ...{ id: 'shop-up', service: 'shop', name: 'up', objective: 0.999, level: 'ok', exhaustionMs: null },
    ...{ windowMs: 30 * 86_400_000, window: '30d' },
    budget: { minutes: 43.2, minutesLeft: 20, events: 1000, eventsLeft: 500, share: 0.5 },
    ...changes,
  };
  return status as SloStatus;
}
