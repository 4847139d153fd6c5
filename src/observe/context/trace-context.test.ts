/** `traceparent` and `tracestate` against the values of the W3C's own test suite, and against what nobody should send. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { seededRandom } from '../../kernel/random.ts';
import { formatTraceparent, newSpanId, newTraceId, parseTraceparent, RANDOM, SAMPLED } from './trace-context.ts';
import { parseTracestate } from './trace-state.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const spanId = 'b7ad6b7169203331';
const valid = `00-${traceId}-${spanId}-01`;

describe('traceparent', () => {
  test('what is valid is read, and written again as it was', () => {
    assert.deepEqual(parseTraceparent(valid), { traceId, spanId, flags: 1, state: '' });
    for (const flags of ['00', '01', '02', '03']) {
      const text = valid.slice(0, -2) + flags;
      assert.equal(formatTraceparent(parseTraceparent(text)!), text);
    }
  });

  test('of flags only sampled and random are believed and sent', () => {
    assert.equal(parseTraceparent(`00-${traceId}-${spanId}-ff`)?.flags, SAMPLED | RANDOM);
    assert.equal(parseTraceparent(`00-${traceId}-${spanId}-f8`)?.flags, 0);
    assert.equal(formatTraceparent({ traceId, spanId, flags: 0xfd, state: '' }), valid);
  });

  test('a later version is read as far as it is known', () => {
    for (const text of [`cc-${traceId}-${spanId}-01`, `cc-${traceId}-${spanId}-01-what-the-future-will-be-like`]) {
      assert.deepEqual(parseTraceparent(text), { traceId, spanId, flags: 1, state: '' });
    }
  });

  const refused: Readonly<Record<string, string>> = {
    nothing: '',
    'version ff': `ff-${traceId}-${spanId}-01`,
    'upper case in the trace id': `00-${traceId.toUpperCase()}-${spanId}-01`,
    'upper case in the span id': `00-${traceId}-${spanId.toUpperCase()}-01`,
    'upper case in the version': `CC-${traceId}-${spanId}-01`,
    'upper case in the flags': `00-${traceId}-${spanId}-0A`,
    'a trace id of zeros': `00-${'0'.repeat(32)}-${spanId}-01`,
    'a span id of zeros': `00-${traceId}-${'0'.repeat(16)}-01`,
    'version 00 with something behind': `${valid}-what-the-future-will-be-like`,
    'version 00 with a dot behind': `${valid}.`,
    'a later version with a dot behind': `cc-${traceId}-${spanId}-01.what`,
    'a later version of 600 characters': `cc-${traceId}-${spanId}-01-${'x'.repeat(545)}`,
    'a version of three digits': `000-${traceId}-${spanId}-01`,
    'a version of one digit': `0-${traceId}-${spanId}-01`,
    'a dot in the version': `.0-${traceId}-${spanId}-01`,
    'a trace id too long': `00-${traceId}0-${spanId}-01`,
    'a trace id too short': `00-${traceId.slice(1)}-${spanId}-01`,
    'a span id too long': `00-${traceId}-${spanId}0-01`,
    'a span id too short': `00-${traceId}-${spanId.slice(1)}-01`,
    'flags of one digit': `00-${traceId}-${spanId}-1`,
    'a dot in the flags': `00-${traceId}-${spanId}-.0`,
    'a space before': ` ${valid}`,
    'a line break behind': `${valid}\n`,
    'two of them': `${valid},${valid}`,
  };
  for (const [what, text] of Object.entries(refused)) {
    test(`${what} is none`, () => assert.equal(parseTraceparent(text), null));
  }

  test('new ids have their length and are never zeros', () => {
    const random = seededRandom(1);
    assert.match(newTraceId(random), /^[0-9a-f]{32}$/);
    assert.match(newSpanId(random), /^[0-9a-f]{16}$/);
    let draws = 0;
    const zerosFirst = { unit: () => 0, int32: () => ((draws += 1) <= 4 ? 0 : draws) };
    assert.equal(newTraceId(zerosFirst), '00000005000000060000000700000008');
  });
});

describe('tracestate', () => {
  const many = (count: number): string => Array.from({ length: count }, (_, at) => `bar${at + 1}=${at + 1}`).join(',');

  test('blanks and empty members go, order stays', () => {
    assert.equal(parseTracestate('foo=1 \t , \t bar=2,\t \tbaz=3'), 'foo=1,bar=2,baz=3');
    assert.equal(parseTracestate(',foo=1,, ,bar=2,'), 'foo=1,bar=2');
    assert.equal(parseTracestate(' \t'), '');
    assert.equal(parseTracestate('foo=  a b '), 'foo=  a b');
  });

  test('all characters that are allowed', () => {
    const key = 'abcdefghijklmnopqrstuvwxyz0123456789_-*/@a-z0-9_-*/';
    const printable = Array.from({ length: 95 }, (_, at) => String.fromCharCode(0x20 + at)).join('');
    const member = `${key}=${printable.replace(',', '').replace('=', '')}`;
    assert.equal(parseTracestate(`0=1,${member}`), `0=1,${member}`);
  });

  test('32 members are a list, 33 none', () => {
    assert.equal(parseTracestate(many(32)), many(32));
    assert.equal(parseTracestate(many(33)), '');
  });

  const refused = ['foo=1,foo=1', 'foo=1,foo=2', 'foo =1', 'FOO=1', 'foo.bar=1', '@foo=1,bar=2', '_foo=1', 'foo', '=1'];
  refused.push('foo=bar=baz', 'foo=,bar=3', 'foo=\u00e9', 'foo=a\nb', 'foo=1;bar=2\u007f', '\u00a0foo=1');
  refused.push(`${'z'.repeat(257)}=1`, `foo=${'v'.repeat(257)}`, `foo=1,${' '.repeat(20_000)}`);
  for (const text of refused)
    test(`${JSON.stringify(text).slice(0, 40)} is none`, () => assert.equal(parseTracestate(text), ''));

  test('512 characters go on; of more, large members go first, then the last', () => {
    const small = Array.from({ length: 5 }, (_, at) => `k${at}=${'v'.repeat(97)}`);
    const fits = `${small.join(',')},z=12345`;
    assert.equal(fits.length, 512);
    assert.equal(parseTracestate(fits), fits);
    assert.equal(parseTracestate(`${fits}6`), small.join(','));
    const large = `large=${'v'.repeat(123)}`;
    assert.equal(parseTracestate([large, ...small].join(',')), small.join(','));
    assert.equal(parseTracestate(`${'z'.repeat(256)}=${'v'.repeat(256)}`), '');
  });
});
