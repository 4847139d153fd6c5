import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { config, create, folder, origin } from '../../../test/gateway-under-test.ts';
import { type Clock, systemClock } from '../../kernel/clock.ts';
import type { ReloadOutcome } from './events.ts';
import type { TrialOutcome } from './trials.ts';

const reasonOf = (outcome: ReloadOutcome | TrialOutcome): string => (outcome.kind === 'refused' ? outcome.reason : '');

test('a given config is changed by giving another, and nothing of a refused one stays', async () => {
  const [one, two] = [await origin('one'), await origin('two')];
  const { gateway, get, address, next } = create({ config: config(one) });
  await gateway.start();
  const before = address();
  assert.deepEqual(await gateway.reload(), { kind: 'unchanged', cause: 'call', version: 1 });
  const told = next('reload');
  const applied = await gateway.reload({ config: config(two) });
  assert.equal(applied.kind, 'applied');
  assert.deepEqual(applied.kind === 'applied' && applied.changes, [
    `service shop: endpoint ${one} removed`,
    `service shop: endpoint ${two} added`,
  ]);
  assert.deepEqual(await told, { kind: 'reload', outcome: applied });
  assert.deepEqual([await get(), address()], ['two', before]);
  const refused = await gateway.reload({ config: config(one, { routes: [{ service: 'shpo' }] }) });
  assert.equal(refused.kind, 'refused');
  assert.match(refused.kind === 'refused' ? refused.problems.join('\n') : '', /shop/);
  assert.equal(await get(), 'two');
  assert.equal((await gateway.reload()).kind, 'unchanged');
  const { applied: count, refused: bad, lastOutcome } = gateway.state().reloads;
  assert.deepEqual([count, bad, lastOutcome], [1, 1, 'refused']);
});

test('endpoints of refused configs, on trial or not, are forgotten: there is room for others', async () => {
  const one = await origin('one');
  const { gateway, get } = create({ workers: 1, config: config(one) });
  await gateway.start();
  const file = join(folder(), 'next.yaml');
  const listeners = [{ name: 'taken', address: one }];
  // More of them than there can be at once.
  for (let time = 0; time < 8; time++) {
    const endpoints = Array.from({ length: 9000 }, (_, at) => `10.${time}.${at >> 8}.${at & 255}:80`);
    const refused = config('', { services: [{ name: 'shop', endpoints }], listeners });
    writeFileSync(file, JSON.stringify(refused));
    const trial = { share: 0.1, watchMs: 1000 };
    const outcome = await (time % 2 === 0 ? gateway.reload({ config: refused }) : gateway.apply({ file, trial }));
    assert.match(reasonOf(outcome), /^Listener taken cannot listen on .* in use/);
  }
  assert.equal((await gateway.reload({ config: config(await origin('two')) })).kind, 'applied');
  assert.equal(await get(), 'two');
});

test('a reload that cannot bind a new listener changes nothing, not even the admin address', async () => {
  const [one, two] = [await origin('one'), await origin('two')];
  const { gateway, get } = create({ config: config(one, { admin: { address: '127.0.0.1:0' } }) });
  await gateway.start();
  const admin = gateway.state().admin!.address;
  const listeners = [
    { name: 'web', address: '127.0.0.1:0' },
    { name: 'taken', address: one },
  ];
  const outcome = await gateway.reload({
    config: config(two, { listeners, admin: { address: 'localhost:0' } }),
  });
  assert.match(reasonOf(outcome), /^Listener taken cannot listen on .* in use/);
  assert.deepEqual([await get(), gateway.state().admin!.address, gateway.state().configVersion], ['one', admin, 1]);
});

test('a reload that a worker refuses leaves the admin API where it was, and no other behind', async () => {
  const entry = join(folder(), 'worker.mjs');
  writeFileSync(
    entry,
    `import { parentPort, workerData } from 'node:worker_threads';
    const say = (kind, { version }) => parentPort.postMessage({ kind, version, ports: {}, code: 'X', message: 'not with me' });
    parentPort.on('message', ({ kind, snapshot }) => say(kind === 'drain' ? 'drained' : 'refused', snapshot ?? {}));
    say('applied', workerData.snapshot);`,
  );
  const listening = (): number => process.getActiveResourcesInfo().filter((name) => name === 'TCPServerWrap').length;
  const endpoint = await origin('one');
  const given = config(endpoint, { admin: { address: '127.0.0.1:0' } });
  const { gateway } = create({ config: given, workerEntry: pathToFileURL(entry) });
  await gateway.start();
  const [before, open] = [gateway.state().admin!.address, listening()];
  const outcome = await gateway.reload({ config: { ...given, admin: { address: 'localhost:0' } } });
  assert.equal(outcome.kind === 'refused' && outcome.reason, 'not with me');
  assert.equal(gateway.state().admin!.address, before);
  // A closed handle is counted until the loop has come round; one left open would be counted for good.
  while (listening() > open) await new Promise(setImmediate);
  assert.equal((await fetch(`http://${before}/readyz`)).status, 200);
});

