/** The chunked decoder: what it takes, what it refuses, and that cutting the input changes neither. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { CHUNK_BAD, CHUNK_DATA, CHUNK_END, CHUNK_MORE, ChunkedDecoder, writeChunkHead } from './chunked.ts';

interface Decoded {
  readonly event: number;
  readonly data: string;
  readonly trailers: string;
  /** Bytes of input that belong to the message. */
  readonly taken: number;
}

/** Feeds the bytes in the given pieces, each alone in a buffer with other bytes around it. */
function decode(text: string, cuts: readonly number[] = [], listed: readonly string[] = []): Decoded {
  const decoder = new ChunkedDecoder();
  decoder.reset(listed);
  const all = Buffer.from(text, 'latin1');
  let data = '';
  let event = CHUNK_MORE;
  let from = 0;
  for (const to of [...cuts, all.length]) {
    const padded = Buffer.concat([Buffer.from('\r\n0'), all.subarray(from, to), Buffer.from('\r\n5')]);
    let at = 3;
    const end = padded.length - 3;
    do {
      event = decoder.next(padded, at, end);
      assert.ok(decoder.position >= at && decoder.position <= end);
      if (event === CHUNK_DATA) {
        assert.ok(decoder.dataEnd > decoder.dataStart && decoder.dataStart >= at && decoder.dataEnd <= end);
        data += padded.toString('latin1', decoder.dataStart, decoder.dataEnd);
      }
      at = decoder.position;
    } while (event === CHUNK_DATA);
    if (event === CHUNK_END || event === CHUNK_BAD) {
      const trailers = Buffer.from(decoder.trailers.subarray(0, decoder.trailerBytes)).toString('latin1');
      assert.equal(event === CHUNK_BAD, decoder.problem !== '');
      return { event, data, trailers, taken: from + at - 3 };
    }
    assert.equal(at, end, 'all input is consumed');
    from = to;
  }
  return { event, data, trailers: '', taken: from };
}

const everywhere = (text: string): number[] => Array.from({ length: text.length }, (_, i) => i);

/** The same outcome whole, byte by byte and cut in two at every place. */
function decodeAnyhow(text: string): Decoded {
  const whole = decode(text);
  assert.deepEqual(decode(text, everywhere(text)), whole, 'byte by byte');
  for (let cut = 0; cut <= text.length; cut += 1) assert.deepEqual(decode(text, [cut]), whole, `cut at ${cut}`);
  return whole;
}

const good: readonly (readonly [title: string, text: string, data: string, trailers?: string])[] = [
  ['RFC 9112 §7.1: chunks', '5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n', 'hello world'],
  ['RFC 9112 §7.1: no chunks', '0\r\n\r\n', ''],
  ['RFC 9112 §7.1: several zeros', '000\r\n\r\n', ''],
  [
    'RFC 9112 §7.1: digits of both cases, leading zeros',
    '00a\r\n0123456789\r\n0A\r\n0123456789\r\n0\r\n\r\n',
    '01234567890123456789',
  ],
  ['RFC 9112 §7.1: data that looks like framing', '7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n', '\r\n0\r\n\r\n'],
  ['RFC 9112 §7.1.1: extensions', '5;a;b=c;d="e;\\""\r\nhello\r\n0\r\n\r\n', 'hello'],
  ['RFC 9112 §7.1.1: an extension of the last chunk', '0;a=b\r\n\r\n', ''],
  ['RFC 9112 §7.1.2: trailers', '0\r\nX-A: 1\r\nx-b:2 \r\n\r\n', '', 'X-A: 1\r\nx-b:2 \r\n'],
  [
    'RFC 9110 §6.5.1: trailers that frame, route, identify or describe the content are dropped',
    '1\r\na\r\n0\r\nContent-Length: 5\r\nX-A: 1\r\ntransfer-encoding: chunked\r\nHost: b\r\nAuthorization: c\r\n' +
      'Set-Cookie: d\r\nCookie: e\r\nContent-Type: f\r\nX-Forwarded-For: g\r\nConnection: h\r\nTrailer: i\r\nX-B: 2\r\n\r\n',
    'a',
    'X-A: 1\r\nX-B: 2\r\n',
  ],
  ['RFC 3875 §4.1.18: a trailer with an underscore is dropped', '0\r\nContent_Length: 5\r\n\r\n', ''],
];

