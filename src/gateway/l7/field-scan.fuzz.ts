/** The scan against the loop that it saves: for the same bytes the same verdict, and the same of everything a head says. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { BothWays, type Parse } from '../../../test/both-ways.ts';
import { damage, damages, requestText, responseText } from '../../../test/damaged-messages.ts';
import { READ_BYTES } from './buffers.ts';
import { ROOM_FIELDS } from './field-scan.ts';
import { fieldNames } from './fields.ts';
import { Head, MORE, OK } from './head.ts';
import { parseRequestHead } from './request-head.ts';
import { parseResponseHead } from './response-head.ts';

interface Limits {
  readonly headerBytesMax: number;
  readonly headerFieldsMax: number;
  readonly underscoresInNames: 'reject' | 'drop';
}

const wide: Limits = { headerBytesMax: READ_BYTES, headerFieldsMax: 10_000, underscoresInNames: 'reject' };

/** A response has a request's field lines behind another line. */
type Side = 'request' | 'response';

function parseOf(side: Side, limits: Limits): Parse {
  const requestLineBytesMax = 8192;
  return side === 'request'
    ? (head, buffer, start, end) => parseRequestHead(head, buffer, start, end, { ...limits, requestLineBytesMax })
    : (head, buffer, start, end) => parseResponseHead(head, buffer, start, end, limits, false);
}

const both = new BothWays();
const { bytes } = both;
/** With what may be read behind it. */
const memory = new Uint8Array(bytes.buffer, bytes.byteOffset, READ_BYTES + 64);
const head = new Head();

/** Puts `text` at `at`, and behind it what must not matter. */
function lay(text: string, at: number, behind: string): number {
  memory.fill(behind.charCodeAt(0), at + text.length, at + text.length + 64);
  for (let i = 0; i < behind.length; i += 1) memory[at + text.length + i] = behind.charCodeAt(i);
  for (let i = 0; i < text.length; i += 1) memory[at + i] = text.charCodeAt(i);
  return at + text.length;
}

const startLines = { request: 'GET / HTTP/1.1\r\nHost: a\r\n', response: 'HTTP/1.1 200 OK\r\n' } as const;

function check(side: Side, lines: string, at = 0, limits = wide): number {
  const text = startLines[side] + lines;
  return both.parse(parseOf(side, limits), head, at, lay(text, at, '\r\n\r\n'));
}

const sides = ['request', 'response'] as const;
const NEVER_KNOWN = "!#$%&'*+-.^`|~0aZ";

// Everything of a kind

test('names and values of every length, with blanks around them, wherever they begin', () => {
  const before = both.accepted;
  for (let length = 1; length < 70; length += 1) {
    const name = NEVER_KNOWN.repeat(5).slice(0, length);
    for (let size = 0; size < 70; size += 1) {
      const value = 'v\xff'.repeat(35).slice(0, size);
      for (const around of ['', ' ', '\t', ' \t  ']) {
        const line = `${name}:${around}${value}${around}\r\n`;
        assert.equal(check('request', `${line}${line}\r\n`, (length * size) % 61), OK);
      }
    }
  }
  assert.equal(both.accepted - before, 69 * 70 * 4);
});

test('blanks of every length alone, and tabs anywhere in a value', () => {
  for (let length = 0; length < 70; length += 1) {
    for (const blank of [' ', '\t']) assert.equal(check('response', `a:${blank.repeat(length)}\r\n\r\n`), OK);
    for (const tabs of ['\t', '\t\t', '\t \t']) {
      assert.equal(check('response', `a: ${'v'.repeat(length)}${tabs}${'v'.repeat(69 - length)}\r\n\r\n`), OK);
    }
  }
});

const plain =
  'Accept-Encoding: gzip\t, br\r\nx-0: \t a b \t\r\nContent-Length: 7\r\nX-Some-Name-Of-34-Characters-In-All: v\r\n\r\n';

