/** Rounds of a push to a collector that takes them, wants them later, or is silent. Time is simulated, and the collector answers as it is told. */
import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { seededRandom } from '../../kernel/random.ts';
import { SimulatedClock } from '../../kernel/simulated-clock.ts';
import { collect } from '../metrics/collect.ts';
import type { MetricFamily, Sample } from '../prometheus.ts';
import { createOtlpExporter, type OtlpExporterOptions } from './exporter.ts';
import { decodeMetrics } from './metrics.ts';
import type { MetricRecord } from './metric-record.ts';
import { MetricsPush } from './metrics-push.ts';

const START_MS = 1_800_000_000_000;
const SERIES = 50_000;

/** Says what somebody waits for. */
class WatchedClock extends SimulatedClock {
  readonly delaysMs: number[] = [];

  override after(delayMs: number, run: () => void): ReturnType<SimulatedClock['after']> {
    this.delaysMs.push(delayMs);
    return super.after(delayMs, run);
  }
}

function counterOf(series: number): MetricFamily[] {
  const samples = Array.from({ length: series }, (_, n) => ({ labels: { n: String(n) }, value: n }));
  return [{ name: 'c_total', type: 'counter', help: 'C.', samples }];
}

function pushed(families: () => Iterable<MetricFamily>, given: Partial<OtlpExporterOptions> = {}) {
  const clock = new WatchedClock(START_MS);
  const bodies: Buffer[] = [];
  const problems: string[] = [];
  /** Of the next requests; afterwards they are taken at once. */
  const answers: Promise<Response>[] = [];
  const answer: typeof fetch = (_, options) => {
    const body = Buffer.from(options?.body as Uint8Array);
    const isPacked = new Headers(options?.headers).get('content-encoding') === 'gzip';
    bodies.push(isPacked ? gunzipSync(body) : body);
    return answers.shift() ?? Promise.resolve(new Response(null, { status: 200 }));
  };
  const exporter = createOtlpExporter({
    endpoint: 'http://collector.test',
    fetch: answer,
    random: seededRandom(1),
    clock,
    onProblem: (message) => problems.push(message),
    ...given,
  });
  const push = new MetricsPush({
    ...{ exporter, clock, service: 'gateway', instance: 'here:1', startMs: START_MS, everyMs: 10_000 },
    collect: () => collect(families(), clock.wallMs()),
  });
  const until = async (isSo: () => boolean): Promise<void> => {
    while (!isSo()) await turn();
  };
  const recordsOf = (at: number): MetricRecord[] => decodeMetrics(bodies[at]!).metrics;
  return { clock, exporter, push, bodies, answers, problems, until, recordsOf };
}

test('the first round goes soon, the next every so often; each says since when it counts', async () => {
  let value = 3;
  const { clock, push, bodies, recordsOf, until } = pushed(() => [
    {
      name: 'a_total',
      type: 'counter',
      help: 'A.',
      samples: [
        { labels: {}, value: value++ },
        { labels: { x: 'late' }, value: 1, sinceMs: START_MS + 500 },
      ],
    },
  ]);
  clock.pass(999);
  await turn();
  assert.equal(bodies.length, 0);
  clock.pass(1);
  await until(() => push.counts.sent === 2);
  clock.pass(9000);
  await until(() => push.counts.sent === 4);
  const times = [0, 1].map((at) => recordsOf(at).flatMap(({ points }) => points));
  assert.deepEqual(
    times.map((points) => points.map(({ value: of, startMs, timeMs }) => [of, startMs - START_MS, timeMs - START_MS])),
    [
      [
        [3, 0, 1000],
        [1, 500, 1000],
      ],
      [
        [4, 0, 10_000],
        [1, 500, 10_000],
      ],
    ],
  );
  push.stop();
  clock.pass(60_000);
  await turn();
  assert.equal(bodies.length, 2);
});

