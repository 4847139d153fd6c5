/** Asking real sockets: a server that misbehaves in every way we know, and dnsmasq, which does not. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
import { a, dnsServer, srv, writeMessage, zone, type Answering, type TestAnswer } from '../../../test/dns-server.ts';
import { startDnsmasq } from '../../../test/dnsmasq.ts';
import { systemClock } from '../../kernel/clock.ts';
import { DnsClient } from './client.ts';
import type { DnsQuestion } from './message.ts';
import { nameServersIn } from './resolv-conf.ts';

const shop: DnsQuestion = { name: 'shop.test', type: 'A' };
const good: TestAnswer = { records: [a('shop.test', '10.0.0.1', 30)] };
const idle = new AbortController().signal;

function ask(ports: readonly number[], question = shop, { timeoutMs = 5000, signal = idle } = {}) {
  const servers = ports.map((port) => ({ host: '127.0.0.1', port }));
  return new DnsClient(systemClock).ask(question, { servers, timeoutMs, signal });
}

/** What a server that answers so is heard to say. */
async function heard(answering: Answering, timeoutMs = 5000): Promise<string> {
  await using server = await dnsServer(answering);
  const answer = await ask([server.port], shop, { timeoutMs }).catch((error: Error & { code?: string }) => {
    assert.equal(error.code, 'DNS_FAILED');
    return error.message.replaceAll(String(server.port), 'PORT');
  });
  if (typeof answer === 'string') return answer;
  return answer.records.map((record) => ('address' in record ? record.address : record.type)).join(' ');
}

test('an answer: records with their TTL, none, or no such name', async () => {
  await using server = await dnsServer(zone(() => [a('shop.test', '10.0.0.1', 30), a('shop.test', '10.0.0.2', 20)]));
  const { records, ttlS, exists } = await ask([server.port]);
  assert.deepEqual([records.length, ttlS, exists], [2, 20, true]);
  assert.deepEqual(await ask([server.port], { ...shop, type: 'AAAA' }), { records: [], ttlS: 0, exists: true });
  assert.deepEqual(await ask([server.port], { ...shop, name: 'other.test' }), { records: [], ttlS: 0, exists: false });
  assert.deepEqual(server.asked, ['A shop.test', 'AAAA shop.test', 'A other.test']);
});

test('a large answer is cut off by UDP and asked for again by TCP', async () => {
  const records = Array.from({ length: 4000 }, (_, index) => a('shop.test', `10.0.${index >> 8}.${index & 255}`));
  await using server = await dnsServer(zone(() => records));
  assert.equal((await ask([server.port], shop, { timeoutMs: 10_000 })).records.length, 4000);
  assert.deepEqual(server.asked, ['A shop.test', 'A shop.test tcp']);
});

test('what is not the answer is not listened to: the answer behind it counts', async () => {
  const strays: TestAnswer[] = [
    { ...good, idShift: 1 },
    { records: [a('shop.test', '6.6.6.6')], idShift: 77 },
    { ...good, question: { name: 'shop.test', type: 'AAAA' } },
    { ...good, question: { name: 'evil.test', type: 'A' } },
    { raw: Buffer.from('GET / HTTP/1.1\r\n\r\n') },
    { raw: new Uint8Array(0) },
    { raw: new Uint8Array(12) },
  ];
  assert.equal(await heard(() => [...strays, good]), '10.0.0.1');
  // Nothing but that is no answer at all; nobody's packets are counted as one.
  const nothing = await heard(() => strays, 1000);
  assert.match(nothing, /^127\.0\.0\.1:PORT did not answer within 1s \(\d+ packets came that are no answer\)$/);
});

test('another address cannot answer in place of the server, not even with the right id', async () => {
  const [server, spoofer] = [createSocket('udp4').bind(0, '127.0.0.1'), createSocket('udp4').bind(0, '127.0.0.1')];
  await Promise.all([once(server, 'listening'), once(spoofer, 'listening')]);
  const sent = Promise.withResolvers<void>();
  server.once('message', (bytes, { port }) => {
    const forged = writeMessage(bytes.readUInt16BE(0), shop, { records: [a('shop.test', '6.6.6.6')] });
    spoofer.send(forged, port, '127.0.0.1', () => sent.resolve());
  });
  const asked = ask([server.address().port], shop, { timeoutMs: 300 }).then(String, String);
  await sent.promise;
  assert.match(await asked, /did not answer within 300ms$/);
  server.close();
  spoofer.close();
});

test('a failure says what each server did', async () => {
  assert.equal(await heard(() => [], 200), '127.0.0.1:PORT did not answer within 200ms');
  assert.equal(await heard(() => [{ rcode: 2 }]), '127.0.0.1:PORT answered SERVFAIL');
  assert.equal(await heard(() => [{ rcode: 5 }]), '127.0.0.1:PORT answered REFUSED');
  assert.equal(await heard(() => [{ rcode: 9 }]), '127.0.0.1:PORT answered with code 9');
  const garbledByTcp = await heard(({ overTcp }) => [
    overTcp ? { raw: new Uint8Array(9) } : { ...good, truncated: true },
  ]);
  assert.equal(garbledByTcp, '127.0.0.1:PORT sent by TCP what is no answer');
  const silentByTcp = await heard(({ overTcp }) => (overTcp ? [] : [{ truncated: true }]), 1000);
  assert.equal(silentByTcp, '127.0.0.1:PORT did not answer within 1s');
  const gone = await dnsServer(() => []);
  await gone[Symbol.asyncDispose]();
  await assert.rejects(ask([gone.port]), { message: `127.0.0.1:${gone.port} refused: nothing listens there` });
});

