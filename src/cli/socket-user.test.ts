import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, chownSync, lchownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { socketUser } from './socket-user.ts';

const own = process.getuid?.() ?? -1;
const folder = mkdtempSync(join(tmpdir(), 'spillway-socket-user-'));
after(() => rmSync(folder, { recursive: true }));

async function socketIn(...names: readonly string[]): Promise<string> {
  const directory = join(folder, ...names);
  mkdirSync(directory, { recursive: true });
  const server = createServer().listen(join(directory, 'admin.sock'));
  await once(server, 'listening');
  after(() => server.close());
  return join(directory, 'admin.sock');
}

test('CWE-367: a socket is its owner’s where nobody else can put another in its place', async () => {
  const path = await socketIn('shared', 'kept');
  const [shared, kept] = [join(folder, 'shared'), join(folder, 'shared', 'kept')];
  assert.equal(socketUser(path, own), own);
  for (const mode of [0o777, 0o1777]) {
    chmodSync(kept, mode);
    assert.equal(socketUser(path, own), 'replaceable', `mode ${mode.toString(8)}`);
  }
  chmodSync(kept, 0o755);
  chmodSync(shared, 0o777);
  assert.equal(socketUser(path, own), 'replaceable', 'its directory can be moved away');
  chmodSync(shared, 0o1777);
  assert.equal(socketUser(path, own), own, 'its directory is in one like /tmp');
  // Who has the directory may do with it what he likes; only root may give one away.
  if (own === 0) chownSync(kept, 65_534, 65_534);
  assert.equal(socketUser(path, own === 0 ? own : own + 1), 'replaceable', 'its directory is another’s');
  assert.equal(socketUser(path, own === 0 ? 65_534 : own), own);
});

test('a link on the way is as good as where it lies, and nothing but a socket is one', async () => {
  const path = await socketIn('linked');
  const links = join(folder, 'links');
  mkdirSync(links);
  const link = join(links, 'way');
  symlinkSync(join(folder, 'linked'), link);
  const byLink = join(link, 'admin.sock');
  assert.equal(socketUser(byLink, own), own);
  chmodSync(links, 0o777);
  assert.equal(socketUser(byLink, own), 'replaceable');
  assert.equal(socketUser(path, own), own);
  chmodSync(links, 0o1777);
  if (own === 0) lchownSync(link, 65_534, 65_534);
  assert.equal(socketUser(byLink, own), own === 0 ? 'replaceable' : own, 'whose the link is says who may turn it');
  const file = join(folder, 'file');
  writeFileSync(file, '');
  for (const other of [file, join(folder, 'none')]) assert.equal(socketUser(other, own), 'unseen');
});
