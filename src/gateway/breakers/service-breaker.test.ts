import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import * as fc from 'fast-check';
import { createCell } from '../../kernel/cells.ts';
import type { BreakerPolicy } from '../../resilience/breaker-policy.ts';
import { BREAKER_SLOTS } from '../slots.ts';
import { NO_PASS, publishBreaker, readTrial, renewTrial, ServiceBreaker, TRIAL_CALLS_MAX } from './service-breaker.ts';

function policy(trialCalls: number): BreakerPolicy {
  const times = { windowMs: 1000, openMs: 1000, openMaxMs: 1000, trialMs: 1000 };
  return { ...times, callsMin: 1, failureRatio: 0.5, slow: { overMs: 10, ratio: 1 }, failuresInRow: null, trialCalls };
}

type Step = { readonly what: 'ask' } | { readonly what: 'renew' } | { readonly what: 'next' } | Ending;
interface Ending {
  readonly what: 'end' | 'give back';
  readonly which: number;
  readonly failed: boolean;
  readonly slow: boolean;
}

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: fc.record({ what: fc.constant('ask' as const) }), weight: 8 },
  {
    arbitrary: fc.record({
      what: fc.constantFrom('end' as const, 'give back' as const),
      which: fc.nat(9),
      failed: fc.boolean(),
      slow: fc.boolean(),
    }),
    weight: 6,
  },
  fc.record({ what: fc.constantFrom('renew' as const, 'next' as const) }),
);

test('permits and results are those of the history of this trial alone, whatever hands of earlier ones do', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 120 }), fc.integer({ min: 1, max: TRIAL_CALLS_MAX }), (steps, calls) => {
      const plan = { policy: policy(calls), cell: createCell(2, BREAKER_SLOTS) };
      const breaker = new ServiceBreaker(plan, 1);
      let generation = 13; // over the end of its four bits soon
      let trial = { calls: 0, failures: 0, slow: 0, out: 0 };
      let takes = 0;
      const passes: { pass: number; generation: number }[] = [];
      const begin = (): void => {
        generation += 1;
        trial = { calls: 0, failures: 0, slow: 0, out: 0 };
        publishBreaker(plan.cell, { phase: 'half-open', generation, untilMs: 0 });
      };
      begin();
      for (const step of steps) {
        if (step.what === 'next') begin();
        else if (step.what === 'renew') {
          generation += 1;
          renewTrial(plan.cell, generation);
          trial = { ...trial, out: 0 };
        } else if (step.what === 'ask') {
          const pass = breaker.ask();
          assert.equal(pass !== NO_PASS, trial.calls + trial.out < calls);
          if (pass === NO_PASS) continue;
          passes.push({ pass, generation });
          trial = { ...trial, out: trial.out + 1 };
          takes += 1;
        } else if (passes.length > 0) {
          const [one] = passes.splice(step.which % passes.length, 1);
          if (step.what === 'end') breaker.end(one!.pass, step.failed, step.slow ? 10 : 9);
          else breaker.giveBack(one!.pass);
          if (one!.generation === generation) {
            const ended = step.what === 'end';
            trial = {
              calls: trial.calls + Number(ended),
              failures: trial.failures + Number(ended && step.failed),
              slow: trial.slow + Number(ended && step.slow),
              out: trial.out - 1,
            };
          }
        }
        assert.deepEqual(readTrial(plan.cell), { ...trial, takes });
      }
    }),
  );
});

test('a permit of a trial long ago frees none of this one, however many trials lie between', () => {
  const plan = { policy: policy(1), cell: createCell(2, BREAKER_SLOTS) };
  const breaker = new ServiceBreaker(plan, 1);
  publishBreaker(plan.cell, { phase: 'half-open', generation: 1, untilMs: 0 });
  const old = breaker.ask();
  for (let generation = 2; generation < 70; generation++) {
    publishBreaker(plan.cell, { phase: 'half-open', generation, untilMs: 0 });
    assert.notEqual(breaker.ask(), NO_PASS);
    breaker.giveBack(old);
    assert.equal(breaker.ask(), NO_PASS, `generation ${generation}`);
  }
});

test('threads that ask at the same moment are together let go as often as the trial has calls', async () => {
  const THREADS = 3;
  const ROUNDS = 300;
  const plan = { policy: policy(TRIAL_CALLS_MAX), cell: createCell(THREADS + 1, BREAKER_SLOTS) };
  const gates = new Int32Array(new SharedArrayBuffer(8));
  const url = new URL('./service-breaker.ts', import.meta.url).href;
  const program = `
    const { workerData, parentPort } = require('node:worker_threads');
    import(${JSON.stringify(url)}).then(({ ServiceBreaker }) => {
      const { plan, gates, lane } = workerData;
      const breaker = new ServiceBreaker(plan, lane);
      parentPort.postMessage('ready');
      for (let round = 1; round <= ${ROUNDS}; round++) {
        while (Atomics.load(gates, 0) < round) Atomics.wait(gates, 0, round - 1);
        let let_go = 0;
        for (let ask = 0; ask < 70; ask++) {
          const pass = breaker.ask();
          if (pass === ${NO_PASS}) continue;
          // Every third is given back, and there for another: at the latest for who has given it back.
          if (ask % 3 === 0 && ask < 60) breaker.giveBack(pass);
          else {
            let_go++;
            breaker.end(pass, ask % 2 === 0, 0);
          }
        }
        Atomics.add(gates, 1, let_go);
        parentPort.postMessage(round);
      }
    });`;
  const workers = Array.from(
    { length: THREADS },
    (_, at) => new Worker(program, { eval: true, workerData: { plan, gates, lane: at + 1 } }),
  );
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  for (let round = 1; round <= ROUNDS; round++) {
    publishBreaker(plan.cell, { phase: 'half-open', generation: round, untilMs: 0 });
    Atomics.store(gates, 1, 0);
    const done = Promise.all(workers.map((worker) => once(worker, 'message')));
    Atomics.store(gates, 0, round);
    Atomics.notify(gates, 0);
    await done;
    const { calls, out } = readTrial(plan.cell);
    assert.deepEqual({ calls, out }, { calls: TRIAL_CALLS_MAX, out: 0 });
    assert.equal(Atomics.load(gates, 1), TRIAL_CALLS_MAX, 'let go in all');
  }
  await Promise.all(workers.map((worker) => worker.terminate()));
});