test('the next server is asked if one fails, and each again in a second round', async () => {
  let lost = 0;
  await using broken = await dnsServer(() => [{ rcode: 2 }]);
  await using lossy = await dnsServer(() => (lost++ === 0 ? [] : [good]));
  assert.equal((await ask([broken.port, lossy.port], shop, { timeoutMs: 1000 })).records.length, 1);
  assert.deepEqual([broken.asked.length, lossy.asked.length], [2, 2]);
});

test('who is no longer interested is not kept waiting, and no socket is left', async () => {
  await using server = await dnsServer(() => []);
  const client = new DnsClient(systemClock);
  const servers = [{ host: '127.0.0.1', port: server.port }];
  const leaving = new AbortController();
  const options = { servers, timeoutMs: 60_000, signal: leaving.signal };
  // More than may be asked at once: the rest waits for a place.
  const all = Array.from({ length: 200 }, () => client.ask(shop, options));
  while (server.asked.length === 0) await new Promise(setImmediate);
  leaving.abort(new Error('closed'));
  for (const { status } of await Promise.allSettled(all)) assert.equal(status, 'rejected');
  assert.ok(server.asked.length <= 64, `${server.asked.length} were asked at once`);
  await assert.rejects(client.ask(shop, options), /closed/);
});

test('dnsmasq is understood: both families, services, aliases, what is not there, an answer by TCP', async () => {
  const many = Array.from({ length: 200 }, (_, index) => `10.1.0.${index} many.test`);
  await using server = await startDnsmasq(
    [
      '--local=/test/',
      '--host-record=shop.test,10.0.0.1,fd00::1,33',
      '--cname=alias.test,shop.test,11',
      '--srv-host=_http._tcp.shop.test,a.test,8081,1,10',
      '--srv-host=_http._tcp.shop.test,b.test,8082,2,0',
    ],
    many,
  );
  const answer = (name: string, type: DnsQuestion['type']) => ask([server.port], { name, type });
  const ipv4 = { name: 'shop.test', ttlS: 33, type: 'A', address: '10.0.0.1' };
  assert.deepEqual(await answer('shop.test', 'A'), { records: [ipv4], ttlS: 33, exists: true });
  const ipv6 = { name: 'shop.test', ttlS: 33, type: 'AAAA', address: 'fd00::1' };
  assert.deepEqual(await answer('shop.test', 'AAAA'), { records: [ipv6], ttlS: 33, exists: true });
  assert.deepEqual(await answer('alias.test', 'A'), { records: [ipv4], ttlS: 11, exists: true });
  const services = (await answer('_http._tcp.shop.test', 'SRV')).records;
  const name = '_http._tcp.shop.test';
  assert.deepEqual(
    services.toSorted((one, other) => JSON.stringify(one).localeCompare(JSON.stringify(other))),
    [
      { name, ttlS: 0, type: 'SRV', priority: 1, weight: 10, port: 8081, target: 'a.test' },
      { name, ttlS: 0, type: 'SRV', priority: 2, weight: 0, port: 8082, target: 'b.test' },
    ],
  );
  assert.deepEqual(await answer('nobody.test', 'A'), { records: [], ttlS: 0, exists: false });
  assert.equal((await answer('many.test', 'A')).records.length, 200);
  await server.kill();
  await assert.rejects(answer('shop.test', 'A'), /refused: nothing listens there/);
});

test('the servers of this machine are those of resolv.conf, at most three, else the machine itself', () => {
  assert.deepEqual(nameServersIn('# none\nsearch a.test\noptions ndots:5\n'), ['127.0.0.1']);
  const text =
    'nameserver 10.0.0.2 # first\n\tnameserver\tfd00::2\nnameserver fe80::1%eth0\nnameserver 10.0.0.3\n;nameserver 1.1.1.1\nnameserver x\n';
  assert.deepEqual(nameServersIn(text), ['10.0.0.2', 'fd00::2', 'fe80::1%eth0']);
});

test('a question of a service is answered with what an SRV record has', async () => {
  await using server = await dnsServer(zone(() => [srv('_x._tcp.test', 'host.test', 81, { priority: 3, weight: 4 })]));
  const { records } = await ask([server.port], { name: '_x._tcp.test', type: 'SRV' });
  const expected = {
    name: '_x._tcp.test',
    type: 'SRV',
    ttlS: 60,
    priority: 3,
    weight: 4,
    port: 81,
    target: 'host.test',
  };
  assert.deepEqual(records, [expected]);
});
