/** The series of the breakers of services. Pure. */
import type { Labels } from '../../observe/prometheus.ts';
import type { BreakerState } from '../control/gateway-state.ts';
import { each, type Samples } from './metric-subjects.ts';

/** The breaker of a service. */
export interface CountedBreaker {
  readonly service: string;
  /** Since when it counts, in milliseconds since the Unix epoch. */
  readonly bornMs: number;
  readonly state: BreakerState;
}

/** A service has none that is isolated: that is done by hand, in the library. */
const states = ['closed', 'open', 'half-open'] as const;

export function breakerSamples(breakers: Iterable<CountedBreaker | null>) {
  const ofEach = (read: (state: BreakerState) => readonly (readonly [Labels, number])[]): Samples =>
    each(breakers, (breaker) => {
      if (breaker === null) return [];
      const { service, bornMs: sinceMs, state } = breaker;
      return read(state).map(([labels, value]) => ({ labels: { service, ...labels }, sinceMs, value }));
    });
  return {
    spillway_breaker_state: ofEach(({ phase }) => states.map((state) => [{ state }, state === phase ? 1 : 0])),
    spillway_breaker_calls_total: ofEach(({ attempts }) =>
      Object.entries(attempts).map(([result, count]) => [{ result }, count]),
    ),
    spillway_breaker_transitions_total: ofEach(({ transitions }) =>
      transitions.map(({ to, count }) => [{ to }, count]),
    ),
  };
}
