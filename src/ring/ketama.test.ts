/** The same keys on the same nodes as the programs that Spillway's ring takes over from. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import * as fc from 'fast-check';
import HashRing from 'hashring';
import { serverPath } from '../../scripts/servers.ts';
import { libmemcachedPlaces, type MemcachedHost } from '../../test/servers/libmemcached.ts';
import type { Node } from './node.ts';
import { createRing } from './ring.ts';

/** Hosts as a config has them, the port 11211 among others; weights as far apart as people have them. */
const hosts = (weightMax: number) =>
  fc.uniqueArray(
    fc.record({
      host: fc.oneof(fc.ipV4(), fc.domain()),
      port: fc.oneof(
        { weight: 2, arbitrary: fc.constant(11_211) },
        { weight: 1, arbitrary: fc.integer({ min: 1, max: 65_535 }) },
      ),
      weight: fc.integer({ min: 1, max: weightMax }),
    }),
    { minLength: 1, maxLength: 24, selector: ({ host, port }) => `${host}:${port}` },
  );
/** libmemcached is asked in C: a key ends at a zero byte there only in other calls, so any text is one. */
const keys = fc.array(fc.string({ unit: 'binary', maxLength: 40 }), { minLength: 200, maxLength: 300 });

function nodesOf(given: readonly MemcachedHost[]): Node[] {
  return given.map(({ host, port, weight }) => ({ name: `${host}:${port}`, weight }));
}

for (const [compatible, behavior, weightMax] of [
  ['libmemcached', 'KETAMA_WEIGHTED', 100],
  ['libmemcached-unweighted', 'KETAMA', 1],
] as const) {
  test(`as the libmemcached on this machine does with ${behavior}: any hosts, weights and keys`, () => {
    const each = fc.record({ hosts: hosts(weightMax), keys });
    fc.assert(
      // Many cases a run: starting Python takes longer than all of them.
      fc.property(fc.array(each, { minLength: 20, maxLength: 20 }), (cases) => {
        const places = cases.map(({ hosts: given, keys: some }) => {
          const ring = createRing(nodesOf(given), { compatible });
          return some.map((key) => ring.locate(ring.position(key), null));
        });
        assert.deepEqual(places, libmemcachedPlaces(behavior, cases));
      }),
      { numRuns: 2, endOnFailure: true },
    );
  });
}

test('as the hashring of npm does: any hosts, weights and keys', () => {
  fc.assert(
    fc.property(hosts(100), keys, (given, some) => {
      const nodes = nodesOf(given);
      const ring = createRing(nodes, { compatible: 'hashring' });
      const weights = Object.fromEntries(nodes.map(({ name, weight }) => [name, { weight: weight! }]));
      const theirs = new HashRing(weights);
      // Its cache is a plain object, and takes what every object has for an answer: “toString”.
      const asked = some.filter((key) => !(key in {}));
      for (const key of asked) {
        assert.equal(ring.get(key), theirs.get(key), JSON.stringify(key));
        assert.deepEqual(ring.getReplicas(key, 3), theirs.range(key, 3), JSON.stringify(key));
      }
    }),
    { numRuns: 30 },
  );
});

test('the MD5 beneath has the values of RFC 1321, appendix A.5', () => {
  const ring = createRing(['a'], { compatible: 'hashring' });
  for (const [key, digest] of [
    ['', 'd41d8cd98f00b204e9800998ecf8427e'],
    ['message digest', 'f96b697d7cb7938d525a2f31aaf161d0'],
    ['abcdefghijklmnopqrstuvwxyz', 'c3fcd3d76192e4007dfb496cca67e13b'],
  ] as const) {
    assert.equal(ring.position(key), Buffer.from(digest, 'hex').readInt32LE(0));
  }
});

test('weights that a client cannot be given are refused', () => {
  const refused = { code: 'OPTIONS_INVALID', message: /The weight of “a” is/ };
  for (const compatible of ['nginx', 'libmemcached'] as const) {
    assert.throws(() => createRing([{ name: 'a', weight: 0.5 }], { compatible }), refused);
  }
  assert.throws(() => createRing([{ name: 'a', weight: 2 }], { compatible: 'libmemcached-unweighted' }), refused);
});

test('two names of one server are refused', () => {
  for (const [compatible, ...names] of [
    ['libmemcached', 'cache', 'cache:11211'],
    ['libmemcached-unweighted', 'cache', 'cache:11211'],
    ['nginx', 'UNIX:/run/a.sock', 'unix:/run/a.sock'],
  ] as const) {
    const message = new RegExp(`“${names[0]}” and “${names[1]}” are one server to ${compatible}`);
    assert.throws(() => createRing(names, { compatible }), { code: 'OPTIONS_INVALID', message });
  }
  assert.equal(createRing(['cache', 'cache:11211'], { compatible: 'hashring' }).nodes.length, 2);
});

test('more points than a ring may have are refused before they are made', () => {
  // Made first, they would take 10 GB.
  const heavy = Array.from({ length: 8 }, (_, index) => ({ name: `n${index}`, weight: 1e6 }));
  assert.throws(() => createRing(heavy, { compatible: 'nginx' }), {
    code: 'OPTIONS_INVALID',
    message: /1280000000 points/,
  });
});

test('as the nginx on this machine does with hash … consistent', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-ketama-'));
  after(() => rmSync(folder, { recursive: true }));
  const nameOf = (server: Server): string => {
    const address = server.address()!;
    return typeof address === 'string' ? `unix:${address}` : `127.0.0.1:${address.port}`;
  };
  // Some by port, one by a path that ends as a port does.
  const servers = await Promise.all(
    [0, 0, join(folder, 'server:1'), 0].map(async (place) => {
      const server = createServer((_request, response) => response.end(nameOf(server)));
      await once(typeof place === 'string' ? server.listen(place) : server.listen(place, '127.0.0.1'), 'listening');
      return server;
    }),
  );
  const nodes = servers.map((server, index) => ({ name: nameOf(server), weight: [1, 2, 3, 5][index]! }));
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
      assert.equal(ring.get(key), await ask(socket, `/?key=${key}`), key);
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
