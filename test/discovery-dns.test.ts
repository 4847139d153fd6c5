/** Endpoints by DNS, in a running gateway: a test server that can misbehave, and dnsmasq. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { test } from 'node:test';
import type { ConfigInput } from '../src/gateway/config/index.ts';
import type { GatewayEvent } from '../src/gateway/index.ts';
import { a, dnsServer, srv, zone, type DnsTestServer, type TestRecord } from './dns-server.ts';
import { startDnsmasq } from './dnsmasq.ts';
import { cleanups, config, create, origin } from './gateway-under-test.ts';
import { freePort } from './ports.ts';

type Dns = NonNullable<NonNullable<NonNullable<ConfigInput['services']>[number]['discovery']>['dns']>;

/** For what is not about silence: a busy machine is none. */
const quick = { timeout: '10s', refresh: { min: '100ms', max: '200ms' } } as const;
const hasty = { timeout: '200ms' } as const;

function asking(
  port: number,
  dns: Dns,
  given: Partial<NonNullable<ConfigInput['services']>[number]> = {},
): ConfigInput {
  const discovery = { dns: { servers: [`127.0.0.1:${port}`], ...quick, ...dns } };
  return { ...config(''), services: [{ name: 'shop', discovery, ...given }] };
}

async function server(records: () => readonly TestRecord[]): Promise<DnsTestServer> {
  const made = await dnsServer(zone(records));
  cleanups.push(() => made[Symbol.asyncDispose]());
  return made;
}

/** Servers on the same port of 127.0.0.1, 127.0.0.2, …: DNS says addresses and no ports. */
async function origins(count: number): Promise<number> {
  const port = await freePort();
  for (let last = 1; last <= count; last++) {
    const made = createServer((_request, response) => void response.end(`127.0.0.${last}`));
    made.listen(port, `127.0.0.${last}`);
    await once(made, 'listening');
    cleanups.push(() => {
      made.close();
      made.closeAllConnections();
    });
  }
  return port;
}

type Under = ReturnType<typeof create>;
const known = ({ gateway }: Under): string[] => gateway.state().services[0]!.endpoints.map((each) => each.address);
const source = ({ gateway }: Under) => gateway.state().services[0]!.discovery!;

/** The next event of a source that says this. */
async function told(under: Under, says: RegExp | null): Promise<Extract<GatewayEvent, { kind: 'discovery' }>> {
  for (;;) {
    const event = await under.next('discovery');
    if (says === null ? event.problem === null : says.test(event.problem ?? '')) return event;
  }
}

test('addresses of a name: there when it has started, and others when the answer has expired', async () => {
  const port = await origins(2);
  let records = [a('shop.test', '127.0.0.1', 0)];
  const dns = await server(() => records);
  const under = create({ config: asking(dns.port, { name: 'shop.test', port }) });
  await under.gateway.start();
  assert.equal(await under.get(), '127.0.0.1');
  const found = under.next('endpoints-found');
  records = [a('shop.test', '127.0.0.2', 0)];
  assert.deepEqual(await found, {
    kind: 'endpoints-found',
    service: 'shop',
    source: `dns shop.test:${port}`,
    changes: [`endpoint 127.0.0.1:${port} removed`, `endpoint 127.0.0.2:${port} added`],
  });
  assert.equal(await under.get(), '127.0.0.2');
  const { source: name, endpoints, answeredAt, nextAt, problem } = source(under);
  assert.deepEqual([name, endpoints, problem], [`dns shop.test:${port}`, 1, null]);
  assert.ok(Date.parse(nextAt!) - Date.parse(answeredAt!) <= 1000);
});

