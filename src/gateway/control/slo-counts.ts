/** What objectives count of the gateway's own traffic, as their rules do of its metrics: how much of it came in a round of samples. Pure. */
import type { GatewayIndicator } from '../../observe/slo/gateway-indicator.ts';
import type { WindowCount } from '../../observe/slo/live/known-window.ts';
import { BUCKETS, bucketsWithin, durationBuckets } from '../durations.ts';
import { routeSlots } from '../slots.ts';
import type { RouteProbe } from './probes.ts';

/** Of the routes that an indicator is about. */
export function countRound(gateway: GatewayIndicator, routes: readonly RouteProbe[]): WindowCount {
  const { service, route } = gateway.requests;
  const count = { bad: 0, total: 0 };
  for (const each of routes) {
    if (each.service !== service || (route !== null && each.route !== route)) continue;
    const { grown } = each.probe;
    const { bad, total } = gateway.kind === 'availability' ? availability(grown) : latency(grown, gateway.boundS);
    count.bad += bad;
    count.total += total;
  }
  return count;
}

function availability(grown: Float64Array): WindowCount {
  const { responses1xx, responses5xx, broken, limited } = routeSlots;
  let total = -grown[limited]!;
  for (let slot = responses1xx; slot <= responses5xx; slot++) total += grown[slot]!;
  return { bad: grown[responses5xx]! + grown[broken]!, total };
}

/** The bound is one of those that are counted by, so nothing is estimated. */
function latency(grown: Float64Array, boundS: number): WindowCount {
  const within = bucketsWithin(durationBuckets.bounds, boundS * 1000);
  let [bad, total] = [0, 0];
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    const count = grown[routeSlots.buckets + bucket]!;
    total += count;
    if (bucket >= within) bad += count;
  }
  return { bad, total };
}
