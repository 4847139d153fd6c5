/** What `npm run bench -- bloom --billion` shows of a billion keys, of ten million. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { prove } from './proof.ts';

test('ten million keys at 1 %: each is found, absent ones at the predicted rate, in ten bits a key', () => {
  const phases: string[] = [];
  const { report, lost, rateRatio } = prove({
    capacity: 10_000_000,
    absent: 2_000_000,
    onProgress: (phase, done, of) => phases.push(`${phase} ${done} of ${of}`),
  });
  assert.equal(lost, 0);
  // 3 %, which is four times the scatter of two million draws.
  assert.ok(Math.abs(rateRatio - 1) < 0.03, `${rateRatio}`);
  assert.ok(report.bytes < 12_500_000, `${report.bytes} bytes`);
  assert.ok(Math.abs(report.count / 10_000_000 - 1) < 0.002, `${report.count}`);
  assert.equal(report.overCapacity, false);
  assert.deepEqual(phases, [
    'added 10000000 of 10000000',
    'verified 10000000 of 10000000',
    'absent 2000000 of 2000000',
  ]);
});
