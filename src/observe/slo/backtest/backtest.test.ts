/** Backtests against what is known of outages: when an alert comes, when it goes, and what of it was right. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { firingAlerts } from '../burn-alerts.ts';
import { resolveSlos } from '../load.ts';
import type { Slo } from '../objective.ts';
import type { SloInput } from '../slo-schema.ts';
import { backtest } from './backtest.ts';
import { deriveIncidents, type Incident, readIncidents } from './incidents.ts';
import { partsOf, readExposition } from './read-exposition.ts';
import { isSeries, readSeries } from './read-series.ts';
import { readCounts, type RecordedStep, type Recording } from './recording.ts';
import { replay } from './replay.ts';

function sloOf(more: Partial<SloInput['slos'][number]> = {}): Slo {
  const { slos, mistakes } = resolveSlos({
    service: 'shop',
    slos: [{ name: 'up', objective: '99.9%', sli: { availability: {} }, ...more }],
  });
  assert.deepEqual(mistakes, []);
  return slos!.slos[0]!;
}

const MINUTE = 60;
const HOUR = 3600;
const DAY = 24 * HOUR;

/** A day each of which a minute has 6000 requests, but for the failing stretches `[from, to, share]`. */
function recorded(seconds: number, failing: readonly (readonly [number, number, number])[]): Recording {
  const steps = Array.from({ length: seconds / MINUTE }, (_, at): RecordedStep => {
    const atS = (at + 1) * MINUTE;
    const share = failing.find(([fromS, toS]) => atS > fromS && atS <= toS)?.[2] ?? 0;
    const bad = Math.round(6000 * share);
    return { atS, good: 6000 - bad, bad };
  });
  return { steps };
}

const incident = (fromS: number, toS: number, name = 'outage'): Incident => ({ name, fromS, toS });
const scoreOf = (slo: Slo, recording: Recording, incidents: readonly Incident[], name: string) =>
  backtest(slo, recording, incidents).scores.find((score) => score.name === name)!;

test('a total outage of ten minutes: paged in the first minute after 51.84 s, over five minutes after its end', () => {
  const [from, to] = [12 * HOUR, 12 * HOUR + 10 * MINUTE];
  const score = scoreOf(sloOf(), recorded(DAY, [[from, to, 1]]), [incident(from, to)], 'page 14.4×');
  assert.deepEqual(score, {
    ...{ name: 'page 14.4×', fired: 1, right: 1, precision: 1, recall: 1, missed: [] },
    detectS: { median: 60, longest: 60 },
    resetS: { median: 300, longest: 300 },
  });
});

test('times to a page at 10 %, 2 % and 1 % failing are those of the arithmetic, rounded up to a minute', () => {
  for (const [share, alert, after] of [
    // 8 min 38 s, 43 min 12 s, and 3 h 36 min, which is exact and must be passed.
    [0.1, 'page 14.4×', 9 * MINUTE],
    [0.02, 'page 14.4×', 44 * MINUTE],
    [0.01, 'page 6×', 3 * HOUR + 37 * MINUTE],
  ] as const) {
    const [from, to] = [DAY, DAY + 6 * HOUR];
    const score = scoreOf(sloOf(), recorded(2 * DAY, [[from, to, share]]), [incident(from, to)], alert);
    assert.deepEqual(score.detectS, { median: after, longest: after }, String(share));
  }
});

test('what fails too little for a page opens a ticket, and the pages have missed it', () => {
  const [from, to] = [2 * DAY, 3 * DAY];
  const recording = recorded(5 * DAY, [[from, to, 0.004]]);
  const { scores } = backtest(sloOf(), recording, [incident(from, to, 'a leak')]);
  const of = (name: string) => scores.find((score) => score.name === name)!;
  assert.deepEqual([of('any page').recall, of('any page').missed], [0, ['a leak']]);
  assert.equal(of('any page').precision, null, 'of none there is no share');
  assert.deepEqual([of('ticket 3×').recall, of('any alert').recall], [1, 1]);
  // 0.3 % of a day at 0.4 %: 18 hours, which must be passed.
  assert.equal(of('ticket 3×').detectS!.longest, 18 * HOUR + MINUTE);
});

