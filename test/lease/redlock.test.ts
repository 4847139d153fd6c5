import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { type Claim, type LeaseStore, redlockLeases, type RedlockClient } from '../../src/lease/index.ts';
import { type Clock, systemClock } from '../../src/kernel/clock.ts';
import { Leases } from '../../src/lease/leases.ts';
import { leaseStoreContract } from '../../src/testing/index.ts';
import { Relay } from '../faults/relay.ts';
import { clients } from '../servers/redis-clients.ts';
import { RedisServer } from '../servers/redis.ts';
import { claimOf, granted, until, waiting } from './claims.ts';

const servers = await Promise.all(Array.from({ length: 5 }, () => RedisServer.start()));
after(() => Promise.all(servers.map((server) => server[Symbol.asyncDispose]())));
beforeEach(() => Promise.all(servers.map((server) => server.admin.flushall())));

/** Long enough for a busy machine. */
const NODE_TIMEOUT_MS = 600;
const TTL_MS = 4 * NODE_TIMEOUT_MS;

interface Opened extends AsyncDisposable {
  readonly store: LeaseStore;
}

async function open(ports: readonly number[], kind: keyof typeof clients = 'ioredis 6'): Promise<Opened> {
  const opened = await Promise.all(ports.map((port) => clients[kind](port)));
  const all: RedlockClient[] = opened.map(({ client }) => client);
  return {
    store: redlockLeases(all, { nodeTimeout: NODE_TIMEOUT_MS }),
    [Symbol.asyncDispose]: async () => {
      for (const one of opened) await one[Symbol.asyncDispose]();
    },
  };
}

const ports = (count: number): readonly number[] => servers.slice(0, count).map(({ port }) => port);

const subjects = { 'ioredis 6': 3, 'node-redis 6': 5, 'ioredis 5': 4, 'node-redis 5': 3 } as const;
for (const [kind, count] of Object.entries(subjects)) {
  const subject = {
    name: `redlock of ${count}, ${kind}`,
    ttlMs: TTL_MS,
    notifies: false,
    shares: false,
    queue: false,
    open: () => {
      const opened: Opened[] = [];
      return {
        connect: async () => {
          const one = await open(ports(count), kind as keyof typeof clients);
          opened.push(one);
          return one.store;
        },
        close: async () => {
          for (const one of opened) await one[Symbol.asyncDispose]();
        },
      };
    },
  };
  for (const clause of leaseStoreContract(subject)) test(clause.name, clause.run);
}

/** On how many nodes there is a lease of it. */
async function nodesWith({ id }: Claim): Promise<number> {
  const values = await Promise.all(servers.map(({ admin }) => admin.get('spillway:redlock:k')));
  return values.filter((value) => value?.startsWith(id)).length;
}

interface Relays extends AsyncDisposable {
  readonly all: readonly Relay[];
  readonly ports: readonly number[];
}

async function relaysTo(count: number): Promise<Relays> {
  const all = await Promise.all(ports(count).map((port) => Relay.open(port)));
  return {
    all,
    ports: all.map(({ port }) => port),
    [Symbol.asyncDispose]: async () => {
      for (const relay of all) await relay[Symbol.asyncDispose]();
    },
  };
}

/**
 * Until each of its nodes has granted and given back: then it is connected, and knows both scripts. A grant waits for most of them only, and a node that
 * does not know the script when those have answered is not told it: so it is asked anew, and waited for longer.
 */
async function warmUp(store: LeaseStore, nodes = servers.length): Promise<void> {
  let everywhere = false;
  for (let looks = 8; !everywhere; looks *= 2) {
    const claim = claimOf();
    await granted(store, claim);
    for (let look = 0; look < looks && !everywhere; look++) everywhere = (await nodesWith(claim)) === nodes;
    await store.release(claim, waiting);
    await until(async () => (await nodesWith(claim)) === 0);
  }
}

/** As another client would have it. */
async function occupy(server: RedisServer, key = 'spillway:redlock:k'): Promise<void> {
  await server.admin.set(key, `${'f'.repeat(32)}:1:other`, 'PX', 60_000);
}

