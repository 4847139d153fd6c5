import assert from 'node:assert/strict';
import { BlockList, isIP } from 'node:net';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Address, addressFrom, AddressSet, parseAddress, writeAddress } from './ip-address.ts';

function text(address: Address | null): string | null {
  if (address === null) return null;
  const out = Buffer.alloc(64);
  return out.toString('latin1', 0, writeAddress(address, out, 0));
}

function setOf(...networks: string[]): AddressSet {
  const set = AddressSet.compile(networks);
  assert.ok(set instanceof AddressSet, JSON.stringify(set));
  return set;
}

describe('reading an address', () => {
  const accepted: [string, string][] = [
    ['0.0.0.0', '0.0.0.0'],
    ['255.255.255.255', '255.255.255.255'],
    ['203.0.113.9', '203.0.113.9'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['2001:DB8:0:0:8:800:200C:417A', '2001:db8::8:800:200c:417a'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'], // RFC 5952 §4.2.2: one group is not shortened
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'], // §4.2.3: the longest run
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'], // §4.2.3: the first of equals
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::ffff:c000:201', '192.0.2.1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['::2:3:4:5:6:7:8', '0:2:3:4:5:6:7:8'],
    ['ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ];
  for (const [given, expected] of accepted) {
    test(`RFC 4291 §2.2: ${given} is ${expected}`, () => assert.equal(text(addressFrom(given)), expected));
  }

  const refused = [
    ...[
      '',
      '1',
      '1.2.3',
      '1.2.3.4.5',
      '01.2.3.4',
      '1.2.3.04',
      '256.1.1.1',
      '1.2.3.4 ',
      ' 1.2.3.4',
      '1..2.3',
      '1.2.3.',
      '.1.2.3',
    ],
    ...[
      '0x7f.1.1.1',
      '127.1',
      '2130706433',
      '1.2.3.-4',
      '1.2.3.+4',
      '1.2.3.1000',
      ':',
      ':::',
      '1:',
      ':1',
      '1::2::3',
      '12345::',
    ],
    ...[
      '1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:8:9',
      '1:2:3:4:5:6:7:8::',
      '::1:2:3:4:5:6:7:8',
      'g::1',
      '::1.2.3',
      '::1.2.3.4:5',
    ],
    ...['1:2:3:4:5:6:7:1.2.3.4', '[::1]', '::1]', '1.2.3.4:80', '::ffff:1.2.3.04', `${'1:'.repeat(100)}1`],
  ];
  test('what is not an address is refused', () => {
    for (const given of refused) assert.equal(addressFrom(given), null, given);
  });

  test('the zone of a socket address is left out', () => assert.equal(text(addressFrom('fe80::1%eth0')), 'fe80::1'));

  test('agrees with node:net on any text', () => {
    const near = fc.stringMatching(/^[0-9a-f.:]{0,24}$/);
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), near), (given) => {
        assert.equal(addressFrom(given) !== null, isIP(given) !== 0, given);
      }),
      { numRuns: 3000 },
    );
  });

  test('what is written is read back, and is the shortest form that URL knows', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(0, 1, 0x10, 0xffff, 0xabc), { minLength: 8, maxLength: 8 }), (parts) => {
        const given = addressFrom(parts.map((part) => part.toString(16)).join(':'));
        assert.ok(given);
        const written = text(given) ?? '';
        assert.ok(addressFrom(written)?.equals(given));
        if (written.includes(':')) assert.equal(new URL(`http://[${written}]/`).hostname, `[${written}]`);
      }),
      { numRuns: 2000 },
    );
  });

  test('reads only its part of the bytes', () => {
    const bytes = Buffer.from('9192.0.2.15');
    const address = new Address();
    assert.ok(parseAddress(bytes, 1, 10, address));
    assert.equal(text(address), '192.0.2.1');
  });
});

describe('a set of networks', () => {
  test('contains the first and the last address of each network and not their neighbours', () => {
    const set = setOf('10.0.0.0/8', '192.0.2.128/25', '2001:db8::/33', '203.0.113.7');
    const inside = [
      '10.0.0.0',
      '10.255.255.255',
      '192.0.2.128',
      '192.0.2.255',
      '2001:db8::',
      '203.0.113.7',
      '::ffff:10.1.1.1',
    ];
    const outside = [
      '9.255.255.255',
      '11.0.0.0',
      '192.0.2.127',
      '192.0.3.0',
      '2001:db8:8000::',
      '203.0.113.6',
      '203.0.113.8',
    ];
    for (const address of [...inside, '2001:db8:7fff:ffff:ffff:ffff:ffff:ffff']) {
      assert.ok(set.has(addressFrom(address)!), address);
    }
    for (const address of [...outside, '::', '::10.0.0.1']) assert.ok(!set.has(addressFrom(address)!), address);
  });

  test('0.0.0.0/0 is every IPv4 address and no IPv6 one; ::/0 is both', () => {
    assert.ok(setOf('0.0.0.0/0').has(addressFrom('255.1.2.3')!));
    assert.ok(!setOf('0.0.0.0/0').has(addressFrom('2001:db8::1')!));
    assert.ok(setOf('::/0').has(addressFrom('255.1.2.3')!));
  });

  test('the empty set has nobody', () => {
    assert.ok(setOf().isEmpty);
    assert.ok(!setOf().has(addressFrom('127.0.0.1')!));
  });

  test('names the network it cannot read', () => {
    for (const bad of [
      '10.0.0.1/8',
      '10.0.0.0/33',
      '10.0.0.0/',
      '10.0.0.0/08',
      '::/129',
      'example',
      'fe80::1%eth0',
      '10.0.0.0/-1',
    ]) {
      assert.deepEqual(AddressSet.compile(['127.0.0.1', bad]), { mistake: bad });
    }
  });

  test('agrees with a naive list of networks', () => {
    const small = fc.tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 24, max: 32 }));
    fc.assert(
      fc.property(fc.array(small, { maxLength: 12 }), fc.array(fc.nat(255)), (networks, asked) => {
        const naive = new BlockList();
        const names = networks.map(([last, prefix]) => {
          const base = last & (0xffff_ff00 >> (prefix - 24));
          naive.addSubnet(`192.0.2.${base & 255}`, prefix);
          return `192.0.2.${base & 255}/${prefix}`;
        });
        const set = setOf(...names);
        for (const last of asked) {
          const address = `192.0.2.${last}`;
          assert.equal(set.has(addressFrom(address)!), naive.check(address), `${address} in ${names.join(' ')}`);
        }
      }),
    );
  });

  test('a masked address is the network of all that begin as it does', () => {
    fc.assert(
      fc.property(fc.ipV6(), fc.ipV6(), fc.integer({ min: 0, max: 128 }), (one, other, bits) => {
        const [network, member] = [addressFrom(one)!, addressFrom(other)!];
        network.mask(bits);
        fc.pre(!network.isIpv4);
        const inside = setOf(`${text(network)}/${bits}`);
        assert.ok(inside.has(addressFrom(one)!));
        member.mask(bits);
        assert.equal(inside.has(addressFrom(other)!), member.equals(network));
      }),
    );
  });
});
