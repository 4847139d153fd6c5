import assert from 'node:assert/strict';
import dns, { type LookupAddress } from 'node:dns';
import { mock, test, type TestContext } from 'node:test';
import { isLinkLocal, lookupFor } from './link-local.ts';

test('RFC 3927 §2.7, RFC 4291 §2.5.6: metadata and link-local addresses are known in every family', () => {
  const yes = [
    '169.254.169.254',
    '169.254.0.1',
    '::ffff:169.254.169.254',
    '64:ff9b::169.254.169.254',
    'fe80::1',
    'fe80::1%eth0',
    'febf::1',
    'fd00:ec2::254',
    '100.100.100.200',
    'metadata.google.internal',
  ];
  for (const host of yes) assert.ok(isLinkLocal(host), host);
  for (const host of ['169.253.0.1', '10.0.0.1', 'fec0::1', '64:ff9b::10.0.0.1', 'shop.internal'])
    assert.ok(!isLinkLocal(host), host);
});

/** Every name stands for these addresses. */
function resolveTo(t: TestContext, ...addresses: string[]): void {
  const found = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  const lookup = mock.method(dns, 'lookup', (_name: string, options: dns.LookupOptions, done: Function) => {
    if (options.all === true) done(null, found);
    else done(null, found[0]?.address, found[0]?.family);
  });
  t.after(() => lookup.mock.restore());
}

async function look(allowLinkLocal: boolean, all: boolean): Promise<string | LookupAddress[]> {
  return await new Promise((resolve, reject) => {
    lookupFor(allowLinkLocal)('shop.example', { all }, (error, address) => {
      if (error === null) resolve(address);
      else reject(error);
    });
  });
}

test('a name that stands for nothing else is refused, and the error names it and what it stands for', async (t) => {
  resolveTo(t, '169.254.169.254', 'fe80::1');
  for (const all of [true, false]) {
    await assert.rejects(look(false, all), {
      code: 'ADDRESS_REFUSED',
      message: /shop\.example is 169\.254\.169\.254, fe80::1/,
    });
  }
});

test('of a name that stands for others too, only those are left', async (t) => {
  resolveTo(t, '169.254.169.254', '10.0.0.1', 'fd00:ec2::254', '10.0.0.2');
  assert.equal(await look(false, false), '10.0.0.1');
  const all = (await look(false, true)) as LookupAddress[];
  assert.deepEqual(
    all.map(({ address }) => address),
    ['10.0.0.1', '10.0.0.2'],
  );
});

test('where it is allowed, a name stands for what it stands for', async (t) => {
  resolveTo(t, '169.254.169.254');
  assert.equal(await look(true, false), '169.254.169.254');
});

test("a resolver's failure is passed on", async (t) => {
  const lookup = mock.method(dns, 'lookup', (_name: string, _options: unknown, done: Function) => {
    done(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }));
  });
  t.after(() => lookup.mock.restore());
  await assert.rejects(look(false, true), { code: 'ENOTFOUND' });
});
