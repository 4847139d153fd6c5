/** What services push of their limits and locks, by a real service to a real gateway: how full, whom they refuse, and who holds what since when. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { cleanups, config, create, origin } from '../gateway-under-test.ts';
import { noFaults, openPage } from './page-under-test.ts';

const program = fileURLToPath(new URL('pushing-service.ts', import.meta.url));

test('limits: those of a service, how full they are and whom they refuse; its locks, and who holds them since when', async () => {
  const { gateway } = create({ config: config(await origin('a'), { admin: { address: '127.0.0.1:0' } }) });
  await gateway.start();
  const place = gateway.state().admin!.address;
  const service = fork(program, [`http://${place}`], { execArgv: ['--conditions=spillway-source'] });
  cleanups.push(() => service.kill('SIGKILL'));
  await once(service, 'message');

  const opened = await openPage(place, '#/limits');
  const rows = (region: string, name: RegExp) =>
    opened.page.getByRole('region', { name: region, exact: true }).getByRole('row', { name });
  await rows('limits of services', /^logins cart full 50\.0.% 5 10 store 10$/).waitFor();
  await rows('limits of services', /^searches cart full 50\.0.% 5 10 store 10$/).waitFor();
  await rows('limits of services', /^idle cart ≤ 30\.0.% 0.% 0 3 store 3$/).waitFor();
  await rows('keys that services refuse most', /^ann logins cart 5$/).waitFor();
  await rows('keys that services refuse most', /^[0-9a-f]{16} searches cart 5$/).waitFor();
  const held = rows('locks that are held longest', /^order:42 host-1 \S+.\S+ order cart memory$/);
  await held.waitFor();
  const long = rows('locks that are held longest', /^stock:7{200} host-1 /);
  await long.waitFor();
  // It is cut, and told whole to whoever points at it; no other column is pushed out of sight.
  assert.equal(await long.getByTitle(/^stock:7{200}$/).count(), 1);
  const region = opened.page.getByRole('region', { name: 'locks that are held longest', exact: true });
  assert.equal(await region.evaluate((element) => element.scrollWidth <= element.clientWidth), true);
  assert.doesNotMatch((await opened.page.textContent('main'))!, /secret/);

  service.send('give it back');
  await held.waitFor({ state: 'detached' });
  await rows('locks', /^order cart memory 0 0$/).waitFor();
  await rows('locks that are held longest', /^stock:7+ /).waitFor();
  noFaults(opened);
});
