import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lines, says, service } from '../../../test/config-text.ts';

const checked = (active: string) => service(`health: { active: ${active} }`);
const accepted = (active: string) => assert.deepEqual(lines(checked(active)), []);

test('each type of check has its options', () => {
  accepted('{ interval: 1s }');
  accepted('{ headers: { X-Forwarded-Proto: https }, expect: { headers: { X-Role: "*" }, body: ready } }');
  accepted('{ type: tcp, send: "PING\\r\\n", expect: { banner: +PONG } }');
  accepted('{ type: grpc, service: shop.v1.Orders, host: shop.example, headers: { X-Tenant: a } }');
});

test('an option of another type of check means nothing', () => {
  says(checked('{ type: tcp, path: /x }'), 'path means nothing to a check of type tcp', 'type: http, or no such key');
  says(checked('{ type: tcp, expect: { body: ok } }'), 'body means nothing to a check of type tcp');
  says(checked('{ type: tcp, headers: { A: b } }'), 'headers means nothing', 'type: http or grpc');
  says(checked('{ expect: { banner: ok } }'), 'banner means nothing to a check of type http');
  says(checked('{ service: shop }'), 'service means nothing to a check of type http');
  says(checked('{ type: grpc, method: HEAD }'), 'method means nothing to a check of type grpc');
  says(checked('{ type: grpc, expect: { status: [200] } }'), 'status means nothing to a check of type grpc');
});

test('what could never succeed, or never fail, is told', () => {
  says(checked('{ method: HEAD, expect: { body: ok } }'), 'the answer to HEAD has no body');
  says(checked('{ type: tcp, send: hello }'), 'nobody looks at what the endpoint answers', 'expect.banner, or no send');
  says(checked('{ expect: { body: "" } }'), 'expected a text that is not empty');
  says(checked('{ interval: 1s, timeout: 2s }'), 'timeout (2s) at most interval (1s)');
});

test('fields that frame a request, or that another option sets, cannot be sent with a check', () => {
  says(checked('{ headers: { Content-Length: "1" } }'), 'the field Content-Length of a check cannot be set');
  says(checked('{ headers: { host: a } }'), 'the field host of a check cannot be set', 'the option host');
  says(checked('{ type: grpc, headers: { Grpc-Timeout: 1S } }'), 'the field Grpc-Timeout of a check cannot be set');
  says(checked('{ headers: { X: "a\\r\\nB: c" } }'), 'expected the value of a field: printable ASCII');
});

test('the old place of a name is found by the one it has', () => {
  says(checked('{ expected: [200] }'), 'unknown key "expected"', 'Did you mean expect?');
});
