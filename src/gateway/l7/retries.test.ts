/** Requests that are asked again: when, where, how often, and what it costs a service that fails as a whole. */
import assert from 'node:assert/strict';
import { type Bench, eventually, onBoth, type TestGateway } from '../../../test/engine/bench.ts';
import { freePort } from '../../../test/ports.ts';
import { fieldOf } from '../../../test/engine/message.ts';
import { ManualClock } from '../../../test/engine/manual-clock.ts';
import { answer, type Origin } from '../../../test/engine/origin.ts';
import type { Peer } from '../../../test/engine/peer.ts';
import type { Changes } from '../../../test/engine/plans.ts';

const get = (path = '/'): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
const post = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody';
const unavailable = (fields = ''): string =>
  `HTTP/1.1 503 Service Unavailable\r\n${fields}Content-Length: 4\r\n\r\nbusy`;

const on503: Changes = { retries: { statuses: [{ from: 502, to: 504 }] } };

/** The first origin says `first` to everything, the second answers. */
async function pair(
  bench: Bench,
  first: string,
  changes: Changes,
): Promise<{ origins: readonly Origin[]; gateway: TestGateway; client: Peer }> {
  const origins = [await bench.origin(), await bench.origin()];
  if (first !== '') {
    origins[0]!.serve((_, connection) => {
      connection.write(first);
    });
  }
  origins[1]!.serve((_, connection) => {
    connection.write(answer('second'));
  });
  const gateway = await bench.gateway(origins, { endpoint: (index) => ({ priority: index }), ...changes });
  return { origins, gateway, client: await bench.client(gateway) };
}

onBoth('an answer that is to be asked again is dropped, and its connection kept', async (bench) => {
  const { gateway, client, origins } = await pair(bench, unavailable(), on503);
  for (let i = 0; i < 3; i++) {
    client.write(get());
    const response = await client.response();
    assert.deepEqual([response.status, response.body.toString()], [200, 'second']);
  }
  assert.equal(origins[0]!.connections.length, 1);
  assert.equal(gateway.endpoint('reuses', 0), 2);
  assert.equal(gateway.route('retries'), 3);
});

for (const [title, rest] of [
  ['in pieces', 'Content-Length: 10\r\n\r\nbusy|later!'],
  ['chunked', 'Transfer-Encoding: chunked\r\n\r\n4\r\nbusy\r\n|6\r\nlater!\r\n0\r\n\r\n'],
] as const) {
  onBoth(
    `nobody waits for the rest of an answer that is dropped, and its connection is kept: ${title}`,
    async (bench) => {
      const { gateway, client, origins } = await pair(bench, '', on503);
      const [now, later] = rest.split('|');
      client.write(get());
      const server = await origins[0]!.accept();
      await server.request();
      server.write(`HTTP/1.1 503 Service Unavailable\r\n${now!}`);
      assert.equal((await client.response()).body.toString(), 'second');
      assert.equal(gateway.endpoint('idle', 0), 0);
      server.write(later!);
      await eventually('it is kept', () => gateway.endpoint('idle', 0) === 1);
      assert.equal(gateway.endpoint('responses5xx', 0), 1);
    },
  );
}

for (const [title, rest] of [
  ['long', 'Content-Length: 100000\r\n\r\n'],
  ['long, and does not say so', `Transfer-Encoding: chunked\r\n\r\n8000\r\n${'x'.repeat(0x8000)}`],
  ['ended by its connection', '\r\n'],
  ['more than was said', 'Content-Length: 4\r\n\r\nbusybody'],
  ['malformed', 'Transfer-Encoding: chunked\r\n\r\nbusy'],
] as const) {
  onBoth(`an answer that is dropped ends its connection if it is ${title}`, async (bench) => {
    const { client, origins } = await pair(bench, `HTTP/1.1 503 Service Unavailable\r\n${rest}`, on503);
    client.write(get());
    assert.equal((await client.response()).body.toString(), 'second');
    await origins[0]!.connections[0]!.gone();
  });
}

onBoth('RFC 9110 §9.2.2: what may not be done twice is not asked again, whatever the answer', async (bench) => {
  const { gateway, client } = await pair(bench, unavailable(), on503);
  client.write(post);
  assert.equal((await client.response()).status, 503);
  assert.equal(gateway.route('retries'), 0);
});

