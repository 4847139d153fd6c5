/** What a parsed response holds: where its body ends, what is dropped, whether its connection lives on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BothWays, type Parse } from '../../../test/both-ways.ts';
import { CHUNKED, Head, LENGTH, NONE, OK, UNTIL_CLOSE } from './head.ts';
import { parseResponseHead } from './response-head.ts';

const both = new BothWays();
const limits = { headerBytesMax: 32768, headerFieldsMax: 100 };

function response(text: string, toHead = false): Head {
  const head = new Head();
  const buffer = Buffer.from(text, 'latin1');
  const parse: Parse = (...given) => parseResponseHead(...given, limits, toHead);
  assert.equal(both.parseCopy(parse, head, buffer, 0, buffer.length), OK, head.problem);
  return head;
}

/** The lines that would be forwarded. */
function kept(head: Head): string[] {
  const lines: string[] = [];
  for (let i = 0; i < head.count; i += 1) {
    if (head.drop[i] === 0) lines.push(head.text(head.lineStart[i]!, head.lineEnd[i]!).trimEnd());
  }
  return lines;
}

test('RFC 9110 §6.4.1: where the body of a response ends', () => {
  const kind = (text: string, toHead = false): number => response(`HTTP/1.1 ${text}\r\n\r\n`, toHead).bodyKind;
  assert.equal(kind('200 OK\r\nContent-Length: 3'), LENGTH);
  assert.equal(kind('200 OK\r\nContent-Length: 0'), NONE);
  assert.equal(kind('200 OK\r\nTransfer-Encoding: chunked'), CHUNKED);
  assert.equal(kind('200 OK'), UNTIL_CLOSE);
  assert.equal(kind('206 Partial\r\nContent-Length: 3'), LENGTH);
  for (const status of ['100', '103', '101', '204', '304']) {
    assert.equal(kind(`${status} x\r\nContent-Length: 3`), NONE, status);
    assert.equal(kind(`${status} x\r\nTransfer-Encoding: chunked`), NONE, status);
  }
  assert.equal(kind('200 OK\r\nContent-Length: 3', true), NONE);
  assert.equal(kind('200 OK\r\nTransfer-Encoding: chunked', true), NONE);
});

test('RFC 9110 §8.6: the length of a 304 and of an answer to HEAD is passed on, that of a 204 or 1xx is not', () => {
  const keeps = (status: number, toHead = false): boolean =>
    response(`HTTP/1.1 ${status} x\r\nContent-Length: 3\r\n\r\n`, toHead).drop[0] === 0;
  assert.deepEqual([keeps(200), keeps(304), keeps(200, true)], [true, true, true]);
  assert.deepEqual([keeps(204), keeps(103), keeps(101), keeps(204, true)], [false, false, false, false]);
});

test('a response keeps the connection if its version and Connection say so and its end is known', () => {
  const keeps = (text: string): boolean => response(`${text}\r\n\r\n`).keepAlive;
  assert.equal(keeps('HTTP/1.1 200 OK\r\nContent-Length: 1'), true);
  assert.equal(keeps('HTTP/1.1 200 OK'), false);
  assert.equal(keeps('HTTP/1.1 204 x'), true);
  assert.equal(keeps('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close'), false);
  assert.equal(keeps('HTTP/1.0 200 OK\r\nContent-Length: 1'), false);
  assert.equal(keeps('HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive'), true);
});

test('a response is split into status and reason, and freed of what belongs to its connection', () => {
  const head = response(
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade, X-Hop\r\nUpgrade: websocket\r\nKeep-Alive: 5\r\nX-Hop: 1\r\n' +
      'Set-Cookie: a\r\nSet-Cookie: b\r\nProxy: p\r\n\r\n',
  );
  assert.equal(head.status, 101);
  assert.equal(head.text(head.reasonStart, head.reasonEnd), 'Switching Protocols');
  assert.equal(head.upgrade, true);
  assert.deepEqual(kept(head), ['Set-Cookie: a', 'Set-Cookie: b', 'Proxy: p']);
});