test('a clock that was ahead and is set back: points are of its time at once, and what they count began earlier, once and for all', async () => {
  const late = { labels: { x: 'late' }, value: 1, sinceMs: START_MS + 500 };
  const { clock, push, recordsOf, until } = pushed(() => [
    { name: 'a_total', type: 'counter', help: 'A.', samples: [{ labels: {}, value: 3 }, late] },
  ]);
  clock.pass(1000);
  await until(() => push.counts.sent === 2);
  clock.stepWall(-3_600_000);
  for (const [sent, waitMs] of [[4, 9000], [6, 10_000]] as const) {
    clock.pass(waitMs);
    await until(() => push.counts.sent === sent);
  }
  // It is set right again, and more: what began is where it was.
  clock.stepWall(7_200_000);
  clock.pass(10_000);
  await until(() => push.counts.sent === 8);
  const times = [0, 1, 2, 3].map((at) =>
    recordsOf(at)[0]!.points.map(({ startMs, timeMs }) => [startMs - START_MS, timeMs - START_MS]),
  );
  const hour = 3_600_000;
  assert.deepEqual(times, [
    [[0, 1000], [500, 1000]],
    [[-hour, 10_000 - hour], [500 - hour, 10_000 - hour]],
    [[-hour, 20_000 - hour], [500 - hour, 20_000 - hour]],
    [[-hour, 30_000 + hour], [500 - hour, 30_000 + hour]],
  ]);
}); // prettier-ignore

test('a start that no clock of this push told is never after its points', async () => {
  const ahead = { labels: {}, value: 1, sinceMs: START_MS + 3_600_000 };
  const { clock, push, recordsOf, until } = pushed(() => [{ name: 'a_total', type: 'counter', help: 'A.', samples: [ahead] }]);
  clock.pass(1000);
  await until(() => push.counts.sent === 1);
  const [point] = recordsOf(0)[0]!.points;
  assert.deepEqual([point?.startMs, point?.timeMs], [START_MS + 1000, START_MS + 1000]);
}); // prettier-ignore

test('a round of many requests has one time in all: a collector that is away holds the next back for a minute, and not for one each', async () => {
  const { clock, push, bodies, answers, until } = pushed(() => counterOf(SERIES), { encoding: 'json', gzip: false });
  const away = (): Promise<Response> => Promise.resolve(new Response(null, { status: 503 }));
  clock.pass(1000);
  answers.push(Promise.resolve(new Response(null, { status: 200 })), ...Array.from({ length: 100 }, away));
  const beganMs = clock.nowMs();
  while (push.counts.sent + push.counts.failed < SERIES) {
    await turn();
    if (push.counts.sent > 0) clock.pass(100);
  }
  const { sent, failed } = push.counts;
  assert.ok(sent > 0 && failed > 2 * sent, `${sent} sent, ${failed} failed`);
  assert.ok(clock.nowMs() - beganMs <= 61_000, `held back for ${clock.nowMs() - beganMs} ms`);
  assert.ok(bodies.length < 50);
  answers.length = 0;
  clock.pass(10_000);
  await until(() => push.counts.sent === sent + SERIES);
});

test('while a round waits the next are left out and counted, so nothing piles up; then it goes on with what there is', async () => {
  const { clock, push, bodies, answers, problems, until } = pushed(() => counterOf(1000));
  const first = Promise.withResolvers<Response>();
  answers.push(first.promise);
  clock.pass(1000);
  await until(() => bodies.length === 1);
  clock.pass(9000);
  await turn();
  assert.deepEqual([push.counts.skipped, bodies.length], [1, 1]);
  first.resolve(new Response('no', { status: 400 }));
  await until(() => push.counts.failed === 1000);
  assert.match(problems.join(), /did not get 1000: it answered 400: no/);
  clock.pass(10_000);
  await until(() => push.counts.sent === 1000);
  assert.deepEqual(push.counts, { sent: 1000, rejected: 0, dropped: 0, failed: 1000, skipped: 1 });
});

