/**
 * Generators of HTTP/1.1 messages with faults put in: mostly well-formed, so that a parser gets far before it meets the
 * fault, which is one of what request smuggling is made of.
 */
import * as fc from 'fast-check';

const startLine = fc.constantFrom(
  'GET / HTTP/1.1',
  'POST /a?b=c HTTP/1.1',
  'HEAD /%7e/../x HTTP/1.1',
  'OPTIONS * HTTP/1.1',
  'DELETE http://a.example:81/x?y HTTP/1.1',
  'PUT http://[::1]/ HTTP/1.1',
  'GET http://a.example?q HTTP/1.1',
  'PATCH /p HTTP/1.0',
  'BREW /pot HTTP/1.1',
);
const fieldLine = fc.oneof(
  fc.constantFrom(
    'Accept: */*',
    'X-A:',
    'x-b: \t b b\t ',
    'X-C: \xe9\xff',
    'Connection: close',
    'Connection: keep-alive',
    'Connection: Upgrade, X-A',
    'Upgrade: websocket',
    'Expect: 100-continue',
    'TE: trailers',
    'Cookie: a=b; c="d"',
    "!#$%&'*+-.^`|~: tchar",
  ),
  fc
    .tuple(fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9-]{0,12}$/), fc.stringMatching(/^[ -~]{0,20}$/))
    .filter(([name]) => !/^(connection|content-length|transfer-encoding|expect|host|upgrade)$/i.test(name))
    .map(([name, value]) => `${name}: ${value}`),
);
const body = fc.constantFrom(
  '',
  'Content-Length: 0\r\n',
  'Content-Length: 5\r\n|hello',
  'Transfer-Encoding: chunked\r\n|0\r\n\r\n',
  'transfer-encoding: Chunked\r\n|5\r\nhello\r\nA;x;y=z;q="a b"\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n',
  'Content-Length: 18\r\n|GET / HTTP/1.1\r\n\r\n',
);
/** A request with its body; most have none. */
export const requestText = fc
  .tuple(startLine, fc.array(fieldLine, { maxLength: 4 }), body)
  .map(([line, fields, framing]) => {
    const [field = '', content = ''] = framing.split('|');
    return [line, 'Host: a.example', ...fields].join('\r\n') + `\r\n${field}\r\n${content}`;
  });
/** A response with its body. */
export const responseText = fc
  .tuple(
    fc.constantFrom(
      'HTTP/1.1 200 OK',
      'HTTP/1.1 404',
      'HTTP/1.0 200 ',
      'HTTP/1.1 204 No',
      'HTTP/1.1 304 N',
      'HTTP/1.1 500 \xe9',
    ),
    fc.array(
      fieldLine.filter((line) => !/^(Upgrade|Connection: Upgrade)/.test(line)),
      { maxLength: 4 },
    ),
    body,
  )
  .map(([line, fields, framing]) => {
    const [field = '', content = ''] = framing.split('|');
    return [line, ...fields].join('\r\n') + `\r\n${field}\r\n${content}`;
  });

/** What smuggling is made of. */
const characters = ' \t\r\n\0\x0b\x7f\x80:,;="#%_*@/05g-+?[\\'.split('');
const ends = ['', '\r\n', '\r\n ', '\r\n\r\n', '\r\n0\r\n\r\n'];
const words = ['chunked', 'chunked, ', ', chunked', 'HTTP/1.1', 'http://b/'];
const lines = ['Host: x\r\n', 'Content-Length: 5\r\n', 'Transfer-Encoding: chunked\r\n', 'Connection: Host\r\n'];
const fault = fc.record({
  where: fc.double({ min: 0, max: 1, noNaN: true }),
  remove: fc.constantFrom(0, 0, 0, 1, 1, 2, 9),
  insert: fc.constantFrom(...characters, ...ends, ...words, ...lines),
});

export interface Fault {
  /** A share of the text. */
  readonly where: number;
  readonly remove: number;
  readonly insert: string;
}

/** The text with faults put in, one after the other, as bytes. */
export function damage(text: string, faults: readonly Fault[]): Buffer {
  for (const { where, remove, insert } of faults) {
    const at = Math.floor(where * text.length);
    text = text.slice(0, at) + insert + text.slice(at + remove);
  }
  return Buffer.from(text, 'latin1');
}

/** Up to three faults. */
export const damages = fc.array(fault, { maxLength: 3 });
