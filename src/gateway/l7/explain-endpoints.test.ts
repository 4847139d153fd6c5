/** What `explain` says of the endpoints that a request might go to: which may be picked, and why not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { knownBy, plan, shop } from '../../../test/engine/explained.ts';
import { cellHeader, cellLane, createCell } from '../../kernel/cells.ts';
import { CLOSED, CUT, DRAIN, DRAINING, ENDPOINT_SLOTS, endpointSlots, SERVING } from '../slots.ts';
import type { ServicePlan } from '../snapshot.ts';
import { explain } from './explain.ts';

test('says of each endpoint whether it may be picked and why not', () => {
  const busy = cellLane(shop.endpoints[0]!.cell, ENDPOINT_SLOTS, 1);
  busy[endpointSlots.inFlight] = 2;
  busy[endpointSlots.connections] = 4;
  busy[endpointSlots.idle] = 1;
  const known = { up: 'status 200', down: 'connection refused' };
  const healthOf = (_service: string, id: string) => {
    const health = id.endsWith('9003') ? 'down' : 'up';
    return { health, reason: known[health] } as const;
  };
  const { service: explained } = explain(plan, { method: 'GET', url: 'http://shop.example:8080/' }, knownBy(healthOf));
  assert.deepEqual(
    explained?.endpoints.map(({ address, mayBePicked, health, reason, inFlight }) => [
      address,
      mayBePicked,
      health,
      reason,
      inFlight,
    ]),
    [
      ['127.0.0.1:9001', true, 'up', 'status 200; full: all its connections are in use, 3 of 3', 2],
      ['127.0.0.1:9002', false, 'up', 'weight 0: it gets no new work', 0],
      ['127.0.0.1:9003', false, 'down', 'its checks fail: connection refused', 0],
    ],
  );
  busy.fill(0);
});

test('says that an endpoint drains, by a command or by its config, and who may still come', () => {
  const reasonOf = (drain: number, drainMs: number | null, affinity: ServicePlan['affinity'] = null) => {
    const endpoint = { ...shop.endpoints[0]!, drainMs, cell: createCell(2, ENDPOINT_SLOTS) };
    Atomics.store(cellHeader(endpoint.cell), DRAIN, drain);
    const services = [{ ...shop, affinity, endpoints: [endpoint] }];
    const { service: explained } = explain({ ...plan, services }, { method: 'GET', url: 'http://shop.example:8080/' });
    const { mayBePicked, reason } = explained!.endpoints[0]!;
    assert.equal(mayBePicked, false);
    return reason;
  };
  const cookie = { cookie: 'pin', attributes: '', secure: 'never' } as const;
  assert.equal(reasonOf(CLOSED, null), 'it drains: no new work');
  assert.equal(
    reasonOf(DRAINING, null, cookie),
    'it drains: no new work but that of clients who are pinned to it, for half of its time',
  );
  assert.equal(reasonOf(CUT, 1000, cookie), 'it drains by its config: no new work');
  assert.equal(reasonOf(SERVING, 1000), 'it drains by its config: no new work');
});

test('says which of checks and traffic took an endpoint out, and that a file knows of neither', () => {
  const reasonOf = (...known: Parameters<typeof explain>[2][]) =>
    explain(plan, { method: 'GET', url: 'http://shop.example:8080/' }, ...known).service?.endpoints[0]?.reason;
  assert.equal(
    reasonOf(knownBy(() => ({ health: 'ejected', reason: '5 errors in a row: 502 connection refused' }))),
    'ejected for what its traffic says: 5 errors in a row: 502 connection refused',
  );
  assert.equal(
    reasonOf(knownBy(() => ({ health: 'trial', reason: 'on trial after 5 errors in a row' }))),
    'on trial after 5 errors in a row, with a tenth of its share',
  );
  assert.equal(reasonOf(), 'not known to a file, only to a running gateway (--admin)');
});
