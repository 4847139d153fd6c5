/** Connections to endpoints: reused, limited, queued for, given up; and retries where a dead one is found. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { eventually, onBoth, type Bench } from '../../../test/engine/bench.ts';
import { freePort } from '../../../test/ports.ts';
import { fieldOf } from '../../../test/engine/message.ts';
import { answer } from '../../../test/engine/origin.ts';
import { turn } from '../../../test/engine/peer.ts';

const get = (path: string, fields = ''): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
const post = (path: string): string => `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody`;

onBoth('a connection that served a request serves the next, of any client', async (bench) => {
  const { origin, gateway, client } = await bench.line();
  const other = await bench.client(gateway);
  origin.serve(({ target }, connection) => {
    connection.write(answer(target));
  });
  for (let i = 0; i < 10; i += 1) {
    const who = i % 2 === 0 ? client : other;
    who.write(get(`/${i}`));
    assert.equal((await who.response()).body.toString(), `/${i}`);
  }
  assert.equal(origin.connections.length, 1);
  assert.equal(gateway.endpoint('connects'), 1);
  assert.equal(gateway.endpoint('reuses'), 9);
  assert.equal(gateway.endpoint('idle'), 1);
});

onBoth('a server that says close is not asked again on that connection (RFC 9112 §9.6)', async (bench) => {
  const { origin, client } = await bench.line();
  client.write(get('/a'));
  const first = await origin.accept();
  await first.request();
  first.write(answer('a', 'Connection: close\r\n'));
  assert.equal(fieldOf(await client.response(), 'connection'), undefined, 'the client is not concerned');
  await first.gone();
  client.write(get('/b'));
  await (await origin.accept()).request();
});

onBoth('RFC 9112 §9.5: a server that closes an idle connection is not asked on it', async (bench) => {
  const { origin, gateway, client } = await bench.line();
  client.write(get('/a'));
  const first = await origin.accept();
  await first.request();
  first.write(answer('a'));
  await client.response();
  first.end();
  await eventually('it is let go', () => gateway.endpoint('idle') === 0);
  client.write(post('/b'));
  const second = await origin.accept();
  assert.equal((await second.request()).target, '/b');
  second.write(answer('b'));
  assert.equal((await client.response()).status, 200);
});

onBoth('RFC 9112 §9.5: an unused connection is closed after its idle time', async (bench) => {
  const { origin, gateway, client } = await bench.line({ serviceTimeouts: { idleMs: 200 } });
  client.write(get('/a'));
  const server = await origin.accept();
  await server.request();
  server.write(answer('a'));
  await client.response();
  assert.equal(gateway.endpoint('idle'), 1);
  assert.equal(await server.gone(), 'end');
  await eventually('it is let go', () => gateway.endpoint('connections') === 0);
});

onBoth(
  'RFC 9112 §9.4: no more connections are kept than the limit says, and none is used more often',
  async (bench) => {
    const { origin, gateway } = await bench.line({
      serviceLimits: { idleConnectionsMax: 2, requestsPerConnectionMax: 3 },
    });
    const clients = await Promise.all(Array.from({ length: 5 }, async () => await bench.client(gateway)));
    for (const client of clients) client.write(get('/'));
    const servers = await Promise.all(clients.map(async () => await origin.accept()));
    for (const server of servers) await server.request();
    for (const server of servers) server.write(answer());
    for (const client of clients) await client.response();
    await eventually('three are closed', () => servers.filter(({ ended }) => ended).length === 3);
    assert.equal(gateway.endpoint('idle'), 2);
    for (let i = 0; i < 4; i += 1) {
      clients[0]!.write(get('/'));
      await eventually('one is asked', () => servers.some(({ received }) => received.length > 0));
      const asked = servers.find(({ received }) => received.length > 0)!;
      await asked.request();
      asked.write(answer());
      await clients[0]!.response();
    }
    await eventually('all are closed, after three requests each', () => servers.every(({ ended }) => ended));
    assert.equal(gateway.endpoint('connects'), 5);
  },
);

onBoth('RFC 9112 §9.4: requests beyond the connections wait in line, in order', async (bench) => {
  const { origin, gateway } = await bench.line({ serviceLimits: { connectionsMax: 1 } });
  const clients = await Promise.all(Array.from({ length: 4 }, async () => await bench.client(gateway)));
  for (const [i, client] of clients.entries()) {
    client.write(get(`/${i}`));
    await eventually('it waits or runs', () => gateway.route('inFlight') === i + 1);
  }
  const server = await origin.accept();
  assert.equal(gateway.endpoint('queued'), 3);
  for (const [i, client] of clients.entries()) {
    assert.equal((await server.request()).target, `/${i}`);
    server.write(answer(`${i}`));
    assert.equal((await client.response()).body.toString(), `${i}`);
  }
  assert.equal(origin.connections.length, 1);
});

onBoth('a connection that ends frees its place for the next in line', async (bench) => {
  const { origin, gateway, client } = await bench.line({ serviceLimits: { connectionsMax: 1 } });
  const other = await bench.client(gateway);
  client.write(get('/a'));
  const first = await origin.accept();
  await first.request();
  other.write(get('/b'));
  await eventually('it waits', () => gateway.endpoint('queued') === 1);
  first.write(answer('a', 'Connection: close\r\n'));
  await client.response();
  const second = await origin.accept();
  assert.equal((await second.request()).target, '/b');
  second.write(answer('b'));
  await other.response();
});

onBoth('a client that leaves the line is not waited for', async (bench) => {
  const { origin, gateway, client } = await bench.line({ serviceLimits: { connectionsMax: 1 } });
  const [leaving, staying] = [await bench.client(gateway), await bench.client(gateway)];
  client.write(get('/a'));
  const server = await origin.accept();
  await server.request();
  leaving.write(get('/b'));
  await eventually('it waits', () => gateway.endpoint('queued') === 1);
  staying.write(get('/c'));
  await eventually('both wait', () => gateway.endpoint('queued') === 2);
  leaving.reset();
  await eventually('one waits', () => gateway.endpoint('queued') === 1);
  server.write(answer('a'));
  assert.equal((await server.request()).target, '/c');
  assert.equal(gateway.route('aborted'), 1);
});

onBoth('RFC 9112 §9.4: a full line is refused at once, a long wait in the end', async (bench) => {
  const { origin, gateway, client } = await bench.line({
    serviceLimits: { connectionsMax: 1, queueMax: 1 },
    serviceTimeouts: { queueMs: 300 },
  });
  const [second, third] = [await bench.client(gateway), await bench.client(gateway)];
  client.write(get('/a'));
  await (await origin.accept()).request();
  second.write(get('/b'));
  await eventually('it waits', () => gateway.endpoint('queued') === 1);
  third.write(get('/c'));
  assert.equal(fieldOf(await third.refusal(503, 'queue_full'), 'retry-after'), '7');
  await second.refusal(503, 'queue_timeout');
  assert.equal(gateway.refusals('queue_full'), 1);
  assert.equal(gateway.refusals('queue_timeout'), 1);
  assert.equal(gateway.endpoint('inFlight'), 1);
});

onBoth(
  'RFC 9110 §9.2.2: a reused connection that turns out dead: an idempotent request goes to a fresh one',
  async (bench) => {
    const { origin, gateway, client } = await bench.line();
    client.write(get('/a'));
    const first = await origin.accept();
    await first.request();
    first.write(answer('a'));
    await client.response();
    client.write(get('/b'));
    await first.request();
    first.reset(); // as a server does whose idle time ran out while the request was on its way
    const second = await origin.accept();
    assert.equal((await second.request()).target, '/b');
    second.write(answer('b'));
    assert.equal((await client.response()).body.toString(), 'b');
    assert.equal(gateway.endpoint('retries'), 1);
  },
);

onBoth('RFC 9110 §9.2.2: a POST that was sent is not sent again', async (bench) => {
  const { origin, gateway, client } = await bench.line();
  for (const how of ['reset', 'end'] as const) {
    client.write(get('/a'));
    const server = await origin.accept();
    await server.request();
    server.write(answer('a'));
    await client.response();
    client.write(post('/b'));
    await server.request();
    server[how]();
    await client.refusal(502, 'upstream_reset');
  }
  assert.equal(origin.connections.length, 2);
  assert.equal(gateway.endpoint('retries'), 0);
});

onBoth('RFC 9110 §9.2.2: nothing is sent again once a byte of an answer came', async (bench) => {
  const { origin, client } = await bench.line();
  client.write(get('/a'));
  const server = await origin.accept();
  await server.request();
  server.write('HTTP/1.1 200');
  await turn();
  server.end();
  await client.refusal(502, 'upstream_reset');
  assert.equal(origin.connections.length, 1);
});

onBoth('a connection that is refused: another endpoint is asked, also with a POST', async (bench) => {
  const origin = await bench.origin();
  origin.serve(({ body }, connection) => {
    connection.write(answer(body));
  });
  const gateway = await bench.gateway([await freePort(), origin, await freePort()]);
  for (let i = 0; i < 6; i += 1) {
    const client = await bench.client(gateway);
    client.write(post('/'));
    assert.equal((await client.response()).body.toString(), 'body');
  }
  assert.ok(gateway.endpoint('connectFailures', 0) + gateway.endpoint('connectFailures', 2) > 0);
  assert.equal(gateway.endpoint('connectFailures', 1), 0);
});

onBoth('a long body waits while a refused connection is replaced by another', async (bench) => {
  const origin = await bench.origin();
  origin.serve(({ body }, connection) => {
    connection.write(answer(String(body.length)));
  });
  const gateway = await bench.gateway([await freePort(), origin]);
  for (const kind of ['length', 'chunked']) {
    for (let i = 0; i < 2; i += 1) {
      const client = await bench.client(gateway);
      const body = 'x'.repeat(900_000);
      client.write(
        kind === 'length'
          ? `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n${body}`
          : `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\ndbba0\r\n${body}\r\n0\r\n\r\n`,
      );
      assert.equal((await client.response()).body.toString(), '900000');
    }
  }
});

onBoth('when every endpoint refuses, so do we, and the client stays', async (bench) => {
  const gateway = await bench.gateway([await freePort(), await freePort()]);
  const client = await bench.client(gateway);
  for (let i = 0; i < 3; i += 1) {
    client.write(get('/'));
    await client.refusal(502, 'connect_failed');
  }
  assert.equal(gateway.route('retries'), 3);
});

onBoth('no more attempts are made than allowed', async (bench) => {
  const gateway = await bench.gateway([await freePort(), await freePort(), await freePort()], { attemptsMax: 2 });
  const client = await bench.client(gateway);
  client.write(get('/'));
  await client.refusal(502, 'connect_failed');
  assert.equal(gateway.route('retries'), 1);
});

onBoth('a server killed under load costs idempotent requests nothing', async (bench) => {
  // A process of its own, killed as the kernel kills: no farewell on any connection.
  const code = `require('node:http').createServer((q, s) => setTimeout(() => s.end('a'.repeat(1000)), 3))
    .listen(0, '127.0.0.1', function () { process.stdout.write(String(this.address().port)); });`;
  const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  try {
    const [first] = (await once(child.stdout, 'data')) as [Buffer];
    await killUnderLoad(bench, Number(first.toString()), () => child.kill('SIGKILL'));
  } finally {
    child.kill('SIGKILL');
    await exited;
  }
});

async function killUnderLoad(bench: Bench, port: number, kill: () => void): Promise<void> {
  const origin = await bench.origin();
  origin.serve((_, connection) => {
    connection.write(answer('b'.repeat(1000)));
  });
  const gateway = await bench.gateway([port, origin]);
  const clients = await Promise.all(Array.from({ length: 20 }, async () => await bench.client(gateway)));
  let answered = 0;
  let broken = 0;
  await Promise.all(
    clients.map(async (client) => {
      for (let i = 0; i < 40; i += 1) {
        client.write(get('/'));
        // An answer that had begun when the server died cannot be made whole; it must be seen as broken.
        const response = await client.response().catch(() => null);
        if (response === null) {
          assert.equal(client.ending, 'reset');
          broken += 1;
          return;
        }
        assert.equal(response.status, 200);
        assert.equal(response.body.length, 1000);
        answered += 1;
        if (answered === 200) kill();
      }
    }),
  );
  assert.ok(answered >= 20 * 40 - 40 * broken && broken <= 2, `${answered} answered, ${broken} broken`);
  assert.ok(gateway.endpoint('requests', 1) > 300, 'the other endpoint took over');
}
