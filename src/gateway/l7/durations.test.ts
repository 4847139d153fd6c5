/** What is timed, and where it is counted, on real sockets and a clock that stands still. */
import assert from 'node:assert/strict';
import { cellLanes, sumSlot } from '../../kernel/cells.ts';
import { eventually, onBoth, type TestGateway } from '../../../test/engine/bench.ts';
import { ManualClock } from '../../../test/engine/manual-clock.ts';
import { answer } from '../../../test/engine/origin.ts';
import { anyRequest } from '../../../test/engine/plans.ts';
import { percentiles, readDurations } from '../control/read-durations.ts';
import { ENDPOINT_SLOTS, endpointSlots, LISTENER_SLOTS, listenerSlots, ROUTE_SLOTS, routeSlots } from '../slots.ts';

/** As medians, which are at most 2.2 % off. */
function medians({ snapshot }: TestGateway, endpoint = 0): { listener: number; route: number; endpoint: number } {
  const { p50Ms: listener } = percentiles(readDurations([snapshot.listeners[0]!.cell], LISTENER_SLOTS, listenerSlots));
  const { p50Ms: route } = percentiles(readDurations([snapshot.routes[0]!.cell], ROUTE_SLOTS, routeSlots));
  const { p50Ms } = percentiles(
    readDurations([snapshot.services[0]!.endpoints[endpoint]!.cell], ENDPOINT_SLOTS, endpointSlots),
  );
  return { listener: listener ?? -1, route: route ?? -1, endpoint: p50Ms ?? -1 };
}

const near = (found: number, ms: number): void => assert.ok(Math.abs(found / ms - 1) < 0.022, `${found}, not ${ms}`);

onBoth('a route is timed to the last byte of the answer, an endpoint to its first', async (bench) => {
  const clock = new ManualClock();
  const { origin, client, gateway } = await bench.line({}, clock);
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const server = await origin.accept();
  await server.request();
  clock.pass(300);
  server.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab');
  await eventually('the head is here', () => gateway.endpoint('durationSumMs') > 0);
  clock.pass(700);
  server.write('cd');
  assert.equal((await client.response()).body.length, 4);
  const found = medians(gateway);
  near(found.endpoint, 300);
  near(found.route, 1000);
  near(found.listener, 1000);
  assert.equal(gateway.endpoint('durationSumMs'), 300);
  assert.equal(gateway.listener('durationSumMs'), 1000);
});

onBoth('each attempt is its own endpoint’s time; the route’s is all of them', async (bench) => {
  const clock = new ManualClock();
  const [slow, good] = [await bench.origin(), await bench.origin()];
  const order: string[] = [];
  const take = (name: string) => async (_request: unknown, connection: { write(bytes: Uint8Array): unknown }) => {
    order.push(name);
    clock.pass(order.length === 1 ? 400 : 200);
    connection.write(order.length === 1 ? answer('no', '', '503 Service Unavailable') : answer('yes'));
  };
  slow.serve(take('slow'));
  good.serve(take('good'));
  const retries = { statuses: [{ from: 503, to: 503 }], backoffBaseMs: 0 };
  const gateway = await bench.gateway([slow, good], { retries }, clock);
  const client = await bench.client(gateway);
  assert.equal((await client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n').response()).status, 200);
  const [first, second] = order[0] === 'slow' ? [0, 1] : [1, 0];
  near(medians(gateway, first).endpoint, 400);
  near(medians(gateway, second).endpoint, 200);
  near(medians(gateway).route, 600);
});

onBoth('what no route takes counts with its listener', async (bench) => {
  const { client, gateway } = await bench.line({ route: { match: { ...anyRequest, host: 'b' } } });
  assert.equal((await client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n').response()).status, 404);
  assert.equal(gateway.listener('responses4xx'), 1);
  const lanes = cellLanes(gateway.snapshot.listeners[0]!.cell, LISTENER_SLOTS);
  const { count } = readDurations([gateway.snapshot.listeners[0]!.cell], LISTENER_SLOTS, listenerSlots);
  assert.deepEqual([count, sumSlot(lanes, listenerSlots.durationSumMs)], [1, 0]);
});
