/** A real gateway and a client with its cookie: where it is sent after a reload, by another gateway, and when its server is gone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConfigInput } from '../src/gateway/config/index.ts';
import { create, origin } from './gateway-under-test.ts';

const CLIENTS = 8;
const SECRET = 'a-secret-of-16-characters-or-more';

function configOf(endpoints: readonly string[], secret = SECRET): ConfigInput {
  return {
    listeners: [{ name: 'web', address: '127.0.0.1:0' }],
    services: [{ name: 'shop', endpoints: [...endpoints], affinity: { cookie: 'seat', secret } }],
    routes: [{ service: 'shop' }],
  };
}

/** Who answers, and the pin that comes with it, if any. */
async function ask(address: string, pin?: string): Promise<{ readonly by: string; readonly pin: string | null }> {
  const response = await fetch(`http://${address}/`, pin === undefined ? {} : { headers: { Cookie: `seat=${pin}` } });
  const by = await response.text();
  return { by, pin: /^seat=([^;]+);/.exec(response.headers.get('set-cookie') ?? '')?.[1] ?? null };
}

/** Every time, and is not pinned again. */
async function stays(address: string, pin: string, by: string): Promise<void> {
  for (let time = 0; time < 6; time++) assert.deepEqual(await ask(address, pin), { by, pin: null });
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function running(config: ConfigInput) {
  const under = create({ workers: 1, config });
  await under.gateway.start();
  return under;
}

test('a pin holds over reloads and restarts, whatever the order of the servers and whoever joins them', async () => {
  const servers = [await origin('first'), await origin('second'), await origin('third')];
  const { gateway, address } = await running(configOf(servers));
  const { by, pin } = await ask(address());
  assert.ok(pin !== null);
  for (const server of servers) assert.ok(!pin.includes(server.split(':')[1]!), 'it does not tell its server');
  await stays(address(), pin, by);
  const others = [await origin('fourth'), ...servers.toReversed()];
  assert.equal((await gateway.reload({ config: configOf(others) })).kind, 'applied');
  await stays(address(), pin, by);
  await gateway.stop();
  const next = await running(configOf(servers));
  await stays(next.address(), pin, by);
});

test('without its server, or by another secret, a client is pinned anew, and stays there', async () => {
  const servers = [await origin('first'), await origin('second')];
  const { gateway, address } = await running(configOf(servers));
  const { by, pin } = await ask(address());
  const at = by === 'first' ? 0 : 1;
  assert.equal((await gateway.reload({ config: configOf([servers[1 - at]!]) })).kind, 'applied');
  const moved = await ask(address(), pin!);
  assert.equal(moved.by, at === 0 ? 'second' : 'first');
  assert.ok(moved.pin !== null && moved.pin !== pin);
  await stays(address(), moved.pin, moved.by);
  const rotated = await gateway.reload({ config: configOf(servers, `${SECRET}-another`) });
  assert.equal(rotated.kind, 'applied', JSON.stringify(rotated));
  assert.ok((await ask(address(), moved.pin)).pin !== null, 'a pin of another secret is none');
});

test('under load every client stays where it is, whatever becomes of other servers', async () => {
  const servers = [await origin('first'), await origin('second'), await origin('third')];
  const { gateway, address } = await running(configOf(servers));
  const at = address();
  let isRunning = true;
  const asked = Array.from({ length: CLIENTS }, () => 0);
  const client = async (number: number): Promise<string> => {
    let { by, pin } = await ask(at);
    // The third server is the one that goes.
    while (by === 'third') ({ by, pin } = await ask(at));
    while (isRunning) {
      assert.deepEqual(await ask(at, pin!), { by, pin: null });
      asked[number]! += 1;
    }
    return by;
  };
  const clients = Promise.all(asked.map((_, number) => client(number)));
  const change = async (what: () => unknown): Promise<void> => {
    const before = [...asked];
    await what();
    while (isRunning && asked.some((count, number) => count === before[number])) await Promise.race([clients, turn()]);
  };
  clients.catch(() => (isRunning = false));
  const of = { endpoint: servers[2]! };
  for (let round = 0; round < 3; round++) {
    await change(() => gateway.drainEndpoint({ ...of, withinMs: 60_000 }));
    await change(() => gateway.undrainEndpoint(of));
    await change(() => gateway.reload({ config: configOf(servers.slice(0, 2)) }));
    await change(() => gateway.reload({ config: configOf(servers.toReversed()) }));
  }
  isRunning = false;
  assert.deepEqual([...new Set(await clients)].toSorted(), ['first', 'second']);
});
