import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cases, type Case } from './cases.ts';
import type { Sample } from './measure.ts';
import { median, renderMarkdown, renderText, summarise } from './report.ts';

const small: Case = { ...cases[0]!, name: 'small', goal: { ratio: 1.1 } };

function sample(round: number, more: Partial<Sample> = {}): Sample {
  return {
    round,
    requests: 1000,
    errors: 0,
    perSecond: 500,
    cpuUsPerUnit: 20,
    userShare: 0.25,
    p50Us: 100,
    p99Us: 900,
    lateP99Us: null,
    rssBytes: 2 ** 20,
    pssBytes: 2 ** 20,
    pssBytesPerConnection: null,
    coreBusy: 1,
    coreForeign: 0,
    loadBusy: 0.5,
    wakeUps: 0.1,
    logShare: null,
    ...more,
  };
}

test('a median is the middle, or the mean of the two in the middle', () => {
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.ok(Number.isNaN(median([])));
});

test('a ratio is taken within a round, so a slow half of the run changes nothing', () => {
  // The machine is twice as slow in rounds 1 and 2; Spillway always costs 1.2 times as much.
  const reference = [20, 40, 40].map((cpuUsPerUnit, round) => sample(round, { cpuUsPerUnit }));
  const own = [24, 48, 48].map((cpuUsPerUnit, round) => sample(round, { cpuUsPerUnit }));
  const result = summarise(
    small,
    new Map([
      ['spillway', own],
      ['haproxy', reference],
    ]),
    'haproxy',
    null,
  );
  const row = result.rows[0]!;
  assert.ok(row.ratio !== null);
  for (const value of [row.ratio.median, row.ratio.min, row.ratio.max]) assert.ok(Math.abs(value - 1.2) < 1e-9);
  assert.equal(row.goalMet, false);
  assert.equal(result.rows[1]!.ratio, null, 'the reference has no ratio to itself');
});

test('a goal is Spillway’s alone, and a ratio at the goal meets it', () => {
  const samples = new Map([
    ['spillway-net', [sample(0, { cpuUsPerUnit: 22 })]],
    ['nginx', [sample(0, { cpuUsPerUnit: 90 })]],
    ['haproxy', [sample(0)]],
  ]);
  const goals = summarise(small, samples, 'haproxy', null).rows.map((row) => row.goalMet);
  assert.deepEqual(goals, [true, null, null]);
});

test('what makes a number doubtful is said beside it', () => {
  const doubtful = [sample(0, { coreBusy: 0.8, coreForeign: 0.2, errors: 3, logShare: 0.5 })];
  const { notes } = summarise(small, new Map([['nginx', doubtful]]), 'haproxy', null).rows[0]!;
  assert.deepEqual(notes, [
    '3 errors',
    'core 80 % busy: load was the limit',
    '20 % of the core taken by others',
    'only 50 % of requests logged',
  ]);
});

test('a latency that generator and origin have without a proxy is named', () => {
  const scheduled: Case = { ...small, metric: 'p99', load: { kind: 'scheduled', share: 0.5, connections: 8 } };
  const notesBeside = (p99Us: number): readonly string[] =>
    summarise(
      scheduled,
      new Map([
        ['nginx', [sample(0)]],
        ['direct', [sample(0, { p99Us })]],
      ]),
      'haproxy',
      1000,
    ).rows[0]!.notes;
  assert.deepEqual(notesBeside(300), ['generator and origin alone: p99 300 µs', 'undecided']);
  assert.deepEqual(notesBeside(100), []);
});

test('where others have the core, or the load itself is slow, a goal for latency is neither met nor missed', () => {
  const scheduled: Case = { ...small, metric: 'p99', load: { kind: 'scheduled', share: 0.5, connections: 8 } };
  const metBy = (own: Partial<Sample>, floorUs: number): boolean | null =>
    summarise(
      scheduled,
      new Map([
        ['spillway', [sample(0, own)]],
        ['haproxy', [sample(0)]],
        ['direct', [sample(0, { p99Us: floorUs })]],
      ]),
      'haproxy',
      1000,
    ).rows[0]!.goalMet;
  assert.equal(metBy({ p99Us: 950 }, 100), true);
  assert.equal(metBy({ p99Us: 2000 }, 100), false);
  assert.equal(metBy({ p99Us: 2000, coreForeign: 0.1 }, 100), null);
  assert.equal(metBy({ p99Us: 2000, lateP99Us: 900 }, 100), null);
  assert.equal(metBy({ p99Us: 2000 }, 900), null);
});

test('a late generator is named when its lateness is a large part of the latency', () => {
  const scheduled = cases.find(({ name }) => name === 'p99')!;
  const notesAt = (lateP99Us: number): readonly string[] =>
    summarise(scheduled, new Map([['nginx', [sample(0, { lateP99Us })]]]), 'haproxy', 1000).rows[0]!.notes;
  assert.deepEqual(notesAt(100), []);
  assert.deepEqual(notesAt(500), ['generator itself late: p99 500 µs', 'undecided']);
});

test('memory cases compare bytes per connection with the goal in bytes', () => {
  const idle = cases.find(({ name }) => name === 'idle')!;
  const samples = new Map([
    ['spillway', [sample(0, { pssBytesPerConnection: 4000 })]],
    ['haproxy', [sample(0, { pssBytesPerConnection: 1000 })]],
  ]);
  const result = summarise(idle, samples, 'haproxy', null);
  assert.equal(result.rows[0]!.goalMet, true);
  assert.equal(result.rows[0]!.ratio!.median, 4);
  assert.match(renderText(result), /spillway +3\.9 +4\.00 \(4\.00–4\.00\)/);
});

test('both tables hold every contender and the ratio with its spread', () => {
  const own = [20, 22, 24].map((cpuUsPerUnit, round) => sample(round, { cpuUsPerUnit }));
  const result = summarise(
    small,
    new Map([
      ['spillway', own],
      ['haproxy', [0, 1, 2].map((round) => sample(round))],
    ]),
    'haproxy',
    null,
  );
  assert.match(renderText(result), /spillway +22\.0 +5\.5 \+ 16\.5 +1\.10 \(1\.00–1\.20\)/);
  assert.match(renderMarkdown(result), /\| spillway \| 22\.0 \| 5\.5 \+ 16\.5 \| 1\.10 \(1\.00–1\.20\) \| 500 \|/);
  assert.match(renderMarkdown(result), /\| haproxy \| 20\.0 \|/);
});

test('every case has a name of its own', () => {
  assert.equal(new Set(cases.map(({ name }) => name)).size, cases.length);
});