test('an alert for what was no incident costs precision, an incident without one recall', () => {
  const failing = [
    [10 * HOUR, 10 * HOUR + 5 * MINUTE, 1],
    [20 * HOUR, 20 * HOUR + 5 * MINUTE, 1],
  ] as const;
  const told = [incident(10 * HOUR, 10 * HOUR + 5 * MINUTE), incident(15 * HOUR, 16 * HOUR, 'a customer called')];
  const score = scoreOf(sloOf(), recorded(DAY, failing), told, 'page 14.4×');
  assert.deepEqual([score.fired, score.precision, score.recall], [2, 0.5, 0.5]);
  assert.deepEqual(score.missed, ['a customer called']);
});

test('a blip of half a minute pages nobody, and is derived as no incident', () => {
  const slo = sloOf();
  const recording = recorded(DAY, [[10 * HOUR, 10 * HOUR + MINUTE, 0.5]]);
  assert.deepEqual(
    replay(slo, recording).flatMap(({ firings }) => firings),
    [],
  );
  assert.deepEqual(deriveIncidents(slo, recording, 0.02), []);
});

test('derived incidents are the stretches that took that much of the budget', () => {
  const failing = [
    [10 * HOUR, 10 * HOUR + 10 * MINUTE, 1],
    [20 * HOUR, 20 * HOUR + 2 * MINUTE, 0.1],
  ] as const;
  const slo = sloOf();
  const recording = recorded(DAY, failing);
  // Ten minutes of 43.2 are 23 %; two minutes of a tenth are 0.46 %.
  const from = (share: number) => deriveIncidents(slo, recording, share).map(({ fromS, toS }) => [fromS, toS]);
  assert.deepEqual(from(0.02), [[10 * HOUR, 10 * HOUR + 10 * MINUTE]]);
  assert.deepEqual(from(0.004).length, 2);
  assert.deepEqual(from(0.3), []);
});

test('what leaks slower than the budget lasts is no incident, however much it takes', () => {
  const slo = sloOf();
  // Half as fast as the budget lasts, all day: a sixtieth of it.
  const leak = recorded(DAY, [[0, DAY, 0.0005]]);
  assert.deepEqual(deriveIncidents(slo, leak, 0.01), []);
});

test('an alert that is on at the end has no end, and in a gap it ends with what its short window holds', () => {
  const slo = sloOf();
  const [page] = replay(slo, recorded(DAY, [[23 * HOUR, DAY, 1]]));
  assert.deepEqual(page!.firings, [{ fromS: 23 * HOUR + MINUTE, toS: null }]);
  const { steps } = recorded(DAY, [[10 * HOUR, 10 * HOUR + 10 * MINUTE, 1]]);
  // The five minutes after it, in which the alert would go, were not recorded.
  const end = 10 * HOUR + 10 * MINUTE;
  const until = (fromS: number) => steps.filter(({ atS }) => atS <= end || atS > fromS);
  const firings = (gone: number) => replay(slo, { steps: until(gone) })[0]!.firings;
  assert.deepEqual(firings(11 * HOUR), [{ fromS: 10 * HOUR + MINUTE, toS: end + 5 * MINUTE }]);
  assert.deepEqual(firings(end + 2 * MINUTE), [{ fromS: 10 * HOUR + MINUTE, toS: end + 5 * MINUTE }]);
  // Rows of an hour are no gaps.
  const hours = Array.from({ length: 10 }, (_, at) => ({ atS: (at + 1) * HOUR, good: 1000, bad: at > 6 ? 500 : 0 }));
  assert.deepEqual(replay(slo, { steps: hours })[0]!.firings, [{ fromS: 8 * HOUR, toS: null }]);
});

