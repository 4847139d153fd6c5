/** What is asked of very many series: whose turn it is meanwhile, and that the text which is made while it is sent is JSON of all of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eachLookATurn } from '../../../test/observe/series-folder.ts';
import { SimulatedClock } from '../../kernel/simulated-clock.ts';
import type { SeriesQuery } from '../../observe/series/range.ts';
import { createSeries, type Series } from '../../observe/series/series.ts';
import type { ApiAnswer } from './answers.ts';
import type { SeriesAnswer } from './series-answer.ts';
import { answerSeries } from './series-api.ts';

const ENDPOINTS = 10_000;

function ask(series: Series, clock: SimulatedClock, query: string): Promise<ApiAnswer> {
  const source = {
    series: (wanted: SeriesQuery) => series.rangeInSteps(wanted),
    wallMs: () => clock.wallMs(),
    telemetry: { clock },
  };
  return answerSeries(source, { query: new URLSearchParams(query) });
}

async function parsed(answer: ApiAnswer): Promise<SeriesAnswer> {
  assert.ok(answer.kind === 'answer' && typeof answer.body === 'object' && Symbol.asyncIterator in answer.body);
  let text = '';
  for await (const chunk of answer.body) {
    assert.ok(chunk.length < 64 * 1024, `${chunk.length} characters at once`);
    text += String(chunk);
  }
  return JSON.parse(text) as SeriesAnswer;
}

test('ten thousand endpoints are added up in turns, one question after the other', async () => {
  const clock = new SimulatedClock();
  const series = createSeries({ clock });
  const endpoints = Array.from({ length: ENDPOINTS }, (_, at) =>
    series.counter({ name: 'requests', labels: { endpoint: String(at) }, detail: 'brief' }),
  );
  for (let second = 0; second < 3; second++) {
    for (const [at, endpoint] of endpoints.entries()) endpoint.add(clock.wallMs(), 1 + (at % 2));
    clock.pass(10_000);
  }
  eachLookATurn(clock);
  const query = 'name=requests&from=-1h&step=10s&merged=true';
  const over: string[] = [];
  const first = ask(series, clock, query).finally(() => over.push('first'));
  const second = ask(series, clock, 'name=requests&from=-1h&step=10s&rows=2').finally(() => over.push('second'));
  let turns = 0;
  for (; over.length === 0; turns++) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(over, ['first']);
  assert.ok(turns > ENDPOINTS, `${turns} turns`);
  const { rows, more } = await parsed(await first);
  assert.equal(more, 0);
  const [row] = rows;
  assert.ok(rows.length === 1 && row?.kind === 'counter');
  assert.deepEqual(
    row.values.filter((value) => value > 0),
    [15_000, 15_000, 15_000],
  );
  const few = await parsed(await second);
  assert.deepEqual([few.rows.length, few.more], [2, ENDPOINTS - 2]);
});

test('the text is the JSON of what the series hold, of every kind, and of none', async () => {
  const clock = new SimulatedClock();
  const series = createSeries({ clock });
  const bounds = Float64Array.of(0.001, 0.5, Number.POSITIVE_INFINITY);
  for (let second = 0; second < 700; second++) {
    clock.pass(1000);
    const atMs = clock.wallMs();
    for (const name of ['"a"', 'b\n']) {
      series.counter({ name: 'counter', labels: { name } }).add(atMs, second);
      series.gauge({ name: 'gauge', labels: { name } }).set(atMs, second / 7);
      const step = { buckets: [0, 2], counts: [1, second + 1], sum: second / 3 };
      series.histogram({ name: 'histogram', labels: { name }, bounds }).add(atMs, step);
    }
  }
  for (const name of ['counter', 'gauge', 'histogram', 'none']) {
    const { rows, ...range } = series.range({
      name,
      fromMs: clock.wallMs() - 900_000,
      toMs: clock.wallMs(),
      stepMs: 1000,
    });
    const answer = await parsed(await ask(series, clock, `name=${name}&from=-15m&step=1s`));
    // Numbers in typed arrays are objects to JSON.
    const plain = JSON.stringify({ ...range, nowMs: clock.wallMs(), rows }, (_, value: unknown) =>
      value instanceof Float64Array ? [...value] : value,
    );
    assert.deepEqual(answer, JSON.parse(plain));
    assert.equal(answer.rows.length, name === 'none' ? 0 : 2);
  }
});
