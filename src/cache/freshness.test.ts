import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';
import { type Random, seededRandom } from '../kernel/random.ts';
import { EARLY_LOADS_MAX, freshMsOf, type Freshness, type State, stateOf, timesOf } from './freshness.ts';

const freshness: Freshness = { earlyRefresh: 1, jitter: 0, whileRevalidateMs: 30, ifErrorMs: 600 };

/** Draws one number, always. */
function always(unit: number): Random {
  return { unit: () => unit, int32: () => 0 };
}

function stateAt(nowMs: number, options: { loadMs?: number; lasts?: boolean; random?: Random } = {}): State {
  const { loadMs = 0, lasts = true, random = always(0.5) } = options;
  const times = timesOf({ nowMs: 0, freshMs: 100, loadMs, earlyRefresh: 1 });
  return stateOf(times, { freshness, nowMs, lasts, random });
}

test('fresh to its end, stale to the end of whileRevalidate, then for errors, then over', () => {
  const at = [0, 99.9, 100, 129.9, 130, 699.9, 700];
  assert.deepEqual(at.map((nowMs) => stateAt(nowMs)), ['fresh', 'fresh', 'stale', 'stale', 'lapsed', 'lapsed', 'over']); // prettier-ignore
});

test('what does not last is over at its end', () => {
  assert.deepEqual([99.9, 100].map((nowMs) => stateAt(nowMs, { lasts: false })), ['fresh', 'over']); // prettier-ignore
});

test('windows are both counted from the end: the longer one does not begin after the shorter', () => {
  const times = { endMs: 100, earlyMs: 100 };
  const short = { ...freshness, whileRevalidateMs: 50, ifErrorMs: 20 };
  const state = (nowMs: number): State => stateOf(times, { freshness: short, nowMs, lasts: true, random: always(0) });
  assert.deepEqual([100, 149, 150].map(state), ['stale', 'stale', 'over']);
});

test('any moment and draw: refreshed early exactly when the formula of XFetch says so', () => {
  const unit = fc.integer({ min: 0, max: 2 ** 32 - 1 }).map((bits) => bits / 2 ** 32);
  const ms = fc.double({ min: 0, max: 99.999, noNaN: true });
  fc.assert(
    fc.property(ms, fc.double({ min: 0, max: 20, noNaN: true }), unit, (nowMs, loadMs, drawn) => {
      const xfetch = nowMs - loadMs * Math.log(1 - drawn) >= 100;
      const state = stateAt(nowMs, { loadMs, random: always(drawn) });
      // At the edge itself, rounding decides.
      if (Math.abs(nowMs - loadMs * Math.log(1 - drawn) - 100) > 1e-6) assert.equal(state === 'early', xfetch);
    }),
  );
});

test('of many draws a load before the end, one in e refreshes; three loads before, one in e cubed', () => {
  const random = seededRandom(7);
  const draws = 20_000;
  for (const loads of [1, 3]) {
    let early = 0;
    for (let draw = 0; draw < draws; draw++)
      early += Number(stateAt(100 - 5 * loads, { loadMs: 5, random }) === 'early');
    assert.ok(Math.abs(early / draws - Math.exp(-loads)) < 0.01, `${early} at ${loads}`);
  }
});

test('a load of 50 ms that is asked for a thousand times a second begins a fifth of a second before the end', () => {
  const random = seededRandom(11);
  const earlyBy = Array.from({ length: 301 }, () => {
    let leftMs = 2000;
    const times = { endMs: 2000, earlyMs: 2000 - 50 * EARLY_LOADS_MAX };
    const rules = { ...freshness, jitter: 0 };
    while (leftMs > 0 && stateOf(times, { freshness: rules, nowMs: 2000 - leftMs, lasts: true, random }) === 'fresh')
      leftMs -= 1;
    return leftMs;
  }).toSorted((a, b) => a - b);
  assert.ok(earlyBy[0]! > 50, 'each of them sooner than the load takes');
  assert.ok(Math.abs(earlyBy[150]! - 214) < 25, `the median is ${earlyBy[150]}`);
});

test('before any draw could refresh, none is made', () => {
  const never: Random = { unit: () => assert.fail('drew'), int32: () => 0 };
  assert.equal(stateAt(100 - 2 * EARLY_LOADS_MAX - 0.01, { loadMs: 2, random: never }), 'fresh');
});

test('jitter takes away up to its share, and adds nothing', () => {
  const random = seededRandom(3);
  const ends = Array.from({ length: 1000 }, () => freshMsOf(100, 0.1, random));
  assert.ok(Math.min(...ends) > 90 && Math.min(...ends) < 90.5);
  assert.ok(Math.max(...ends) <= 100 && Math.max(...ends) > 99.5);
});