test('what is seen after a gap is of when it was seen', () => {
  const slo = sloOf();
  const { steps } = recorded(DAY, [
    [10 * HOUR - 5 * MINUTE, 10 * HOUR, 1],
    [18 * HOUR, 18 * HOUR + 5 * MINUTE, 1],
  ]);
  const gap = steps.filter(({ atS }) => atS <= 10 * HOUR || atS > 18 * HOUR);
  assert.deepEqual(
    deriveIncidents(slo, { steps: gap }, 0.02).map(({ fromS, toS }) => [fromS, toS]),
    [
      [10 * HOUR - 5 * MINUTE, 10 * HOUR],
      [18 * HOUR, 18 * HOUR + 5 * MINUTE],
    ],
  );
  const first = recorded(DAY, [[0, 5 * MINUTE, 1]]);
  assert.deepEqual(
    deriveIncidents(slo, first, 0.02).map(({ fromS, toS }) => [fromS, toS]),
    [[0, 5 * MINUTE]],
  );
});

test('with little traffic one failure fires, unless more are asked for', () => {
  const steps = Array.from({ length: 120 }, (_, at) => ({
    atS: (at + 1) * MINUTE,
    good: at === 90 ? 0 : 1,
    bad: at === 90 ? 1 : 0,
  }));
  const fires = (failuresMin: number): boolean =>
    replay(sloOf({ alerts: { failuresMin } }), { steps }).some(({ firings }) => firings.length > 0);
  assert.deepEqual([fires(1), fires(2)], [true, false]);
});

test('the rolling windows are sums over the steps that end in them, whatever the steps', () => {
  const step = fc.record({
    gapS: fc.integer({ min: 1, max: 4000 }),
    good: fc.nat(500),
    bad: fc.constantFrom(0, 0, 1, 40),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), (given) => {
      let atS = 0;
      const steps = given.map(({ gapS, good, bad }) => ({ atS: (atS += gapS), good, bad }));
      const slo = sloOf();
      for (const [at, { alert, firings }] of replay(slo, { steps }).entries()) {
        const { longS, shortS, threshold } = firingAlerts(slo)[at]!;
        assert.equal(alert.longS, longS);
        const on = (end: number): boolean =>
          [longS, shortS].every((lengthS) => {
            const inside = steps.filter((each) => each.atS <= end && each.atS > end - lengthS);
            const bad = inside.reduce((sum, each) => sum + each.bad, 0);
            const all = inside.reduce((sum, each) => sum + each.bad + each.good, 0);
            return all > 0 && bad / all > threshold;
          });
        for (const { atS: end } of steps) {
          const fires = firings.some(({ fromS, toS }) => fromS <= end && (toS === null || end < toS));
          assert.equal(fires, on(end), `${alert.burn} at ${end}`);
        }
      }
    }),
  );
});

test('a table of counts is read, with times in both forms; every mistake has its place', () => {
  const read = readCounts('# of October\ntime,good,total\n2026-11-01T00:00:00Z,5,10\n1793491260, 6 ,10\n', 'd.csv');
  assert.deepEqual(read, {
    ok: true,
    value: {
      steps: [
        { atS: 1_793_491_200, good: 5, bad: 5 },
        { atS: 1_793_491_260, good: 6, bad: 4 },
      ],
    },
  });
  for (const [text, said] of [
    ['', 'd.csv:1:1: the file is empty; it begins with time,good,total'],
    ['time,good\n1,2', 'd.csv:1:1: there is no column total; the first line names the columns: time,good,total'],
    ['time,good,total\nx,1,2\n', 'd.csv:2:1: "x" is no time; write 2026-11-01T00:00:00Z, or seconds since 1970'],
    ['time,good,total\n1,-1,2\n', 'd.csv:2:3: "-1" is no count'],
    ['time,total,good\n1,2,3\n', 'd.csv:2:5: 3 good of 2 in all'],
    ['time,good,total\n2,1,1\n1,1,1', 'd.csv:3:1: it is not later than the row before: rows are in the order of time'],
    ['time,good,total\n2,1,1\n', 'd.csv:1:1: there are fewer than two rows'],
  ] as const) {
    const answer = readCounts(text, 'd.csv');
    assert.deepEqual(answer.ok ? [] : answer.mistakes, [said]);
  }
  const many = readCounts(`time,good,total\n${'x,1,1\n'.repeat(1000)}`, 'd.csv');
  assert.equal(many.ok ? 0 : many.mistakes.length, 20);
});

