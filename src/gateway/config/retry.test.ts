/** `retries` and what belongs to it in `timeouts`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { says, service } from '../../../test/config-text.ts';
import type { ServicePlan } from '../snapshot.ts';
import { CellStore, compileSnapshot, parseConfig } from './index.ts';

function plan(text: string): ServicePlan {
  const { config, mistakes } = parseConfig(service(text));
  assert.ok(config, JSON.stringify(mistakes));
  const options = { version: 1, cells: new CellStore(2), ticketSecret: new Uint8Array(32), pseudonym: 'p' };
  return compileSnapshot(config, options).services[0]!;
}

test('the budget is on when nothing is said, statuses and hedges are off', () => {
  const { retries, deadlineField, timeouts } = plan('balance: random');
  assert.deepEqual(retries, {
    attemptsMax: 3,
    statuses: [],
    backoffBaseMs: 25,
    backoffMaxMs: 1000,
    budgetShare: 0.2,
    budgetMin: 10,
    hedgeAfterMs: 0,
  });
  assert.deepEqual([deadlineField, timeouts.perTryMs], [null, 0]);
});

test('all that can be said', () => {
  const text = `
    retries: {
      attempts: 4, statuses: [502-504, 429], backoff: { base: 10ms, max: 200ms },
      budget: { share: 10%, min: 0 }, hedge: { after: 80ms }
    }, timeouts: { perTry: 2s, header: X-Request-Timeout-Ms }`;
  const { retries, deadlineField, timeouts } = plan(text);
  assert.deepEqual(retries, {
    attemptsMax: 4,
    statuses: [
      { from: 502, to: 504 },
      { from: 429, to: 429 },
    ],
    backoffBaseMs: 10,
    backoffMaxMs: 200,
    budgetShare: 0.1,
    budgetMin: 0,
    hedgeAfterMs: 80,
  });
  assert.deepEqual([deadlineField, timeouts.perTryMs], ['X-Request-Timeout-Ms', 2000]);
});

test('mistakes', () => {
  says(service('retries: { statuses: [5xx] }'), 'a status or a range');
  says(service('retries: { budget: { share: 2 } }'), 'a percentage');
  says(service('retries: { hedge: {} }'), 'after is missing');
  says(service('timeouts: { header: "X Timeout" }'), 'the name of a header field');
});
