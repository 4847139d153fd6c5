import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bucketOf } from '../durations.ts';
import { ROUTE_SLOTS, routeSlots } from '../slots.ts';
import type { RouteProbe } from './probes.ts';
import { countRound } from './slo-counts.ts';

const requests = { service: 'shop', route: null };

function route(
  grown: Partial<Record<keyof typeof routeSlots, number>>,
  durationsMs: readonly number[] = [],
): RouteProbe {
  const slots = new Float64Array(ROUTE_SLOTS);
  for (const [slot, count] of Object.entries(grown)) slots[routeSlots[slot as keyof typeof routeSlots]] = count;
  for (const ms of durationsMs) slots[routeSlots.buckets + bucketOf(ms)]! += 1;
  return { service: 'shop', route: 'all', probe: { grown: slots } as RouteProbe['probe'] };
}

test('what a limit refuses is neither good nor bad: a flood that is held back does not hide an outage', () => {
  const flooded = route({ responses5xx: 10, responses4xx: 1000, limited: 999 });
  assert.deepEqual(countRound({ kind: 'availability', requests }, [flooded]), { bad: 10, total: 11 });
});

test('an answer that took as long as the bound is in time, one that took longer is not', () => {
  const counted = countRound({ kind: 'latency', requests, boundS: 0.2 }, [route({}, [1, 200, 201])]);
  assert.deepEqual(counted, { bad: 1, total: 3 });
});

test('only routes to the service count', () => {
  const other = { ...route({ responses2xx: 5 }), service: 'cart' };
  assert.deepEqual(countRound({ kind: 'availability', requests }, [route({ responses2xx: 1 }), other]), {
    bad: 0,
    total: 1,
  });
});
