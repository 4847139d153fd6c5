import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { SpillwayError } from '../kernel/errors.ts';
import { clientKey } from './client-key.ts';

test('without trusted proxies the client is the peer, whatever the request says', () => {
  const keyOf = clientKey();
  assert.equal(keyOf('192.0.2.1', '203.0.113.9'), '192.0.2.1');
  assert.equal(keyOf('192.0.2.1'), '192.0.2.1');
});

test('the client is the rightmost hop that is not a trusted proxy', () => {
  const keyOf = clientKey({ trustedProxies: ['10.0.0.0/8', '2001:db8:ffff::/48'] });
  const cases: [peer: string, forwardedFor: string | undefined, client: string][] = [
    ['10.0.0.7', undefined, '10.0.0.7'],
    ['10.0.0.7', '198.51.100.4', '198.51.100.4'],
    ['10.0.0.7', '203.0.113.9, 198.51.100.4', '198.51.100.4'],
    ['10.0.0.7', '203.0.113.9,198.51.100.4 , 10.1.2.3', '198.51.100.4'],
    ['::ffff:10.0.0.7', '198.51.100.4:4711', '198.51.100.4'],
    ['2001:db8:ffff::1', '[2001:db8:1:2:3::4]:4711, 10.9.9.9', '2001:db8:1:2::/64'],
    ['192.0.2.1', '198.51.100.4', '192.0.2.1'],
    ['10.0.0.7', '10.0.0.1, 10.0.0.2', '10.0.0.1'],
    // What is no address ends the search at the proxy that reported it.
    ['10.0.0.7', '198.51.100.4, unknown, 10.0.0.8', '10.0.0.8'],
    ['10.0.0.7', '198.51.100.4,', '10.0.0.7'],
    ['10.0.0.7', '', '10.0.0.7'],
    ['10.0.0.7', '198.51.100.4, 010.0.0.1', '10.0.0.7'],
  ];
  for (const [peer, forwardedFor, client] of cases) assert.equal(keyOf(peer, forwardedFor), client, forwardedFor);
});

test('an IPv6 address counts as its network', () => {
  const keyOf = clientKey();
  assert.equal(keyOf('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::/64');
  assert.equal(keyOf('2001:db8:1:2:ffff::'), '2001:db8:1:2::/64');
  assert.equal(keyOf('fe80::1%eth0'), 'fe80::/64');
  assert.equal(keyOf('::ffff:192.0.2.1'), '192.0.2.1');
  assert.equal(clientKey({ ipv6Prefix: 56 })('2001:db8:1:2ff::1'), '2001:db8:1:200::/56');
  assert.equal(clientKey({ ipv6Prefix: 128 })('2001:db8::1'), '2001:db8::1');
});

test('who comes over a unix socket has no address; a proxy there may be trusted', () => {
  assert.equal(clientKey()(undefined, '198.51.100.4'), 'unix:');
  const keyOf = clientKey({ trustedProxies: ['unix:'] });
  assert.equal(keyOf(undefined, '203.0.113.9, 198.51.100.4'), '198.51.100.4');
  assert.equal(keyOf(undefined, 'nonsense'), 'unix:');
  assert.equal(keyOf('192.0.2.1', '198.51.100.4'), '192.0.2.1');
});

test('addresses of one network have one key, those of two networks two', () => {
  const address = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 });
  const textOf = (groups: readonly number[]): string => groups.map((group) => group.toString(16)).join(':');
  const networkOf = (groups: readonly number[], bits: number): string =>
    groups
      .map((group) => group.toString(2).padStart(16, '0'))
      .join('')
      .slice(0, bits);
  const pairs = fc.record({ one: address, other: address, same: fc.nat(8), bits: fc.integer({ min: 32, max: 128 }) });
  fc.assert(
    fc.property(pairs, ({ one, other, same, bits }) => {
      const mixed = [...one.slice(0, same), ...other.slice(same)];
      const keyOf = clientKey({ ipv6Prefix: bits });
      const mapped = [one, mixed].some((groups) => groups.slice(0, 5).every((group) => group === 0));
      fc.pre(!mapped);
      assert.equal(keyOf(textOf(one)) === keyOf(textOf(mixed)), networkOf(one, bits) === networkOf(mixed, bits));
    }),
  );
});

test('nothing that a field says makes it throw, or escapes the peer that is not trusted', () => {
  const keyOf = clientKey({ trustedProxies: ['10.0.0.0/8'] });
  const hop = fc.oneof(fc.ipV4(), fc.ipV6(), fc.string(), fc.constantFrom('unknown', '_x', '10.0.0.1', '[::1]:80'));
  fc.assert(
    fc.property(
      fc.array(hop).map((hops) => hops.join(', ')),
      (forwardedFor) => {
        assert.notEqual(keyOf('10.0.0.7', forwardedFor), '');
        assert.equal(keyOf('192.0.2.1', forwardedFor), '192.0.2.1');
      },
    ),
  );
});

test('mistakes in options are named', () => {
  const refused = (options: object, message: RegExp): void =>
    assert.throws(
      () => clientKey(options),
      (error) => error instanceof SpillwayError && error.code === 'OPTIONS_INVALID' && message.test(error.message),
    );
  refused({ trustedProxies: ['10.0.0.0/8', '10.0.0.1/8'] }, /“10\.0\.0\.1\/8”/);
  refused({ ipv6Prefix: 31 }, /31; expected an integer from 32 to 128/);
  refused({ trusted: [] }, /no option “trusted”/);
});
