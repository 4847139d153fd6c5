/** Each screen with live traffic, and what an operator does there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cleanups, config, create, origin } from '../gateway-under-test.ts';
import { createMetrics } from '../../src/observe/index.ts';
import { encodeMetrics } from '../../src/observe/otlp/metrics.ts';
import type { MetricBatch } from '../../src/observe/metrics/collect.ts';
import { noFaults, openPage, openToChange } from './page-under-test.ts';
import { pushOtlp } from './push-otlp.ts';

const admin = { address: '127.0.0.1:0' };

/** One request after the other, until the test ends. */
function traffic(address: string, path: string, headers: Record<string, string> = {}): void {
  const agent = new Agent({ keepAlive: true });
  let isOver = false;
  const next = (): void => {
    if (isOver) return;
    const [host = '', port = ''] = address.split(':');
    const asked = request({ agent, host, port, path, headers }, (response) => {
      response.resume();
      response.on('end', next);
    });
    asked.on('error', next);
    asked.end();
  };
  next();
  cleanups.push(() => {
    isOver = true;
    agent.destroy();
  });
}

test('overview: the map shows which way requests go, and its table says the same', async () => {
  const endpoints = [await origin('a'), await origin('b')];
  const services = [{ name: 'shop', endpoints }];
  const { gateway, address } = create({ config: { ...config(endpoints[0]!, { admin }), services } });
  await gateway.start();
  traffic(address(), '/a');
  const opened = await openPage(gateway.state().admin!.address);
  const { page } = opened;
  const map = page.locator('svg.map');
  // A straight line has no height, so the browser counts it as hidden.
  await map.locator('path.well').nth(4).waitFor({ state: 'attached' });
  for (const title of ['clients', 'web', 'all', 'shop', ...endpoints]) {
    await map.locator('text', { hasText: title }).first().waitFor();
  }
  await page.getByText('The same as a table').click();
  const row = page.getByRole('row', { name: /^clients web / });
  assert.match((await row.textContent())!, /\/s/);
  await page.getByText(`Listener web accepts on ${address()}.`).waitFor();
  noFaults(opened);
});

test('balancer: what was before the page was opened is drawn', async () => {
  const last = await origin('a');
  const { gateway, address } = create({ config: config(last, { admin }) });
  await gateway.start();
  traffic(address(), '/a');
  const at = gateway.state().admin!.address;
  // Until the gateway has kept some seconds.
  const query = 'name=spillway_endpoint_requests_total&from=-30s&step=1s&merged=true';
  for (let seconds = 0; seconds < 4;) {
    const answer = (await (await fetch(`http://${at}/api/series?${query}`)).json()) as { sampled: boolean[] };
    seconds = answer.sampled.filter(Boolean).length;
  }
  const feed = await fetch(`http://${at}/api/live`);
  const { value } = await feed.body!.getReader().read();
  await feed.body!.cancel().catch(() => {});
  const opened = await openPage(at, '#/config');
  const { page } = opened;
  // It is told one moment, again and again: what it draws, it was not there to see.
  await page.route('**/api/live', (route) =>
    route.fulfill({ contentType: 'text/event-stream', body: Buffer.from(value!) }),
  );
  await page.goto(`http://${at}/#/balancer`);
  await page.reload();
  await page.locator('svg.spark path[d*="L"]').first().waitFor({ state: 'attached' });
  noFaults(opened);
});