test('incidents are read with their places', () => {
  const read = readIncidents('name,from,to\ndeploy,100,200\n,300,400\n', 'i.csv');
  assert.deepEqual(read, { ok: true, value: [incident(100, 200, 'deploy'), incident(300, 400, 'incident 2')] });
  const wrong = readIncidents('from,to\n200,100\nx,1\n', 'i.csv');
  assert.deepEqual(wrong.ok ? [] : wrong.mistakes, [
    'i.csv:2:5: it ends before it begins',
    'i.csv:3:1: "x" is no time; write 2026-11-01T00:00:00Z',
  ]);
});

const dump = (unit: number): string =>
  [
    `spillway_requests_total{service="shop",code_class="2xx",worker="0"} 100 ${60 * unit}`,
    `spillway_requests_total{service="shop",code_class="2xx",worker="0"} 190 ${120 * unit}`,
    `spillway_requests_total{service="shop",code_class="2xx",worker="0"} 30 ${180 * unit}`,
    `spillway_requests_total{service="shop",code_class="5xx",worker="0"} 0 ${60 * unit}`,
    `spillway_requests_total{service="shop",code_class="5xx",worker="0"} 10 ${120 * unit}`,
    `spillway_requests_total{service="other",code_class="5xx"} 7 ${120 * unit}`,
    `something_else 5 ${120 * unit}`,
    '',
  ].join('\n');

test('counters of the gateway become steps, resets included, in both formats', () => {
  const parts = partsOf(sloOf().indicator)!;
  const wanted = {
    steps: [
      { atS: 60, good: 0, bad: 0 },
      { atS: 120, good: 90, bad: 10 },
      { atS: 180, good: 30, bad: 0 },
    ],
  };
  assert.deepEqual(readExposition(dump(1000), 'd.prom', parts), { ok: true, value: wanted });
  const named = dump(1000).replaceAll('spillway_requests_total{', '{__name__="spillway_requests_total", ');
  assert.deepEqual(readExposition(named, 'd.dump', parts), { ok: true, value: wanted });
  assert.deepEqual(readExposition(`# TYPE x counter\n${dump(1)}# EOF\n`, 'd.om', parts), { ok: true, value: wanted });
});

test('what a gateway kept is read: gaps, the step that is not over, and only what the objective measures now', () => {
  const row = (outcome: string, values: readonly number[], measures = 'answers of shop', slo = 'shop-up') => ({
    labels: { slo, measures, outcome },
    ...{ kind: 'counter', values },
  });
  const series = (...rows: readonly object[]): string =>
    JSON.stringify({
      ...{ fromMs: 600_000, stepMs: 60_000, nowMs: 870_000, sampled: [true, true, false, true, true], rows },
      more: 0,
    });
  const [all, bad] = [row('all', [10, 20, 0, 30, 5]), row('bad', [0, 2, 0, 30, 5])];
  const text = series(bad, all, row('all', [9, 9, 9, 9, 9], 'other'), row('all', [7, 7, 7, 7, 7], 'x', 'shop-quick'));
  assert.ok(isSeries(text) && isSeries(JSON.stringify(JSON.parse(text), null, 2)) && !isSeries('{__name__="x"} 1 2'));
  assert.deepEqual(readSeries(text, 's.json', sloOf()), {
    ok: true,
    value: {
      steps: [
        { atS: 660, good: 10, bad: 0 },
        { atS: 720, good: 18, bad: 2 },
        { atS: 840, good: 0, bad: 30 },
      ],
    },
  });
  for (const [broken, said] of [
    [text.slice(0, 50), 's.json:1:1: it is not JSON, or was cut off'],
    [
      '{"fromMs":0}',
      's.json:1:1: it is no answer of GET /api/series: fromMs, stepMs, nowMs, sampled and rows are needed',
    ],
    [
      series(bad),
      's.json:1:1: it has no two steps of shop-up; ask for ?name=spillway_slo_events&label.slo=shop-up&from=-25d&step=5m',
    ],
  ] as const) {
    const read = readSeries(broken, 's.json', sloOf());
    assert.deepEqual(read.ok ? [] : read.mistakes, [said]);
  }
});

