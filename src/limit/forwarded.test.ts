import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as fc from 'fast-check';

import { clientKey } from './client-key.ts';
import { nodesIn } from './forwarded.ts';

test('the nodes of RFC 7239, §4 and §7.1, from left to right', () => {
  const cases: [forwarded: string, nodes: string[]][] = [
    ['for="_gazonk"', ['_gazonk']],
    ['For="[2001:db8:cafe::17]:4711"', ['[2001:db8:cafe::17]:4711']],
    ['for=192.0.2.60;proto=http;by=203.0.113.43', ['192.0.2.60']],
    ['for=192.0.2.43, for=198.51.100.17', ['192.0.2.43', '198.51.100.17']],
    ['for=192.0.2.43,for="[2001:db8:cafe::17]",for=unknown', ['192.0.2.43', '[2001:db8:cafe::17]', 'unknown']],
    ['proto=https, by=_a;for=192.0.2.1', ['', '192.0.2.1']],
    ['by="a,b;for=1.2.3.4";for="1.\\2.3.5"', ['1.2.3.5']],
    [', for=192.0.2.1,, for=192.0.2.2;', ['192.0.2.1', '192.0.2.2']],
    ['', []],
  ];
  for (const [forwarded, nodes] of cases) assert.deepEqual(nodesIn(forwarded), nodes, forwarded);
});

test('of a field that is malformed anywhere nothing is believed', () => {
  for (const forwarded of [
    'for=192.0.2.1, for="192.0.2.2',
    '"for=192.0.2.1, for=192.0.2.2',
    'for=192.0.2.1 for=192.0.2.2',
    'for = 192.0.2.1',
    'for=',
    'for=[2001:db8::1]',
    'for=192.0.2.1;for=192.0.2.2',
    '192.0.2.1',
  ]) {
    assert.deepEqual(nodesIn(forwarded), [], forwarded);
  }
});

test('whatever a client sends, nothing fails; and what is quoted comes back as it was', () => {
  fc.assert(fc.property(fc.string(), (text) => nodesIn(text).every((node) => typeof node === 'string')));
  const quote = (text: string): string => `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
  fc.assert(
    fc.property(fc.array(fc.string(), { minLength: 1 }), (nodes) => {
      assert.deepEqual(nodesIn(nodes.map((node) => `proto=http;for=${quote(node)}`).join(', ')), nodes);
    }),
  );
});

test('the client is the rightmost node that is no trusted proxy, whatever a client wrote before it', () => {
  const keyOf = clientKey({ trustedProxies: ['10.0.0.0/8'], proxyField: 'forwarded' });
  const cases: [peer: string, forwarded: string | undefined, client: string][] = [
    ['10.0.0.7', 'for=203.0.113.9, for=198.51.100.4', '198.51.100.4'],
    ['10.0.0.7', 'for=198.51.100.4;proto=https, for="10.1.2.3:80"', '198.51.100.4'],
    ['10.0.0.7', 'for="[2001:db8:1:2::9]:80"', '2001:db8:1:2::/64'],
    ['10.0.0.7', 'for=198.51.100.4, for=_hidden, for=10.0.0.8', '10.0.0.8'],
    // Opened by a client, so that what the proxy added would be in its string.
    ['10.0.0.7', 'for="192.0.2.1, for=198.51.100.4', '10.0.0.7'],
    ['10.0.0.7', undefined, '10.0.0.7'],
    ['192.0.2.1', 'for=198.51.100.4', '192.0.2.1'],
  ];
  for (const [peer, forwarded, client] of cases) assert.equal(keyOf(peer, forwarded), client, forwarded);
  assert.throws(() => clientKey({ proxyField: 'x-real-ip' as never }), {
    code: 'OPTIONS_INVALID',
    message: /x-real-ip.*x-forwarded-for or forwarded/,
  });
});
