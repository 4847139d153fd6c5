/** For `shop.slo.ts`: types, and nothing else. */
import type { SloInput } from './slo-schema.ts';

/**
 * Gives the objectives of a service their types, so an editor completes and checks them. Returns what it is given.
 *
 * @example
 * import { defineSlo } from 'spillway/observe';
 *
 * export default defineSlo({
 *   service: 'shop',
 *   slos: [
 *     { name: 'availability', objective: '99.9%', sli: { availability: {} }, sla: '99.5%' },
 *     { name: 'latency', objective: '99%', window: '28d', sli: { latency: { under: '200ms' } } },
 *   ],
 * });
 */
export function defineSlo(slo: SloInput): SloInput {
  return slo;
}
