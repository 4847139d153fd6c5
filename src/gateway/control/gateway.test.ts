import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { cleanups, config, create, folder, mortalWorker, origin } from '../../../test/gateway-under-test.ts';
import type { GatewayState } from './gateway-state.ts';
import { createGateway, type GatewayOptions } from './gateway.ts';

test('starts, serves, says where, drains and ends; each only once', async () => {
  const { gateway, seen, address, get } = create({
    config: config(await origin('one'), { admin: { address: '127.0.0.1:0' } }),
  });
  assert.equal(gateway.state().phase, 'new');
  const trial = { share: 0.1, watchMs: 1000 };
  await assert.rejects(gateway.apply({ file: 'next.yaml', trial }), { code: 'GATEWAY_STATE' });
  await gateway.start();
  assert.ok(gateway.state().workers.every(({ heapBytes }) => heapBytes > 1e6));
  await assert.rejects(gateway.start(), { code: 'GATEWAY_STATE' });
  assert.deepEqual(seen.slice(0, 2), [
    { kind: 'listening', listener: 'web', address: address(), tls: false },
    { kind: 'admin-listening', address: gateway.state().admin!.address },
  ]);
  assert.equal(await get(), 'one');
  const { phase, configVersion, routes, services, workers } = gateway.state();
  assert.deepEqual(
    [phase, configVersion, workers.map((worker) => worker.phase)],
    ['running', 1, ['serving', 'serving']],
  );
  assert.deepEqual([routes[0]!.requests, routes[0]!.responses['2xx'], services[0]!.endpoints[0]!.requests], [1, 1, 1]);
  await Promise.all([gateway.drain(), gateway.drain()]);
  await gateway.stop();
  assert.equal(gateway.state().phase, 'stopped');
  assert.deepEqual(
    seen.slice(-2).map(({ kind }) => kind),
    ['draining', 'stopped'],
  );
  await assert.rejects(gateway.reload(), { code: 'GATEWAY_STATE' });
  await assert.rejects(get(), TypeError);
});

test('needs no service where every route redirects or answers by itself', async () => {
  const { gateway, get } = create({
    config: {
      listeners: [{ name: 'web', address: '127.0.0.1:0' }],
      routes: [{ respond: { body: 'by itself' } }],
    },
  });
  await gateway.start();
  assert.equal(await get(), 'by itself');
  assert.deepEqual(gateway.state().services, []);
  assert.equal((await gateway.explain({ method: 'GET', url: '/' })).answer?.status, 200);
});

test('metrics, state and readiness come from the running gateway', async () => {
  const { gateway, get } = create({ config: config(await origin('one'), { admin: { address: '127.0.0.1:0' } }) });
  await gateway.start();
  await get();
  const admin = `http://${gateway.state().admin!.address}`;
  const metrics = await (await fetch(`${admin}/metrics`)).text();
  assert.match(metrics, /^spillway_requests_total\{route="all",service="shop",code_class="2xx"\} 1$/m);
  assert.match(metrics, /^spillway_request_duration_seconds_count\{route="all",service="shop"\} 1$/m);
  const state = (await (await fetch(`${admin}/api/state`)).json()) as GatewayState;
  assert.deepEqual(state, { ...gateway.state(), uptimeMs: state.uptimeMs, workers: state.workers });
  assert.equal((await fetch(`${admin}/readyz`)).status, 200);
  const explained = await fetch(`${admin}/api/explain`, { method: 'POST', body: '{"url":"http://x/"}' });
  assert.equal(((await explained.json()) as { route: string }).route, 'all');
  const nowhere = await fetch(`${admin}/api/explain`, { method: 'POST', body: '{"url":"http://x/","listener":"wbe"}' });
  assert.equal(nowhere.status, 400);
});

test('a config with mistakes, none at all, or a taken port: a coded error, and nothing is left running', async () => {
  const one = await origin('one');
  const cases: readonly (readonly [GatewayOptions, string, RegExp])[] = [
    [{ config: config(one, { routes: [{ service: 'nope' }] }) }, 'CONFIG_INVALID', /nope/],
    [{ file: join(folder(), 'none.yaml') }, 'CONFIG_NOT_FOUND', /none\.yaml/],
    [
      { config: config('127.0.0.1:9', { listeners: [{ name: 'web', address: one }] }) },
      'LISTEN_FAILED',
      /Listener web .* in use/,
    ],
    [{ config: config('127.0.0.1:9', { admin: { address: one } }) }, 'LISTEN_FAILED', /The admin API .* in use/],
  ];
  for (const [options, code, message] of cases) {
    const { gateway, seen } = create(options);
    await assert.rejects(gateway.start(), { code, message });
    assert.equal(gateway.state().phase, 'stopped');
    await gateway.stop();
    assert.deepEqual(seen, [], 'what never ran does not end');
  }
  assert.throws(() => createGateway({}), { code: 'GATEWAY_STATE' });
});

