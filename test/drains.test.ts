/** Endpoints that are drained in a real gateway, by command and by config: who is still served, what is told, what a reload keeps. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { ConfigInput } from '../src/gateway/config/index.ts';
import type { DrainState } from '../src/gateway/index.ts';
import { cleanups, config, create, folder, origin } from './gateway-under-test.ts';

/** A server that begins to answer what asks for /long, and ends when it is told to. */
async function holder() {
  const held: ServerResponse[] = [];
  const server = createServer((request, response) => {
    if (request.url !== '/long') response.end('holder');
    else {
      response.write('begun');
      held.push(response);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { address, finish: () => held.splice(0).forEach((response) => response.end(', done')) };
}

const shop = (...endpoints: readonly unknown[]): ConfigInput =>
  config('127.0.0.1:1', { services: [{ name: 'shop', endpoints }] as ConfigInput['services'] });

async function running(given: ConfigInput, workerEntry?: URL) {
  const under = create({ config: given, ...(workerEntry === undefined ? {} : { workerEntry }) });
  const { gateway, address, get } = under;
  await gateway.start();
  const drain = (endpoint: string, service = 'shop'): DrainState | null =>
    gateway
      .state()
      .services.find(({ name }) => name === service)!
      .endpoints.find((state) => state.address === endpoint)!.drain;
  /** A long answer that has begun; what follows is its rest. */
  const long = async (): Promise<{ readonly rest: Promise<string> }> => {
    for (;;) {
      const { body } = await fetch(`http://${address()}/long`);
      const reader = body!.pipeThrough(new TextDecoderStream()).getReader();
      if ((await reader.read()).value === 'begun') return { rest: reader.read().then(({ value = '' }) => value) };
      await reader.cancel();
    }
  };
  /** Who answers some requests, each once. */
  const whoServes = async (): Promise<string[]> => {
    const names = new Set<string>();
    for (let sent = 0; sent < 20; sent++) names.add(await get());
    return [...names].toSorted();
  };
  return { ...under, drain, long, whoServes };
}

test('what is under way is finished, new work goes elsewhere, and the end is told when nothing is left', async () => {
  const slow = await holder();
  const { gateway, next, drain, long, whoServes } = await running(shop(slow.address, await origin('other')));
  const { rest } = await long();
  const [begun, ended] = [next('drain-begun'), next('drain-ended')];
  const outcome = gateway.drainEndpoint({ endpoint: slow.address, withinMs: 60_000 });
  assert.deepEqual(outcome, { kind: 'done', endpoints: [{ service: 'shop', endpoint: slow.address }] });
  assert.deepEqual([(await begun).withinMs, drain(slow.address)?.phase], [60_000, 'draining']);
  assert.deepEqual(await whoServes(), ['other']);
  slow.finish();
  assert.equal(await rest, ', done');
  const { endpoint, service, cut } = await ended;
  assert.deepEqual([endpoint, service, cut], [slow.address, 'shop', null]);
  const state = drain(slow.address)!;
  assert.deepEqual([state.phase, state.by, state.cut], ['drained', 'command', null]);
  assert.ok(Date.parse(state.ended!) >= Date.parse(state.since));
  assert.equal(gateway.state().routes[0]?.broken, 0);
  gateway.undrainEndpoint({ endpoint: slow.address });
  assert.equal(drain(slow.address), null);
  assert.deepEqual(await whoServes(), ['holder', 'other']);
});

test('what takes too long is cut when the time is over, and counted', async () => {
  const slow = await holder();
  const { gateway, next, drain, long, whoServes } = await running(shop(slow.address, await origin('other')));
  const { rest } = await long();
  const ended = next('drain-ended');
  gateway.drainEndpoint({ endpoint: slow.address, withinMs: 500 });
  await assert.rejects(rest);
  assert.deepEqual((await ended).cut, { requests: 1, tunnels: 0 });
  assert.deepEqual(drain(slow.address)?.cut, { requests: 1, tunnels: 0 });
  assert.equal(gateway.state().routes[0]?.broken, 1);
  assert.deepEqual(await whoServes(), ['other']);
  const { health } = gateway.state().services[0]!.endpoints[0]!;
  assert.notEqual(health, 'ejected', 'it was none of its fault');
});

test('the last endpoint that serves is drained only by force; names that do not fit are told the nearest', async () => {
  const [one, two] = [await origin('one'), await origin('two')];
  const { gateway, get, drain, whoServes } = await running(shop(one, two));
  gateway.drainEndpoint({ endpoint: one });
  const refused = gateway.drainEndpoint({ endpoint: two });
  assert.match(refused.kind === 'refused' ? refused.reason : '', /the last endpoint of shop that serves.*force/);
  assert.deepEqual([drain(two), await whoServes()], [null, ['two']]);
  assert.equal(gateway.drainEndpoint({ endpoint: two, force: true }).kind, 'done');
  assert.match(await get(), /No server is available/);
  const port = two.slice(two.indexOf(':') + 1);
  assert.deepEqual(gateway.drainEndpoint({ endpoint: `127.0.0.2:${port}` }), {
    kind: 'unknown',
    reason: `There is no endpoint "127.0.0.2:${port}". Did you mean ${two}?`,
  });
  const elsewhere = gateway.undrainEndpoint({ endpoint: two, service: 'shp' });
  assert.match(elsewhere.kind === 'unknown' ? elsewhere.reason : '', /no service "shp". Did you mean shop\?/);
});

test('without a service, all that have the address; with one, that alone', async () => {
  const [one, two] = [await origin('one'), await origin('two')];
  const { gateway, drain } = await running(
    config(one, {
      services: ['shop', 'api'].map((name) => ({ name, endpoints: [one, two] })),
      routes: [
        { service: 'shop', match: { path: '/shop' } },
        { name: 'all', service: 'api' },
      ],
    }),
  );
  gateway.drainEndpoint({ endpoint: one, service: 'api' });
  assert.deepEqual([drain(one, 'shop'), drain(one, 'api')?.phase], [null, 'draining']);
  gateway.drainEndpoint({ endpoint: one });
  assert.equal(drain(one, 'shop')?.phase, 'draining');
  assert.equal(gateway.drainEndpoint({ endpoint: two, service: 'api' }).kind, 'refused');
  gateway.undrainEndpoint({ endpoint: one });
  assert.deepEqual([drain(one, 'shop'), drain(one, 'api')], [null, null]);
});

test('it lasts across reloads and ends when the endpoint leaves the config', async () => {
  const [one, two, three] = [await origin('one'), await origin('two'), await origin('three')];
  const { gateway, drain, whoServes } = await running(shop(one, two));
  gateway.drainEndpoint({ endpoint: one });
  await gateway.reload({ config: shop(one, three) });
  assert.equal(drain(one)?.by, 'command');
  assert.deepEqual(await whoServes(), ['three']);
  await gateway.reload({ config: shop(three) });
  await gateway.reload({ config: shop(one, three) });
  assert.equal(drain(one), null);
  assert.deepEqual(await whoServes(), ['one', 'three']);
});

test('the config drains, with its own time or the one of the gateway, and only the config brings back', async () => {
  const slow = await holder();
  const other = await origin('other');
  const { gateway, next, drain, long, whoServes } = await running(shop(slow.address, other));
  const { rest } = await long();
  const [begun, ended] = [next('drain-begun'), next('drain-ended')];
  await gateway.reload({ config: shop({ address: slow.address, drain: true }, other) });
  const { by, withinMs } = await begun;
  assert.deepEqual([by, withinMs], ['config', 25_000]);
  const undrained = gateway.undrainEndpoint({ endpoint: slow.address });
  assert.match(undrained.kind === 'refused' ? undrained.reason : '', /The config drains .* of shop/);
  await gateway.reload({ config: shop({ address: slow.address, drain: '300ms' }, other) });
  await assert.rejects(rest);
  assert.deepEqual((await ended).cut, { requests: 1, tunnels: 0 });
  assert.deepEqual(await whoServes(), ['other']);
  await gateway.reload({ config: shop(slow.address, other) });
  assert.equal(drain(slow.address), null);
  assert.deepEqual(await whoServes(), ['holder', 'other']);
});

test('an endpoint that the config drains from the start gets nothing', async () => {
  const { drain, whoServes, next } = await (async () => {
    const [one, two] = [await origin('one'), await origin('two')];
    const under = await running(shop({ address: one, drain: '10s' }, two));
    return { ...under, drain: () => under.drain(one) };
  })();
  assert.deepEqual(await whoServes(), ['two']);
  if (drain()?.phase !== 'drained') await next('drain-ended');
  assert.equal(drain()?.phase, 'drained');
});

test('a config on trial heeds drains, and what it drains itself is its own affair', async () => {
  const [one, two, three] = [await origin('one'), await origin('two'), await origin('three')];
  const { gateway, whoServes, next } = await running(shop(one, two));
  await gateway.apply({ config: shop(one, two, three), trial: { share: 1, watchMs: 600_000 } });
  assert.deepEqual(await whoServes(), ['one', 'three', 'two']);
  gateway.drainEndpoint({ endpoint: one });
  gateway.drainEndpoint({ endpoint: three });
  assert.deepEqual(await whoServes(), ['two'], 'also an endpoint that only the trial has');
  gateway.undrainEndpoint({ endpoint: one });
  const drains = shop(one, { address: two, drain: true });
  const begun = next('canary');
  await gateway.apply({ config: drains, trial: { share: 1, watchMs: 600_000 } });
  await begun;
  assert.deepEqual(await whoServes(), ['one']);
  assert.deepEqual(
    gateway.state().services[0]!.endpoints.map(({ drain }) => drain),
    [null, null],
  );
  await gateway.reload({ config: shop(one, two, three) });
  assert.deepEqual(await whoServes(), ['one', 'three', 'two']);
});

test('how a drain goes is read by address, also of an endpoint that only a config on trial has', async () => {
  const [one, two, three] = [await origin('one'), await origin('two'), await origin('three')];
  const given = { ...shop(one, two), admin: { address: '127.0.0.1:0' } };
  const { gateway } = await running(given);
  const read = async (endpoint: string): Promise<unknown[]> => {
    const answer = await fetch(`http://${gateway.state().admin!.address}/api/endpoints/${endpoint}`);
    const { endpoints } = (await answer.json()) as { endpoints: { service: string; drain: DrainState | null }[] };
    return endpoints.map(({ service, drain }) => [service, drain?.by]);
  };
  await gateway.apply({
    config: { ...shop(one, two, three), admin: given.admin },
    trial: { share: 1, watchMs: 600_000 },
  });
  gateway.drainEndpoint({ endpoint: three });
  assert.deepEqual(await read(three), [['shop', 'command']]);
  assert.deepEqual(await read(one), [['shop', undefined]]);
  assert.deepEqual(await read('127.0.0.1:1'), []);
});

test('a worker that is lost in the middle of a drain does not keep it from its end, and its successor heeds it', async () => {
  const slow = await holder();
  const home = folder();
  const poison = join(home, 'poison');
  const entry = join(home, 'worker.mjs');
  // The data plane as it is, and a way to kill all lanes of it from outside, once each.
  writeFileSync(
    entry,
    `import { existsSync, rmSync } from 'node:fs';
    import { workerData } from 'node:worker_threads';
    await import(${JSON.stringify(new URL('../src/gateway/worker.ts', import.meta.url).href)});
    const poison = ${JSON.stringify(poison)} + workerData.lane;
    setInterval(() => { if (existsSync(poison)) { rmSync(poison); throw new Error('killed'); } }, 5);`,
  );
  const given = shop(slow.address, await origin('other'));
  const { gateway, next, drain, long, whoServes, seen } = await running(given, pathToFileURL(entry));
  const { rest } = await long();
  const gone = assert.rejects(rest, 'it went with its worker');
  const ended = next('drain-ended');
  gateway.drainEndpoint({ endpoint: slow.address, withinMs: 60_000 });
  for (const lane of [1, 2]) {
    const replaced = next('worker-replaced');
    writeFileSync(`${poison}${lane}`, '');
    await replaced;
  }
  await gone;
  const { cut } = await ended;
  assert.equal(cut, null, 'what went with its worker was not cut by the drain');
  assert.equal(drain(slow.address)?.phase, 'drained');
  const { inFlight, connections } = gateway.state().services[0]!.endpoints[0]!;
  assert.deepEqual([inFlight, connections], [0, 0]);
  assert.deepEqual(await whoServes(), ['other']);
  assert.equal(seen.filter(({ kind }) => kind === 'worker-lost').length, 2);
  gateway.undrainEndpoint({ endpoint: slow.address });
  assert.deepEqual(await whoServes(), ['holder', 'other']);
});

test('pinned clients may come for the first half of the time, then they are pinned elsewhere', async () => {
  const [one, two] = [await origin('one'), await origin('two')];
  const services = [{ name: 'shop', endpoints: [one, two], affinity: { secret: '0123456789abcdef0123456789abcdef' } }];
  const { gateway, next, address } = await running(config(one, { services }));
  const ask = async (cookie: string): Promise<{ readonly body: string; readonly pin: string }> => {
    const response = await fetch(`http://${address()}/`, { headers: { cookie } });
    const [pin = ''] = (response.headers.get('set-cookie') ?? '').split(';');
    return { body: await response.text(), pin };
  };
  let { body, pin } = await ask('');
  while (body !== 'one') ({ body, pin } = await ask(''));
  const ended = next('drain-ended');
  gateway.drainEndpoint({ endpoint: one, withinMs: 10_000 });
  for (let client = 0; client < 4; client++) assert.equal((await ask('')).body, 'two', 'a new client');
  assert.deepEqual(await ask(pin), { body: 'one', pin: '' });
  // One request after another, none of which may fail or be held up.
  let answer = await ask(pin);
  while (answer.body === 'one') answer = await ask(pin);
  assert.equal(answer.body, 'two');
  assert.equal((await ask(answer.pin)).body, 'two');
  const { cut, tookMs } = await ended;
  assert.equal(cut, null);
  assert.ok(tookMs >= 5000, 'not before half of the time');
});

test('health spares the last one beside those that drain', async () => {
  let hangs = false;
  const server = createServer((_request, response) => void (hangs || response.end('two')));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    server.close();
    server.closeAllConnections();
  });
  const [one, two] = [await origin('one'), `127.0.0.1:${(server.address() as AddressInfo).port}`];
  const health = { active: { interval: '100ms', timeout: '100ms', unhealthyAfter: 1 } } as const;
  const { gateway, next } = await running(config(one, { services: [{ name: 'shop', endpoints: [one, two], health }] }));
  gateway.drainEndpoint({ endpoint: one });
  const kept = next('endpoint-kept');
  hangs = true;
  assert.equal((await kept).endpoint, two);
});
