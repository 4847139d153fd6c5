import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routed, type RequestText } from '../../../test/engine/routed.ts';
import { xxh64 } from '../../kernel/xxh64.ts';
import type { KeySource } from '../key-source.ts';
import { createRequestKey } from './request-key.ts';

function hashOf(source: KeySource, request: RequestText): number | null {
  const key = createRequestKey(source);
  return key.read(routed(request)) ? key.hash : null;
}

test('the hash is the one that the library places a key by', () => {
  const fields = [
    ['X-User', 'ann'],
    ['Cookie', 'a=1; user=ben'],
  ] as const;
  assert.equal(hashOf({ kind: 'header', name: 'x-user' }, { fields }), xxh64('ann'));
  assert.equal(hashOf({ kind: 'cookie', name: 'user' }, { fields }), xxh64('ben'));
  assert.equal(hashOf({ kind: 'query', name: 'user' }, { query: 'a=1&user=c%C3%A9line' }), xxh64('céline'));
  assert.equal(hashOf({ kind: 'path' }, { path: '/a/b' }), xxh64('/a/b'));
});

test('what is missing or empty is no key', () => {
  assert.equal(hashOf({ kind: 'header', name: 'x-user' }, {}), null);
  assert.equal(hashOf({ kind: 'cookie', name: 'user' }, { fields: [['Cookie', 'user=; other=1']] }), null);
  assert.equal(hashOf({ kind: 'query', name: 'user' }, { query: 'user' }), null);
});

test('a client is its IPv4 address or its IPv6 /64', () => {
  const of = (client: string) => hashOf({ kind: 'client' }, { client });
  assert.equal(of('192.0.2.1'), xxh64(Uint8Array.of(192, 0, 2, 1)));
  assert.equal(of('192.0.2.1'), of('::ffff:192.0.2.1'));
  assert.notEqual(of('192.0.2.1'), of('192.0.2.2'));
  assert.equal(of('2001:db8:1:2::1'), of('2001:db8:1:2:ffff::9'));
  assert.notEqual(of('2001:db8:1:2::1'), of('2001:db8:1:3::1'));
});
