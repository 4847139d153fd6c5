/** What limits have decided, and about whom, read out of the memory that workers count in. */
import { limitSlots, LIMIT_SLOTS } from '../slots.ts';
import { describeAlgorithm, describeKey } from '../limits/describe.ts';
import { topRefusedKeys } from '../limits/refused-keys.ts';
import type { Snapshot } from '../snapshot.ts';
import type { LimitState } from './gateway-state.ts';
import { reader } from './read-state.ts';

/** How many of the keys that are refused most are told. */
const TOP = 10;

export function readLimits({ limits, listeners, routes }: Snapshot): LimitState[] {
  return limits.map((plan) => {
    const { name, algorithm, shadow, cell, refusedKeys } = plan;
    const count = reader(cell, LIMIT_SLOTS);
    const names = ({ requestLimits }: Snapshot['listeners'][number] | Snapshot['routes'][number]): boolean =>
      requestLimits.some(({ limit }) => limit === name);
    return {
      name,
      algorithm: describeAlgorithm(algorithm),
      key: describeKey(plan),
      shadow,
      listeners: listeners.filter(names).map(({ id }) => id),
      routes: routes.filter(names).map((route) => route.name),
      allowed: count(limitSlots.allowed),
      refused: count(limitSlots.refused),
      shadowed: count(limitSlots.shadowed),
      topRefused: topRefusedKeys(refusedKeys, TOP),
    };
  });
}