test('what every worker meets is said once', async () => {
  const { gateway, seen, address } = create({ config: config('127.0.0.1:1') });
  await gateway.start();
  // Each on a connection of its own: all on the same worker is as likely as 40 heads in a row.
  const asked = Array.from({ length: 40 }, () => fetch(`http://${address()}/`, { headers: { connection: 'close' } }));
  for (const response of await Promise.all(asked)) assert.equal(response.status, 502);
  await gateway.stop();
  const notices = seen.flatMap((event) => (event.kind === 'notice' ? [event.message] : []));
  assert.deepEqual(notices, ['endpoint 127.0.0.1:1 of shop: no connection: connection refused']);
});

test('stopped while it starts, it does not run', async () => {
  const { gateway } = create({ config: config(await origin('one')) });
  const started = gateway.start();
  const rejected = assert.rejects(started);
  await gateway.stop();
  await rejected;
  assert.equal(gateway.state().phase, 'stopped');
});

test('a drain lets a request end, refuses new ones and is not ready', async () => {
  let release = (): void => {};
  const server = createServer((_request, response) => (release = () => void response.end('late')));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    server.close();
    server.closeAllConnections();
  });
  const endpoint = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { gateway, get, next } = create({ config: config(endpoint, { admin: { address: '127.0.0.1:0' } }) });
  await gateway.start();
  const answer = get();
  await new Promise((resolve) => server.once('request', resolve));
  const told = next('draining');
  const drained = gateway.drain({ timeoutMs: 30_000 });
  assert.equal((await told).timeoutMs, 30_000);
  const ready = await fetch(`http://${gateway.state().admin!.address}/readyz`);
  assert.deepEqual([ready.status, await ready.text()], [503, 'draining\n']);
  release();
  assert.equal(await answer, 'late');
  await drained;
});

test('a stop in the middle of a drain cuts what is running', async () => {
  const server = createServer(() => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    server.close();
    server.closeAllConnections();
  });
  const { gateway, get } = create({ config: config(`127.0.0.1:${(server.address() as AddressInfo).port}`) });
  await gateway.start();
  const cut = assert.rejects(get());
  await new Promise((resolve) => server.once('request', resolve));
  const drained = gateway.drain({ timeoutMs: 600_000 });
  await gateway.stop();
  await Promise.all([cut, drained]);
});

test('RFC 9112 §9.5: a killed worker is replaced while the other serves', async () => {
  const worker = mortalWorker(2);
  const { gateway, get, next } = create({ config: config(await origin('one')), workerEntry: worker.entry });
  await gateway.start();
  const [lost, replaced] = [next('worker-lost'), next('worker-replaced')];
  worker.kill();
  const { lane, reason } = await lost;
  assert.equal(lane, 2);
  assert.match(reason, /^Error: killed/);
  for (let request = 0; request < 20; request += 1) assert.equal(await get(), 'one');
  assert.equal((await replaced).lane, 2);
  assert.equal(await get(), 'one');
  const workers = gateway.state().workers.map(({ phase, restarts }) => `${phase} ${restarts}`);
  assert.deepEqual(workers, ['serving 0', 'serving 1']);
});

const isRoot = process.getuid?.() === 0;

test(`RFC 9110 §17.2: root is given up once the listeners are bound${isRoot ? '' : ' (here: there is none to give up)'}`, async () => {
  const own = new URL('./gateway.ts', import.meta.url).href;
  const given = config(await origin('one'), { user: '4711' });
  const script = `
    const { createGateway } = await import(${JSON.stringify(own)});
    const notices = [];
    const gateway = createGateway({ workers: 2, config: ${JSON.stringify(given)}, onEvent: (event) => event.kind === 'notice' && notices.push(event.message) });
    await gateway.start();
    const answer = await (await fetch('http://' + gateway.state().listeners[0].address)).text();
    const reload = await gateway.reload({ config: { ...${JSON.stringify(given)}, drainTimeout: '1s' } });
    console.log(JSON.stringify({ answer, uid: process.getuid(), reload: reload.kind, notices }));
    await gateway.stop();`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  cleanups.push(() => child.kill('SIGKILL'));
  let text = '';
  for await (const chunk of child.stdout) text += String(chunk);
  const { answer, uid, reload, notices } = JSON.parse(text) as Record<string, unknown>;
  assert.deepEqual([answer, reload, uid], ['one', 'applied', isRoot ? 4711 : process.getuid?.()]);
  assert.match(String(notices), isRoot ? /runs as 4711/ : /Not started as root/);
});

test('a listener of events that throws harms nobody', async () => {
  const { gateway, get } = create({ config: config(await origin('one')) });
  const off = gateway.onEvent(() => {
    throw new Error('broken');
  });
  await gateway.start();
  off();
  assert.equal(await get(), 'one');
});

test('asyncDispose ends it', async () => {
  const { gateway, address } = create({ config: config(await origin('one')) });
  {
    await using running = gateway;
    await running.start();
  }
  const [host, port] = address().split(':');
  const refused = new Promise((resolve) => connect({ host: host!, port: Number(port) }).once('error', resolve));
  assert.equal(((await refused) as NodeJS.ErrnoException).code, 'ECONNREFUSED');
});