for (const [title, text, data, trailers = ''] of good) {
  test(`taken, ${title}`, () => {
    assert.deepEqual(decodeAnyhow(text), { event: CHUNK_END, data, trailers, taken: text.length });
    assert.equal(decode(`${text}GET / HTTP/1.1\r\n`).taken, text.length, 'the next message is left alone');
    for (let end = 0; end < text.length; end += 1) assert.equal(decode(text.slice(0, end)).event, CHUNK_MORE);
  });
}

const bad: readonly (readonly [title: string, text: string])[] = [
  ['RFC 9112 §7.1: no size', '\r\n\r\n'],
  ['RFC 9112 §7.1: a size that is not hexadecimal', 'g\r\n'],
  ['RFC 9112 §7.1: 0x', '0x5\r\nhello\r\n0\r\n\r\n'],
  ['RFC 9112 §7.1: a sign', '+5\r\nhello\r\n0\r\n\r\n'],
  ['RFC 9112 §7.1: a negative size', '-5\r\nhello\r\n0\r\n\r\n'],
  ['RFC 9112 §7.1: a space before the size', ' 5\r\nhello\r\n0\r\n\r\n'],
  ['RFC 9112 §7.1: a space behind the size', '5 \r\nhello\r\n0\r\n\r\n'],
  ['RFC 9112 §7.1: a tab behind the size', '5\t\r\nhello\r\n0\r\n\r\n'],
  ['RFC 9112 §7.1: an underscore in the size', '1_0\r\n'],
  ['RFC 9112 §7.1: a size beyond 2^53', '20000000000000\r\n'],
  ['RFC 9112 §7.1: a size that wraps at 2^64', '10000000000000005\r\nhello\r\n0\r\n\r\n'],
  ['RFC 9112 §7.1: seventeen digits', '00000000000000005\r\nhello\r\n0\r\n\r\n'],
  ['RFC 9112 §2.2: a size ends with bare LF', '5\nhello\r\n0\r\n\r\n'],
  ['RFC 9112 §2.2: a size ends with bare CR', '5\rhello\r\n0\r\n\r\n'],
  ['RFC 9112 §7.1: data longer than its size', '4\r\nhello\r\n0\r\n\r\n'],
  ['RFC 9112 §7.1: data shorter than its size', '6\r\nhello\r\n0\r\n\r\n'],
  ['RFC 9112 §7.1: data ends with bare LF', '5\r\nhello\n0\r\n\r\n'],
  ['RFC 9112 §7.1: data ends with LF CR', '5\r\nhello\n\r0\r\n\r\n'],
  ['RFC 9112 §7.1: data ends with CR alone', '5\r\nhello\r0\r\n\r\n'],
  ['RFC 9112 §7.1.1: an extension ends with bare LF', '5;a\nhello\r\n0\r\n\r\n'],
  ['RFC 9112 §7.1.1: an extension without a name', '5;\r\nhello\r\n0\r\n\r\n'],
  ['RFC 9112 §7.1.1: bad white space before an extension', '5 ;a\r\nhello\r\n0\r\n\r\n'],
  ['RFC 9112 §7.1.1: a CR in an extension', '5;a\rb\r\nhello\r\n0\r\n\r\n'],
  ['RFC 9112 §7.1.1: a NUL in an extension', '5;a="\0"\r\nhello\r\n0\r\n\r\n'],
  ['RFC 9112 §7.1.1: a line end within quotes', '5;a="\r\n"\r\nhello\r\n0\r\n\r\n'],
  ['RFC 9112 §7.1.1: a quote that is not closed', '5;a="b\r\nhello\r\n0\r\n\r\n'],
  ['RFC 9112 §7.1.2: a trailer ends with bare LF', '0\r\nX: a\n\r\n'],
  ['RFC 9112 §7.1.2: the message ends with bare LF', '0\r\n\n'],
  ['RFC 9112 §7.1.2: the trailers end with bare LF', '0\r\nX: a\r\n\n'],
  ['RFC 9112 §2.2: the message ends with CR CR LF', '0\r\n\r\r\n'],
  ['RFC 9112 §5.2: a folded trailer', '0\r\nX: a\r\n b\r\n\r\n'],
  ['RFC 9112 §5.1: a space before the colon of a trailer', '0\r\nX : a\r\n\r\n'],
  ['RFC 9112 §5: a trailer without a colon', '0\r\nX\r\n\r\n'],
  ['RFC 9110 §5.5: a trailer with a control', '0\r\nX: a\0\r\n\r\n'],
  ['RFC 9112 §2.2: a trailer with a bare CR', '0\r\nX: a\rY: b\r\n\r\n'],
];

