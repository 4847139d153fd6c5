/** Which endpoint a request goes to: by load, by key, by cookie, and slowly at first. */
import assert from 'node:assert/strict';
import { type Bench, eventually, onBoth, type TestGateway } from '../../../test/engine/bench.ts';
import { freePort } from '../../../test/ports.ts';
import { fieldOf } from '../../../test/engine/message.ts';
import { answer, type Origin } from '../../../test/engine/origin.ts';
import type { Peer } from '../../../test/engine/peer.ts';
import type { Changes } from '../../../test/engine/plans.ts';
import { cellHeader } from '../../kernel/cells.ts';
import { HEALTH, HEALTH_DOWN, HEALTH_UP } from '../slots.ts';
import type { BalancePlan } from '../snapshot.ts';

const get = (fields = '', path = '/'): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;

const by = (plan: Partial<BalancePlan>): Changes => ({
  service: { balance: { algorithm: 'round-robin', key: null, loadFactor: 1.25, ...plan } },
});

/** Two origins that answer with their number. */
async function pair(bench: Bench, changes: Changes): Promise<{ gateway: TestGateway; client: Peer }> {
  const origins = [await bench.origin(), await bench.origin()];
  origins.forEach((origin, index) => {
    origin.serve((_, connection) => {
      connection.write(answer(String(index)));
    });
  });
  const gateway = await bench.gateway(origins, changes);
  return { gateway, client: await bench.client(gateway) };
}

/** Who answers. */
async function ask(client: Peer, fields = '', path = '/'): Promise<string> {
  client.write(get(fields, path));
  return (await client.response()).body.toString();
}

function setHealth(gateway: TestGateway, index: number, word: number): void {
  Atomics.store(cellHeader(gateway.snapshot.services[0]!.endpoints[index]!.cell), HEALTH, word);
}

onBoth('least connections: whoever has less to do, until it has more', async (bench) => {
  const origins: Origin[] = [await bench.origin(), await bench.origin()];
  const gateway = await bench.gateway(origins, by({ algorithm: 'least-connections' }));
  const send = async (): Promise<Peer> => {
    const client = await bench.client(gateway);
    client.write(get());
    return client;
  };
  const clients = [await send(), await send(), await send(), await send()];
  const held = [];
  for (const origin of origins) held.push([await origin.accept(), await origin.accept()]);
  for (const server of held[0]!) {
    await server.request();
    server.write(answer('0', 'Connection: close\r\n'));
  }
  await eventually('the first server has nothing to do', () => gateway.endpoint('inFlight', 0) === 0);
  // Two more for the one that has finished, then both have two.
  clients.push(await send(), await send());
  await origins[0]!.accept();
  await origins[0]!.accept();
  assert.deepEqual([gateway.endpoint('inFlight', 0), gateway.endpoint('inFlight', 1)], [2, 2]);
});

onBoth('consistent hash: requests with the same key stay together, those without are spread', async (bench) => {
  const key = { kind: 'header', name: 'X-User' } as const;
  const { client } = await pair(bench, by({ algorithm: 'consistent-hash', key }));
  const places = new Map<string, string>();
  for (let user = 0; user < 30; user++) places.set(`u${user}`, await ask(client, `X-User: u${user}\r\n`));
  for (const [user, place] of places) assert.equal(await ask(client, `X-User: ${user}\r\n`), place, user);
  assert.equal(new Set(places.values()).size, 2);
  const without = [];
  for (let i = 0; i < 30; i++) without.push(await ask(client));
  assert.equal(new Set(without).size, 2);
});

onBoth('maglev by path; an endpoint that is down gives its keys away and gets them back', async (bench) => {
  const { client, gateway } = await pair(bench, by({ algorithm: 'maglev', key: { kind: 'path' } }));
  const places = async (): Promise<string[]> => {
    const found = [];
    for (let page = 0; page < 20; page++) found.push(await ask(client, '', `/${page}`));
    return found;
  };
  const before = await places();
  setHealth(gateway, 0, HEALTH_DOWN);
  assert.deepEqual(new Set(await places()), new Set(['1']));
  setHealth(gateway, 0, HEALTH_UP);
  assert.deepEqual(await places(), before);
});

const pins = ['pin-of-zero', 'pin-of-one'];
const sticky: Changes = {
  service: { affinity: { cookie: 'seat', attributes: '; Path=/; HttpOnly; SameSite=Lax', secure: 'auto' } },
  endpoint: (index) => ({ pin: pins[index]! }),
};

onBoth('RFC 6265 §4.1.2, affinity: the first answer pins, and the cookie is honoured from then on', async (bench) => {
  const { client } = await pair(bench, sticky);
  client.write(get());
  const first = await client.response();
  const place = Number(first.body.toString());
  assert.equal(fieldOf(first, 'set-cookie'), `seat=${pins[place]}; Path=/; HttpOnly; SameSite=Lax`);
  for (let i = 0; i < 6; i++) {
    client.write(get(`Cookie: a=1; seat=${pins[place]}; b=2\r\n`));
    const again = await client.response();
    assert.equal(again.body.toString(), String(place));
    assert.equal(fieldOf(again, 'set-cookie'), undefined, 'it is pinned already');
  }
});

onBoth('affinity: who is pinned to a server that is down is balanced and pinned anew', async (bench) => {
  const { client, gateway } = await pair(bench, sticky);
  setHealth(gateway, 0, HEALTH_DOWN);
  client.write(get(`Cookie: seat=${pins[0]}\r\n`));
  const moved = await client.response();
  assert.equal(moved.body.toString(), '1');
  assert.match(fieldOf(moved, 'set-cookie') ?? '', /^seat=pin-of-one;/);
});

