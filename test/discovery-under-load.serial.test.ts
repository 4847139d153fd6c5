/** Endpoints that come and go under load, by each source: no request fails. */
import assert from 'node:assert/strict';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ConfigInput } from '../src/gateway/config/index.ts';
import { config, create, folder, origin } from './gateway-under-test.ts';
import { a, dnsServer, srv, zone } from './dns-server.ts';
import { steadyLoad } from './steady-load.ts';

const CHANGES = 50;

type Discovery = NonNullable<NonNullable<ConfigInput['services']>[number]['discovery']>;

/** Changes the two endpoints of three servers `CHANGES` times by `say`, each change under load and each used by some of it. */
async function changeUnderLoad(
  discovery: Discovery,
  endpoints: readonly string[],
  say: (list: readonly string[], gateway: ReturnType<typeof create>) => unknown,
): Promise<void> {
  const under = create({ config: { ...config(''), services: [{ name: 'shop', discovery }] } });
  const { gateway, address } = under;
  await gateway.start();
  const pair = (change: number): string[] => endpoints.filter((_, index) => index !== change % endpoints.length);
  const change = async (number: number): Promise<void> => {
    const found = under.next('endpoints-found');
    await say(pair(number), under);
    await found;
    const known = gateway.state().services[0]!.endpoints.map((endpoint) => endpoint.address);
    assert.deepEqual(known.toSorted(), pair(number).toSorted());
  };
  await change(0);
  const loads = [steadyLoad(address(), 6, true), steadyLoad(address(), 3, false)];
  for (let number = 1; number <= CHANGES; number += 1) {
    const before = loads.map(({ requests }) => requests);
    await change(number);
    while (loads.some(({ requests }, index) => requests === before[index])) await new Promise(setImmediate);
  }
  await Promise.all(loads.map((load) => load.stop()));
  for (const { failures, requests } of loads) {
    assert.deepEqual(failures, []);
    assert.ok(requests >= CHANGES);
  }
}

const origins = (): Promise<string[]> => Promise.all(['a', 'b', 'c'].map(origin));

test(`${CHANGES} changes by the API under load: no request fails`, async () => {
  await changeUnderLoad({ api: true }, await origins(), (list, { gateway }) =>
    gateway.changeEndpoints('shop', { kind: 'replace', endpoints: list }),
  );
});

test(`${CHANGES} changes of a file under load: no request fails`, async () => {
  const file = join(folder(), 'endpoints.json');
  await changeUnderLoad({ file }, await origins(), (list) => {
    writeFileSync(`${file}.new`, JSON.stringify(list));
    renameSync(`${file}.new`, file);
  });
});

test(`${CHANGES} changes of SRV records under load: no request fails`, async () => {
  const name = '_http._tcp.shop.test';
  let list: readonly string[] = [];
  await using dns = await dnsServer(
    zone(() => [
      a('here.test', '127.0.0.1'),
      ...list.map((endpoint) => srv(name, 'here.test', Number(endpoint.split(':')[1]), { ttlS: 0 })),
    ]),
  );
  const refresh = { min: '100ms', max: '1s' } as const;
  const discovery = { dns: { srv: name, servers: [`127.0.0.1:${dns.port}`], family: 'ipv4' as const, refresh } };
  await changeUnderLoad(discovery, await origins(), (next) => void (list = next));
});
