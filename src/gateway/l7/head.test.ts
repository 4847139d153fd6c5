/** What a parsed request holds: offsets, what is dropped, what the fields say, and where limits strike. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BothWays } from '../../../test/both-ways.ts';
import { refusals } from '../slots.ts';
import {
  ABSOLUTE_FORM,
  ASTERISK_FORM,
  CHUNKED,
  Head,
  LENGTH,
  METHOD_GET,
  METHOD_OPTIONS,
  METHOD_OTHER,
  METHOD_POST,
  MORE,
  NONE,
  OK,
  type RequestLimits,
  isWorthParsing,
} from './head.ts';
import { listedNames } from './connection.ts';
import { parseRequestHead } from './request-head.ts';

const limits: RequestLimits = {
  requestLineBytesMax: 8192,
  headerBytesMax: 32768,
  headerFieldsMax: 100,
  underscoresInNames: 'reject',
};

const both = new BothWays();

function request(
  text: string,
  overrides: Partial<RequestLimits> = {},
  head = new Head(),
): { head: Head; verdict: string } {
  const buffer = Buffer.from(text, 'latin1');
  const all = { ...limits, ...overrides };
  const verdict = both.parseCopy((...given) => parseRequestHead(...given, all), head, buffer, 0, buffer.length);
  return { head, verdict: verdict === OK ? 'ok' : verdict === MORE ? 'more' : refusals[verdict]!.word };
}

const accepted = (text: string, overrides: Partial<RequestLimits> = {}): Head => {
  const { head, verdict } = request(text, overrides);
  assert.equal(verdict, 'ok', head.problem);
  return head;
};

/** The lines that would be forwarded. */
function kept(head: Head): string[] {
  const lines: string[] = [];
  for (let i = 0; i < head.count; i += 1) {
    if (head.drop[i] === 0) lines.push(head.text(head.lineStart[i]!, head.lineEnd[i]!).trimEnd());
  }
  return lines;
}

test('a request is split into method, target, path, query and host', () => {
  const head = accepted('POST /a/b?c=d?e HTTP/1.1\r\nHost: shop.example:8080\r\nContent-Length: 12\r\n\r\nrest');
  assert.equal(head.methodId, METHOD_POST);
  assert.equal(head.text(head.start, head.methodEnd), 'POST');
  assert.equal(head.text(head.targetStart, head.targetEnd), '/a/b?c=d?e');
  assert.equal(head.text(head.pathStart, head.pathEnd), '/a/b');
  assert.equal(head.text(head.queryStart, head.queryEnd), 'c=d?e');
  assert.equal(head.text(head.hostStart, head.hostEnd), 'shop.example:8080');
  assert.equal(head.text(head.hostStart, head.hostNameEnd), 'shop.example');
  assert.equal(head.minorVersion, 1);
  assert.equal(head.text(head.end, head.buffer.length), 'rest');
  assert.equal(head.bodyKind, LENGTH);
  assert.equal(head.contentLength, 12);
  assert.equal(head.keepAlive, true);
});

test('field lines follow each other without a gap, values without the blanks around them', () => {
  const head = accepted('GET / HTTP/1.1\r\nHost:a\r\nX-A: \t one two \t\r\nEmpty:\r\nBlank: \t \r\n\r\n');
  assert.equal(head.count, 4);
  let at = head.lineStart[0]!;
  const found: [string, string][] = [];
  for (let i = 0; i < head.count; i += 1) {
    assert.equal(head.lineStart[i], at);
    at = head.lineEnd[i]!;
    found.push([head.text(head.nameStart[i]!, head.nameEnd[i]!), head.text(head.valueStart[i]!, head.valueEnd[i]!)]);
  }
  assert.equal(at + 2, head.end);
  assert.equal(head.position, head.end);
  assert.deepEqual(found, [
    ['Host', 'a'],
    ['X-A', 'one two'],
    ['Empty', ''],
    ['Blank', ''],
  ]);
});

