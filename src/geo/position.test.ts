/** What is no position, box, distance or count is refused by name; boxes across the antimeridian. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { boxContains, checkBox, checkCount, checkDistance, checkPosition, type Position } from './position.ts';

const invalid = { code: 'OPTIONS_INVALID' };

test('what is no position is refused', () => {
  for (const lat of [Number.NaN, 90.0001, -91, Number.POSITIVE_INFINITY]) {
    assert.throws(() => checkPosition('The centre', { lat, lon: 0 }), {
      ...invalid,
      message: /The centre has latitude/,
    });
  }
  for (const lon of [Number.NaN, 180.0001, -181]) {
    assert.throws(() => checkPosition('The centre', { lat: 0, lon }), { ...invalid, message: /longitude/ });
  }
  // A database gives a decimal as a text, and JSON what was put into it.
  const text = { lat: '1', lon: 2 } as unknown as Position;
  assert.throws(() => checkPosition('The centre', text), { ...invalid, message: /The centre has latitude "1"/ });
  // As queries are parsed: ?lat=1&lat=2, and ?lat[a]=1.
  for (const [lat, message] of [
    [['1'], /latitude a list/],
    [Object.create(null), /latitude an object/],
  ] as [number, RegExp][]) {
    assert.throws(() => checkPosition('The centre', { lat, lon: 2 }), { ...invalid, message });
  }
  for (const none of [null, undefined, 7, '1,2']) {
    assert.throws(() => checkPosition('The centre', none as unknown as Position), {
      ...invalid,
      message: /expected { lat, lon } in degrees/,
    });
  }
  checkPosition('The centre', { lat: -90, lon: 180 });
});

test('a box upside down is refused, one across the antimeridian is not', () => {
  assert.throws(() => checkBox({ south: 1, west: 0, north: 0, east: 1 }), { ...invalid, message: /above its north/ });
  const pacific = { south: -10, west: 170, north: 10, east: -170 };
  checkBox(pacific);
  const inside = [170, 180, -180, -170].map((lon) => boxContains(pacific, 10, lon));
  assert.deepEqual(inside, [true, true, true, true]);
  assert.deepEqual(
    [169.999, 0, -169.999].map((lon) => boxContains(pacific, 0, lon)),
    [false, false, false],
  );
});

test('180 and −180 are one meridian to a box', () => {
  assert.ok(boxContains({ south: 0, west: -180, north: 1, east: -170 }, 0, 180));
  assert.ok(boxContains({ south: 0, west: 170, north: 1, east: 180 }, 0, -180));
});

test('a pole is in every box that reaches it', () => {
  assert.ok(boxContains({ south: 80, west: 0, north: 90, east: 1 }, 90, 77));
  assert.ok(!boxContains({ south: 80, west: 0, north: 89, east: 1 }, 90, 0));
});

test('distances and counts that mean nothing are refused', () => {
  for (const radius of [-1, Number.NaN]) assert.throws(() => checkDistance('radiusM', radius), invalid);
  for (const count of [0, -1, 1.5, Number.NaN]) assert.throws(() => checkCount('k', count), invalid);
  checkDistance('radiusM', Number.POSITIVE_INFINITY);
  checkCount('k', Number.POSITIVE_INFINITY);
});
