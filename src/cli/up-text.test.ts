/** What `spillway up` prints of what is found, and of sources that are in trouble. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GatewayEvent } from '../gateway/control/events.ts';
import { eventLines } from './up-text.ts';

const lines = (event: GatewayEvent): string[] => eventLines(event, (_tone, text) => text);
const of = { service: 'shop', source: 'dns shop.test:80' };

test('endpoints that were found: a line each, and whose word it is', () => {
  const found = { kind: 'endpoints-found', ...of } as const;
  assert.deepEqual(lines({ ...found, changes: ['endpoint 10.0.0.1:80 added'] }), [
    'service shop: endpoint 10.0.0.1:80 added, by dns shop.test:80',
  ]);
  const changes = Array.from({ length: 25 }, (_, index) => `endpoint 10.0.0.${index}:80 removed`);
  const many = lines({ ...found, changes });
  assert.equal(many.length, 21);
  assert.deepEqual([many[1], many[20]], ['  endpoint 10.0.0.1:80 removed', '  … and 5 more changes']);
});

test('a source in trouble, one that names what is not used, and one that is well again', () => {
  const event = { kind: 'discovery', ...of, leftOut: [] } as const;
  assert.deepEqual(lines({ ...event, problem: 'f:1:1: bad\nf:2:1: \u001b[31mworse' }), [
    'service shop: dns shop.test:80: f:1:1: bad',
    '  f:2:1: \\u{1b}[31mworse',
  ]);
  assert.deepEqual(lines({ ...event, problem: null, leftOut: ['169.254.169.254:80: no'] }), [
    'service shop: dns shop.test:80: not all of its answer is used',
    '  not used: 169.254.169.254:80: no',
  ]);
  assert.deepEqual(lines({ ...event, problem: null }), ['service shop: dns shop.test:80: answers again']);
});

test('a breaker: what it is now, for how long, and why', () => {
  const breaker = { kind: 'breaker', service: 'shop' } as const;
  const reason = '60 % of 20 calls failed';
  assert.deepEqual(lines({ ...breaker, phase: 'open', forMs: 6312.4, reason }), [
    'service shop: its breaker is open for 6.3s: 60 % of 20 calls failed',
  ]);
  assert.deepEqual(lines({ ...breaker, phase: 'half-open', forMs: null, reason: 'on trial with 5 calls' }), [
    'service shop: its breaker is half-open: on trial with 5 calls',
  ]);
});