for (const side of sides) {
  test(`${side}: any byte anywhere, put in place of another`, () => {
    const before = { accepted: both.accepted, left: both.left };
    for (let at = 0; at < plain.length; at += 1) {
      for (let byte = 0; byte < 256; byte += 1) {
        check(side, plain.slice(0, at) + String.fromCharCode(byte) + plain.slice(at + 1), 3);
      }
    }
    assert.ok(both.accepted - before.accepted > 10_000, `${both.accepted - before.accepted} accepted`);
    assert.ok(both.left - before.left > 5000, `${both.left - before.left} left`);
  });

  test(`${side}: any byte anywhere in each known name`, () => {
    for (const name of fieldNames.slice(1)) {
      for (let at = 0; at <= name.length; at += 1) {
        for (let byte = 0; byte < 256; byte += 1) {
          const put = String.fromCharCode(byte);
          check(side, `${name.slice(0, at)}${put}${name.slice(at + 1)}: 1\r\n\r\n`);
          if (byte % 16 === 1) check(side, `${name.slice(0, at)}${put}${name.slice(at)}: 1\r\n\r\n`);
        }
      }
      check(side, `${name.toUpperCase()}: 1\r\n\r\n`);
      check(side, `${name.slice(1)}: 1\r\n\r\n`);
    }
  });

  test(`${side}: cut anywhere, whatever lies behind`, () => {
    const text = startLines[side] + plain;
    for (let end = 0; end <= text.length; end += 1) {
      for (const behind of ['\r\n\r\n', '\n\r\n', ': a\r\n\r\n', '\n', '\0', 'a']) {
        const verdict = both.parse(parseOf(side, wide), head, 5, lay(text.slice(0, end), 5, behind));
        assert.equal(verdict, end === text.length ? OK : MORE);
      }
    }
  });

  test(`${side}: limits of every size`, () => {
    const text = startLines[side] + plain;
    const end = lay(text, 7, '\r\n');
    for (let headerBytesMax = 1; headerBytesMax < text.length + 40; headerBytesMax += 1) {
      both.parse(parseOf(side, { ...wide, headerBytesMax }), head, 7, end);
    }
    for (let headerFieldsMax = 1; headerFieldsMax < 9; headerFieldsMax += 1) {
      both.parse(parseOf(side, { ...wide, headerFieldsMax }), head, 7, end);
    }
  });
}

test('as many fields as there is room for, and more; and then again few', () => {
  for (let count = ROOM_FIELDS - 4; count < ROOM_FIELDS + 4; count += 1) {
    for (const headerFieldsMax of [count - 1, count, count + 1, 10_000]) {
      const before = both.accepted;
      const lines = Array.from({ length: count }, (_, i) => (i % 3 === 0 ? 'Via: a\r\n' : `x-${i}: ${i}\r\n`)).join('');
      const verdict = check('response', `${lines}\r\n`, 0, { ...wide, headerFieldsMax });
      assert.equal(verdict === OK, count <= headerFieldsMax);
      assert.equal(both.accepted - before, verdict === OK && count <= ROOM_FIELDS ? 1 : 0);
      if (verdict === OK) assert.equal(head.count, count);
      check('request', '\r\n');
      assert.ok(both.accepted > before, 'it does not come back after a large head');
    }
  }
  for (const length of [1000, 2100]) assert.equal(check('response', `${'Via: a\r\n'.repeat(length)}\r\n`), OK);
});

test('a head at the very end of the read buffer', () => {
  for (let length = 1; length < 70; length += 1) {
    for (const rest of ['\r\n', ':', ': ', ':\r\n', ':\r\n\r', ': v\r\n\r\n', `: ${'v'.repeat(length)}\r\n\r\n`]) {
      const lines = 'a'.repeat(length) + rest;
      check('request', lines, READ_BYTES - startLines.request.length - lines.length);
    }
  }
});

// Anything

/** Up to `lengthMax` of the bytes that are in a class. */
function bytesOf(isIn: (byte: number) => boolean, lengthMax: number) {
  const all = Array.from({ length: 256 }, (_, byte) => byte).filter(isIn);
  return fc.string({ unit: fc.constantFrom(...all.map((byte) => String.fromCharCode(byte))), maxLength: lengthMax });
}

const isBlank = (byte: number): boolean => byte === 9 || byte === 32;
const anyCase = (name: string) =>
  fc
    .array(fc.boolean(), { minLength: name.length, maxLength: name.length })
    .map((upper) => Array.from(name, (letter, i) => (upper[i] === true ? letter.toUpperCase() : letter)).join(''));
