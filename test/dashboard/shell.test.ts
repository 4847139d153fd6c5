/** The dashboard as an operator meets it, in a real browser before a real gateway: what holds on every screen. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { config, create, origin } from '../gateway-under-test.ts';
import { noFaults, openPage } from './page-under-test.ts';

const admin = { address: '127.0.0.1:0' };
const token = 'a-token-of-some-length';
const pushToken = 'a-token-for-pushing-alone';

test('shows live numbers without a fault, and is closed to whatever is not its own', async () => {
  const { gateway } = create({ config: config(await origin('a'), { admin }) });
  await gateway.start();
  const opened = await openPage(gateway.state().admin!.address);
  const { page } = opened;
  await page.getByText('Nothing is wrong.').waitFor();
  await page.locator('.link.live').waitFor();
  noFaults(opened);
  // What the policy of the page forbids is forbidden: script in the page, and calls to elsewhere.
  const broken = await page.evaluate(`new Promise((resolve) => {
    const seen = new Set();
    document.addEventListener('securitypolicyviolation', ({ effectiveDirective }) => {
      seen.add(effectiveDirective);
      if (seen.size === 3) resolve([...seen].toSorted());
    });
    const script = document.createElement('script');
    try { script.textContent = 'window.wasRun = true'; } catch { script.append('window.wasRun = true'); }
    document.body.append(script);
    const image = document.createElement('img');
    image.src = 'http://127.0.0.2:1/a.png';
    document.body.append(image);
    fetch('http://127.0.0.2:1/').catch(() => {});
  })`);
  assert.deepEqual(broken, ['connect-src', 'img-src', 'require-trusted-types-for']);
  assert.equal(await page.evaluate('window.wasRun'), undefined);
});

test('a server that dies while somebody looks is said in words', async () => {
  const server = createServer((_request, response) => void response.end('a'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const health = { active: { path: '/', interval: '1s', timeout: '1s', unhealthyAfter: 1 } } as const;
  const services = [{ name: 'shop', endpoints: [address, await origin('b')], health }];
  const { gateway } = create({ config: { ...config(address, { admin }), services } });
  await gateway.start();
  const opened = await openPage(gateway.state().admin!.address);
  const { page } = opened;
  await page.getByText('Nothing is wrong.').waitFor();
  server.close();
  server.closeAllConnections();
  await page.locator('.problems').getByText(`${address} of shop is down: connection refused.`).waitFor();
  noFaults(opened);
});

test('asks for a token where there is one, says when it is wrong, and keeps it for this tab', async () => {
  const { gateway } = create({ config: config(await origin('a'), { admin: { ...admin, token, pushToken } }) });
  await gateway.start();
  const opened = await openPage(gateway.state().admin!.address);
  const { page } = opened;
  const field = page.getByLabel('Token of the admin API');
  await field.fill('a-wrong-token-of-some-length');
  await page.keyboard.press('Enter');
  await page.getByText('The gateway does not know this token.').waitFor();
  // Of these neither a reload nor another token would get one out, if they were kept.
  await field.fill('…a-token-that-was-cut-off');
  await page.keyboard.press('Enter');
  await page.getByText('No token has such characters.').waitFor();
  await field.fill(pushToken);
  await page.keyboard.press('Enter');
  await page.getByText('This token is not for that').waitFor();
  await field.fill(token);
  await page.keyboard.press('Enter');
  await page.getByText('Nothing is wrong.').waitFor();
  await page.reload();
  await page.getByText('Nothing is wrong.').waitFor();
  assert.equal(await page.evaluate('sessionStorage.length'), 1);
  assert.doesNotMatch(page.url(), new RegExp(token));
  noFaults(opened);
});

test('says that the gateway is gone, and goes on by itself when it is there again', async () => {
  const home = await origin('a');
  const first = create({ config: config(home, { admin }) });
  await first.gateway.start();
  const { address } = first.gateway.state().admin!;
  const opened = await openPage(address);
  const { page } = opened;
  await page.locator('.link.live').waitFor();
  await first.gateway.stop();
  await page.getByRole('alert').getByText('No live numbers.').waitFor();
  const { gateway } = create({ config: config(home, { admin: { address } }) });
  await gateway.start();
  await page.locator('.link.live').waitFor();
  // What was asked for while it was gone is asked for again; until then it is said to be old.
  await page.getByRole('alert').waitFor({ state: 'detached' });
  noFaults(opened);
});
