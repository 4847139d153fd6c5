/**
 * Messages that two parsers may read differently, with the one verdict of this one. Each row names the rule it is about.
 * The parser's tests and the tests on real sockets run the same rows.
 */
import type { Refusal } from '../src/gateway/slots.ts';

export interface RequestRow {
  readonly title: string;
  readonly bytes: string;
  /** `ok`, or the word of the refusal. */
  readonly verdict: 'ok' | Refusal;
}

export interface ResponseRow {
  readonly title: string;
  readonly bytes: string;
  readonly ok: boolean;
}

const H = 'Host: a.example\r\n';
const get = (line: string, fields = H): string => `${line}\r\n${fields}\r\n`;
const fields = (text: string): string => `GET / HTTP/1.1\r\n${H}${text}\r\n\r\n`;
const post = (text: string, body = ''): string => `POST / HTTP/1.1\r\n${H}${text}\r\n\r\n${body}`;
const chunk = '5\r\nhello\r\n0\r\n\r\n';

function row(title: string, bytes: string, verdict: RequestRow['verdict']): RequestRow {
  return { title, bytes, verdict };
}

export const requestRows: readonly RequestRow[] = [
  // Request line
  row('RFC 9112 §3: an ordinary request', get('GET / HTTP/1.1'), 'ok'),
  row('RFC 9112 §2.2: one empty line before the request', `\r\n${get('GET / HTTP/1.1')}`, 'ok'),
  row('RFC 9112 §2.2: two empty lines before the request', `\r\n\r\n${get('GET / HTTP/1.1')}`, 'bad_request_line'),
  row('RFC 9112 §2.2: a bare LF before the request', `\n${get('GET / HTTP/1.1')}`, 'bad_request_line'),
  row('RFC 9112 §2.2: a bare CR before the request', `\r${get('GET / HTTP/1.1')}`, 'bad_request_line'),
  row('RFC 9112 §2.2: request line ends with bare LF', `GET / HTTP/1.1\n${H}\r\n`, 'bad_request_line'),
  row('RFC 9112 §2.2: request line ends with bare CR', `GET / HTTP/1.1\r${H}\r\n`, 'bad_request_line'),
  row('RFC 9112 §2.2: request line ends with CR CR LF', `GET / HTTP/1.1\r\r\n${H}\r\n`, 'bad_request_line'),
  row('RFC 9112 §3: two spaces before the target', get('GET  / HTTP/1.1'), 'bad_request_line'),
  row('RFC 9112 §3: two spaces before the version', get('GET /  HTTP/1.1'), 'bad_request_line'),
  row('RFC 9112 §3: a tab for a space', get('GET\t/ HTTP/1.1'), 'bad_request_line'),
  row('RFC 9112 §3: a tab after the target', get('GET /\tHTTP/1.1'), 'bad_target'),
  row('RFC 9112 §3: a space after the version', get('GET / HTTP/1.1 '), 'bad_request_line'),
  row('RFC 9112 §3: a space before the method', get(' GET / HTTP/1.1'), 'bad_request_line'),
  row('RFC 9112 §3.1: a method that is no token', get('G(T / HTTP/1.1'), 'bad_request_line'),
  row('RFC 9110 §9.1: a method nobody knows is passed on', get('FROBNICATE / HTTP/1.1'), 'ok'),
  row('RFC 9110 §9.1: a method in lower case is another method', get('get / HTTP/1.1'), 'ok'),
  row('RFC 9110 §9.3.6: CONNECT', get('CONNECT a.example:443 HTTP/1.1'), 'method_refused'),
  row('RFC 9110 §9.3.8: TRACE', get('TRACE / HTTP/1.1'), 'method_refused'),
  row('RFC 9110 §9.3.8: TRACE by another spelling', get('tRaCe / HTTP/1.1'), 'method_refused'),
  row('RFC 9112 §3: HTTP/0.9', 'GET /\r\n\r\n', 'bad_request_line'),
  row('RFC 9112 §2.3: HTTP/0.9, spelled out', get('GET / HTTP/0.9'), 'bad_version'),
  row('RFC 9110 §15.6.6: HTTP/2.0 as HTTP/1 syntax', get('GET / HTTP/2.0'), 'bad_version'),
  row('RFC 9113 §3.4: the HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'bad_version'),
  row('RFC 9110 §2.5: HTTP/1.2', get('GET / HTTP/1.2'), 'bad_version'),
  row('RFC 9110 §2.5: HTTP/1.9', get('GET / HTTP/1.9'), 'bad_version'),
  row('RFC 9112 §2.3: HTTP/1.10', get('GET / HTTP/1.10'), 'bad_request_line'),
  row('RFC 9112 §2.3: HTTP/1,1', get('GET / HTTP/1,1'), 'bad_request_line'),
  row('RFC 9112 §2.3: HTTP/x.1', get('GET / HTTP/x.1'), 'bad_request_line'),
  row('RFC 9112 §2.3: http/1.1 in lower case', get('GET / http/1.1'), 'bad_request_line'),
  row('RFC 9112 §2.3: HTTP/01.1', get('GET / HTTP/01.1'), 'bad_version'),

  // Target
  row('RFC 9112 §3.2: a fragment', get('GET /#top HTTP/1.1'), 'bad_target'),
  row('RFC 9112 §3.2: a fragment after a query', get('GET /?a#top HTTP/1.1'), 'bad_target'),
  row('RFC 9112 §3.2: a target without a slash', get('GET index.html HTTP/1.1'), 'bad_target'),
  row('RFC 9112 §3.2: a target with a NUL', get('GET /a\0b HTTP/1.1'), 'bad_target'),
  row('RFC 9112 §3.2: a target with a byte above ASCII', get('GET /\xe9 HTTP/1.1'), 'bad_target'),
  row('RFC 9112 §3.2: a target with a quote', get('GET /" HTTP/1.1'), 'bad_target'),
  row('RFC 9112 §3.2.1: a query that browsers send', get('GET /a?b[]=1|2&c={d}^` HTTP/1.1'), 'ok'),
  row('RFC 9112 §3.2.4: OPTIONS *', get('OPTIONS * HTTP/1.1'), 'ok'),
  row('RFC 9112 §3.2.4: GET *', get('GET * HTTP/1.1'), 'bad_target'),
  row('RFC 9112 §3.2.4: OPTIONS *x', get('OPTIONS *x HTTP/1.1'), 'bad_target'),
  row('RFC 9112 §3.2.2: absolute-form', get('GET http://a.example/x?y HTTP/1.1'), 'ok'),
  row('RFC 9112 §3.2.2: absolute-form with https', get('GET HTTPS://a.example:443 HTTP/1.1'), 'ok'),
  row('RFC 9112 §3.2.2: absolute-form beats Host', get('GET http://b.example/ HTTP/1.1'), 'ok'),
  row('RFC 9112 §3.2: absolute-form without Host', get('GET http://a.example/ HTTP/1.1', ''), 'bad_host'),
  row('RFC 9110 §4.2.1: absolute-form without an authority', get('GET http:///x HTTP/1.1'), 'bad_target'),
  row('RFC 9110 §4.2.4: absolute-form with userinfo', get('GET http://u@a.example/ HTTP/1.1'), 'bad_target'),
  row('RFC 9110 §4.2: absolute-form with another scheme', get('GET ftp://a.example/ HTTP/1.1'), 'bad_target'),
  row('RFC 9112 §3.2.3: authority-form without CONNECT', get('GET a.example:80 HTTP/1.1'), 'bad_target'),

  // Host
  row('RFC 9112 §3.2: no Host', get('GET / HTTP/1.1', ''), 'bad_host'),
  row('RFC 9112 §3.2: no Host in HTTP/1.0', get('GET / HTTP/1.0', ''), 'ok'),
  row('RFC 9112 §3.2: two Hosts', get('GET / HTTP/1.1', `${H}${H}`), 'bad_host'),
  row('RFC 9112 §3.2: two Hosts in HTTP/1.0', get('GET / HTTP/1.0', `${H}${H}`), 'bad_host'),
  row('RFC 9112 §3.2: an empty Host', get('GET / HTTP/1.1', 'Host:\r\n'), 'bad_host'),
  row('RFC 9110 §7.2: Host with a path', get('GET / HTTP/1.1', 'Host: a.example/b\r\n'), 'bad_host'),
  row('RFC 9110 §7.2: Host with userinfo', get('GET / HTTP/1.1', 'Host: u@a.example\r\n'), 'bad_host'),
  row('RFC 9110 §7.2: Host is a list', get('GET / HTTP/1.1', 'Host: a.example, b.example\r\n'), 'bad_host'),
  row('RFC 3986 §3.2.2: Host with a space', get('GET / HTTP/1.1', 'Host: a b\r\n'), 'bad_host'),
  row('RFC 3986 §3.2.2: Host with an empty label', get('GET / HTTP/1.1', 'Host: a..b\r\n'), 'bad_host'),
  row('RFC 3986 §3.2.2: Host is two dots', get('GET / HTTP/1.1', 'Host: ..\r\n'), 'bad_host'),
  row('RFC 3986 §3.2.2: Host with a final dot', get('GET / HTTP/1.1', 'Host: a.example.:80\r\n'), 'ok'),
  row(
    'RFC 3986 §3.2.2: Host with a path after a final dot',
    get('GET / HTTP/1.1', 'Host: a.example./\r\n'),
    'bad_host',
  ),
  row('RFC 1035 §2.3.4: Host of 255 bytes', get('GET / HTTP/1.1', `Host: ${'a'.repeat(255)}\r\n`), 'ok'),
  row('RFC 1035 §2.3.4: Host of 256 bytes', get('GET / HTTP/1.1', `Host: ${'a'.repeat(256)}\r\n`), 'bad_host'),
  row(
    'RFC 1035 §2.3.4: Host of 256 bytes and a dot',
    get('GET / HTTP/1.1', `Host: ${'a'.repeat(255)}.\r\n`),
    'bad_host',
  ),
  row('RFC 3986 §3.2.2: Host is an IPv6 address', get('GET / HTTP/1.1', 'Host: [::1]:8080\r\n'), 'ok'),
  row('RFC 3986 §3.2.2: Host is a broken IPv6 address', get('GET / HTTP/1.1', 'Host: [::1\r\n'), 'bad_host'),
  row('RFC 3986 §3.2.2: Host is too many groups', get('GET / HTTP/1.1', 'Host: [1:2:3:4:5:6:7:8:9]\r\n'), 'bad_host'),
  row('RFC 3986 §3.2.3: Host with a port of letters', get('GET / HTTP/1.1', 'Host: a:b\r\n'), 'bad_host'),
  row('RFC 3986 §3.2.3: Host with port 65536', get('GET / HTTP/1.1', 'Host: a:65536\r\n'), 'bad_host'),
  row('RFC 3986 §3.2.3: Host with two ports', get('GET / HTTP/1.1', 'Host: a:1:2\r\n'), 'bad_host'),
  row('RFC 3986 §3.2.3: Host with an empty port', get('GET / HTTP/1.1', 'Host: a:\r\n'), 'ok'),

  // Fields
  row('RFC 9112 §5.2: a folded line', fields('X: a\r\n b'), 'bad_field'),
  row('RFC 9112 §5.2: a line folded with a tab', fields('X: a\r\n\tb'), 'bad_field'),
  row('RFC 9112 §2.2: white space before the first field', `GET / HTTP/1.1\r\n ${H}\r\n`, 'bad_field'),
  row('RFC 9112 §5.1: a space before the colon', fields('Content-Length : 5'), 'bad_field'),
  row('RFC 9112 §5.1: a tab before the colon', fields('Transfer-Encoding\t: chunked'), 'bad_field'),
  row('RFC 9112 §5: a line without a colon', fields('Transfer-Encoding'), 'bad_field'),
  row('RFC 9110 §5.1: a field without a name', fields(': chunked'), 'bad_field'),
  row('RFC 9110 §5.1: a name with a NUL', fields('Transfer\0-Encoding: chunked'), 'bad_field'),
  row('RFC 9110 §5.1: a name with a slash', fields('a/b: c'), 'bad_field'),
  row('RFC 9110 §5.1: a name above ASCII', fields('\xffost: c'), 'bad_field'),
  row('RFC 9110 §5.5: a value with a NUL', fields('X: a\0b'), 'bad_field'),
  row('RFC 9110 §5.5: a value with DEL', fields('X: a\x7fb'), 'bad_field'),
  row('RFC 9110 §5.5: a value with a vertical tab', fields('X: \x0bb'), 'bad_field'),
  row('RFC 9110 §5.5: a value with a tab', fields('X: a\tb'), 'ok'),
  row('RFC 9110 §5.5: a value above ASCII', fields('X: \xe9\xff'), 'ok'),
  row('RFC 9112 §2.2: a field ends with bare LF', fields('X: a\nY: b'), 'bad_field'),
  row('RFC 9112 §2.2: a field ends with bare CR', fields('X: a\rY: b'), 'bad_field'),
  row('RFC 9112 §2.2: the head ends with LF LF', `GET / HTTP/1.1\r\n${H}X: a\n\n`, 'bad_field'),
  row('RFC 9112 §2.2: the head ends with CR CR LF', `GET / HTTP/1.1\r\n${H}\r\r\n`, 'bad_field'),
  row('RFC 9112 §5: an empty value', fields('X:'), 'ok'),
  row('RFC 3875 §4.1.18: an underscore in a name', fields('X_Real_Ip: 1'), 'underscore_name'),

  // Content-Length
  row('RFC 9112 §6.3: a length', post('Content-Length: 5', 'hello'), 'ok'),
  row('RFC 9112 §6.3: two lengths that differ', post('Content-Length: 5\r\nContent-Length: 6', 'hello'), 'bad_framing'),
  row('RFC 9112 §6.3: two lengths alike', post('Content-Length: 5\r\ncontent-length: 5', 'hello'), 'bad_framing'),
  row('RFC 9112 §6.3: a list of lengths', post('Content-Length: 5, 5', 'hello'), 'bad_framing'),
  row('RFC 9110 §8.6: an empty length', post('Content-Length:'), 'bad_framing'),
  row('RFC 9110 §8.6: a length with a sign', post('Content-Length: +5', 'hello'), 'bad_framing'),
  row('RFC 9110 §8.6: a negative length', post('Content-Length: -1'), 'bad_framing'),
  row('RFC 9110 §8.6: a hexadecimal length', post('Content-Length: 0x5', 'hello'), 'bad_framing'),
  row('RFC 9110 §8.6: a length in two words', post('Content-Length: 5 6', 'hello'), 'bad_framing'),
  row('RFC 9110 §8.6: a length with a fraction', post('Content-Length: 5.0', 'hello'), 'bad_framing'),
  row('RFC 9110 §8.6: the largest length', post('Content-Length: 9007199254740991'), 'ok'),
  row('RFC 9110 §8.6: a length beyond 2^53', post('Content-Length: 9007199254740992'), 'bad_framing'),
  row(
    'RFC 9110 §8.6: a length that wraps at 2^64',
    post('Content-Length: 18446744073709551621', 'hello'),
    'bad_framing',
  ),

  // Transfer-Encoding
  row('RFC 9112 §6.1: chunked', post('Transfer-Encoding: chunked', chunk), 'ok'),
  row('RFC 9112 §7: chunked in capitals', post('Transfer-Encoding: CHUNKED', chunk), 'ok'),
  row('RFC 9112 §6.1: CL.TE', post('Content-Length: 5\r\nTransfer-Encoding: chunked', chunk), 'bad_framing'),
  row('RFC 9112 §6.1: TE.CL', post('Transfer-Encoding: chunked\r\nContent-Length: 5', chunk), 'bad_framing'),
  row(
    'RFC 9112 §6.1: TE and a length of 0',
    post('Transfer-Encoding: chunked\r\nContent-Length: 0', chunk),
    'bad_framing',
  ),
  row(
    'RFC 9112 §6.1: TE in HTTP/1.0',
    `POST / HTTP/1.0\r\n${H}Transfer-Encoding: chunked\r\n\r\n${chunk}`,
    'bad_framing',
  ),
  row('RFC 9112 §6.1: gzip, chunked', post('Transfer-Encoding: gzip, chunked', chunk), 'transfer_coding'),
  row(
    'RFC 9112 §6.1: gzip and chunked in two fields',
    post('Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked'),
    'transfer_coding',
  ),
  row('RFC 9112 §6.3: chunked, gzip', post('Transfer-Encoding: chunked, gzip', chunk), 'bad_framing'),
  row('RFC 9112 §6.3: gzip', post('Transfer-Encoding: gzip', chunk), 'bad_framing'),
  row('RFC 9112 §6.3: identity', post('Transfer-Encoding: identity', 'hello'), 'bad_framing'),
  row('RFC 9112 §6.3: chunked, identity', post('Transfer-Encoding: chunked, identity', chunk), 'bad_framing'),
  row('RFC 9112 §6.1: chunked twice', post('Transfer-Encoding: chunked, chunked', chunk), 'bad_framing'),
  row(
    'RFC 9112 §6.1: chunked in two fields',
    post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked', chunk),
    'bad_framing',
  ),
  row('RFC 9112 §6.3: xchunked', post('Transfer-Encoding: xchunked', chunk), 'bad_framing'),
  row('RFC 9112 §7: chunked with a parameter', post('Transfer-Encoding: chunked;q=1', chunk), 'bad_framing'),
  row('RFC 9112 §6.1: an empty coding', post('Transfer-Encoding:', chunk), 'bad_framing'),
  row('RFC 9110 §5.6.1: an empty member before chunked', post('Transfer-Encoding: , chunked', chunk), 'bad_framing'),
  row('RFC 9110 §5.6.1: an empty member after chunked', post('Transfer-Encoding: chunked,', chunk), 'bad_framing'),
  row('RFC 9112 §6.1: a coding with a vertical tab', post('Transfer-Encoding: \x0bchunked', chunk), 'bad_field'),
  row('RFC 9112 §6.1: a quoted coding', post('Transfer-Encoding: "chunked"', chunk), 'bad_framing'),
  row('RFC 9112 §7: chunked with a Kelvin sign', post('Transfer-Encoding: chun\xe2\x84\xaaed', chunk), 'bad_framing'),
  row('RFC 3875 §4.1.18: Transfer_Encoding', post('Transfer_Encoding: chunked', chunk), 'underscore_name'),

  // Connection
  row('RFC 9110 §7.6.1: options', fields('Connection: keep-alive, X-Hop,, close'), 'ok'),
  row('RFC 9110 §7.6.1: an option that is no token', fields('Connection: a b'), 'bad_connection_option'),
  row('RFC 9110 §7.6.1: Connection names Host', fields('Connection: close, Host'), 'bad_connection_option'),
  row(
    'RFC 9110 §7.6.1: Connection names Content-Length',
    fields('Connection: content-length'),
    'bad_connection_option',
  ),
  row('RFC 9110 §7.6.1: Connection names Cookie', fields('Connection: Cookie'), 'bad_connection_option'),
  row('RFC 9110 §7.6.1: Connection names Authorization', fields('Connection: authorization'), 'bad_connection_option'),
  row(
    'RFC 9110 §7.6.1: Connection names X-Forwarded-For',
    fields('Connection: X-Forwarded-For'),
    'bad_connection_option',
  ),
  row(
    'RFC 9110 §7.6.1: Connection names X-Forwarded-Any',
    fields('Connection: x-forwarded-any'),
    'bad_connection_option',
  ),
  row('RFC 9110 §7.6.1: Connection names Forwarded', fields('Connection: Forwarded'), 'bad_connection_option'),
  row('RFC 9110 §7.6.1: Connection names Via', fields('Connection: Via'), 'bad_connection_option'),
  row('RFC 9110 §7.6.1: Connection names traceparent', fields('Connection: traceparent'), 'bad_connection_option'),
  row('RFC 9110 §7.6.1: Connection names Set-Cookie', fields('Connection: Set-Cookie'), 'bad_connection_option'),
  row('RFC 9110 §7.6.1: Connection names Cache-Control', fields('Connection: Cache-Control'), 'bad_connection_option'),
  row(
    'RFC 9110 §7.6.1: the second Connection names Host',
    fields('Connection: close\r\nConnection: Host'),
    'bad_connection_option',
  ),

  // Expect, Max-Forwards
  row('RFC 9110 §10.1.1: 100-continue', post('Expect: 100-Continue\r\nContent-Length: 5'), 'ok'),
  row('RFC 9110 §10.1.1: another expectation', post('Expect: 200-ok\r\nContent-Length: 5'), 'expectation'),
  row(
    'RFC 9110 §10.1.1: an obfuscated expectation',
    post('Expect: y 100-continue\r\nContent-Length: 5'),
    'expectation',
  ),
  row('RFC 9110 §10.1.1: two expectations', post('Expect: 100-continue\r\nExpect: 100-continue'), 'expectation'),
  row('RFC 9110 §10.1.1: an empty expectation', post('Expect:'), 'expectation'),
  row('RFC 9110 §10.1.1: any expectation in HTTP/1.0', `POST / HTTP/1.0\r\n${H}Expect: x\r\n\r\n`, 'ok'),
  row('RFC 9110 §7.6.2: Max-Forwards', `OPTIONS / HTTP/1.1\r\n${H}Max-Forwards: 3\r\n\r\n`, 'ok'),
  row('RFC 9110 §7.6.2: a broken Max-Forwards', `OPTIONS / HTTP/1.1\r\n${H}Max-Forwards: x\r\n\r\n`, 'max_forwards'),
  row('RFC 9110 §7.6.2: Max-Forwards matters to OPTIONS only', fields('Max-Forwards: x'), 'ok'),
];

const answer = (text: string, body = ''): string => `HTTP/1.1 200 OK\r\n${text}\r\n\r\n${body}`;

export const responseRows: readonly ResponseRow[] = [
  { title: 'RFC 9112 §4: an ordinary response', bytes: answer('Content-Length: 2', 'ok'), ok: true },
  { title: 'RFC 9112 §4: no reason', bytes: 'HTTP/1.1 200 \r\n\r\n', ok: true },
  { title: 'RFC 9112 §4: no reason and no space', bytes: 'HTTP/1.1 200\r\n\r\n', ok: true },
  { title: 'RFC 9112 §4: a reason above ASCII', bytes: 'HTTP/1.1 200 \xe9\t!\r\n\r\n', ok: true },
  { title: 'RFC 9112 §4: a reason with a NUL', bytes: 'HTTP/1.1 200 a\0\r\n\r\n', ok: false },
  { title: 'RFC 9112 §2.2: an empty line before it', bytes: '\r\nHTTP/1.1 200 OK\r\n\r\n', ok: false },
  { title: 'RFC 9112 §2.2: bare LF', bytes: 'HTTP/1.1 200 OK\n\n', ok: false },
  { title: 'RFC 9112 §2.2: bare CR', bytes: 'HTTP/1.1 200 OK\rX: a\r\n\r\n', ok: false },
  { title: 'RFC 9112 §2.3: HTTP/1.0', bytes: 'HTTP/1.0 200 OK\r\n\r\n', ok: true },
  { title: 'RFC 9112 §2.3: HTTP/1.2', bytes: 'HTTP/1.2 200 OK\r\n\r\n', ok: false },
  { title: 'RFC 9112 §2.3: HTTP/2.0', bytes: 'HTTP/2.0 200 OK\r\n\r\n', ok: false },
  { title: 'RFC 9112 §2.3: ICY', bytes: 'ICY 200 OK\r\n\r\n', ok: false },
  { title: 'RFC 9112 §4: two spaces', bytes: 'HTTP/1.1  200 OK\r\n\r\n', ok: false },
  { title: 'RFC 9110 §15: status 599', bytes: 'HTTP/1.1 599 OK\r\n\r\n', ok: true },
  { title: 'RFC 9110 §15: status 99', bytes: 'HTTP/1.1 099 OK\r\n\r\n', ok: false },
  { title: 'RFC 9110 §15: status 600', bytes: 'HTTP/1.1 600 OK\r\n\r\n', ok: false },
  { title: 'RFC 9112 §4: status of two digits', bytes: 'HTTP/1.1 20 OK\r\n\r\n', ok: false },
  { title: 'RFC 9112 §4: status of four digits', bytes: 'HTTP/1.1 2000 OK\r\n\r\n', ok: false },
  { title: 'RFC 9112 §4: status with a letter', bytes: 'HTTP/1.1 2x0 OK\r\n\r\n', ok: false },
  { title: 'RFC 9112 §5.2: a folded line', bytes: answer('X: a\r\n b'), ok: false },
  { title: 'RFC 9112 §5.1: a space before the colon', bytes: answer('Content-Length : 2', 'ok'), ok: false },
  { title: 'RFC 9110 §5.5: a value with a control', bytes: answer('X: a\x01'), ok: false },
  { title: 'RFC 9112 §6.3: two lengths', bytes: answer('Content-Length: 2\r\nContent-Length: 2', 'ok'), ok: false },
  { title: 'RFC 9112 §6.3: a list of lengths', bytes: answer('Content-Length: 2, 2', 'ok'), ok: false },
  { title: 'RFC 9110 §8.6: a length with a sign', bytes: answer('Content-Length: +2', 'ok'), ok: false },
  { title: 'RFC 9112 §6.1: chunked', bytes: answer('Transfer-Encoding: chunked', chunk), ok: true },
  {
    title: 'RFC 9112 §6.1: length and chunked',
    bytes: answer('Content-Length: 2\r\nTransfer-Encoding: chunked', chunk),
    ok: false,
  },
  {
    title: 'RFC 9112 §6.1: chunked in HTTP/1.0',
    bytes: 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
    ok: false,
  },
  { title: 'RFC 9112 §6.3: chunked, gzip', bytes: answer('Transfer-Encoding: chunked, gzip', chunk), ok: false },
  { title: 'RFC 9112 §6.1: gzip, chunked', bytes: answer('Transfer-Encoding: gzip, chunked', chunk), ok: false },
  { title: 'RFC 9112 §6.3: identity', bytes: answer('Transfer-Encoding: identity'), ok: false },
  { title: 'RFC 9110 §7.6.1: Connection names Set-Cookie', bytes: answer('Connection: set-cookie'), ok: false },
  {
    title: 'RFC 9110 §7.6.1: Connection names its framing, as a large CDN does',
    bytes: answer('Connection: Transfer-Encoding'),
    ok: true,
  },
  { title: 'RFC 9110 §5.1: an underscore in a name', bytes: answer('X_A: b'), ok: true },
];
