import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failureReason } from './connection-failure.ts';

test('a code that is known is said in words', () => {
  assert.equal(failureReason('ECONNREFUSED', 'connect ECONNREFUSED 127.0.0.1:9'), 'connection refused');
  assert.equal(failureReason('CERT_HAS_EXPIRED', ''), 'its certificate has expired');
});

test('what TLS says is cut down to its reason', () => {
  const said = (reason: string) =>
    `C0AC:error:0A00010B:SSL routines:tls_validate_record_header:${reason}:../ssl/x.c:80:`;
  assert.equal(failureReason('ERR_SSL', said('wrong version number')), 'it does not speak TLS');
  assert.equal(failureReason('ERR_SSL', said('no shared cipher')), 'TLS handshake failed: no shared cipher');
});

test('a message that a server had a part in is short and cannot drive a terminal', () => {
  const reason = failureReason('ERR_OTHER', `\u001B[31m${'x'.repeat(500)}\u202E`);
  assert.match(reason, /^[\x20-\x7e]{1,200}$/);
});
