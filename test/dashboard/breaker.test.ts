/** A breaker opens while somebody looks: what is wrong is said in words, the change is on the timeline, and the service's screen has it. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { cleanups, create } from '../gateway-under-test.ts';
import { noFaults, openPage } from './page-under-test.ts';

test('a breaker that opens is a sentence of what is wrong, a change on the timeline, and a line of its service', async () => {
  const http = createServer((_request, response) => void response.writeHead(500).end());
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    http.close();
    http.closeAllConnections();
  });
  const { gateway, address, get } = create({
    config: {
      listeners: [{ name: 'web', address: '127.0.0.1:0' }],
      services: [
        {
          name: 'shop',
          endpoints: [`127.0.0.1:${(http.address() as AddressInfo).port}`],
          health: { passive: 'off' },
          breaker: { requests: 4, openFor: '1h', openForMax: '1h' },
        },
      ],
      routes: [{ service: 'shop' }],
      admin: { address: '127.0.0.1:0' },
    },
  });
  await gateway.start();
  const opened = await openPage(gateway.state().admin!.address);
  const { page } = opened;
  await page.getByText('Nothing is wrong.').waitFor();
  for (let request = 0; request < 4; request++) await get(address());
  const problem = page.getByRole('link', { name: 'The breaker of shop is open, so its requests are refused' });
  await problem.waitFor();
  const change = page.locator('ol.changes li', {
    hasText: 'The breaker of shop is open for 1h: 100 % of 4 calls failed.',
  });
  await change.waitFor();
  assert.equal(await change.locator('.kind').textContent(), 'breaker');
  assert.match((await change.getAttribute('class')) ?? '', /bad/);
  await problem.click();
  await page
    .getByRole('list', { name: 'Breakers' })
    .getByText('The breaker of shop is open: 100 % of 4 calls failed.')
    .waitFor();
  noFaults(opened);
});
