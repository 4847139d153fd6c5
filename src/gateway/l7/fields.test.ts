/** Known fields: found by name in any case, and what each may do. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldFlags, fieldId, fieldNames, isProtected, isTrailerAllowed } from './fields.ts';

test('every known field is found by its name in any case, and no other name is', () => {
  const find = (name: string): number => {
    const bytes = Buffer.from(`:${name}:`, 'latin1');
    return fieldId(bytes, 1, 1 + name.length);
  };
  for (const [id, name] of fieldNames.entries()) {
    if (id === 0) continue;
    assert.equal(find(name), id, name);
    assert.equal(find(name.toUpperCase()), id, name);
    assert.equal(find(`${name}x`), 0);
    assert.equal(find(name.slice(1) + name[0]!), 0);
    assert.equal(find(name.replace(/.$/, '!')), 0);
  }
  assert.equal(fieldFlags.length, fieldNames.length);
});

test('RFC 9110 §6.5.1: what may not be a trailer, what Connection may not name', () => {
  const ask = (rule: (buffer: Uint8Array, from: number, to: number) => boolean, name: string): boolean =>
    rule(Buffer.from(name), 0, name.length);
  const late = (name: string): boolean => ask(isTrailerAllowed, name);
  for (const name of ['X-Checksum', 'grpc-status', 'Server-Timing', 'ETag', 'Content-Digest'])
    assert.ok(late(name), name);
  for (const name of [
    ...fieldNames.filter((known) => known !== '' && known !== 'proxy-status'),
    'Authorization',
    'Content-Type',
    'content-anything',
    'X-Forwarded-Anything',
    'Cache-Control',
    'Location',
    'WWW-Authenticate',
    'Proxy-Authorization',
    'Range',
  ]) {
    assert.ok(!late(name), name);
  }
  for (const name of ['X-Hop', 'TE', 'Upgrade', 'Keep-Alive', 'Trailer']) assert.ok(!ask(isProtected, name), name);
  for (const name of ['Host', 'Authorization', 'X-Forwarded-Anything', 'Origin'])
    assert.ok(ask(isProtected, name), name);
});
