import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DnsQuestion, DnsRecord } from '../../../drivers/dns/message.ts';
import { type Answers, endpointsIn, questionsOf } from './dns-endpoints.ts';

const address = (name: string, text: string): DnsRecord => ({
  name,
  ttlS: 1,
  type: text.includes(':') ? 'AAAA' : 'A',
  address: text,
});
const service = (target: string, priority: number, weight: number, port = 80): DnsRecord => ({
  name: '_http._tcp.b',
  ttlS: 1,
  type: 'SRV',
  target,
  priority,
  weight,
  port,
});

function answersOf(records: readonly DnsRecord[], unanswered: readonly string[] = []): Answers {
  return ({ name, type }) =>
    unanswered.includes(name) ? null : records.filter((record) => record.name === name && record.type === type);
}

const asked = (questions: readonly DnsQuestion[]): string[] => questions.map(({ name, type }) => `${type} ${name}`);
const told = (...args: Parameters<typeof endpointsIn>): unknown[] =>
  endpointsIn(...args).map(({ address: { text }, weight, priority, identity }) => [text, weight, priority, identity]);

test('a name: both families, or one, in one order whatever the server’s', () => {
  const plan = { name: 'Shop.b.', port: 8080, family: 'any' as const };
  const records = ['10.0.0.2', 'fd00::1', '10.0.0.1'].map((text) => address('shop.b', text));
  assert.deepEqual(asked(questionsOf(plan, answersOf([]), 10)), ['A shop.b', 'AAAA shop.b']);
  const expected = ['10.0.0.1:8080', '10.0.0.2:8080', '[fd00::1]:8080'].map((text) => [text, 1, 0, 'shop.b']);
  assert.deepEqual(told(plan, answersOf(records)), expected);
  assert.deepEqual(told(plan, answersOf(records.toReversed())), expected);
  assert.deepEqual(told({ ...plan, family: 'ipv4' }, answersOf(records)).length, 2);
  assert.deepEqual(asked(questionsOf({ ...plan, family: 'ipv6' }, answersOf([]), 10)), ['AAAA shop.b']);
  assert.deepEqual(
    told(plan, () => null),
    [],
  );
});

test('services: hosts are asked for, ports and priorities are theirs, what is not there is left out', () => {
  const plan = { srv: '_http._tcp.b', family: 'ipv4' as const };
  const records = [
    service('one.b', 20, 5, 81),
    service('two.b', 10, 5, 82),
    service('two.b', 10, 5, 83),
    service('', 0, 0),
    service('none.b', 10, 5, 0),
    service('late.b', 30, 5),
    address('one.b', '10.0.0.1'),
    address('two.b', '10.0.0.2'),
  ];
  assert.deepEqual(asked(questionsOf(plan, () => null, 10)), ['SRV _http._tcp.b']);
  assert.deepEqual(asked(questionsOf(plan, answersOf(records), 10)).slice(1), ['A one.b', 'A two.b', 'A late.b']);
  assert.deepEqual(asked(questionsOf(plan, answersOf(records), 1)).slice(1), ['A one.b']);
  assert.deepEqual(told(plan, answersOf(records, ['late.b'])), [
    ['10.0.0.2:82', 5, 0, 'two.b'],
    ['10.0.0.2:83', 5, 0, 'two.b'],
    ['10.0.0.1:81', 5, 1, 'one.b'],
  ]);
});

test('weights of RFC 2782 in our range: 0 is hardly any and not none, 65,535 is the most there is', () => {
  const weights = (...given: number[]): number[] => {
    const names = given.map((_, index) => `h${index}.b`);
    const records = names.flatMap((name, index) => [service(name, 1, given[index]!), address(name, `10.0.0.${index}`)]);
    return endpointsIn({ srv: '_http._tcp.b', family: 'ipv4' }, answersOf(records)).map(({ weight }) => weight);
  };
  assert.deepEqual(weights(0, 0, 0), [1, 1, 1]);
  assert.deepEqual(weights(1, 2, 1000), [1, 2, 1000]);
  assert.deepEqual(weights(0, 1), [1, 1000]);
  assert.deepEqual(weights(65_535, 1, 32_768), [1000, 1, 500]);
});