test('balancer: an endpoint is drained in two steps and brought back, and both are in the audit log', async () => {
  const endpoints = [await origin('a'), await origin('b')];
  const services = [{ name: 'shop', endpoints }];
  const { gateway, address, seen } = create({ config: { ...config(endpoints[0]!, { admin }), services } });
  await gateway.start();
  traffic(address(), '/a');
  const opened = await openToChange(gateway.state().admin!.address, '#/balancer');
  const { page } = opened;
  const [first = ''] = endpoints;
  const row = page.getByRole('row', { name: new RegExp(first) });
  await row
    .getByText(/ ms|µs/)
    .first()
    .waitFor(); // percentiles of its own
  await row.getByRole('button', { name: `Drain ${first} of shop` }).click();
  // Once more: until then nothing has happened.
  await page.getByRole('dialog').getByText('It gets no new requests.').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  assert.equal(gateway.state().services[0]!.endpoints[0]!.drain, null);
  await row.getByRole('button', { name: `Drain ${first} of shop` }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Drain', exact: true }).click();
  await page.getByText(`${first} drains. The audit log has a line of it.`).waitFor();
  await page.getByRole('button', { name: 'Close' }).click();
  await row.getByText('drained', { exact: true }).waitFor();
  assert.notEqual(gateway.state().services[0]!.endpoints[0]!.drain, null);
  await row.getByRole('button', { name: `Undrain ${first} of shop` }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Undrain', exact: true }).click();
  await page.getByText(`${first} serves again.`, { exact: false }).first().waitFor();
  const audits = seen.flatMap((event) => (event.kind === 'audit' ? [`${event.action} → ${event.outcome}`] : []));
  assert.deepEqual(audits, ['POST /api/drain → done', 'POST /api/undrain → done']);
  noFaults(opened);
});

test('balancer: what an endpoint was sent and what it answered with, in bytes', async () => {
  const server = createServer((asked, response) => asked.resume().on('end', () => response.end('abc')));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    server.close();
    server.closeAllConnections();
  });
  const { gateway, address } = create({
    config: config(`127.0.0.1:${(server.address() as AddressInfo).port}`, { admin }),
  });
  await gateway.start();
  await (await fetch(`http://${address()}/`, { method: 'POST', body: 'x'.repeat(2048) })).text();
  const opened = await openPage(gateway.state().admin!.address, '#/balancer');
  const row = opened.page.getByRole('region', { name: 'endpoints' }).getByRole('row', { name: /^shop / });
  await row.getByText('2.00 kB', { exact: true }).waitFor();
  await row.getByText('3 B', { exact: true }).waitFor();
  noFaults(opened);
});