onBoth('RFC 6265 §8.6, affinity: what nobody has given out is no pin, whatever its size', async (bench) => {
  const { client } = await pair(bench, sticky);
  for (const value of ['', 'pin-of-two', 'x'.repeat(4000), '%00', '1']) {
    client.write(get(`Cookie: seat=${value}\r\n`));
    assert.match(fieldOf(await client.response(), 'set-cookie') ?? '', /^seat=pin-of-/, value);
  }
  // RFC 6265 §5.4: of cookies with one name the one with the longer path comes first, and either may be ours.
  assert.equal(await ask(client, `Cookie: seat=old; seat=${pins[1]}\r\n`), '1');
});

onBoth('affinity: a server without weight gets nobody new, and keeps whom it has', async (bench) => {
  const { client } = await pair(bench, {
    ...sticky,
    endpoint: (index) => ({ pin: pins[index]!, weight: index === 0 ? 0 : 1 }),
  });
  for (let i = 0; i < 4; i++) assert.equal(await ask(client), '1');
  for (let i = 0; i < 4; i++) assert.equal(await ask(client, `Cookie: seat=${pins[0]}\r\n`), '0');
});

onBoth('slow start: who comes back gets little at first, who was there all along its share', async (bench) => {
  const { client, gateway } = await pair(bench, {
    service: { slowStart: { windowMs: 86_400_000, floor: 0.001, exponent: 1 } },
  });
  const share = async (): Promise<number> => {
    let second = 0;
    for (let i = 0; i < 60; i++) if ((await ask(client)) === '1') second += 1;
    return second;
  };
  assert.equal(await share(), 30, 'all began together');
  setHealth(gateway, 1, HEALTH_DOWN);
  assert.equal(await share(), 0);
  setHealth(gateway, 1, HEALTH_UP);
  // One in a thousand of its turns: more than 3 of 30 is a chance of one in 40,000,000.
  assert.ok((await share()) <= 3);
});

onBoth('priority: the next one helps when too little of the first is left', async (bench) => {
  const { client, gateway } = await pair(bench, { endpoint: (index) => ({ priority: index }) });
  for (let i = 0; i < 10; i++) assert.equal(await ask(client), '0');
  setHealth(gateway, 0, HEALTH_DOWN);
  for (let i = 0; i < 10; i++) assert.equal(await ask(client), '1');
});

onBoth('a backup answers when nobody else is up, and for a request that failed everywhere else', async (bench) => {
  const origin = await bench.origin();
  origin.serve((_, connection) => {
    connection.write(answer('backup'));
  });
  const gateway = await bench.gateway([await freePort(), origin], { endpoint: (index) => ({ backup: index === 1 }) });
  const client = await bench.client(gateway);
  assert.equal(await ask(client), 'backup');
  assert.equal(gateway.endpoint('connectFailures', 0), 1);
});

onBoth('an endpoint whose connections are all taken is left alone while another has room', async (bench) => {
  const origins: Origin[] = [await bench.origin(), await bench.origin()];
  const gateway = await bench.gateway(origins, {
    serviceLimits: { connectionsMax: 2 },
    endpoint: (index) => ({ weight: index === 0 ? 1000 : 1 }),
  });
  for (let i = 0; i < 4; i++) (await bench.client(gateway)).write(get());
  for (const origin of origins) for (let i = 0; i < 2; i++) await origin.accept();
  assert.deepEqual([gateway.endpoint('queued', 0), gateway.endpoint('queued', 1)], [0, 0]);
  (await bench.client(gateway)).write(get());
  await eventually('the fifth waits', () => gateway.endpoint('queued', 0) + gateway.endpoint('queued', 1) === 1);
});

/** One request that is not answered yet; who has it. */
async function hold(bench: Bench, gateway: TestGateway, origins: readonly Origin[]): Promise<number> {
  const before = origins.map((_, index) => gateway.endpoint('inFlight', index));
  (await bench.client(gateway)).write(get());
  const taker = (): number => origins.findIndex((_, index) => gateway.endpoint('inFlight', index) > before[index]!);
  await eventually('somebody has it', () => taker() >= 0);
  return taker();
}

onBoth(
  'zones: the own one has it all until it is full, then the others help, and a backup after them',
  async (bench) => {
    const origins = [await bench.origin(), await bench.origin(), await bench.origin()];
    const gateway = await bench.gateway(origins, {
      serviceLimits: { connectionsMax: 2 },
      endpoint: (index) => ({ local: index === 0, backup: index === 2 }),
    });
    const takers = [];
    for (let made = 0; made < 6; made++) takers.push(await hold(bench, gateway, origins));
    assert.deepEqual(takers, [0, 0, 1, 1, 2, 2]);
  },
);

onBoth('zones: when the own one is down the others have it all, and give it back', async (bench) => {
  const { client, gateway } = await pair(bench, { endpoint: (index) => ({ local: index === 1 }) });
  for (let made = 0; made < 5; made++) assert.equal(await ask(client), '1');
  setHealth(gateway, 1, HEALTH_DOWN);
  for (let made = 0; made < 5; made++) assert.equal(await ask(client), '0');
  setHealth(gateway, 1, HEALTH_UP);
  for (let made = 0; made < 5; made++) assert.equal(await ask(client), '1');
});