test('what it wants later it gets later, when it said; what it refuses of a round is counted in series', async () => {
  const { clock, push, bodies, answers, until } = pushed(() => counterOf(600), { encoding: 'json' });
  answers.push(
    Promise.resolve(new Response(null, { status: 503, headers: { 'retry-after': '30' } })),
    Promise.resolve(
      new Response('{"partialSuccess":{"rejectedDataPoints":"5"}}', {
        headers: { 'content-type': 'application/json' },
      }),
    ),
  );
  clock.pass(1000);
  await until(() => clock.delaysMs.includes(30_000));
  clock.pass(29_000);
  await turn();
  assert.equal(bodies.length, 1);
  clock.pass(1000);
  await until(() => push.counts.sent > 0);
  assert.deepEqual(push.counts, { sent: 595, rejected: 5, dropped: 0, failed: 0, skipped: 3 });
  assert.deepEqual(bodies[0], bodies[1]);
  // Three batches of one metric, in one request of JSON.
  const records = decodeMetrics(bodies[1]!.toString()).metrics;
  assert.deepEqual(
    records.map(({ points }) => points.length),
    [256, 256, 88],
  );
});

test('what has no room in the queue is dropped and counted, and the rest goes', async () => {
  const { clock, push, bodies, until } = pushed(() => counterOf(SERIES), { queueBytes: 200_000 });
  clock.pass(1000);
  await until(() => push.counts.sent > 0);
  const { sent, dropped } = push.counts;
  assert.equal(sent + dropped, SERIES);
  assert.ok(dropped > SERIES / 2 && sent > 256, `${sent} sent, ${dropped} dropped`);
  assert.ok(bodies[0]!.length <= 200_000, `${bodies[0]!.length} bytes`);
});

test('what cannot be read ends no process: it is told once and counted, and the next round goes', async () => {
  let isShort = true;
  const { clock, push, bodies, problems, until } = pushed(() => {
    if (isShort) throw new Error('too many open files');
    return counterOf(3);
  });
  clock.pass(1000);
  await until(() => push.counts.skipped === 1);
  clock.pass(9000);
  await until(() => push.counts.skipped === 2);
  assert.deepEqual(problems, ['The collector at http://collector.test/v1/metrics did not get what there is: too many open files.']);
  assert.equal(bodies.length, 0);
  isShort = false;
  clock.pass(10_000);
  await until(() => push.counts.sent === 3);
  isShort = true;
  await push.read();
  assert.deepEqual(push.counts, { sent: 3, rejected: 0, dropped: 0, failed: 0, skipped: 3 });
}); // prettier-ignore

test('50,000 series: the event loop turns on the way, and requests are of a bounded size', async () => {
  let turns = 0;
  const inTurn: number[] = [];
  function* samples(): Generator<Sample> {
    for (let n = 0; n < SERIES; n++) {
      inTurn[turns] = (inTurn[turns] ?? 0) + 1;
      yield { labels: { n: String(n) }, value: n };
    }
  }
  const { clock, push, bodies, until } = pushed(() => [
    { name: 'c_total', type: 'counter', help: 'C.', samples: samples() },
  ]);
  clock.pass(1000);
  await until(() => {
    turns += 1;
    return push.counts.sent === SERIES;
  });
  const most = inTurn.reduce((one, other) => Math.max(one, other));
  assert.ok(most <= 512, `${most} series in one turn`);
  assert.ok(bodies.length > 1 && bodies.every(({ length }) => length <= 2 ** 21), `${bodies.length} requests`);
  const values = bodies.flatMap((body) =>
    decodeMetrics(body).metrics.flatMap(({ points }) => points.map(({ value }) => value)),
  );
  assert.deepEqual(
    values,
    Array.from({ length: SERIES }, (_, n) => n),
  );
});
