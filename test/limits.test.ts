/** Limits of a whole gateway: exact over its workers, kept over a reload, told by state and metrics. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConfigInput } from '../src/gateway/config/index.ts';
import { config, create, origin } from './gateway-under-test.ts';

type LimitInput = NonNullable<ConfigInput['limits']>[number];

const few = (limit: number, more: Partial<LimitInput> = {}): LimitInput => ({
  name: 'few',
  algorithm: { type: 'fixed-window', limit, per: '1d' },
  ...more,
});

const limited = (endpoint: string, limits: LimitInput[]): ConfigInput =>
  config(endpoint, {
    listeners: [{ name: 'web', address: '127.0.0.1:0', limits: { requests: limits.map(({ name }) => name) } }],
    limits,
  });

/** The statuses of so many requests, each on a connection of its own. */
async function ask(address: string, requests: number): Promise<number[]> {
  const one = async (): Promise<number> => {
    const response = await fetch(`http://${address}/`, { headers: { connection: 'close' } });
    await response.arrayBuffer();
    return response.status;
  };
  return Promise.all(Array.from({ length: requests }, one));
}

const passed = (statuses: readonly number[]): number => statuses.filter((status) => status === 200).length;

test('workers that share the load admit exactly the limit, and say whom they refuse', async () => {
  const limits = [few(100, { key: 'client', showKeys: true })];
  const { gateway, address } = create({ config: limited(await origin('ok'), limits), workers: 4 });
  await gateway.start();
  const statuses = await ask(address(), 400);
  assert.equal(passed(statuses), 100);
  assert.equal(statuses.filter((status) => status === 429).length, 300);
  const [state] = gateway.state().limits;
  assert.deepEqual(state, {
    name: 'few',
    algorithm: 'fixed-window 100 per 1d',
    key: 'client',
    shadow: false,
    listeners: ['web'],
    routes: [],
    allowed: 100,
    refused: 300,
    shadowed: 0,
    topRefused: [{ key: '127.0.0.1', refused: 300, over: 0 }],
  });
});

test('a reload keeps what was counted, and a changed limit holds at once', async () => {
  const endpoint = await origin('ok');
  const { gateway, address } = create({ config: limited(endpoint, [few(10)]), workers: 2 });
  await gateway.start();
  assert.equal(passed(await ask(address(), 8)), 8);
  const reload = async (limits: LimitInput[]): Promise<void> => {
    const outcome = await gateway.reload({ config: limited(endpoint, limits) });
    assert.equal(outcome.kind, 'applied');
  };
  await reload([few(10), few(1000, { name: 'many' })]);
  assert.equal(passed(await ask(address(), 8)), 2);
  await reload([few(13)]);
  assert.equal(passed(await ask(address(), 8)), 3);
  // Another algorithm begins anew.
  await reload([{ name: 'few', algorithm: { type: 'sliding-log', limit: 5, per: '1d' } }]);
  assert.equal(passed(await ask(address(), 8)), 5);
});
