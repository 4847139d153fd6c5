/** The same keys on the same nodes as the programs that Spillway's ring takes over from. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { serverPath } from '../../scripts/servers.ts';
import type { KetamaClient } from './ketama.ts';
import type { Node } from './node.ts';
import { createRing } from './ring.ts';

const five = Array.from({ length: 5 }, (_, index) => ({ name: `10.0.1.${index + 1}:11211` }));
const mixed = [
  { name: '10.0.1.1:11211', weight: 1 },
  { name: '10.0.1.2:11211', weight: 3 },
  { name: '10.0.1.3:11311', weight: 7 },
  { name: 'cache.example:11212', weight: 2 },
];
const many = Array.from({ length: 23 }, (_, index) => ({
  name: `10.0.1.${index + 1}:11211`,
  weight: (((index + 1) * 37) % 11) + 1,
}));

/** The nodes of key-0 to key-119, a character each. */
function placed(nodes: readonly Node[], compatible: KetamaClient): string {
  const ring = createRing(nodes, { compatible });
  const letters = '0123456789abcdefghijklmnop';
  return Array.from({ length: 120 }, (_, index) => letters[ring.locate(ring.position(`key-${index}`), null)]).join('');
}

test('as libmemcached 1.1.4 does: memcached_generate_hash with KETAMA_WEIGHTED', () => {
  assert.equal(
    placed(five, 'libmemcached'),
    '222441242104010101212122202013414412433404120114443030113432140234240144000124220001211242401334333121343204131133412031',
  );
  assert.equal(
    placed(mixed, 'libmemcached'),
    '220221123123210101112122233233233210132322222111132212212123133321222322232123220212313312221212222201222232221121111222',
  );
  assert.equal(
    placed(many, 'libmemcached'),
    '49h4k1cc79fkj161eicicjh7ccf76ajmb416dicckmieb616c4ef9j91k5ce476k4619759i9871jjhm86017bji4hhiae3k9h3cf1ccc167a4f499k1hf8c',
  );
});

test('as hashring 3.2.0 of npm does', () => {
  assert.equal(
    placed(five, 'hashring'),
    '222224443102001240430413001303300211412024241020343140133303344020223412313000014244120100441241201213233430022311413011',
  );
  assert.equal(
    placed(mixed, 'hashring'),
    '221222223121221220232222033233233211131322121020232112122123233320122312232003022212120130221211121113221232222121211211',
  );
  assert.equal(
    placed(many, 'hashring'),
    '7fbggj77794fbf797696mficikf1kk9ih77cii1ekk4e10f0349g40e7h7m6kf5ie0h418ig698djf04j6f4hce170ichi4fck7fchm93be0ejd9hm41f4f8',
  );
});

test('as the nginx on this machine does with hash … consistent', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-ketama-'));
  after(() => rmSync(folder, { recursive: true }));
  const servers = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const server = createServer((_request, response) => response.end(String((server.address() as AddressInfo).port)));
      await once(server.listen(0, '127.0.0.1'), 'listening');
      return server;
    }),
  );
  const nodes = servers.map((server, index) => ({
    name: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    weight: [1, 2, 1, 5][index]!,
  }));
  const upstream = nodes.map(({ name, weight }) => `server ${name} weight=${weight};`).join(' ');
  const socket = join(folder, 'nginx.sock');
  const config = join(folder, 'nginx.conf');
  writeFileSync(
    config,
    `daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log;
    events {}
    http {
      access_log off; client_body_temp_path ${folder}/a; proxy_temp_path ${folder}/b; fastcgi_temp_path ${folder}/c;
      uwsgi_temp_path ${folder}/d; scgi_temp_path ${folder}/e;
      upstream all { hash $arg_key consistent; ${upstream} }
      server { listen unix:${socket}; location / { proxy_pass http://all; } }
    }`,
  );
  const nginx = serverPath('nginx');
  const checked = spawnSync(nginx, ['-t', '-p', folder, '-c', config], { encoding: 'utf8' });
  assert.equal(checked.status, 0, checked.stderr);
  const child = spawn(nginx, ['-p', folder, '-c', config], { stdio: 'ignore' });
  try {
    const ring = createRing(nodes, { compatible: 'nginx' });
    for (let index = 0; index < 150; index++) {
      const key = `user:${index}`;
      assert.equal(ring.get(key), `127.0.0.1:${await ask(socket, `/?key=${key}`)}`, key);
    }
  } finally {
    child.kill();
    await once(child, 'exit');
    for (const server of servers) server.close();
    for (const server of servers) server.closeAllConnections();
  }
});

/** The body of an answer over a Unix socket; tried again until the server has its socket. */
async function ask(socketPath: string, path: string): Promise<string> {
  for (;;) {
    try {
      const sent = request({ socketPath, path, agent: false }).end();
      const [response] = (await once(sent, 'response')) as [AsyncIterable<Buffer>];
      let body = '';
      for await (const chunk of response) body += chunk.toString();
      return body;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'ECONNREFUSED') throw error;
    }
  }
}
