import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';

import { brokenMetrics } from '../../test/observe/broken-metrics.ts';
import { isCoded } from '../kernel/errors.ts';
import { SimulatedClock } from '../kernel/simulated-clock.ts';
import { createMetrics, createTraces } from '../observe/index.ts';
import { type Breaker, type BreakerOptions, createBreaker } from './index.ts';

const down = new Error('connection refused');

function made(options: Partial<BreakerOptions> = {}): { breaker: Breaker; clock: SimulatedClock; changes: string[] } {
  const clock = new SimulatedClock();
  const changes: string[] = [];
  const breaker = createBreaker({
    name: 'prices',
    callsMin: 4,
    openFor: '5s',
    openForMax: '5s',
    halfOpen: 2,
    clock,
    onChange: ({ phase, reason }, before) => changes.push(`${before} → ${phase}: ${reason}`),
    ...options,
  });
  return { breaker, clock, changes };
}

const good = async (breaker: Breaker): Promise<unknown> => breaker.run(async () => 'fine');

async function fail(breaker: Breaker, times = 1): Promise<void> {
  for (let time = 0; time < times; time++)
    await assert.rejects(
      breaker.run(() => Promise.reject(down)),
      down,
    );
}

/** A call that ends when it is told to. */
function held(breaker: Breaker, signal?: AbortSignal) {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  return { outcome: breaker.run(() => promise, signal === undefined ? {} : { signal }), resolve, reject };
}

test('it hands on what the call says, and what it throws', async () => {
  const { breaker } = made();
  assert.deepEqual(await breaker.run(() => 42), { allowed: true, value: 42 });
  await fail(breaker);
  await assert.rejects(
    breaker.run(() => {
      throw down;
    }),
    down,
  );
});

test('half of the calls fail: it opens, calls nobody, and says why and when to ask again; a trial closes it', async () => {
  const { breaker, clock, changes } = made();
  await good(breaker);
  await good(breaker);
  await fail(breaker, 2);
  clock.pass(1000);
  const outcome = await breaker.run(() => assert.fail('nobody is called'));
  assert.deepEqual(outcome, {
    allowed: false,
    breaker: 'prices',
    phase: 'open',
    reason: '50 % of 4 calls failed',
    retryAfterMs: 4000,
  });
  const { sinceMs, ...state } = breaker.state;
  assert.deepEqual(state, { phase: 'open', reason: '50 % of 4 calls failed', retryAfterMs: 4000, openings: 1 });
  assert.equal(sinceMs, clock.wallMs() - 1000);
  clock.pass(4000);
  await good(breaker);
  await good(breaker);
  assert.deepEqual(changes, [
    'closed → open: 50 % of 4 calls failed',
    'open → half-open: on trial with 2 calls',
    'half-open → closed: 2 of 2 trial calls succeeded',
  ]);
});

test('a trial lets no more go than it has calls for, and what fails in it opens it anew', async () => {
  const { breaker, clock, changes } = made();
  await fail(breaker, 4);
  clock.pass(5000);
  const [one, other] = [held(breaker), held(breaker)];
  const third = await good(breaker);
  assert.deepEqual(third, {
    allowed: false,
    breaker: 'prices',
    phase: 'half-open',
    reason: 'on trial with 2 calls',
    retryAfterMs: 5000,
  });
  one.reject(down);
  await assert.rejects(one.outcome);
  assert.equal(breaker.state.phase, 'open');
  assert.equal(breaker.state.openings, 2);
  other.resolve('too late to say anything');
  await other.outcome;
  assert.equal(breaker.state.phase, 'open');
  assert.equal(changes.at(-1), 'half-open → open: 1 of 1 trial calls failed');
});

test('many that fail at the same moment open it once, and it comes back', async () => {
  const { breaker, clock } = made();
  const calls = Array.from({ length: 50 }, () => held(breaker));
  for (const { reject } of calls) reject(down);
  await Promise.allSettled(calls.map(({ outcome }) => outcome));
  assert.equal(breaker.state.openings, 1);
  clock.pass(5000);
  assert.equal(breaker.state.phase, 'half-open');
});

test('on trial, whoever may go now is told to wait for nothing', async () => {
  const { breaker, clock } = made();
  await fail(breaker, 4);
  clock.pass(5000);
  assert.equal(breaker.state.retryAfterMs, 0);
  const one = held(breaker);
  assert.equal(breaker.state.retryAfterMs, 0);
  const other = held(breaker);
  assert.equal(breaker.state.retryAfterMs, 5000);
  one.resolve('fine');
  await one.outcome;
  assert.equal(breaker.state.retryAfterMs, 5000);
  other.resolve('fine');
  await other.outcome;
  assert.equal(breaker.state.phase, 'closed');
});

test('what began before the opening says nothing about the trial', async () => {
  const { breaker, clock } = made();
  const old = held(breaker);
  await fail(breaker, 4);
  clock.pass(5000);
  assert.equal(breaker.state.phase, 'half-open');
  old.reject(down);
  await assert.rejects(old.outcome);
  assert.equal(breaker.state.phase, 'half-open');
});

