/** The time between two looks at a running gateway. */
import type { Clock } from '../kernel/clock.ts';

export function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => clock.after(ms, resolve, { ref: true }));
}