test('a server that dies, fails, lies or says nothing takes nothing away; the last good answer stays', async () => {
  const port = await origins(1);
  const records = [a('shop.test', '127.0.0.1', 0)];
  const dns = await server(() => records);
  const under = create({ config: asking(dns.port, { name: 'shop.test', port, family: 'ipv4', ...hasty }) });
  await under.gateway.start();
  const good = dns.answering;
  for (const [answering, says] of [
    [() => [{ rcode: 2 }], /answered SERVFAIL$/],
    [() => [{ rcode: 3 }], /shop\.test does not exist \(NXDOMAIN\); the endpoint known before stays/],
    [() => [{ records: [] }], /its answer is empty; the endpoint known before stays/],
    [() => [{ records, idShift: 1 }], /did not answer within 200ms \(\d packets came that are no answer\)/],
    [() => [{ raw: Buffer.from('garbage') }], /packets came that are no answer/],
    [() => [{ truncated: true }], /sent by TCP what is no answer/],
    [() => [], /did not answer within 200ms$/],
    [() => [{ records: [a('shop.test', '169.254.169.254', 0)] }], /names nothing that may be used; the endpoint/],
  ] as const) {
    const failed = told(under, says);
    dns.answering = answering;
    await failed;
    assert.equal(source(under).endpoints, 1);
    assert.equal(await under.get(), '127.0.0.1');
    const healed = told(under, null);
    dns.answering = good;
    await healed;
  }
  const failed = told(under, /refused: nothing listens there/);
  await dns[Symbol.asyncDispose]();
  await failed;
  assert.equal(await under.get(), '127.0.0.1');
  assert.ok(source(under).failures >= 9);
});

test('addresses that hand out credentials are left out and said, the others are used; allowed if allowed', async () => {
  const port = await origins(1);
  const dns = await server(() => ['127.0.0.1', '169.254.169.254', '100.100.100.200'].map((each) => a('x.test', each)));
  const under = create({ config: asking(dns.port, { name: 'x.test', port }) });
  await under.gateway.start();
  assert.deepEqual(known(under), [`127.0.0.1:${port}`]);
  const why = 'this is a link-local address or a cloud metadata service, which hands out credentials';
  assert.deepEqual(source(under).leftOut, [`100.100.100.200:${port}: ${why}`, `169.254.169.254:${port}: ${why}`]);
  await under.gateway.reload({ config: asking(dns.port, { name: 'x.test', port }, { allowLinkLocal: true }) });
  assert.equal(known(under).length, 3);
  await under.gateway.reload({ config: asking(dns.port, { name: 'x.test', port }) });
  assert.equal(known(under).length, 1);
});

test('services: ports, priorities and weights from SRV records', async () => {
  const [one, two, spare] = [await origin('one'), await origin('two'), await origin('spare')];
  const portOf = (text: string): number => Number(text.split(':')[1]);
  const name = '_http._tcp.shop.test';
  const dns = await server(() => [
    srv(name, 'a.test', portOf(one), { priority: 10, weight: 2000 }),
    srv(name, 'a.test', portOf(two), { priority: 10, weight: 0 }),
    srv(name, 'b.test', portOf(spare), { priority: 20, weight: 5 }),
    a('a.test', '127.0.0.1'),
    a('b.test', '127.0.0.1'),
  ]);
  const under = create({ config: asking(dns.port, { srv: name }) });
  await under.gateway.start();
  const weights = under.gateway.state().services[0]!.endpoints.map((each) => [each.address, each.weight, each.source]);
  assert.deepEqual(new Set(weights.map(String)), new Set([`${one},1000,dns`, `${two},1,dns`, `${spare},5,dns`]));
  assert.equal(await under.get(), 'one');
  const explained = (await under.gateway.explain({ method: 'GET', url: '/', headers: [] })).service!.endpoints;
  assert.match(explained.find((each) => each.address === spare)!.reason, /in reserve/);
});

test('a gateway starts without an answer, says 503 and why, and serves once there is one', async () => {
  const port = await origins(1);
  let records: TestRecord[] = [];
  const dns = await server(() => records);
  const under = create({ config: asking(dns.port, { name: 'late.test', port }) });
  await under.gateway.start();
  assert.equal((await fetch(`http://${under.address()}/`)).status, 503);
  assert.match(source(under).problem ?? '', /^late\.test does not exist \(NXDOMAIN\)$/);
  const found = under.next('endpoints-found');
  records = [a('late.test', '127.0.0.1')];
  await found;
  assert.equal(await under.get(), '127.0.0.1');
});

test('4,000 addresses by TCP are cut at the bound', async () => {
  const records = Array.from({ length: 4000 }, (_, index) => a('many.test', `10.1.${index >> 8}.${index & 255}`));
  const dns = await server(() => records);
  const under = create({ config: asking(dns.port, { name: 'many.test', port: 80 }) });
  await under.gateway.start();
  assert.equal(known(under).length, 1000);
  assert.deepEqual(source(under).leftOut, ['3000 of 4000 endpoints, as max is 1000']);
});

