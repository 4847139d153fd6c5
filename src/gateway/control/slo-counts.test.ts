import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { cellLane, createCell } from '../../kernel/cells.ts';
import { createSeries } from '../../observe/series/series.ts';
import { bucketOf } from '../durations.ts';
import { ROUTE_SLOTS, routeSlots } from '../slots.ts';
import { CellProbe } from './cell-probe.ts';
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

test('a flood that a limit holds back takes nothing from other requests while it is counted', async (t) => {
  const cell = createCell(1, ROUTE_SLOTS);
  const program = `
    const { parentPort, workerData } = require('node:worker_threads');
    const { lane, responses4xx, limited } = workerData;
    parentPort.postMessage('counts');
    for (;;) {
      lane[responses4xx] += 1;
      lane[limited] += 1;
    }`;
  const { responses4xx, limited, buckets: first, durationSumMs: sum } = routeSlots;
  const workerData = { lane: cellLane(cell, ROUTE_SLOTS, 0), responses4xx, limited };
  const worker = new Worker(program, { eval: true, workerData });
  t.after(() => worker.terminate());
  await once(worker, 'message');
  const durations = { name: 'spillway_request_duration_seconds', first, sum };
  const spec = { slots: ROUTE_SLOTS, counters: [], gauges: [], durations };
  const probe = new CellProbe({ cell, spec, labels: {}, detail: 'full' }, createSeries(), null);
  let all = 0;
  // Rounds in which it counted meanwhile: on a busy machine it waits for its turn, mostly.
  for (let raced = 0; raced < 50;) {
    const before = workerData.lane[limited]!;
    probe.sample(0);
    if (workerData.lane[limited]! > before) raced += 1;
    all += countRound({ kind: 'availability', requests }, [{ service: 'shop', route: 'all', probe }]).total;
    assert.ok(all >= 0, `${all} requests`);
  }
});