onBoth('when everybody says no, the client gets what the last one said and not a word of ours', async (bench) => {
  const { client, origins } = await pair(bench, unavailable(), on503);
  origins[1]!.serve((_, connection) => {
    connection.write(unavailable('X-Who: second\r\n'));
  });
  client.write(get());
  const response = await client.response();
  assert.deepEqual([response.status, fieldOf(response, 'x-who')], [503, 'second']);
});

onBoth('RFC 9110 §10.2.3: who asks to wait longer than we would is passed on with it', async (bench) => {
  const { gateway, client } = await pair(bench, unavailable('Retry-After: 30\r\n'), on503);
  client.write(get());
  const response = await client.response();
  assert.deepEqual([response.status, fieldOf(response, 'retry-after')], [503, '30']);
  assert.equal(gateway.route('retries'), 0);
});

onBoth('one try has a time of its own, after which another endpoint is asked', async (bench) => {
  const { client, gateway, origins } = await pair(bench, '', { serviceTimeouts: { perTryMs: 100 } });
  client.write(get());
  assert.equal((await client.response()).body.toString(), 'second');
  assert.equal(gateway.endpoint('timeouts', 0), 1);
  assert.equal(await origins[0]!.connections[0]!.gone(), 'end', 'the first is not waited for');
});

onBoth('one try has no time of its own while its client takes its time to send the body', async (bench) => {
  const clock = new ManualClock();
  const origin = await bench.origin();
  const gateway = await bench.gateway([origin], { serviceTimeouts: { perTryMs: 1000 } }, clock);
  const client = await bench.client(gateway);
  client.write('PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo');
  const server = await origin.accept();
  await eventually('it began', () => gateway.endpoint('inFlight') === 1);
  clock.pass(5000);
  client.write('dy');
  assert.equal((await server.request()).body.toString(), 'body');
  server.write(answer('done'));
  assert.equal((await client.response()).body.toString(), 'done');
});

onBoth('no attempt is begun that the total leaves no time for', async (bench) => {
  const { client, gateway } = await pair(bench, unavailable(), {
    retries: { ...on503.retries, backoffBaseMs: 1e9, backoffMaxMs: 1e9 },
    serviceTimeouts: { totalMs: 30_000 },
  });
  client.write(get());
  assert.equal((await client.response()).status, 503);
  assert.equal(gateway.route('retries'), 0);
});

onBoth('the endpoint is told how long it has, and the second less than the first', async (bench) => {
  const { client, origins } = await pair(bench, '', {
    ...on503,
    deadlineField: 'X-Timeout',
    serviceTimeouts: { responseHeaderMs: 50_000, totalMs: 20_000 },
  });
  client.write('GET / HTTP/1.1\r\nHost: a\r\nX-Timeout: 999999\r\n\r\n');
  const first = await origins[0]!.accept();
  const told = Number(fieldOf(await first.request(), 'x-timeout'));
  assert.ok(told > 15_000 && told <= 20_000, `${told} of 20 s`);
  const heldUntil = performance.now() + 20;
  await eventually('some time has passed', () => performance.now() > heldUntil);
  const second = Promise.withResolvers<number>();
  origins[1]!.serve((request, connection) => {
    second.resolve(Number(fieldOf(request, 'x-timeout')));
    connection.write(answer('second'));
  });
  first.write(unavailable());
  assert.equal((await client.response()).status, 200);
  assert.ok((await second.promise) <= told - 20);
});

onBoth('a client that leaves before the next attempt is asked for no more', async (bench) => {
  const { client, gateway, origins } = await pair(bench, unavailable(), {
    retries: { ...on503.retries, backoffBaseMs: 1e6, backoffMaxMs: 1e6 },
  });
  client.write(get());
  await eventually('the first has answered', () => gateway.endpoint('idle', 0) === 1);
  client.reset();
  await eventually('it is over', () => gateway.route('inFlight') === 0);
  assert.equal(origins[1]!.connections.length, 0);
});

