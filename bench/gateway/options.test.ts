import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cases } from './cases.ts';
import { parseOptions } from './options.ts';

function parsed(...args: string[]) {
  const options = parseOptions(args);
  assert.ok(typeof options !== 'string');
  return options;
}

test('Spillway and its variants run against the peers, and ratios are to HAProxy', () => {
  const { contenders, reference } = parsed('--variant', 'net=SPILLWAY_TRANSPORT=net');
  assert.deepEqual(
    contenders.map(({ name }) => name),
    ['spillway', 'spillway-net', 'nginx', 'haproxy'],
  );
  assert.equal(reference, 'haproxy');
});

test('whom a case asks for is there, and runs in no other', () => {
  const { known, contenders } = parsed();
  const own = cases.flatMap(({ only = [] }) => only);
  assert.deepEqual(own, ['spillway-policy', 'spillway-plain', 'spillway-limited', 'spillway-plain']);
  for (const name of own) assert.ok(known.has(name) && contenders.every((one) => one.name !== name));
});

test('a name that is none is refused with those that are', () => {
  assert.throws(() => parseOptions(['--cases', 'small']), /no case is called “small”; there are small-64/);
  assert.throws(() => parseOptions(['--against', 'envoy']), /no contender is called “envoy”/);
});
