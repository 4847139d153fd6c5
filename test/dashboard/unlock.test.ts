/** Who may change something from a page, in a real browser: by the link with the token, by typing it, and not from anywhere else. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { tokenOf } from '../admin-token.ts';
import { cleanups, config, create, origin } from '../gateway-under-test.ts';
import { noFaults, openPage, openToChange } from './page-under-test.ts';

async function shop() {
  const endpoints = [await origin('a'), await origin('b')];
  const services = [{ name: 'shop', endpoints }];
  const given = config(endpoints[0]!, { admin: { address: '127.0.0.1:0' } });
  const created = create({ config: { ...given, services } });
  await created.gateway.start();
  const admin = created.gateway.state().admin!.address;
  return { ...created, admin, token: await tokenOf(admin), drain: `Drain ${endpoints[0]} of shop` };
}

test('a link with the token unlocks, on the screen that it names, and the token is out of the address at once', async () => {
  const { admin, drain, token } = await shop();
  const opened = await openToChange(admin, '#/balancer');
  const { page } = opened;
  await page.locator('button:enabled', { hasText: 'Drain' }).first().waitFor();
  assert.equal(page.url(), `http://${admin}/#/balancer`);
  assert.equal(await page.getByRole('button', { name: 'Unlock' }).count(), 0);
  await page.reload();
  await page.getByRole('button', { name: drain, disabled: false }).waitFor();
  // Nothing of what the page shows, and no address that it was at, has it.
  assert.ok(!(await page.content()).includes(token));
  await page.goBack().catch(() => null);
  assert.ok(!page.url().includes(token));
  noFaults(opened);
});

test('a link that is pasted into an open page unlocks it too', async () => {
  const { admin, drain, token } = await shop();
  const opened = await openPage(admin, '#/balancer');
  const { page } = opened;
  await page.getByRole('button', { name: drain, disabled: true }).waitFor();
  await page.goto(`http://${admin}/#token=${token}/balancer`);
  await page.getByRole('button', { name: drain, disabled: false }).waitFor();
  assert.equal(page.url(), `http://${admin}/#/balancer`);
  noFaults(opened);
});

test('without the token one may look, is told where it is, and may type it', async () => {
  const { admin, drain, gateway, token } = await shop();
  const opened = await openPage(admin, '#/balancer');
  const { page } = opened;
  const button = page.getByRole('button', { name: drain });
  await button.waitFor();
  assert.equal(await button.isDisabled(), true);
  assert.match((await button.getAttribute('title')) ?? '', /takes the token: Unlock/);
  const unlock = page.getByRole('button', { name: 'Unlock' });
  await unlock.click();
  await page.getByText(`The one in ${gateway.state().admin!.madeToken!.file}`).waitFor();
  const field = page.getByLabel('Token of the admin API');
  await field.fill(`spillway_${'a'.repeat(43)}`);
  await page.keyboard.press('Enter');
  await page.getByText('The gateway does not know this token.').waitFor();
  await page.getByRole('button', { name: 'Only look' }).click();
  await button.waitFor();
  assert.equal(await button.isDisabled(), true);
  await unlock.click();
  await field.fill(token);
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: drain, disabled: false }).waitFor();
  noFaults(opened);
});

test('a page whose token is worth nothing any more may not change anything, and asks for another', async () => {
  const { admin, drain, gateway } = await shop();
  const opened = await openToChange(admin, '#/balancer');
  const { page } = opened;
  await page.getByRole('button', { name: drain, disabled: false }).waitFor();
  rmSync(gateway.state().admin!.madeToken!.file!);
  await page.getByRole('button', { name: drain }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Drain', exact: true }).click();
  await page.getByText('The gateway does not know this token.').waitFor();
  assert.equal(gateway.state().services[0]!.endpoints[0]!.drain, null);
  await page.getByLabel('Token of the admin API').fill(await tokenOf(admin));
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: drain, disabled: false }).waitFor();
  noFaults(opened);
});

test('a page of another origin reads nothing and changes nothing, whatever way it asks', async () => {
  const { admin, gateway, seen, token } = await shop();
  const elsewhere = createServer((_request, response) => {
    response.setHeader('Content-Type', 'text/html');
    response.end('<!doctype html><title>elsewhere</title><iframe name="sink"></iframe>');
  });
  await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    elsewhere.close();
    elsewhere.closeAllConnections();
  });
  const { port } = elsewhere.address() as AddressInfo;
  // Its own console says what the browser forbids it: no fault.
  const { page } = await openPage(`127.0.0.1:${port}`);
  const tried = await page.evaluate(`(async () => {
    const at = ${JSON.stringify(`http://${admin}`)};
    const read = async (options) => {
      try {
        const answer = await fetch(at + (options.path ?? '/api/state'), options);
        return answer.type === 'opaque' ? 'opaque' : 'read ' + (await answer.text()).length;
      } catch { return 'blocked'; }
    };
    const load = (element, url) => new Promise((resolve) => {
      const node = document.createElement(element);
      node.onload = () => resolve('loaded');
      node.onerror = () => resolve('blocked');
      node.src = url;
      document.body.append(node);
    });
    const post = { method: 'POST', path: '/api/drain', body: '{"endpoint":"127.0.0.1:1"}' };
    const authorization = { Authorization: 'Bearer ' + ${JSON.stringify(token)} };
    return [
      await read({}),
      await read({ headers: authorization }),
      await read(post),
      await read({ ...post, headers: authorization }),
      await read({ mode: 'no-cors' }),
      await read({ ...post, mode: 'no-cors' }),
      await load('script', at + '/api/state'),
      await load('img', at + '/metrics'),
    ];
  })()`);
  assert.deepEqual(tried, ['blocked', 'blocked', 'blocked', 'blocked', 'blocked', 'blocked', 'blocked', 'blocked']);
  // A form needs no leave to be sent.
  await page.evaluate(`(() => {
    const form = document.createElement('form');
    Object.assign(form, { method: 'post', enctype: 'text/plain', target: 'sink', action: ${JSON.stringify(`http://${admin}/api/reload`)} });
    document.body.append(form);
    form.submit();
  })()`);
  const audited = (): number => seen.filter(({ kind }) => kind === 'audit').length;
  while (audited() < 3) await new Promise((resolve) => setImmediate(resolve));
  for (const event of seen) if (event.kind === 'audit') assert.match(event.outcome, /^refused: 40[13]/);
  assert.equal(gateway.state().configVersion, 1);
});