test('what a minority granted is given back at once', async () => {
  await using one = await open(ports(5));
  for (const server of servers.slice(0, 3)) await occupy(server);
  const claim = claimOf();
  const answer = await one.store.try(claim, waiting);
  assert.equal(answer.granted, false);
  await until(async () => (await nodesWith(claim)) === 0);
});

test('L2: what is granted too late is given back, also by the nodes whose answer came after', async () => {
  await using relays = await relaysTo(5);
  await using one = await open(relays.ports);
  await warmUp(one.store);
  for (const relay of relays.all.slice(0, 3)) relay.hold('toClient');
  const late = claimOf();
  await assert.rejects(one.store.try(late, waiting), {
    code: 'STORE_UNAVAILABLE',
    message: new RegExp(`3 of 5 Redis nodes failed, and 3 have to agree: no answer within ${NODE_TIMEOUT_MS} ms`),
  });
  await until(async () => (await nodesWith(late)) === 3);
  for (const relay of relays.all) relay.pass();
  await until(async () => (await nodesWith(late)) === 0);
});

test('a minority that is silent or down costs nothing but its votes', async () => {
  await using relays = await relaysTo(5);
  await using one = await open(relays.ports);
  const first = await granted(one.store, claimOf({ key: 'warm' }));
  relays.all[0]!.hold('toClient');
  relays.all[1]!.refuse();
  relays.all[1]!.reset();
  const claim = claimOf();
  assert.ok((await granted(one.store, claim)) > first);
  assert.deepEqual(await one.store.renew(claim, waiting), { held: true });
  await one.store.release(claim, waiting);
  assert.ok((await granted(one.store, claimOf())) > first);
});

test('a node that is behind in its ballots, or ahead of every clock, is outbid within the same try', async () => {
  await using one = await open(ports(3));
  const ahead = (Date.now() + 3_600_000) * 1000;
  await servers[0]!.admin.set('spillway:ballot', ahead);
  await servers[1]!.admin.set('spillway:ballot', ahead + 7);
  const claim = claimOf();
  const token = await granted(one.store, claim);
  assert.ok(token > BigInt(ahead), `${token}`);
  await one.store.release(claim, waiting);
  assert.ok((await granted(one.store, claimOf())) > token);
});

test('L3: clocks of clients that are far apart change nothing in the order of tokens', async () => {
  const clock = (offsetMs: number): Clock => ({ ...systemClock, wallMs: () => systemClock.wallMs() + offsetMs });
  const kinds = [0, -3_600_000, 3_600_000];
  const opened = await Promise.all(
    kinds.map(async (offsetMs) => {
      const all = await Promise.all(ports(5).map((port) => clients['ioredis 6'](port)));
      return {
        all,
        store: redlockLeases(
          all.map(({ client }) => client),
          { nodeTimeout: NODE_TIMEOUT_MS, clock: clock(offsetMs) },
        ),
      };
    }),
  );
  let last = 0n;
  for (let turn = 0; turn < 12; turn++) {
    const { store } = opened[turn % 3]!;
    const claim = claimOf();
    const token = await granted(store, claim);
    assert.ok(token > last, `${token} after ${last}`);
    last = token;
    await store.release(claim, waiting);
  }
  for (const { all } of opened) for (const one of all) await one[Symbol.asyncDispose]();
});

test('L4: a node that came back empty is given the lease by the next renewal, and its ballot', async () => {
  await using one = await open(ports(5));
  await warmUp(one.store);
  const claim = claimOf();
  const token = await granted(one.store, claim);
  await until(async () => (await nodesWith(claim)) === 5);
  for (const server of servers.slice(0, 2)) await server.admin.flushall();
  assert.deepEqual(await one.store.renew(claim, waiting), { held: true });
  await until(async () => (await nodesWith(claim)) === 5);
  assert.equal(await servers[0]!.admin.get('spillway:ballot'), String(token));
});

test('a renewal brings back nothing that a majority does not hold', async () => {
  await using one = await open(ports(5));
  await warmUp(one.store);
  const claim = claimOf();
  await granted(one.store, claim);
  await until(async () => (await nodesWith(claim)) === 5);
  for (const server of servers.slice(0, 3)) await server.admin.flushall();
  assert.deepEqual(await one.store.renew(claim, waiting), { held: false });
  await until(async () => (await nodesWith(claim)) === 0);
});