test('a reload adds and removes listeners and moves the admin API', async () => {
  const one = await origin('one');
  const { gateway, get, next } = create({ config: config(one, { admin: { address: '127.0.0.1:0' } }) });
  await gateway.start();
  const admin = gateway.state().admin!.address;
  const told = next('listening');
  const listeners = [
    { name: 'web', address: '127.0.0.1:0' },
    { name: 'more', address: '127.0.0.1:0' },
  ];
  assert.equal(
    (await gateway.reload({ config: config(one, { listeners, admin: { address: 'localhost:0' } }) })).kind,
    'applied',
  );
  const { listener, address } = await told;
  assert.equal(listener, 'more');
  assert.equal(await get(address), 'one');
  assert.notEqual(gateway.state().admin!.address, admin);
  await assert.rejects(fetch(`http://${admin}/livez`));
  assert.equal((await gateway.reload({ config: config(one) })).kind, 'applied');
  assert.equal(gateway.state().admin, null);
  // What is connected to a listener that has left may ask once more; a new connection finds nobody.
  await assert.rejects(once(connect(Number(address.split(':')[1]), '127.0.0.1'), 'connect'), { code: 'ECONNREFUSED' });
});

test('a changed file is applied, a bad one is refused with its place and the old one goes on', async () => {
  const [one, two] = [await origin('one'), await origin('two')];
  const file = join(folder(), 'spillway.yaml');
  const write = (endpoint: string): void =>
    writeFileSync(
      file,
      `listeners: [{ name: web, address: "127.0.0.1:0" }]\nservices: [{ name: shop, endpoints: ["${endpoint}"] }]\nroutes: [{ service: shop }]\n`,
    );
  write(one);
  const { gateway, get, next } = create({ file });
  await gateway.start();
  assert.equal(await get(), 'one');
  const good = next('reload');
  write(two);
  assert.equal((await good).outcome.kind, 'applied');
  assert.equal((await good).outcome.cause, 'file');
  assert.equal(await get(), 'two');
  const bad = next('reload');
  write('nowhere');
  const { outcome } = await bad;
  assert.match(outcome.kind === 'refused' ? outcome.problems.join('\n') : '', /spillway\.yaml:2:/);
  assert.equal(await get(), 'two');
  const healed = next('reload');
  write(one);
  await healed;
  assert.equal(await get(), 'one');
  await assert.rejects(gateway.reload({ config: config(one) }), { code: 'GATEWAY_STATE' });
});

test('many reloads at once end with the newest, one at a time', async () => {
  const endpoints = await Promise.all(['a', 'b', 'c', 'd'].map(origin));
  const { gateway, get, seen } = create({ config: config(endpoints[0]!) });
  await gateway.start();
  const outcomes = await Promise.all(
    endpoints.slice(1).map((endpoint) => gateway.reload({ config: config(endpoint) })),
  );
  assert.equal(await get(), 'd');
  assert.deepEqual(
    outcomes.map((outcome) => outcome.version),
    [2, 3, 3],
  );
  assert.equal(seen.filter(({ kind }) => kind === 'reload').length, 2);
});

test('the end of a gateway does not wait for a config that never ends, be it the first or another', async () => {
  // No time is over for it.
  const clock: Clock = {
    ...systemClock,
    after: (ms, run, options) => (ms === 30_000 ? { clear: () => {} } : systemClock.after(ms, run, options)),
  };
  const home = folder();
  const loops = join(home, 'loops');
  const file = join(home, 'spillway.config.mjs');
  writeFileSync(
    file,
    `import { existsSync } from 'node:fs';
    while (existsSync(${JSON.stringify(loops)}));
    export default ${JSON.stringify(config(await origin('one')))};`,
  );
  const { gateway } = create({ file, clock, watch: false });
  await gateway.start();
  writeFileSync(loops, '');
  const reloading = gateway.reload();
  await gateway.stop();
  assert.equal(reasonOf(await reloading), 'The gateway is ending.');
  const other = create({ file, clock, watch: false }).gateway;
  const starting = assert.rejects(other.start(), { code: 'GATEWAY_STATE', message: /stopped while it started/ });
  await other.stop();
  await starting;
});
