import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RetryBudget } from './retry-budget.ts';

test('a share of the requests, and a floor for little traffic', () => {
  const budget = new RetryBudget();
  const policy = { budgetShare: 0.2, budgetMin: 1 };
  for (let request = 0; request < 100; request++) budget.requested(5000);
  let granted = 0;
  for (let wanted = 0; wanted < 100; wanted++) if (budget.take(policy, 5000)) granted += 1;
  assert.equal(granted, 20);
  const quiet = new RetryBudget();
  for (let wanted = 0; wanted < 100; wanted++) if (quiet.take(policy, 5000)) granted += 1;
  assert.equal(granted, 30, 'one a second, ten seconds at once');
});

test('what was asked and retried is forgotten after ten seconds', () => {
  const budget = new RetryBudget();
  const policy = { budgetShare: 0.5, budgetMin: 0 };
  budget.requested(0);
  budget.requested(0);
  assert.equal(budget.take(policy, 9999), true);
  assert.equal(budget.take(policy, 9999), false);
  assert.equal(budget.take(policy, 10_000), false, 'the requests are gone, the retry is not');
  budget.requested(20_000);
  budget.requested(20_000);
  assert.equal(budget.take(policy, 20_000), true);
});

test('in any ten seconds there are no more retries than the budget says', () => {
  const step = fc.record({ afterMs: fc.nat({ max: 3000 }), request: fc.boolean() });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 300 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (steps, budgetShare) => {
        const budget = new RetryBudget();
        const requests: number[] = [];
        const retries: number[] = [];
        let nowMs = 0;
        for (const { afterMs, request } of steps) {
          nowMs += afterMs;
          const from = (Math.floor(nowMs / 1000) - 9) * 1000;
          const within = (times: number[]): number => times.filter((time) => time >= from).length;
          if (request) {
            budget.requested(nowMs);
            requests.push(nowMs);
            continue;
          }
          const expected = within(retries) + 1 <= Math.max(budgetShare * within(requests), 10);
          assert.equal(budget.take({ budgetShare, budgetMin: 1 }, nowMs), expected);
          if (expected) retries.push(nowMs);
        }
      },
    ),
  );
});