onBoth('under a total outage there are at most 1.2 attempts a request', async (bench) => {
  const dead = [await freePort(), await freePort(), await freePort()];
  const gateway = await bench.gateway(dead, { retries: { budgetMin: 0 } });
  const clients = await Promise.all(Array.from({ length: 10 }, async () => await bench.client(gateway)));
  const requests = 1000;
  for (let sent = 0; sent < requests / clients.length; sent++) {
    for (const client of clients) client.write(get());
    for (const client of clients) assert.equal((await client.response()).status, 502);
  }
  const attempts = [0, 1, 2].reduce((sum, index) => sum + gateway.endpoint('requests', index), 0);
  assert.ok(attempts <= 1.2 * requests, `${attempts} attempts`);
  assert.ok(attempts > 1.1 * requests, `${attempts} attempts: the budget is there to be used`);
  assert.ok(gateway.route('retriesDenied') > 0);
});

onBoth(
  'a server that resets each connection it has answered on is asked at most 1.2 times a request',
  async (bench) => {
    const { origin, gateway, client } = await bench.line({ retries: { budgetMin: 0 } });
    let asked = 0;
    origin.serve((request, connection) => {
      asked += 1;
      if (connection === served) connection.destroy();
      else connection.write(answer());
      served = connection;
    });
    let served: unknown = null;
    const requests = 300;
    const statuses = new Map<number, number>();
    for (let sent = 0; sent < requests; sent++) {
      client.write(get());
      const { status } = await client.response();
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
    assert.ok(asked <= 1.2 * requests, `asked ${asked} times`);
    assert.ok(asked > 1.1 * requests, `asked ${asked} times: the budget is there to be used`);
    assert.equal(statuses.get(502), gateway.route('retriesDenied'));
  },
);

for (const [rounds, retries] of [
  [4, 8],
  [5, 20],
] as const) {
  onBoth(
    `of 20 requests in flight when their server dies ${retries} are asked elsewhere, without a budget for them, on connections that have answered ${rounds}`,
    async (bench) => {
      const [dying, living] = [await bench.origin(), await bench.origin()];
      const clock = new ManualClock();
      const gateway = await bench.gateway([dying, living], { retries: { budgetMin: 0, budgetShare: 0.2 } }, clock);
      const clients = await Promise.all(Array.from({ length: 40 }, async () => await bench.client(gateway)));
      // All are asked before one is answered, so that no connection serves two of a round.
      const waiting: Peer[] = [];
      let together = clients.length;
      let isLast = false;
      const allWait = (): void => {
        if (isLast) {
          together = 1;
          dying.kill();
        }
        for (const connection of waiting.splice(0)) if (!connection.closed) connection.write(answer());
      };
      for (const origin of [dying, living]) {
        origin.serve((_, connection) => {
          waiting.push(connection);
          if (waiting.length >= together) allWait();
        });
      }
      const everyone = async (): Promise<number[]> => {
        for (const client of clients) client.write(get());
        return await Promise.all(clients.map(async (client) => (await client.response()).status));
      };
      for (let round = 0; round < rounds; round++) await everyone();
      // What the budget knows of is forgotten: it has 8 for the 40 that are to come.
      clock.pass(20_000);
      isLast = true;
      const statuses = await everyone();
      assert.equal(statuses.filter((status) => status === 502).length, 20 - retries);
      assert.equal(gateway.route('retries'), retries, 'and nobody where nobody is');
    },
  );
}

onBoth('requests that meet connections which died while unused are asked again at once', async (bench) => {
  const { origin, gateway } = await bench.line({ retries: { budgetShare: 0, backoffBaseMs: 1e6, backoffMaxMs: 1e6 } });
  const clients = await Promise.all(Array.from({ length: 5 }, async () => await bench.client(gateway)));
  for (const client of clients) client.write(get());
  const servers = await Promise.all(clients.map(async () => await origin.accept()));
  for (const server of servers) await server.request();
  for (const server of servers) server.write(answer());
  for (const client of clients) await client.response();
  for (const client of clients) client.write(get());
  for (const server of servers) {
    await server.request();
    server.destroy();
  }
  for (let i = 0; i < clients.length; i++) (await origin.accept()).write(answer('again'));
  for (const client of clients) assert.equal((await client.response()).body.toString(), 'again');
});

onBoth('hedge: a slow first attempt gets a second beside it, and the first answer counts', async (bench) => {
  const { client, gateway, origins } = await pair(bench, '', { retries: { hedgeAfterMs: 30 } });
  client.write(get());
  assert.equal((await client.response()).body.toString(), 'second');
  assert.equal(await origins[0]!.connections[0]!.gone(), 'end', 'the other is cancelled');
  assert.deepEqual([gateway.route('hedges'), gateway.route('retries')], [1, 0]);
  assert.deepEqual([gateway.endpoint('inFlight', 0), gateway.endpoint('inFlight', 1)], [0, 0]);
});

onBoth('hedge: one of the two failing is not the end, both failing is', async (bench) => {
  const { client, gateway, origins } = await pair(bench, '', { attemptsMax: 2, retries: { hedgeAfterMs: 30 } });
  const second = Promise.withResolvers<void>();
  origins[1]!.serve((_, connection) => {
    connection.destroy();
    second.resolve();
  });
  client.write(get());
  await second.promise;
  await eventually('the second has failed', () => gateway.endpoint('resets', 1) === 1);
  const [first] = origins[0]!.connections;
  first!.write(answer('late'));
  assert.equal((await client.response()).body.toString(), 'late');
  client.write(get('/again'));
  await eventually('both are asked again', () => gateway.endpoint('resets', 1) === 2);
  first!.destroy();
  assert.equal((await client.response()).status, 502);
});

onBoth('hedge: one that finds no place is not the end of the first', async (bench) => {
  const clock = new ManualClock();
  const origins = [await bench.origin(), await bench.origin()];
  const gateway = await bench.gateway(
    origins,
    { serviceLimits: { connectionsMax: 1 }, serviceTimeouts: { queueMs: 1000 }, retries: { hedgeAfterMs: 10_000 } },
    clock,
  );
  const clients = [await bench.client(gateway), await bench.client(gateway)];
  const servers = [];
  for (const [index, client] of clients.entries()) {
    client.write(get());
    servers.push(await origins[index]!.accept());
  }
  for (const server of servers) await server.request();
  clock.over();
  clock.pass(10_000);
  await eventually('both stand in a queue', () => gateway.endpoint('queued', 0) + gateway.endpoint('queued', 1) === 2);
  clock.pass(5000);
  assert.equal(gateway.endpoint('queued', 0) + gateway.endpoint('queued', 1), 0);
  for (const [index, server] of servers.entries()) {
    server.write(answer('first'));
    assert.equal((await clients[index]!.response()).body.toString(), 'first');
  }
});

onBoth('hedge: without another endpoint, the only one may still be asked again', async (bench) => {
  const clock = new ManualClock();
  const origin = await bench.origin();
  const gateway = await bench.gateway([origin], { retries: { hedgeAfterMs: 100 } }, clock);
  const client = await bench.client(gateway);
  client.write(get());
  const server = await origin.accept();
  await server.request();
  server.write(answer());
  await client.response();
  client.write(get());
  await server.request();
  clock.pass(1000);
  server.destroy();
  (await origin.accept()).write(answer('again'));
  assert.equal((await client.response()).body.toString(), 'again');
  assert.equal(gateway.route('hedges'), 0);
});

onBoth('hedge: not of a request that may not be made twice, and not beyond the budget', async (bench) => {
  const { client, gateway, origins } = await pair(bench, '', {
    retries: { hedgeAfterMs: 20, budgetShare: 0, budgetMin: 0 },
  });
  client.write(get());
  await eventually('it was denied', () => gateway.route('retriesDenied') === 1);
  origins[0]!.connections[0]!.write(answer('first'));
  assert.equal((await client.response()).body.toString(), 'first');
  const { client: other, gateway: rich, origins: servers } = await pair(bench, '', { retries: { hedgeAfterMs: 20 } });
  other.write(post);
  await eventually('it is there', () => servers[0]!.connections.length === 1);
  servers[0]!.connections[0]!.write(answer('first'));
  assert.equal((await other.response()).body.toString(), 'first');
  assert.equal(rich.route('hedges'), 0);
});