test('a reload that asks the same keeps the answer; how often may change, and another question is asked', async () => {
  const port = await origins(2);
  const dns = await server(() => [a('one.test', '127.0.0.1'), a('two.test', '127.0.0.2')]);
  const plan = { name: 'one.test', port, family: 'ipv4' as const, refresh: { min: '1m', max: '1h' } } as const;
  const under = create({ config: asking(dns.port, plan) });
  await under.gateway.start();
  assert.equal(
    (await under.gateway.reload({ config: asking(dns.port, { ...plan, timeout: '1s' }, { retryAfter: '9s' }) })).kind,
    'applied',
  );
  assert.equal(await under.get(), '127.0.0.1');
  assert.deepEqual(dns.asked, ['A one.test']);
  assert.equal(
    (await under.gateway.reload({ config: asking(dns.port, { ...plan, name: 'two.test' }) })).kind,
    'applied',
  );
  assert.deepEqual(dns.asked, ['A one.test', 'A two.test']);
  assert.equal(await under.get(), '127.0.0.2');
});

test('a reload that asks who does not answer goes on with the endpoints known before, until there is an answer', async () => {
  const port = await origins(2);
  let isSilent = true;
  const records = zone(() => [a('one.test', '127.0.0.1'), a('two.test', '127.0.0.2')]);
  const dns = await dnsServer((question) => (isSilent && question.name === 'two.test' ? [] : records(question)));
  cleanups.push(() => dns[Symbol.asyncDispose]());
  const plan = { name: 'one.test', port, family: 'ipv4' } as const;
  const under = create({ config: asking(dns.port, plan) });
  await under.gateway.start();
  await under.gateway.reload({ config: asking(dns.port, { ...plan, name: 'two.test', ...hasty }) });
  assert.equal(await under.get(), '127.0.0.1');
  assert.deepEqual(source(under).answeredAt, null);
  const removed = under.next('endpoints-found');
  isSilent = false;
  await removed;
  assert.equal(await under.get(), '127.0.0.2');
  assert.equal(source(under).problem, null);
});

test('dnsmasq: names that change, and a server that is killed', async () => {
  const port = await origins(2);
  await using dns = await startDnsmasq(['--local=/test/'], ['127.0.0.1 shop.test']);
  const under = create({ config: asking(dns.port, { name: 'shop.test', port }) });
  await under.gateway.start();
  assert.equal(await under.get(), '127.0.0.1');
  const found = under.next('endpoints-found');
  await dns.hosts(['127.0.0.2 shop.test']);
  assert.equal((await found).changes.length, 2);
  assert.equal(await under.get(), '127.0.0.2');
  const failed = told(under, /refused: nothing listens there/);
  await dns.kill();
  await failed;
  assert.equal(await under.get(), '127.0.0.2');
});

test('whenEmpty: remove believes that there are none, and not a server that only failed', async () => {
  const one = await origin('one');
  const name = '_http._tcp.shop.test';
  let target = 'here.test';
  const dns = await server(() => [
    srv(name, target, Number(one.split(':')[1]), { ttlS: 0 }),
    { name: 'here.test', type: 'A', address: [127, 0, 0, 1], ttlS: 0 },
  ]);
  const { services, ...rest } = asking(dns.port, { srv: name, family: 'ipv4' });
  const discovery = { ...services![0]!.discovery!, whenEmpty: 'remove' as const };
  const under = create({ config: { ...rest, services: [{ name: 'shop', discovery }] } });
  await under.gateway.start();
  const good = dns.answering;
  // Its one service moves to a host that nobody can say anything of.
  const failed = told(under, /answered SERVFAIL/);
  target = 'there.test';
  dns.answering = (question) => (question.name === 'there.test' ? [{ rcode: 2 }] : good(question));
  await failed;
  assert.equal(source(under).endpoints, 1);
  const found = under.next('endpoints-found');
  dns.answering = () => [{ rcode: 3 }];
  assert.deepEqual((await found).changes, [`endpoint ${one} removed`]);
  assert.equal((await fetch(`http://${under.address()}/`)).status, 503);
});
