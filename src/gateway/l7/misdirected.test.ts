/** Requests on a connection that is not the one for what they ask: 421, and the server sees nothing (RFC 9110 §7.4, §15.5.20). */
import assert from 'node:assert/strict';
import { type Bench, onBoth } from '../../../test/engine/bench.ts';
import { fieldOf } from '../../../test/engine/message.ts';
import { answer } from '../../../test/engine/origin.ts';
import type { Changes } from '../../../test/engine/plans.ts';
import { secure } from '../../../test/engine/secure.ts';

const mutual = secure({ mutual: true });
const ordinary = secure();

/** A gateway, and the hosts that its server was asked for. */
async function asked(bench: Bench, listener: Changes['listener'] & {}) {
  const hosts: (string | undefined)[] = [];
  const origin = await bench.origin();
  origin.serve((request, connection) => {
    hosts.push(fieldOf(request, 'host'));
    connection.write(answer('ok'));
  });
  return { gateway: await bench.gateway([origin], { listener }), hosts };
}

const get = (target: string, host: string): string => `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;

onBoth('RFC 9110 §15.5.20: with client certificates, a host that the connection is not for: 421', async (bench) => {
  const { gateway, hosts } = await asked(bench, { tls: mutual.plan });
  const client = await mutual.connect({ port: gateway.port });
  assert.equal((await client.write(get('/', 'shop.example')).response()).status, 200);
  await client.write(get('/', 'bank.example')).refusal(421, 'misdirected');
  await client.write(get('https://bank.example/', 'shop.example')).refusal(421, 'misdirected');
  assert.equal((await client.write(get('/', 'SHOP.example:443')).response()).status, 200);
  assert.deepEqual(hosts, ['shop.example', 'SHOP.example:443']);
  assert.equal(gateway.refusals('misdirected'), 2);
  client.destroy();
});

onBoth('RFC 9110 §15.5.20: without them, one certificate may be for many hosts', async (bench) => {
  const { gateway, hosts } = await asked(bench, { tls: ordinary.plan });
  const client = await ordinary.connect({ port: gateway.port });
  assert.equal((await client.write(get('/', 'bank.example')).response()).status, 200);
  assert.equal((await client.write(get('https://bank.example/', 'shop.example')).response()).status, 200);
  assert.deepEqual(hosts, ['bank.example', 'bank.example']);
  client.destroy();
});

onBoth('RFC 9110 §7.4: an https target on a connection in the clear: 421', async (bench) => {
  const { gateway, hosts } = await asked(bench, {});
  const client = await bench.client(gateway);
  await client.write(get('https://shop.example/', 'shop.example')).refusal(421, 'misdirected');
  assert.equal((await client.write(get('http://shop.example/', 'other.example')).response()).status, 200);
  assert.deepEqual(hosts, ['shop.example']);
  assert.equal(gateway.refusals('misdirected'), 1);
});

onBoth('RFC 9110 §7.4: a trusted proxy may ask so, for whoever came to it by TLS', async (bench) => {
  const { gateway, hosts } = await asked(bench, { trustedProxies: ['127.0.0.1'] });
  const client = await bench.client(gateway);
  assert.equal((await client.write(get('https://shop.example/', 'shop.example')).response()).status, 200);
  assert.deepEqual(hosts, ['shop.example']);
});