test('a renewal takes no node on which another had it since', async () => {
  await using one = await open(ports(5));
  await warmUp(one.store);
  await using two = await open(ports(5));
  await warmUp(two.store);
  const claim = claimOf();
  await granted(one.store, claim);
  await until(async () => (await nodesWith(claim)) === 5);
  for (const { admin } of servers) await admin.del('spillway:redlock:k');
  const other = claimOf();
  await granted(two.store, other);
  // A node that has not heard of the other yet would rightly be given the lease once more.
  await until(async () => (await nodesWith(other)) === 5);
  await two.store.release(other, waiting);
  assert.deepEqual(await one.store.renew(claim, waiting), { held: false });
  assert.equal(await nodesWith(claim), 0);
});

for (const count of [3, 4]) {
  test(`L6, L7: three clients that split the votes of ${count} nodes all get their turn`, async () => {
    const opened = await Promise.all([1, 2, 3].map(() => open(ports(count))));
    const tokens: bigint[] = [];
    let inside = 0;
    const work = async (store: LeaseStore): Promise<void> => {
      const leases = new Leases({ store, timeoutMs: 5000 });
      for (let turn = 0; turn < 10; turn++) {
        await using lease = await leases.acquire({ key: 'k', holder: 'me', ttlMs: 30_000, waitMs: 60_000 });
        assert.ok(lease !== null);
        assert.equal((inside += 1), 1);
        tokens.push(lease.token);
        await new Promise<void>((resolve) => setImmediate(resolve));
        inside -= 1;
      }
    };
    await Promise.all(opened.map(({ store }) => work(store)));
    assert.deepEqual(
      tokens,
      [...tokens].sort((a, b) => (a < b ? -1 : 1)),
    );
    for (const one of opened) await one[Symbol.asyncDispose]();
  });
}

test('two halves of an even number both fail, and the next try wins', async () => {
  await using one = await open(ports(4));
  await warmUp(one.store, 4);
  for (const server of servers.slice(0, 2)) await occupy(server);
  const ballots = () => Promise.all(servers.slice(2, 4).map(({ admin }) => admin.get('spillway:ballot')));
  const before = await ballots();
  const claim = claimOf();
  assert.equal((await one.store.try(claim, waiting)).granted, false);
  // A node that has yet to grant it would give it back behind the next try.
  await until(async () => (await ballots()).every((ballot, at) => ballot !== before[at]));
  await until(async () => (await nodesWith(claim)) === 0);
  await servers[0]!.admin.del('spillway:redlock:k');
  await granted(one.store, claimOf());
});

test('without a majority it says which nodes failed and why', async () => {
  await using one = await open(ports(3));
  for (const server of servers.slice(0, 2)) await server.admin.call('config', 'set', 'min-replicas-to-write', '1');
  await assert.rejects(one.store.try(claimOf(), waiting), {
    code: 'STORE_UNAVAILABLE',
    retryable: true,
    message: /2 of 3 Redis nodes failed, and 2 have to agree: .*NOREPLICAS/,
  });
  for (const server of servers.slice(0, 2)) await server.admin.call('config', 'set', 'min-replicas-to-write', '0');
});

test('refuses what cannot be a quorum of masters', async () => {
  await using opened = await clients['ioredis 6'](servers[0]!.port);
  const { client } = opened;
  assert.throws(() => redlockLeases([client]), {
    code: 'OPTIONS_INVALID',
    message: /1 clients; expected an array of 3/,
  });
  assert.throws(() => redlockLeases([client, client, client]), { message: /a client is given twice/ });
  const others = await Promise.all([1, 2].map(() => clients['ioredis 6'](servers[1]!.port)));
  const three = [client, ...others.map((other) => other.client)];
  assert.throws(() => redlockLeases(three, { prefix: 'a b' }), { message: /prefix is “a b”/ });
  assert.throws(() => redlockLeases(three, { nodeTimeout: 0 }), {
    message: /nodeTimeout is 0; expected from 1ms to 10s/,
  });
  assert.equal(redlockLeases(three, { nodeTimeout: '1s' }).limits.ttlMsMin, 4000);
  for (const other of others) await other[Symbol.asyncDispose]();
});
