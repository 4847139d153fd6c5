import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../../kernel/random.ts';
import { HistogramReading } from '../../observe/metrics/reading.ts';
import { bucketOf, BUCKETS, durationBuckets } from '../durations.ts';
import { type CanaryCounts, describeCounts, tooFew, worseThan } from './canary-verdict.ts';

function counts(requests: number, errors: number, ms: readonly number[] = [], unanswered = 0): CanaryCounts {
  const buckets = new Float64Array(BUCKETS);
  for (const each of ms) buckets[bucketOf(each)]! += 1;
  return { requests, errors, unanswered, durations: new HistogramReading(durationBuckets.bounds, buckets, 0) };
}

const times = (count: number, ms: number): number[] => Array.from({ length: count }, () => ms);

test('errors where there were none are seen at once, one among many decides nothing', () => {
  assert.equal(worseThan(counts(1000, 0), counts(100, 1)), null);
  assert.match(
    worseThan(counts(1000, 0), counts(100, 20)) ?? '',
    /^20\.0 % of its requests fail, 0\.00 % of the others$/,
  );
  assert.match(worseThan(counts(1000, 0), counts(5, 5)) ?? '', /^100\.0 %/);
});

test('what fails everywhere is not its fault', () => {
  assert.equal(worseThan(counts(1000, 500), counts(100, 55)), null);
  assert.match(worseThan(counts(1000, 100), counts(1000, 200)) ?? '', /^20\.0 % of its requests fail, 10\.0 %/);
});

test('answers that do not come count, though nothing of them is an error or slow', () => {
  const old = counts(1000, 0, times(1000, 20), 10);
  assert.equal(worseThan(old, counts(100, 0, times(100, 20), 1)), null);
  assert.match(
    worseThan(old, counts(100, 0, times(100, 20), 30)) ?? '',
    /^23\.1 % of its requests wait or were given up, 0\.99 % of the others$/,
  );
  assert.equal(describeCounts(counts(0, 0, [], 7)), 'no requests, 7 without an answer');
});

test('chance alone is taken for worse less than once in a hundred trials', () => {
  const random = seededRandom(11);
  const draw = (requests: number, share: number): CanaryCounts => {
    let errors = 0;
    for (let request = 0; request < requests; request++) if (random.unit() < share) errors += 1;
    return counts(requests, errors);
  };
  for (const share of [0, 0.01, 0.1, 0.5]) {
    let wrong = 0;
    for (let trial = 0; trial < 300; trial++) if (worseThan(draw(2000, share), draw(200, share)) !== null) wrong += 1;
    assert.ok(wrong <= 3, `${wrong} of 300 at a share of ${share}`);
  }
});

test('slower by half and by ten milliseconds, in the median or the tail', () => {
  const old = counts(500, 0, times(500, 40));
  assert.match(worseThan(old, counts(200, 0, times(200, 100))) ?? '', /^p50 is \d+ ms, \d+ ms for the others$/);
  assert.match(worseThan(old, counts(200, 0, [...times(180, 40), ...times(20, 400)])) ?? '', /^p95 is/);
  assert.equal(worseThan(old, counts(200, 0, times(200, 45))), null);
  assert.equal(worseThan(counts(500, 0, times(500, 1)), counts(200, 0, times(200, 5))), null, 'nobody waits for that');
  assert.equal(worseThan(old, counts(50, 0, times(50, 400))), null, 'too few to tell');
});

test('few requests are no proof', () => {
  assert.match(tooFew(counts(3, 0)) ?? '', /^only 3 requests/);
  assert.equal(tooFew(counts(20, 0)), null);
});

test('the numbers are told in words', () => {
  const many = counts(
    100,
    0,
    Array.from({ length: 100 }, (_, index) => index + 1),
  );
  assert.equal(describeCounts(counts(0, 0)), 'no requests');
  assert.match(describeCounts(counts(5, 5)), /p50 0\.0 ms/, 'none of them has a time');
  assert.match(describeCounts(many), /^100 requests, 0 errors \(0\.00 %\), p50 (49|50|51) ms, p95 (9[3-7]) ms$/);
});
