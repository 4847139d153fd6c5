/** What is told of a stretch of series, step by step, is what the whole answer is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SimulatedClock } from '../../kernel/simulated-clock.ts';
import type { SeriesQuery } from '../../observe/series/range.ts';
import { createSeries } from '../../observe/series/series.ts';
import { answerSteps } from './live-answers.ts';
import type { KnownAnswer } from './live-watches.ts';
import type { SeriesAnswer } from './series-answer.ts';
import { type AnswerNews, spliced } from './watch-model.ts';

const labels = ['a', 'b', 'c'];
const bounds = Float64Array.of(1, 2, 4, Infinity);

const event = fc.record({
  passMs: fc.integer({ min: 0, max: 15_000 }),
  route: fc.constantFrom(...labels),
  value: fc.integer({ min: 1, max: 9 }),
  isLooked: fc.boolean(),
});
const question = fc.record({
  kind: fc.constantFrom('counter', 'gauge', 'histogram'),
  spanS: fc.integer({ min: 5, max: 120 }),
  stepS: fc.constantFrom(1, 2, 10, 60),
  merged: fc.boolean(),
});

test('steps that are told one after the other are the whole answer', async () => {
  let spliceCount = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(event, { minLength: 5, maxLength: 40 }),
      question,
      async (events, { kind, spanS, stepS, merged }) => {
        const clock = new SimulatedClock(1_800_000_000_000);
        const series = createSeries({ clock });
        const source = {
          series: (wanted: SeriesQuery) => series.rangeInSteps(wanted),
          wallMs: () => clock.wallMs(),
          telemetry: { clock },
        };
        const query = new URLSearchParams({
          name: kind,
          from: `-${spanS}s`,
          step: `${stepS}s`,
          merged: String(merged),
        });
        const ask = async (known: KnownAnswer) => {
          const answered = await answerSteps(source, query, known);
          assert.ok(answered.kind === 'news');
          return { news: JSON.parse(answered.text) as AnswerNews, known: answered.known };
        };
        let [shown, known]: [SeriesAnswer | null, KnownAnswer] = [null, null];
        for (const { isLooked, passMs, route, value } of events) {
          clock.pass(passMs);
          const whose = { name: kind, labels: { route } };
          const atMs = clock.wallMs();
          if (kind === 'counter') series.counter(whose).add(atMs, value);
          else if (kind === 'gauge') series.gauge(whose).set(atMs, value);
          else series.histogram({ ...whose, bounds }).add(atMs, { buckets: [value % 4], counts: [value], sum: value });
          if (!isLooked) continue;
          const told = await ask(known);
          known = told.known;
          if (told.news.kind === 'steps') {
            spliceCount += 1;
            shown = spliced(shown!, told.news);
          } else if (told.news.kind === 'whole') shown = told.news.answer as SeriesAnswer;
          const whole = await ask(null);
          assert.ok(whole.news.kind === 'whole');
          assert.deepEqual(shown, whole.news.answer);
        }
      },
    ),
    { numRuns: 200 },
  );
  // Otherwise only wholes were compared with wholes.
  assert.ok(spliceCount > 100, `${spliceCount} splices`);
});
