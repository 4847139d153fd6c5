import assert from 'node:assert/strict';
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { authorized } from '../../../test/admin-token.ts';
import { config, create, folder, origin } from '../../../test/gateway-under-test.ts';
import { applyRefusal } from './applied-file.ts';

test('a config is applied from the folder of the first one, or below, by whatever name that has', async () => {
  const home = folder();
  const first = join(home, 'spillway.yaml');
  mkdirSync(join(home, 'below'));
  const link = join(folder(), 'current');
  symlinkSync(home, link);
  for (const file of ['next.yaml', 'below/next.yml', 'next.json', 'next.config.ts', 'below/../next.mjs']) {
    assert.equal(await applyRefusal(join(home, file), first), null);
    assert.equal(await applyRefusal(join(link, file), first), null);
    assert.equal(await applyRefusal(join(home, file), join(link, 'spillway.yaml')), null);
  }
});

test('nothing else is read: neither what lies elsewhere nor what is no config', async () => {
  const home = join(folder(), 'home');
  mkdirSync(home);
  mkdirSync(`${home}-2`);
  const first = join(home, 'spillway.yaml');
  const elsewhere = /is not in .*home, where the config of this gateway is/;
  symlinkSync(`${home}-2`, join(home, 'out'));
  for (const file of [
    `${home}-2/a.yaml`,
    `${home}/../a.yaml`,
    `${home}/out/a.yaml`,
    `${home}/gone/a.yaml`,
    '/a.yaml',
  ]) {
    assert.match((await applyRefusal(file, first)) ?? '', elsewhere);
  }
  for (const file of ['key.pem', 'admin-token', '.yaml', 'a.yaml.pem', 'shadow']) {
    assert.match((await applyRefusal(join(home, file), first)) ?? '', /^The name of a config ends in one of \.yaml, /);
  }
  assert.match((await applyRefusal(join(home, 'a.yaml'), null)) ?? '', /by a program/);
  assert.equal(await applyRefusal('/a.yaml', '/spillway.yaml'), null);
});

test('a module from elsewhere is not run, and a file from elsewhere not repeated, for whoever reaches the admin API', async () => {
  const [home, elsewhere] = [folder(), folder()];
  const first = join(home, 'spillway.json');
  writeFileSync(first, JSON.stringify(config(await origin('one'), { admin: { address: '127.0.0.1:0' } })));
  const { gateway } = create({ file: first });
  await gateway.start();
  const ran = join(elsewhere, 'ran');
  const program = `import { writeFileSync } from 'node:fs'; writeFileSync(${JSON.stringify(ran)}, ''); export default {};`;
  writeFileSync(join(elsewhere, 'next.mjs'), program);
  writeFileSync(join(elsewhere, 'secret.yaml'), 'secret-word: 1\n');
  const { address } = gateway.state().admin!;
  const url = `http://${address}/api/apply`;
  const headers = await authorized(address);
  for (const trial of [{}, { canary: '10%', watch: '1m' }]) {
    for (const name of ['next.mjs', 'secret.yaml']) {
      const body = JSON.stringify({ file: join(elsewhere, name), ...trial });
      const answer = await fetch(url, { method: 'POST', headers, body });
      const text = await answer.text();
      assert.equal(answer.status, 422);
      assert.match(text, /where the config of this gateway is/);
      assert.doesNotMatch(text, /secret-word/);
    }
  }
  assert.ok(!existsSync(ran));
  assert.equal(gateway.state().configVersion, 1);
});