test('RFC 9112 §2.2: an empty line before the request is not part of it', () => {
  const head = accepted('\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal(head.start, 2);
  assert.equal(head.text(head.start, head.methodEnd), 'GET');
});

test('RFC 9112 §3.2.2: the authority of an absolute-form target replaces Host', () => {
  const head = accepted('GET https://b.example:444/x?y HTTP/1.1\r\nHost: a.example\r\nX: 1\r\n\r\n');
  assert.equal(head.targetForm, ABSOLUTE_FORM);
  assert.equal(head.targetSecure, true);
  assert.equal(head.text(head.hostStart, head.hostEnd), 'b.example:444');
  assert.equal(head.text(head.hostStart, head.hostNameEnd), 'b.example');
  assert.equal(head.text(head.pathStart, head.pathEnd), '/x');
  assert.equal(head.text(head.queryStart, head.queryEnd), 'y');
  assert.deepEqual(kept(head), ['X: 1']);
});

test('RFC 9112 §3.2.4: an absolute-form target may have no path, and then a query', () => {
  const bare = accepted('OPTIONS http://b.example HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal(bare.methodId, METHOD_OPTIONS);
  assert.equal(bare.pathStart, bare.pathEnd);
  assert.equal(bare.queryStart, bare.pathEnd);
  const query = accepted('GET HTTP://b.example?q HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal(query.targetSecure, false);
  assert.equal(query.pathStart, query.pathEnd);
  assert.equal(query.text(query.queryStart, query.queryEnd), 'q');
  assert.equal(query.text(query.hostStart, query.hostEnd), 'b.example');
});

test('RFC 9112 §3.2.4: OPTIONS * has no path', () => {
  const head = accepted('OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 7\r\n\r\n');
  assert.equal(head.targetForm, ASTERISK_FORM);
  assert.equal(head.pathStart, head.pathEnd);
  assert.equal(head.maxForwards, 7);
  assert.equal(head.maxForwardsIndex, 1);
});

test('an HTTP/1.0 request needs no Host and does not keep the connection unless it asks', () => {
  const head = accepted('GET / HTTP/1.0\r\n\r\n');
  assert.equal(head.hostIndex, -1);
  assert.equal(head.hostStart, head.hostEnd);
  assert.equal(head.keepAlive, false);
  assert.equal(accepted('GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n').keepAlive, true);
  assert.equal(accepted('GET / HTTP/1.0\r\nConnection: Keep-Alive, close\r\n\r\n').keepAlive, false);
});

test('RFC 9112 §9.3: close wins, in any field and place of the list', () => {
  for (const value of ['close', 'CLOSE', 'keep-alive, close', ' , close ,', 'x\r\nConnection: close']) {
    assert.equal(accepted(`GET / HTTP/1.1\r\nHost: a\r\nConnection: ${value}\r\n\r\n`).keepAlive, false, value);
  }
  assert.equal(accepted('GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n').keepAlive, true);
});

test('RFC 9110 §7.6.1: what belongs to the connection is dropped, with what Connection names', () => {
  const head = accepted(
    [
      'GET / HTTP/1.1',
      'x-zhop: 1',
      'Host: a',
      'Connection: X-ZHop, TE',
      'Keep-Alive: timeout=5',
      'Proxy-Connection: keep-alive',
      'TE: gzip;q=0.5, trailers',
      'Trailer: X-Sum',
      'Upgrade: h2c',
      'HTTP2-Settings: AAMAAABkAAQAAP__',
      'Proxy: http://evil.example',
      'X-ZHOP: 2',
      'X-ZHope: 3',
      'Accept: */*',
      '\r\n',
    ].join('\r\n'),
  );
  assert.deepEqual(kept(head), ['Host: a', 'Trailer: X-Sum', 'X-ZHope: 3', 'Accept: */*']);
  assert.equal(head.teTrailers, true);
  assert.equal(head.optionCount, 2);
  assert.deepEqual(listedNames(head), ['x-zhop', 'te']);
});

test('RFC 9110 §7.6.1: Connection options beyond reason are refused, not worked through', () => {
  const options = Array.from({ length: 40 }, (_, i) => `x${i}`).join(',');
  assert.equal(request(`GET / HTTP/1.1\r\nHost: a\r\nConnection: ${options}\r\n\r\n`).verdict, 'bad_connection_option');
});

test('RFC 9110 §10.1.4: trailers are taken only by a client that says so in a list', () => {
  const takes = (te: string): boolean => accepted(`GET / HTTP/1.1\r\nHost: a\r\nTE: ${te}\r\n\r\n`).teTrailers;
  assert.deepEqual(
    ['trailers', 'Trailers', 'a, trailers ,b', '', 'trailersx', 'x trailers', 'trailers;q=0', 'gzip'].map(takes),
    [true, true, true, false, false, false, false, false],
  );
});

test('RFC 9110 §7.8: an upgrade is HTTP/1.1, listed, single and without a body', () => {
  const asks = (fields: string, version = '1.1'): boolean =>
    accepted(`GET / HTTP/${version}\r\nHost: a\r\n${fields}\r\n\r\n`).upgrade;
  assert.equal(asks('Connection: Upgrade\r\nUpgrade: websocket'), true);
  assert.equal(asks('Connection: keep-alive, upgrade\r\nUpgrade: websocket\r\nContent-Length: 0'), true);
  assert.equal(asks('Upgrade: websocket'), false);
  assert.equal(asks('Connection: Upgrade'), false);
  assert.equal(asks('Connection: Upgrade\r\nUpgrade:'), false);
  assert.equal(asks('Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c'), false);
  assert.equal(asks('Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1'), false);
  assert.equal(asks('Connection: Upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked'), false);
  assert.equal(asks('Connection: Upgrade\r\nUpgrade: websocket', '1.0'), false);
  const head = accepted('GET / HTTP/1.1\r\nConnection: Upgrade\r\nHost: a\r\nUpgrade: websocket\r\n\r\n');
  assert.equal(head.upgradeIndex, 2);
  assert.deepEqual(kept(head), ['Host: a']);
  assert.equal(accepted('GET / HTTP/1.1\r\nHost: a\r\nUpgrade: a\r\nUpgrade: b\r\n\r\n').upgradeIndex, -1);
});

test('RFC 9110 §10.1.1: Expect counts only with a body and in HTTP/1.1, and else is dropped', () => {
  const waits = accepted('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n');
  assert.equal(waits.expectContinue, true);
  assert.equal(waits.expectIndex, 1);
  assert.equal(waits.drop[1], 0);
  for (const text of [
    'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n',
    'POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n',
  ]) {
    const head = accepted(text);
    assert.equal(head.expectContinue, false);
    assert.equal(head.drop[1], 1);
  }
});

test('RFC 9110 §17.10: an underscore in a name is refused, or dropped by option, also beside its twin', () => {
  const text = 'GET / HTTP/1.1\r\nHost: a\r\nX_A: 1\r\nX-A: 2\r\n_: 3\r\nContent_Length: 4\r\n\r\n';
  assert.equal(request(text).verdict, 'underscore_name');
  const head = accepted(text, { underscoresInNames: 'drop' });
  assert.deepEqual(kept(head), ['Host: a', 'X-A: 2']);
  assert.equal(head.contentLength, -1);
});

test('RFC 9110 §7.6.3: Via fields are counted', () => {
  assert.equal(accepted('GET / HTTP/1.1\r\nHost: a\r\nVia: 1.1 x\r\nvia: 1.1 y\r\n\r\n').viaCount, 2);
});

test('a chunked request has no length', () => {
  const head = accepted('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
  assert.equal(head.bodyKind, CHUNKED);
  assert.equal(head.contentLength, -1);
  assert.deepEqual(kept(head), ['Host: a']);
});

test('RFC 9110 §8.6: the largest length is exact, and leading zeros do not matter', () => {
  assert.equal(
    accepted('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0009007199254740991\r\n\r\n').contentLength,
    Number.MAX_SAFE_INTEGER,
  );
  const empty = accepted('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n');
  assert.equal(empty.bodyKind, NONE);
  assert.equal(empty.contentLength, 0);
  assert.equal(empty.contentLengthIndex, 1);
});

test('a head that is used again remembers nothing', () => {
  const head = new Head();
  const full =
    'POST http://b/?q HTTP/1.0\r\nHost: a\r\nConnection: x, upgrade, keep-alive\r\nUpgrade: y\r\nTE: trailers\r\n' +
    'Via: 1.0 z\r\nContent-Length: 5\r\n\r\n';
  assert.equal(request(full, {}, head).verdict, 'ok');
  request('GET /#', {}, head);
  const text = 'GET / HTTP/1.1\r\nHost: c\r\n\r\n';
  assert.equal(request(text, {}, head).verdict, 'ok');
  const fresh = accepted(text);
  const state = ({ buffer: _, ...rest }: Head): object => {
    const {
      nameStart: _a,
      lineStart: _b,
      nameEnd: _c,
      valueStart: _d,
      valueEnd: _e,
      lineEnd: _f,
      id,
      drop,
      ...scalars
    } = rest;
    return { ...scalars, id: [...id.subarray(0, rest.count)], drop: [...drop.subarray(0, rest.count)] };
  };
  assert.deepEqual(state(head), state(fresh));
  head.release();
  assert.equal(head.buffer.length, 0);
});

test('a head grows to the limit of fields, and no further', () => {
  const many = (count: number): string =>
    `GET / HTTP/1.1\r\nHost: a\r\n${Array.from({ length: count - 1 }, (_, i) => `x${i}: ${i}\r\n`).join('')}\r\n`;
  for (const count of [1, 31, 32, 33, 64, 65, 100]) {
    const head = accepted(many(count));
    assert.equal(head.count, count);
    for (let i = 1; i < count; i += 1) {
      assert.equal(head.text(head.lineStart[i]!, head.lineEnd[i]!), `x${i - 1}: ${i - 1}\r\n`);
    }
  }
  assert.equal(request(many(101)).verdict, 'head_too_large');
  assert.equal(request(many(5), { headerFieldsMax: 4 }).verdict, 'head_too_large');
});

test('RFC 6585 §5, RFC 9110 §15.5.15: limits are exact, and hold for what is incomplete', () => {
  const line = 'GET /aaaa HTTP/1.1\r\n';
  const text = `${line}Host: a\r\n\r\n`;
  const whole = { requestLineBytesMax: line.length, headerBytesMax: text.length };
  accepted(text, whole);
  assert.equal(request(text, { ...whole, requestLineBytesMax: line.length - 1 }).verdict, 'line_too_long');
  assert.equal(request(text, { ...whole, headerBytesMax: text.length - 1 }).verdict, 'head_too_large');
  // At the limit and not complete: no byte more is waited for, so a buffer of that size never fills up and hangs.
  assert.equal(request(text.slice(0, -1), { headerBytesMax: text.length - 1 }).verdict, 'head_too_large');
  assert.equal(request(text.slice(0, -2), { headerBytesMax: text.length - 1 }).verdict, 'more');
  assert.equal(request(line.slice(0, 12), { requestLineBytesMax: 12 }).verdict, 'line_too_long');
  assert.equal(request(line.slice(0, 11), { requestLineBytesMax: 12 }).verdict, 'more');
});

test('parsing again is worth it when a line ended or a limit was reached', () => {
  const worth = (text: string, from: number): boolean =>
    isWorthParsing(Buffer.from(text), 0, from, text.length, { headerBytesMax: 20, requestLineBytesMax: 10 });
  assert.equal(worth('GET / H', 3), false);
  assert.equal(worth('GET /\r\n', 3), true);
  assert.equal(worth('GET /\r\nab', 7), false);
  assert.equal(worth('GET /aaaaaa', 8), true);
  assert.equal(worth('GET /aaaaaaaaaaaaaaa', 19), true);
});

test('methods have numbers', () => {
  const id = (method: string): number => accepted(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`).methodId;
  assert.equal(id('GET'), METHOD_GET);
  assert.deepEqual(['HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'].map(id), [2, 3, 4, 5, 6, 7]);
  assert.deepEqual(['GEX', 'PUTT', 'Get', 'MKCOL', 'PROPFIND', 'X'].map(id), Array(6).fill(METHOD_OTHER));
});
