import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isLoopback, parseAddress, parseRange, reaches } from './address.ts';

const read = (text: string, use: 'listen' | 'connect' = 'connect') => {
  const parsed = parseAddress(text, use);
  return parsed.ok ? parsed.address.text : null;
};
const listener = (text: string) => {
  const parsed = parseAddress(text, 'listen');
  assert.ok(parsed.ok, text);
  return parsed.address;
};

test('addresses to listen on and to connect to', () => {
  assert.equal(read('127.0.0.1:80'), '127.0.0.1:80');
  assert.equal(read('Shop.Internal:80'), 'shop.internal:80');
  assert.equal(read('my_db:5432'), 'my_db:5432');
  assert.equal(read('[::1]:80'), '[::1]:80');
  assert.equal(read(':80', 'listen'), '0.0.0.0:80');
  assert.equal(read('*:80', 'listen'), '0.0.0.0:80');
  assert.equal(read('127.0.0.1:0', 'listen'), '127.0.0.1:0');
});

test('what is no address is refused, with a suggestion where there is one', () => {
  const suggestions: Readonly<Record<string, string | null>> = {
    '127.0.0.1': null,
    'http://shop:80/x': 'shop:80',
    '::1': '"[::1]:80"', // in quotes: brackets begin a list in YAML
    '::1:8080': '"[::1]:8080"', // an address of its own as well, but nobody means that one
    '::1:8': '"[::1:8]:80"',
    '2001:db8:0:0:0:0:0:8080': '"[2001:db8:0:0:0:0:0:8080]:80"',
    '2001:db8:0:0:0:0:0:1:8080': '"[2001:db8:0:0:0:0:0:1]:8080"',
    ':80': '127.0.0.1:80',
    'a:0': null,
    'a:65536': null,
    'a b:80': null,
    '-a:80': null,
    '[zz]:80': null,
    '[fe80::1%eth0]:80': null,
    '256.0.0.1:80': null,
    '': null,
    'a:': null,
  };
  for (const [text, suggestion] of Object.entries(suggestions)) {
    const parsed = parseAddress(text, 'connect');
    assert.deepEqual([parsed.ok, parsed.ok ? null : parsed.suggestion], [false, suggestion], text);
  }
});

test('RFC 3986 §7.4: other spellings of an IPv4 address are refused, so that none passes a check as a name', () => {
  for (const host of ['2852039166', '0xa9fea9fe', '169.254.43518', '127.1', '0251.0376.0251.0376', '0x7f.1', 'a.0x1']) {
    assert.equal(read(`${host}:80`), null, host);
  }
});

test('ranges: a single address, a prefix, and no bits after the prefix', () => {
  const good = {
    '10.0.0.0/8': '10.0.0.0/8',
    '192.0.2.7': '192.0.2.7/32',
    '::1': '::1/128',
    'FD00::/8': 'fd00::/8',
    '0.0.0.0/0': '0.0.0.0/0',
  };
  for (const [text, range] of Object.entries(good)) assert.deepEqual(parseRange(text), { ok: true, range });
  for (const bad of [
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    'shop/8',
    '::/129',
    'fe80::1%eth0/64',
    '10.0.0.0/-1',
    '',
  ]) {
    assert.equal(parseRange(bad).ok, false, bad);
  }
  const parsed = parseRange('10.1.2.3/8');
  assert.equal(parsed.ok ? null : parsed.suggestion, '10.0.0.0/8');
});

test('loopback', () => {
  for (const host of ['127.0.0.1', '127.9.9.9', '::1', 'localhost', '::ffff:127.0.0.1'])
    assert.ok(isLoopback(host), host);
  for (const host of ['0.0.0.0', '::', '10.0.0.1', 'shop']) assert.ok(!isLoopback(host), host);
});

test('an endpoint that is a listener of ours is seen through its spellings', () => {
  const own = ['192.0.2.7', '127.0.0.1', '::1'];
  const yes: readonly (readonly [string, string])[] = [
    ['127.0.0.1:80', '127.0.0.1:80'],
    ['localhost:80', '127.0.0.1:80'],
    ['localhost:80', '[::1]:80'],
    ['[::ffff:127.0.0.1]:80', '127.0.0.1:80'],
    ['127.0.0.1:80', ':80'],
    ['127.0.0.1:80', '[::]:80'],
    ['192.0.2.7:80', ':80'],
  ];
  for (const [target, at] of yes) assert.ok(reaches(listener(target), listener(at), own), `${target} ${at}`);
  const no: readonly (readonly [string, string])[] = [
    ['127.0.0.1:81', '127.0.0.1:80'],
    ['127.0.0.2:80', '127.0.0.1:80'],
    ['192.0.2.8:80', ':80'],
    ['[::1]:80', ':80'],
    ['shop:80', ':80'],
  ];
  for (const [target, at] of no) assert.ok(!reaches(listener(target), listener(at), own), `${target} ${at}`);
});