test('balancer: totals of a service, the last check of each endpoint, how long it was out, its zone, and which is a backup', async () => {
  const server = createServer((_asked, response) => response.end('abc'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const dying = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const steady = await origin('b');
  const endpoints = [
    { address: dying, zone: 'east' },
    { address: steady, zone: 'east', backup: true },
  ];
  const health = { active: { path: '/', interval: '1s', timeout: '1s', unhealthyAfter: 1 } } as const;
  const services = [{ name: 'shop', endpoints, health }];
  const { gateway, address } = create({ config: { ...config(steady, { admin }), services, zone: 'east' } });
  await gateway.start();
  for (let request = 0; request < 3; request++) await (await fetch(`http://${address()}/`)).text();
  const opened = await openPage(gateway.state().admin!.address, '#/balancer');
  const { page } = opened;
  const totals = page.getByRole('region', { name: 'totals of services' }).getByRole('row', { name: /^shop / });
  await totals.getByText('2 of 2').waitFor();
  const row = (whose: string) => page.getByRole('region', { name: 'endpoints' }).getByRole('row', { name: new RegExp(whose) });
  await row(steady).getByText('backup', { exact: true }).waitFor();
  await row(steady).getByText('east', { exact: true }).waitFor();
  await row(dying).getByText('ok', { exact: true }).waitFor();
  server.close();
  server.closeAllConnections();
  await row(dying).locator('.check', { hasText: 'connection refused' }).waitFor();
  await row(dying).locator('[title^="Out since "]').waitFor();
  await totals.getByText('1 of 2').waitFor();
  await page.getByRole('button', { name: 'Down' }).click();
  await page.getByRole('columnheader', { name: 'Down' }).and(page.locator('[aria-sort=descending]')).waitFor();
  const { check, outMs, outSince, zone } = gateway.state().services[0]!.endpoints[0]!;
  assert.deepEqual([check?.result, check?.reason, zone], ['failure', 'connection refused', 'east']);
  assert.ok(outMs >= 0 && Date.parse(outSince!) <= Date.now());
  noFaults(opened);
}); // prettier-ignore

test('balancer: what is refused is said, and nothing has changed', async () => {
  const last = await origin('a');
  const { gateway } = create({ config: config(last, { admin }) });
  await gateway.start();
  const opened = await openToChange(gateway.state().admin!.address, '#/balancer');
  const { page } = opened;
  await page.getByRole('button', { name: `Drain ${last} of shop` }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Drain', exact: true }).click();
  await page.getByRole('dialog').getByText(/last/).waitFor();
  assert.equal(gateway.state().services[0]!.endpoints[0]!.drain, null);
});

test('balancer: a token that may only look is offered nothing that changes', async () => {
  const readToken = 'a-token-that-may-only-look';
  const admins = { ...admin, token: 'a-token-of-some-length', readToken };
  const { gateway } = create({ config: config(await origin('a'), { admin: admins }) });
  await gateway.start();
  const { page } = await openPage(gateway.state().admin!.address, '#/balancer');
  await page.getByLabel('Token of the admin API').fill(readToken);
  await page.keyboard.press('Enter');
  assert.equal(await page.getByRole('button', { name: /^Drain / }).isDisabled(), true);
  await page.getByRole('link', { name: 'shop', exact: true }).first().click();
  await page.waitForFunction(`[...document.querySelectorAll('.choices select')].some(({ value }) => value === 'shop')`);
  await page.getByRole('link', { name: 'Config' }).click();
  assert.equal(await page.getByRole('button', { name: 'Reload' }).isDisabled(), true);
});

test('limits: how full each is, by the key that has used the most of it', async () => {
  const limit = (name: string, share: number) => ({
    ...{ name, key: 'header:X-Api-Key' },
    algorithm: { type: 'fixed-window', limit: share, per: '366d' },
  }) as const;
  const { gateway, address } = create({
    config: {
      ...config(await origin('a'), { admin, limits: [limit('few', 10), limit('many', 1000), limit('idle', 1)] }),
      routes: [{ name: 'all', service: 'shop', limits: { requests: ['few', 'many'] } }],
    },
  });
  await gateway.start();
  for (const key of ['ann', 'ann', 'ann', 'bob', 'cid']) {
    await (await fetch(`http://${address()}/`, { headers: { 'X-Api-Key': key } })).text();
  }
  const opened = await openPage(gateway.state().admin!.address, '#/limits');
  const full = (name: string) => opened.page.getByRole('row', { name: new RegExp(`^${name} `) }).locator('td:nth-child(6)');
  await full('few').getByText('≤ 30').waitFor();
  await full('many').getByText('≤ 10').waitFor();
  assert.equal(await full('idle').textContent(), '–');
  // Three of five met a key that had used a tenth.
  assert.match((await full('few').locator('[title]').getAttribute('title'))!, /at most 10.0.%$/);
  noFaults(opened);
}); // prettier-ignore

test('limits: a policy, what it refuses and whom', async () => {
  const algorithm = { type: 'token-bucket', capacity: 1, refillPerSecond: 1 } as const;
  const limits = [{ name: 'per-key', algorithm, key: 'header:X-Api-Key', showKeys: true } as const];
  const { gateway, address } = create({
    config: {
      ...config(await origin('a'), { admin, limits }),
      routes: [{ name: 'all', service: 'shop', limits: { requests: ['per-key'] } }],
    },
  });
  await gateway.start();
  traffic(address(), '/', { 'X-Api-Key': 'ann' });
  const opened = await openPage(gateway.state().admin!.address, '#/limits');
  const { page } = opened;
  await page.getByRole('row', { name: /per-key token-bucket 1, 1\/s header:X-Api-Key all/ }).waitFor();
  await page.getByRole('row', { name: /^ann per-key \d/ }).waitFor();
  await page.getByRole('row', { name: /^rate_limited \d/ }).waitFor();
  noFaults(opened);
});

test('limits: limits, caches, breakers, locks and leaders of services that push their metrics are beside those of the gateway', async () => {
  const { gateway } = create({ config: config(await origin('a'), { admin }) });
  await gateway.start();
  const place = gateway.state().admin!.address;
  const metrics = createMetrics();
  const help = 'D.';
  const decided = metrics.counter({ name: 'spillway_limit_decisions_total', help, labels: ['limit', 'outcome', 'source'] });
  decided.bind({ limit: 'logins', outcome: 'allowed', source: 'memory' }).add(3);
  decided.bind({ limit: 'logins', outcome: 'refused', source: 'store' }).add(1);
  const asked = metrics.counter({ name: 'spillway_cache_requests_total', help, labels: ['cache', 'result'] });
  asked.bind({ cache: 'users', result: 'hit' }).add(9);
  asked.bind({ cache: 'users', result: 'miss' }).add(1);
  metrics.gauge({ name: 'spillway_breaker_state', help, labels: ['breaker', 'state'] }).bind({ breaker: 'mail', state: 'open' }).set(1);
  metrics.gauge({ name: 'spillway_lock_held', help, labels: ['lock', 'store'] }).bind({ lock: 'order', store: 'redis' }).set(2);
  metrics.gauge({ name: 'spillway_seat_term', help, labels: ['seat', 'holder'] }).bind({ seat: 'cron', holder: 'host-1' }).set(7);
  const batches: MetricBatch[] = [];
  for await (const batch of metrics.collect()) batches.push(batch);
  const whose = { service: 'cart', instance: 'cart-1', resource: {}, startMs: 1 };
  await pushOtlp(place, '/v1/metrics', encodeMetrics(batches, whose));
  const opened = await openPage(place, '#/limits');
  const row = (region: string, name: RegExp) =>
    opened.page.getByRole('region', { name: region, exact: true }).getByRole('row', { name }).waitFor();
  await row('limits of services', /^logins cart – – 1 4 memory 3, store 1$/);
  await row('caches', /^users cart 90.0.% 0.% 0.% 10 /);
  await row('breakers', /^mail cart cart-1 open/);
  await row('locks', /^order cart redis 2 0$/);
  await row('seats and who leads', /^cron host-1 7 /);
  noFaults(opened);
}); // prettier-ignore

test('config: what differs between two versions is shown, and the one before is put back in two steps', async () => {
  const [one, other] = [await origin('a'), await origin('b')];
  const { gateway, seen } = create({ config: config(one, { admin }) });
  await gateway.start();
  await gateway.reload({ config: config(other, { admin }) });
  const opened = await openToChange(gateway.state().admin!.address, '#/config');
  const { page } = opened;
  await page.getByText('From version 1 to 2').waitFor();
  await page.locator('.diff .gone', { hasText: one }).waitFor();
  await page.locator('.diff .new', { hasText: other }).waitFor();
  await page.getByRole('button', { name: 'Roll back to version 1' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Roll back', exact: true }).click();
  await page.getByText('Version 3 is in force.').waitFor();
  assert.equal(gateway.state().services[0]!.endpoints[0]!.address, one);
  assert.ok(seen.some((event) => event.kind === 'audit' && event.action === 'POST /api/rollback'));
  await page.getByRole('button', { name: 'Close' }).click();
  await page.getByRole('row', { name: /^3 in force/ }).waitFor();
  noFaults(opened);
});

test('config: one on trial is said, with its share, the time that is left and the numbers of both sides', async () => {
  const [one, other] = [await origin('a'), await origin('b')];
  const { gateway, address } = create({ config: config(one, { admin }) });
  await gateway.start();
  traffic(address(), '/a');
  await gateway.apply({ config: config(other, { admin }), trial: { share: 0.3, watchMs: 3_600_000 } });
  const opened = await openPage(gateway.state().admin!.address, '#/config');
  const { page } = opened;
  const trial = page.locator('.canary');
  await trial.getByText('On trial a config of the program on 30.0 % of the connections').waitFor();
  await trial
    .getByText(/^\d+ requests, 0 errors/)
    .first()
    .waitFor();
  assert.equal(await trial.locator('dd').count(), 2);
  // Any change ends it.
  await gateway.reload({ config: config(await origin('c'), { admin }) });
  await trial.getByText('rolled-back').waitFor();
  noFaults(opened);
});
