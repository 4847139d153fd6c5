/** `baggage` by the examples of the standard, its bounds, and values that are no text. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatBaggage, parseBaggage } from './baggage.ts';

const entries = (text: string): [string, string][] => [...parseBaggage(text)];

test("the standard's examples", () => {
  const expected = [
    ['userId', 'alice'],
    ['serverNode', 'DF 28'],
    ['isProduction', 'false'],
  ];
  assert.deepEqual(entries('userId=alice,serverNode=DF%2028,isProduction=false'), expected);
  assert.deepEqual(entries('userId =   alice,serverNode = DF%2028, isProduction = false'), expected);
  assert.deepEqual(entries('key1=value1;property1;property2, key2 = value2, key3=value3; propertyKey=propertyValue'), [
    ['key1', 'value1'],
    ['key2', 'value2'],
    ['key3', 'value3'],
  ]);
});

test('an equals sign is part of a value, and an empty value is one', () => {
  assert.deepEqual(entries('a=b=c,empty='), [
    ['a', 'b=c'],
    ['empty', ''],
  ]);
});

test('what is no member is left out, and the others stay', () => {
  assert.deepEqual(entries('=1,no,b d=1,good=1,quote="x",back=\\,uml=\u00fc,k\u0000=1,__proto__=2,,'), [
    ['good', '1'],
    ['__proto__', '2'],
  ]);
});

test('of two members with one name the last counts', () => assert.deepEqual(entries('a=1,a=2'), [['a', '2']]));

test('percent-encoding is UTF-8; what is not becomes a replacement, what is no code stays', () => {
  assert.deepEqual(entries('a=%C3%BC%e2%82%ac,b=%ff%41,c=100%,d=%zz,e=%00'), [
    ['a', 'ü€'],
    ['b', '\ufffdA'],
    ['c', '100%'],
    ['d', '%zz'],
    ['e', '\u0000'],
  ]);
});

test('at most 64 members and 8,192 bytes are read, whole ones', () => {
  const many = Array.from({ length: 100 }, (_, at) => `k${at}=${at}`);
  assert.deepEqual(entries(many.join(',')).length, 64);
  const fitting = `a=${'x'.repeat(4000)},b=${'y'.repeat(4187)}`;
  assert.equal(fitting.length, 8192);
  assert.equal(parseBaggage(fitting).size, 2);
  assert.deepEqual([...parseBaggage(`${fitting}z`).keys()], ['a']);
  assert.equal(parseBaggage(`a=${'x'.repeat(8192)}`).size, 0);
});

test('at most 64 members and 8,192 bytes are written; what does not fit is left out', () => {
  const many = new Map(Array.from({ length: 100 }, (_, at) => [`k${at}`, 'v'] as const));
  assert.equal(formatBaggage(many).split(',').length, 64);
  const large = 'x'.repeat(5000);
  const text = formatBaggage(new Map([['a', large], ['b', large], ['c', 'small']])); // prettier-ignore
  assert.equal(text, `a=${large},c=small`);
  assert.equal(formatBaggage(new Map([['a', '€'.repeat(4000)]])), '');
  assert.equal(formatBaggage(new Map([['a', 'x'.repeat(8190)]])).length, 8192);
});

test('names that are no token are not written, and half a surrogate pair breaks nothing', () => {
  assert.equal(formatBaggage(new Map([['a b', '1'], ['', '2'], ['c', 'a,b;"\\\ud800']])), 'c=a%2Cb%3B%22%5C%EF%BF%BD'); // prettier-ignore
});
