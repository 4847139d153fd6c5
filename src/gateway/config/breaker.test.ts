/** `breaker` of a service. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { says, service } from '../../../test/config-text.ts';
import { CellStore, compileSnapshot, parseConfig } from './index.ts';

const cells = new CellStore(2);

function breakerOf(text: string) {
  const { config, mistakes } = parseConfig(service(text));
  assert.ok(config, JSON.stringify(mistakes));
  const options = { version: 1, cells, ticketSecret: new Uint8Array(32), pseudonym: 'p' };
  return compileSnapshot(config, options).services[0]!.breaker;
}

test('there is none unless it is asked for, and nothing more need be said', () => {
  assert.equal(breakerOf('balance: random'), null);
  assert.deepEqual(breakerOf('breaker: {}')?.policy, {
    windowMs: 10_000,
    callsMin: 20,
    failureRatio: 0.5,
    slow: null,
    failuresInRow: null,
    openMs: 5000,
    openMaxMs: 60_000,
    trialCalls: 5,
    trialMs: 34_000, // queue, connect and responseHeader
  });
});

test('all that can be said, and the cell is the same in each version', () => {
  const one = breakerOf(
    'breaker: { failureRate: 20%, window: 30s, requests: 5, failuresInRow: 3, slow: { over: 500ms, rate: 80% }, openFor: 1s, openForMax: 2s, halfOpen: 9 }',
  );
  const { callsMin, failureRatio, failuresInRow, openMaxMs, openMs, slow, trialCalls, windowMs } = one!.policy;
  assert.deepEqual(
    { callsMin, failureRatio, failuresInRow, openMaxMs, openMs, slow, trialCalls, windowMs },
    {
      ...{
        callsMin: 5,
        failureRatio: 0.2,
        failuresInRow: 3,
        openMs: 1000,
        openMaxMs: 2000,
        trialCalls: 9,
        windowMs: 30_000,
      },
      slow: { overMs: 500, ratio: 0.8 },
    },
  );
  assert.equal(breakerOf('breaker: {}')!.cell, one!.cell);
});

test('what means nothing is refused', () => {
  says(service('breaker: { openFor: 2m }'), 'openForMax (1m) at least openFor (2m)');
  says(service('breaker: { slow: { over: 1s } }'), 'rate');
  says(service('breaker: { halfOpen: 101 }'), '100');
  says(service('breaker: { failuresInRow: 0 }'), '1');
});