const knownName = fc.constantFrom(...fieldNames.slice(1)).chain(anyCase);
const anyName = fc.stringMatching(/^[!#$%&'*+.^`|~0-9A-Za-z-]{1,50}$/);
const nearName = fc
  .tuple(knownName, fc.nat(40), fc.constantFrom('', '-', '_', 'x', '\x80'))
  .map(([name, at, put]) => name.slice(0, at) + put + name.slice(at + 1));
const blanks = fc.oneof({ weight: 5, arbitrary: fc.constant(' ') }, bytesOf(isBlank, 20));
const anyValue = bytesOf((byte) => byte === 9 || (byte >= 32 && byte !== 127), 80);
const usualValue = fc.constantFrom(
  '1',
  '1',
  '0',
  'a.example',
  'close',
  'keep-alive',
  'trailers',
  '100-continue',
  'chunked',
);
const line = fc
  .tuple(
    fc.oneof({ weight: 3, arbitrary: knownName }, { weight: 3, arbitrary: anyName }, nearName),
    blanks,
    fc.oneof(usualValue, anyValue),
    fc.oneof({ weight: 5, arbitrary: fc.constant('') }, blanks),
  )
  .map(([name, before, value, after]) => `${name}:${before}${value}${after}\r\n`);
const startLine = {
  request: fc.constantFrom(
    'GET / HTTP/1.1\r\nHost: a\r\n',
    'GET / HTTP/1.0\r\n',
    'POST http://b/ HTTP/1.1\r\nhost: a\r\n',
    'OPTIONS * HTTP/1.1\r\nHost: a:1\r\n',
  ),
  response: fc.constantFrom('HTTP/1.1 200 OK\r\n', 'HTTP/1.0 304 \r\n', 'HTTP/1.1 204 N\r\n'),
};
const textOf = (side: Side) =>
  fc.oneof(
    fc
      .tuple(startLine[side], fc.array(line, { maxLength: 12 }))
      .map(([start, lines]) => `${start}${lines.join('')}\r\n`),
    side === 'request' ? requestText : responseText,
  );
const place = fc.oneof(fc.nat(100), fc.nat(READ_BYTES), fc.constant(READ_BYTES));
/** Mostly what is usual. */
const rarely = <T>(usual: T, arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ weight: 6, arbitrary: fc.constant(usual) }, arbitrary);
const limits = fc.record<Limits>({
  headerBytesMax: rarely(READ_BYTES, fc.integer({ min: 20, max: 500 })),
  headerFieldsMax: rarely(200, fc.integer({ min: 1, max: 14 })),
  underscoresInNames: fc.constantFrom('reject', 'drop'),
});
/** Where something is, in thousandths of the bytes. */
const share = fc.nat(999);
const change = fc.oneof(fc.constant(null), fc.record({ share, byte: fc.nat(255) }));
const behind = fc.oneof(
  fc.constantFrom('\r\n\r\n', '\n\r\n', '\n', ': b\r\n\r\n'),
  bytesOf(() => true, 40),
);

for (const side of sides) {
  test(`${side}: any head, damaged, cut, and anywhere in the read buffer`, () => {
    const before = { accepted: both.accepted, left: both.left };
    fc.assert(
      fc.property(
        textOf(side),
        rarely([], damages),
        fc.record({ place, limits, change, cut: rarely(1000, share), behind }),
        (text, some, one) => {
          const buffer = damage(text, some);
          const part = (thousandths: number): number => Math.floor((buffer.length * thousandths) / 1000);
          if (one.change !== null) buffer[part(one.change.share)] = one.change.byte;
          const whole = buffer.toString('latin1', 0, part(one.cut));
          const start = Math.min(one.place, READ_BYTES - whole.length);
          both.parse(parseOf(side, one.limits), head, start, lay(whole, start, one.behind));
        },
      ),
      { numRuns: 20_000 },
    );
    const [accepted, left] = [both.accepted - before.accepted, both.left - before.left];
    assert.ok(accepted > 5000 && left > 5000, `the generator has gone blind: ${accepted} accepted, ${left} left`);
  });
}
