/** A plan as text and as a picture. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createModulo } from './modulo.ts';
import { planPicture } from './plan-picture.ts';
import { planTable } from './plan-table.ts';
import { plan } from './plan.ts';
import { createRing } from './ring.ts';

test('the table has each move, its share and its ranges, and adds up what it leaves out', () => {
  const four = createModulo(['a', 'b', 'c', 'd']);
  const table = planTable(plan(four, four.with(['a', 'b', 'c', 'd', 'longer-e'])), { rows: 2 });
  assert.deepEqual(table.split('\n'), [
    'from  to    keys     ranges',
    'a     b   5.00 %  scattered',
    'a     c   5.00 %  scattered',
    '… 14 more with 70.00 %',
    '80.00 % of all keys move, at least 20.00 % had to',
  ]);
  const one = createRing(['a'], { pointsPerWeight: 1 });
  assert.match(planTable(plan(one, one.with([]))), /^a {5}\(nobody\) {2}100\.00 % {7}1$/m);
});

/** The area of the sectors drawn, as a share of the circle, each as strong as it is. */
function drawn(picture: string): number {
  let sum = 0;
  for (const [, , strength] of picture.matchAll(/<path d="([^"]+)"[^>]*fill-opacity="([\d.]+)"/g))
    sum += Number(strength);
  return sum / 1440;
}

test('the picture shows as much of the circle as moves, and is no larger for more ranges', () => {
  for (const pointsPerWeight of [10, 20_000]) {
    const before = createRing(['a', 'b', 'c'], { pointsPerWeight });
    const planned = plan(before, before.with(['a', 'b', 'c', 'd']));
    const picture = planPicture(planned);
    assert.ok(Math.abs(drawn(picture) - planned.moved) < 0.01, `${drawn(picture)} of ${planned.moved}`);
    assert.ok(picture.length < 300_000);
    assert.match(picture, />d \+\d+\.\d\d %</);
  }
});

test('a plan of very many scattered moves has its picture and its table too', () => {
  const before = createModulo(Array.from({ length: 600 }, (_, index) => `n${index}`));
  const planned = plan(before, before.with(before.nodes.slice(0, 599)));
  assert.ok(planned.moves.length > 300_000);
  const picture = planPicture(planned);
  assert.ok(picture.length < 300_000, `${picture.length} characters`);
  assert.ok(Math.abs(drawn(picture) - planned.moved) < 0.01, `${drawn(picture)} of ${planned.moved}`);
  assert.equal(planTable(planned, { rows: planned.moves.length }).split('\n').length, planned.moves.length + 2);
});

test('names cannot break out of the picture, and many are counted', () => {
  const before = createRing([]);
  const names = ['<script>&"\0\uffff', ...Array.from({ length: 30 }, (_, index) => `n${index}`)];
  const picture = planPicture(plan(before, before.with(names)));
  assert.doesNotMatch(picture, /<script/);
  assert.match(picture, /&#60;script&#62;&#38;&#34;&#65533;&#65533; /);
  assert.match(picture, /and 7 more/);
  assert.doesNotMatch(planPicture(plan(before, before)), /<path/);
  const scattered = createModulo(['a']);
  assert.match(planPicture(plan(scattered, createModulo(['b']))), /<path/);
});