test('plain counters of a user too, with their matchers; of other PromQL it is said that only Prometheus can', () => {
  const events = (bad: string | null, good: string | null, total: string) =>
    sloOf({ sli: { events: { ...(bad === null ? {} : { bad }), ...(good === null ? {} : { good }), total } } })
      .indicator;
  const text =
    'a_total{code="500",path="/x, \\"y\\""} 0 1000\na_total{code="500",path="/x, \\"y\\""} 4 2000\na_total{code="200"} 0 1000\na_total{code="200"} 6 2000\n';
  for (const indicator of [
    events('a_total{code=~"5..", path!="z"}', null, 'a_total'),
    events(null, 'a_total{code!~"5.."}', 'a_total'),
  ]) {
    const read = readExposition(text, 'd.prom', partsOf(indicator)!);
    assert.deepEqual(read.ok && read.value.steps.at(-1), { atS: 2, good: 6, bad: 4 });
  }
  assert.equal(partsOf(events('sum(rate(a[$window])) / 2', null, 'b')), null);
  assert.equal(partsOf(sloOf({ sli: { ratio: { error: 'a[$window]' } } }).indicator), null);
});

test('what is no sample, or has no time, is told with its line', () => {
  const parts = partsOf(sloOf().indicator)!;
  const said = (text: string) => {
    const read = readExposition(text, 'd.prom', parts);
    return read.ok ? [] : read.mistakes;
  };
  assert.deepEqual(said('5 of what\n'), ['d.prom:1:1: "5 of what" is no sample']);
  assert.match(said('spillway_requests_total{service="shop"} 5\n')[0]!, /^d\.prom:1:1: a sample has no time/);
  assert.match(said('x 5 1000\n')[0]!, /no two samples of what the objective counts: spillway_requests_total, spill/);
  assert.match(said('spillway_requests_total{service="shop"} x 5\n')[0]!, /"x" is no value/);
});

test('a scrape that failed, which Prometheus marks, is no sample', () => {
  const counted = (...values: readonly string[]): string =>
    values.map((value, at) => `spillway_requests_total{service="shop"} ${value} ${(at + 1) * 60_000}\n`).join('');
  const parts = partsOf(sloOf().indicator)!;
  const [marked, without] = [counted('5', 'NaN', '9'), counted('5', 'x', '9').replace(/.* x .*\n/, '')];
  const read = readExposition(marked, 'd.dump', parts);
  assert.ok(read.ok);
  assert.deepEqual(read, readExposition(without, 'd.dump', parts));
});

test('whatever a file holds, it is read or refused, and never throws', () => {
  const parts = partsOf(sloOf().indicator)!;
  const line = fc.oneof(
    fc.string(),
    fc.constantFrom('time,good,total', '1,2,3', 'spillway_requests_total{service="shop"} 1 2', '# EOF'),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), (lines) => {
      for (const read of [readCounts(lines.join('\n'), 'f'), readIncidents(lines.join('\n'), 'f')])
        assert.ok(read.ok || read.mistakes.length > 0);
      const read = readExposition(lines.join('\n'), 'f', parts);
      assert.ok(read.ok || read.mistakes.length > 0);
    }),
  );
  const slo = sloOf();
  const row = fc.record({
    labels: fc.oneof(fc.constant({ slo: 'shop-up', outcome: 'all' }), fc.jsonValue()),
    values: fc.jsonValue(),
  });
  const list = (each: fc.Arbitrary<unknown>) => fc.oneof(fc.array(each, { maxLength: 5 }), fc.jsonValue());
  const answer = fc.record({
    ...{ fromMs: fc.oneof(fc.integer(), fc.jsonValue()), stepMs: fc.nat(), nowMs: fc.integer() },
    ...{ sampled: list(fc.constant(true)), rows: list(row) },
  });
  fc.assert(
    fc.property(fc.oneof(answer, fc.jsonValue()), (given) => {
      const read = readSeries(JSON.stringify(given), 'f', slo);
      assert.ok(read.ok || read.mistakes.length > 0);
    }),
  );
});
