import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CLOSED, CUT, DRAINING, SERVING } from '../slots.ts';
import { type DrainEvent, type EndpointDrain, type Left, serving, step, wordOf } from './endpoint-drain.ts';

const nothing: Left = { requests: 0, tunnels: 0, connections: 0 };
const busy: Left = { requests: 2, tunnels: 1, connections: 4 };
const drain = (withinMs: number, takesPinned = false): DrainEvent => ({ kind: 'drain', withinMs, takesPinned });
const look = (left: Left, cut = { requests: 0, tunnels: 0 }): DrainEvent => ({ kind: 'look', left, cut });

/** Steps through `[at, event]` pairs; answers the phase and the word after each. */
function run(...events: readonly (readonly [number, DrainEvent])[]): (readonly [string, number])[] {
  let state: EndpointDrain = serving;
  return events.map(([nowMs, event]) => {
    state = step(state, event, nowMs);
    return [state.phase, wordOf(state, nowMs)];
  });
}

test('closed from the first moment, and drained when nothing is left', () => {
  const steps = run(
    [0, drain(30_000)],
    [500, look(busy)],
    [900, look({ ...nothing, connections: 1 })],
    [1000, look(nothing)],
  );
  assert.deepEqual(steps, [
    ['draining', CLOSED],
    ['draining', CLOSED],
    ['draining', CLOSED],
    ['drained', CLOSED],
  ]);
});

test('nothing left at once is believed only when workers had time to heed', () => {
  assert.deepEqual(run([0, drain(30_000)], [50, look(nothing)], [250, look(nothing)]).at(1), ['draining', CLOSED]);
  assert.deepEqual(run([0, drain(30_000)], [50, look(nothing)], [250, look(nothing)]).at(2), ['drained', CLOSED]);
});

test('with pins it is open to them for half of the time, even with nothing under way', () => {
  const steps = run([0, drain(10_000, true)], [4000, look(nothing)], [5000, look(busy)], [5300, look(nothing)]);
  assert.deepEqual(steps, [
    ['draining', DRAINING],
    ['draining', DRAINING],
    ['draining', CLOSED],
    ['drained', CLOSED],
  ]);
});

test('what is left when the time is over is cut and told, and waited for', () => {
  let state = step(serving, drain(1000), 0);
  state = step(state, look(busy), 999);
  assert.equal(state.phase, 'draining');
  state = step(state, look(busy, { requests: 7, tunnels: 3 }), 1000);
  assert.deepEqual([state.phase, wordOf(state, 1000)], ['cutting', CUT]);
  state = step(state, look({ ...nothing, tunnels: 1, connections: 1 }, { requests: 9, tunnels: 3 }), 2000);
  assert.equal(state.phase, 'cutting');
  state = step(state, look(nothing, { requests: 9, tunnels: 3 }), 3000);
  const cut = { requests: 2, tunnels: 0 };
  assert.deepEqual(state, { phase: 'drained', sinceMs: 0, untilMs: 1000, endedMs: 3000, cut, told: 1 });
  assert.equal(wordOf(state, 3000), CUT);
});

test('a worker that hangs does not hold the end up for ever', () => {
  const steps = run([0, drain(1000)], [1000, look(busy)], [5999, look(busy)], [6000, look(busy)]);
  assert.deepEqual(
    steps.map(([phase]) => phase),
    ['draining', 'cutting', 'cutting', 'drained'],
  );
  const state = step(step(step(serving, drain(1000), 0), look(busy), 1000), look(busy), 6000);
  assert.deepEqual(state.phase === 'drained' && [state.cut, state.told], [{ requests: 2, tunnels: 1 }, 0]);
});

test('no time at all cuts at once; nothing under way is nothing cut', () => {
  let state = step(step(serving, drain(0), 0), look({ ...nothing, connections: 3 }), 200);
  assert.deepEqual([state.phase, wordOf(state, 200)], ['cutting', CUT]);
  state = step(state, look(nothing), 400);
  assert.deepEqual(state.phase === 'drained' && state.cut, null);
});

test('asked for again it has a new time, but lets nobody in again and begins no second time', () => {
  let state = step(serving, drain(10_000, true), 0);
  state = step(state, drain(100, true), 6000);
  assert.deepEqual(state, { phase: 'draining', sinceMs: 0, untilMs: 6100, closesMs: 5000 });
  state = step(state, look(nothing), 6050);
  assert.equal(state.phase, 'drained');
  assert.equal(step(state, drain(5000), 7000), state);
});

test('undone from anywhere', () => {
  for (const steps of [[], [drain(1000)], [drain(0), look(busy)], [drain(0), look(busy), look(nothing)]] as const) {
    const state = steps.reduce((before, event, index) => step(before, event, 1000 * index), serving);
    const undone = step(state, { kind: 'undrain' }, 9000);
    assert.deepEqual([undone.phase, wordOf(undone, 9000)], ['serving', SERVING]);
  }
});