test('who gives up is told at once, gives the permit back, and leaves no listener', async () => {
  const { breaker, clock } = made({ halfOpen: 1 });
  await fail(breaker, 4);
  clock.pass(5000);
  const controller = new AbortController();
  const { outcome } = held(breaker, controller.signal);
  const why = new Error('the client left');
  controller.abort(why);
  await assert.rejects(outcome, why);
  assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
  assert.equal(breaker.state.phase, 'half-open');
  await good(breaker);
  assert.equal(breaker.state.phase, 'closed');
  await assert.rejects(
    breaker.run(() => assert.fail('nobody is called'), { signal: controller.signal }),
    why,
  );
});

test('a deadline of the caller that passes is a failure of who was called', async () => {
  const { breaker } = made();
  for (let time = 0; time < 4; time++) {
    const controller = new AbortController();
    const { outcome } = held(breaker, controller.signal);
    controller.abort(new DOMException('4 s have passed', 'TimeoutError'));
    await assert.rejects(outcome, { name: 'TimeoutError' });
  }
  assert.equal(breaker.state.phase, 'open');
});

test('the call is given the signal of its caller, or one of its own', async () => {
  const { breaker } = made();
  const { signal } = new AbortController();
  assert.deepEqual(await breaker.run((given) => given.signal === signal, { signal }), { allowed: true, value: true });
  const signals = await Promise.all([1, 2].map(() => breaker.run((given) => given.signal)));
  const [one, other] = signals.map((outcome) => (outcome.allowed ? outcome.value : null));
  assert.ok(one instanceof AbortSignal && one !== other);
});

test('outcomes are what judge says, and one that is ignored in a trial leaves room for another', async () => {
  const { breaker, clock } = made({
    halfOpen: 1,
    judge: (settled) => {
      if ('error' in settled) return settled.error === down ? 'failed' : 'ignored';
      return settled.value === 503 ? 'failed' : 'good';
    },
  });
  for (let time = 0; time < 4; time++) await breaker.run(() => 503);
  assert.equal(breaker.state.phase, 'open');
  clock.pass(5000);
  await assert.rejects(breaker.run(() => Promise.reject(new TypeError('our own mistake'))));
  assert.equal(breaker.state.phase, 'half-open');
  await breaker.run(() => 200);
  assert.equal(breaker.state.phase, 'closed');
});

test('a judge that throws is as good as none', async () => {
  const { breaker } = made({
    judge: () => {
      throw new Error('judge');
    },
  });
  assert.deepEqual(await good(breaker), { allowed: true, value: 'fine' });
  await fail(breaker, 3);
  assert.equal(breaker.state.phase, 'open');
});

test('calls that take too long open it, whether they fail or not', async () => {
  const { breaker, clock } = made({ failureRate: null, slow: { over: '500ms', rate: '75%' } });
  for (const tookMs of [499, 500, 2000, 500]) {
    const { outcome, resolve } = held(breaker);
    clock.pass(tookMs);
    resolve('late');
    await outcome;
  }
  assert.equal(breaker.state.reason, '75 % of 4 calls took 500ms or longer');
});

test('failures in a row open it however few calls there are', async () => {
  const { breaker } = made({ callsMin: 1000, failuresInRow: 3 });
  await fail(breaker, 2);
  await good(breaker);
  await fail(breaker, 2);
  assert.equal(breaker.state.phase, 'closed');
  await fail(breaker);
  assert.equal(breaker.state.reason, '3 calls in a row failed');
});

test('a trial call that never ends has failed after its time, without a timer', async () => {
  const { breaker, clock } = made({ halfOpen: 1, halfOpenFor: '10s' });
  await fail(breaker, 4);
  clock.pass(5000);
  const { outcome, resolve } = held(breaker);
  clock.pass(9999);
  assert.equal(breaker.state.phase, 'half-open');
  assert.equal(breaker.state.retryAfterMs, 1);
  clock.pass(1);
  assert.equal(breaker.state.phase, 'open');
  assert.equal(clock.timers, 0);
  resolve('after all');
  await outcome;
  assert.equal(breaker.state.phase, 'open');
});

test('it is isolated and reset by hand; calls that were under way then count for nothing', async () => {
  const { breaker, clock, changes } = made();
  const calls = [1, 2, 3, 4].map(() => held(breaker));
  breaker.isolate('the database is being moved');
  clock.pass(1e6);
  assert.deepEqual(await good(breaker), {
    allowed: false,
    breaker: 'prices',
    phase: 'isolated',
    reason: 'the database is being moved',
    retryAfterMs: Infinity,
  });
  breaker.reset();
  for (const { reject } of calls) reject(down);
  await Promise.allSettled(calls.map(({ outcome }) => outcome));
  assert.deepEqual(changes, ['closed → isolated: the database is being moved', 'isolated → closed: by hand']);
});