for (const [title, text] of bad) {
  test(`refused, ${title}`, () => assert.equal(decodeAnyhow(text).event, CHUNK_BAD));
}

test('RFC 9110 §7.6.1: a trailer that Connection names is dropped', () => {
  const { trailers } = decode('0\r\nX-Hop: 1\r\nX: 2\r\nx-hop: 3\r\nX-Hope: 4\r\n\r\n', [], ['x-hop']);
  assert.equal(trailers, 'X: 2\r\nX-Hope: 4\r\n');
});

test('RFC 9112 §7.1.1: extensions of one message are bounded together', () => {
  const chunk = `1;${'a'.repeat(1000)}\r\nx\r\n`;
  assert.equal(decode(`${chunk.repeat(8)}0\r\n\r\n`).event, CHUNK_END);
  assert.equal(decode(`${chunk.repeat(9)}0\r\n\r\n`).event, CHUNK_BAD);
});

test('RFC 9112 §7.1.2: a trailer section is bounded in bytes and fields, dropped ones included', () => {
  const section = (line: string, count: number): string => `0\r\n${line.repeat(count)}\r\n`;
  assert.equal(decode(section(`X: ${'a'.repeat(1000)}\r\n`, 8)).event, CHUNK_END);
  assert.equal(decode(section(`X: ${'a'.repeat(1000)}\r\n`, 9)).event, CHUNK_BAD);
  assert.equal(decode(section(`Host: ${'a'.repeat(1000)}\r\n`, 9)).event, CHUNK_BAD);
  assert.equal(decode(section('X: a\r\n', 100)).event, CHUNK_END);
  assert.equal(decode(section('X: a\r\n', 101)).event, CHUNK_BAD);
});

test('RFC 9112 §7.1: the largest chunk is taken', () => {
  assert.equal(decode('1fffffffffffff\r\nhello').event, CHUNK_MORE);
  assert.equal(decode('001FFFFFFFFFFFFF\r\nhello').data, 'hello');
});

test('what is bad stays bad, what ended stays ended', () => {
  const decoder = new ChunkedDecoder();
  const bytes = Buffer.from('0\r\n\r\nx5\r\n');
  assert.equal(decoder.next(bytes, 0, 5), CHUNK_END);
  assert.equal(decoder.next(bytes, 5, 9), CHUNK_END);
  assert.equal(decoder.position, 5);
  assert.equal(decoder.next(bytes, 9, 9), CHUNK_END);
  decoder.reset();
  assert.equal(decoder.next(bytes, 5, 9), CHUNK_BAD);
  assert.equal(decoder.next(bytes, 6, 9), CHUNK_BAD);
  decoder.reset();
  assert.equal(decoder.next(bytes, 0, 5), CHUNK_END);
});

test('a chunk head is hexadecimal without leading zeros', () => {
  const out = new Uint8Array(20);
  const written = (length: number): string => Buffer.from(out.subarray(2, writeChunkHead(out, 2, length))).toString();
  for (const length of [1, 9, 10, 15, 16, 255, 256, 65535, 65536, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
    assert.equal(written(length), `${length.toString(16)}\r\n`);
  }
});

test('what is written in chunks is read back, however it is cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 6 }),
      fc.array(fc.nat(300), { maxLength: 12 }),
      fc.uint8Array({ maxLength: 9 }),
      (chunks, cuts, rest) => {
        let message = '';
        const head = new Uint8Array(16);
        for (const chunk of chunks) {
          const length = writeChunkHead(head, 0, chunk.length);
          message += Buffer.from(head.subarray(0, length)).toString() + Buffer.from(chunk).toString('latin1') + '\r\n';
        }
        message += '0\r\n\r\n';
        const places = cuts.filter((cut) => cut < message.length).toSorted((a, b) => a - b);
        const data = chunks.map((chunk) => Buffer.from(chunk).toString('latin1')).join('');
        const expected = { event: CHUNK_END, data, trailers: '', taken: message.length };
        assert.deepEqual(decode(message + Buffer.from(rest).toString('latin1'), places), expected);
      },
    ),
    { numRuns: 500 },
  );
});

test('any bytes come to the same end, however they are cut', () => {
  const piece = fc.constantFrom(
    '0',
    '5',
    'a',
    '\r\n',
    '\r',
    '\n',
    ';',
    '=',
    '"',
    '\\',
    ' ',
    'X: y',
    ':',
    '\0',
    'hello',
    '0\r\n',
    '\r\n\r\n',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      decodeAnyhow(pieces.join(''));
    }),
    { numRuns: 2000 },
  );
});