test('calls are counted by how they ended, and the state is shown', async () => {
  const metrics = createMetrics();
  const { breaker, clock } = made({ metrics, slow: { over: '1s', rate: 1 }, halfOpen: 1 });
  await good(breaker);
  const slow = held(breaker);
  clock.pass(1000);
  slow.resolve('late');
  await slow.outcome;
  const controller = new AbortController();
  const { outcome } = held(breaker, controller.signal);
  controller.abort();
  await assert.rejects(outcome);
  await fail(breaker, 2);
  await good(breaker);
  const series: string[] = [];
  for await (const chunk of metrics.expose().body) series.push(...chunk.split('\n'));
  const shown = series.filter((line) =>
    /^spillway_breaker_(calls|state|trans|call_duration_seconds_(count|sum))/.test(line),
  );
  assert.deepEqual(shown.toSorted(), [
    'spillway_breaker_call_duration_seconds_count{breaker="prices"} 5',
    'spillway_breaker_call_duration_seconds_sum{breaker="prices"} 1',
    'spillway_breaker_calls_total{breaker="prices",result="failed"} 2',
    'spillway_breaker_calls_total{breaker="prices",result="good"} 1',
    'spillway_breaker_calls_total{breaker="prices",result="ignored"} 1',
    'spillway_breaker_calls_total{breaker="prices",result="refused"} 1',
    'spillway_breaker_calls_total{breaker="prices",result="slow"} 1',
    'spillway_breaker_state{breaker="prices",state="closed"} 0',
    'spillway_breaker_state{breaker="prices",state="half-open"} 0',
    'spillway_breaker_state{breaker="prices",state="isolated"} 0',
    'spillway_breaker_state{breaker="prices",state="open"} 1',
    'spillway_breaker_transitions_total{breaker="prices",to="open"} 1',
  ]);
});

test('what metrics and listeners throw does not reach who calls', async () => {
  const { breaker } = made({
    metrics: brokenMetrics(),
    onChange: () => {
      throw new Error('listener');
    },
  });
  await fail(breaker, 4);
  const outcome = await good(breaker);
  assert.ok(typeof outcome === 'object' && outcome !== null && 'allowed' in outcome && !outcome.allowed);
});

test('a listener that is asynchronous and fails later does not end the process', async () => {
  const unhandled: unknown[] = [];
  const note = (error: unknown): void => void unhandled.push(error);
  process.on('unhandledRejection', note);
  const page: () => unknown = async () => {
    throw new Error('the pager does not answer');
  };
  const { breaker } = made({ onChange: page });
  await fail(breaker, 4);
  assert.equal(breaker.state.phase, 'open');
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', note);
  assert.deepEqual(unhandled, []);
});

test('a listener that closes it again does not turn a refusal into a call', async () => {
  const { breaker, clock } = made({ halfOpen: 1, halfOpenFor: '1s' });
  await fail(breaker, 4);
  clock.pass(5000);
  const { outcome, resolve } = held(breaker);
  clock.pass(1000);
  const refused = await good(breaker);
  assert.ok(typeof refused === 'object' && refused !== null && 'phase' in refused && refused.phase === 'open');
  resolve('late');
  await outcome;
});

test('a refused call and a change are events of the current span', async () => {
  const traces = createTraces({ service: 'shop', to: [] });
  const { breaker } = made({ traces });
  const events = await traces.withSpan('checkout', async (span) => {
    await fail(breaker, 4);
    await good(breaker);
    return span.record().events.map(({ name, attributes }) => [name, attributes]);
  });
  const reason = '100 % of 4 calls failed';
  assert.deepEqual(events, [
    ['breaker', { breaker: 'prices', from: 'closed', to: 'open', reason }],
    ['breaker refused', { breaker: 'prices', phase: 'open', reason }],
  ]);
});

test('options that mean nothing are refused, with both values where two do not fit', () => {
  const refused = (options: object, message: RegExp): void => {
    assert.throws(
      () => createBreaker({ name: 'a', ...options }),
      (error) => isCoded(error, 'OPTIONS_INVALID') && message.test(error.message),
    );
  };
  refused({ name: '' }, /name is “”/);
  refused({ minCalls: 3 }, /no option “minCalls”/);
  refused({ failureRate: 0 }, /failureRate of “a” is 0; expected a share above 0/);
  refused({ failureRate: '120%' }, /failureRate of “a” is “120%”/);
  refused({ failureRate: null }, /nothing would ever open it/);
  refused({ slow: { over: '1s' } }, /slow of “a”: rate is “undefined”/);
  refused({ openFor: '10s', openForMax: '5s' }, /openForMax of “a” is 5s, which is less than openFor, 10000ms/);
  refused({ halfOpen: 0 }, /halfOpen of “a” is 0; expected an integer from 1 to 1000/);
  refused({ window: '10ms' }, /window of “a” is 10ms; expected from 100ms to 1h/);
});
