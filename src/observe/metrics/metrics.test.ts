import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseExposition } from '../../../test/exposition-parser.ts';
import { createMetrics, type Metrics } from './metrics.ts';

const openmetrics = 'application/openmetrics-text';

async function page(metrics: Metrics, accept?: string): Promise<string> {
  let text = '';
  for await (const chunk of metrics.expose(accept).body) text += String(chunk);
  return text;
}

/** The lines of one series, without those that say what metrics cost. */
async function linesOf(metrics: Metrics, name: string): Promise<string[]> {
  return (await page(metrics)).split('\n').filter((line) => line.startsWith(name));
}

test('a counter, a gauge and a histogram as text 0.0.4, and in OpenMetrics with the trace of a value', async () => {
  const metrics = createMetrics({ clock: { ...noClock, wallMs: () => 1_500 } });
  const requests = metrics.counter({ name: 'shop_requests_total', help: 'Requests.', labels: ['route', 'status'] });
  requests.bind({ route: '/a', status: 200 }).add();
  requests.bind({ status: '200', route: '/a' }).add(2);
  metrics.gauge({ name: 'shop_in_flight', help: 'In flight.' }).bind().set(7);
  const seconds = metrics.histogram({ name: 'shop_seconds', help: 'Time.', labels: ['route'], bounds: [0.2, 1] });
  const slow = seconds.bind({ route: '/a' });
  slow.observe(0.2);
  slow.observe(0.201);
  slow.observe(5, '4bf92f3577b34da6a3ce929d0e0e4736');
  const [text, open] = [await page(metrics), await page(metrics, openmetrics)];
  assert.ok(
    text.startsWith(`# HELP shop_requests_total Requests.
# TYPE shop_requests_total counter
shop_requests_total{route="/a",status="200"} 3
# HELP shop_in_flight In flight.
# TYPE shop_in_flight gauge
shop_in_flight 7
# HELP shop_seconds Time.
# TYPE shop_seconds histogram
shop_seconds_bucket{route="/a",le="0.2"} 1
shop_seconds_bucket{route="/a",le="1"} 2
shop_seconds_bucket{route="/a",le="+Inf"} 3
shop_seconds_sum{route="/a"} 5.401
shop_seconds_count{route="/a"} 3
# HELP spillway_metrics`),
    text,
  );
  const inf = 'shop_seconds_bucket{route="/a",le="+Inf"} 3 # {trace_id="4bf92f3577b34da6a3ce929d0e0e4736"} 5 1.5\n';
  assert.ok(open.includes(inf), open);
  assert.ok(open.includes('le="1.0"'), open);
  parseExposition(text, 'prometheus');
  parseExposition(open, 'openmetrics');
});

test('a bound is exact, and what a quantile says is told by the labels asked for', () => {
  const metrics = createMetrics();
  const seconds = metrics.histogram({ name: 's', help: 'S.', labels: ['route', 'user'] });
  for (let ms = 1; ms <= 100; ms++) seconds.bind({ route: '/a', user: ms % 2 }).observe(ms / 1000);
  seconds.bind({ route: '/b', user: 0 }).observe(60);
  const near = (value: number, exact: number): void =>
    assert.ok(Math.abs(value / exact - 1) <= 0.0217, `${value} for ${exact}`);
  near(seconds.read({ route: '/a' }).quantile(0.99), 0.099);
  near(seconds.read({ route: '/a', user: 0 }).quantile(0.5), 0.05);
  near(seconds.read().quantile(1), 60);
  assert.equal(seconds.read({ route: '/c' }).count, 0);
  assert.ok(Number.isNaN(seconds.read({ route: '/c' }).quantile(0.5)));
  assert.throws(() => seconds.read({ rout: 'x' } as object), /no label rout/);
});

test('the last minute is now less a minute ago', () => {
  const histogram = createMetrics().histogram({ name: 's', help: 'S.' });
  const series = histogram.bind();
  for (let index = 0; index < 1000; index++) series.observe(0.001);
  const before = histogram.read();
  for (let index = 0; index < 10; index++) series.observe(1);
  const minute = histogram.read().minus(before);
  assert.deepEqual([minute.count, minute.sum.toFixed(6)], [10, '10.000000']);
  assert.ok(minute.quantile(0.01) > 0.9);
  const other = createMetrics()
    .histogram({ name: 's', help: 'S.', range: [1, 2] })
    .read();
  assert.throws(() => minute.plus(other), { code: 'OPTIONS_INVALID' });
});

test('beyond the most series a metric may have, the rest is counted together in one that says so', async () => {
  const metrics = createMetrics();
  const requests = metrics.counter({ name: 'r_total', help: 'R.', labels: ['user'], seriesMax: 3 });
  for (let user = 0; user < 1000; user++) requests.bind({ user }).add();
  requests.bind({ user: 1 }).add();
  assert.deepEqual(await linesOf(metrics, 'r_total'), [
    'r_total{user="0"} 1',
    'r_total{user="1"} 2',
    'r_total{user="2"} 1',
    'r_total{overflow="true"} 997',
  ]);
  assert.equal(requests.read(), 1001);
  assert.deepEqual(requests.series().at(-1), { labels: { overflow: 'true' }, reading: 997 });
  assert.deepEqual(await linesOf(metrics, 'spillway_metrics_refused_total{cause="series"'), [
    'spillway_metrics_refused_total{cause="series"} 997',
  ]);
});

test('a label value of 10 kB is cut to 256 characters and marked, and a pair of surrogates is not divided', () => {
  const counter = createMetrics().counter({ name: 'r_total', help: 'R.', labels: ['path'] });
  counter.bind({ path: `/${'x'.repeat(10_000)}` }).add();
  counter.bind({ path: `/${'x'.repeat(20_000)}` }).add();
  counter.bind({ path: '😀'.repeat(200) }).add();
  counter.bind({ path: 'x'.repeat(256) }).add();
  const paths = counter.series().map(({ labels, reading }) => [labels['path'], reading]);
  assert.deepEqual(paths, [
    [`/${'x'.repeat(254)}…`, 2],
    [`${'😀'.repeat(127)}…`, 1],
    ['x'.repeat(256), 1],
  ]);
});

test('whatever is in a label value, a strict reader reads it back', async () => {
  const value = fc.string({ unit: 'binary', maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(
        value.map((text) => text.toWellFormed()),
        { maxLength: 8 },
      ),
      async (values) => {
        const metrics = createMetrics({ memoryBytes: '64kb' });
        const gauge = metrics.gauge({ name: 'g', help: 'A "quoted" \\ help\nof two lines.', labels: ['v'] });
        for (const [at, v] of values.entries()) gauge.bind({ v }).set(at);
        for (const format of ['prometheus', 'openmetrics'] as const) {
          const families = parseExposition(await page(metrics, format === 'openmetrics' ? openmetrics : ''), format);
          const samples = families.find(({ name }) => name === 'g')?.samples ?? [];
          assert.deepEqual(
            samples.map(({ labels, value }) => [labels['v'], value]),
            values.map((text, at) => [text, at]),
          );
        }
      },
    ),
  );
});

test('a metric that is there with another type, labels or buckets is refused with both; the same is the same', () => {
  const metrics = createMetrics();
  const counter = metrics.counter({ name: 'a_total', help: 'A.', labels: ['x'] });
  counter.bind({ x: 1 }).add();
  const again = metrics.counter({ name: 'a_total', help: 'In other words.', labels: ['x'] });
  again.bind({ x: 1 }).add();
  assert.equal(counter.read(), 2);
  const conflict = { code: 'METRIC_CONFLICT', message: /a_total.*"labels":\["x"\].*another name/s };
  assert.throws(() => metrics.counter({ name: 'a_total', help: 'A.', labels: ['y'] }), conflict);
  assert.throws(() => metrics.gauge({ name: 'a', help: 'One family in OpenMetrics.' }), { code: 'METRIC_CONFLICT' });
  const other = createMetrics({ shared: metrics.shared });
  assert.throws(() => other.counter({ name: 'a_total', help: 'A.', seriesMax: 5, labels: ['x'] }), conflict);
});

test('names, labels and options that mean nothing are refused, each with what was expected', () => {
  const metrics = createMetrics();
  const help = 'H.';
  const cases: readonly [() => unknown, RegExp][] = [
    [() => metrics.counter({ name: 'requests', help }), /does not end in _total/],
    [() => metrics.gauge({ name: 'a_total', help }), /choose another ending/],
    [() => metrics.gauge({ name: 'a_count', help }), /choose another ending/],
    [() => metrics.gauge({ name: 'a-b', help }), /the name is "a-b"; expected letters/],
    [() => metrics.gauge({ name: 'é', help }), /expected letters/],
    [() => metrics.gauge({ name: 'a', help: ' ' }), /help is empty/],
    [() => metrics.gauge({ name: 'a', help, labels: ['le'] }), /meaning of its own/],
    [() => metrics.gauge({ name: 'a', help, labels: ['overflow'] }), /meaning of its own/],
    [() => metrics.gauge({ name: 'a', help, labels: ['__x'] }), /meaning of its own/],
    [() => metrics.gauge({ name: 'a', help, labels: ['x', 'x'] }), /there twice/],
    [() => metrics.gauge({ name: 'a', help, seriesMax: 0 }), /seriesMax is 0; expected an integer from 1/],
    [() => metrics.gauge({ name: 'a', help, label: ['x'] } as never), /Did you mean labels/],
    [() => metrics.histogram({ name: 'a', help, bounds: [1, 1] }), /growing/],
    [() => metrics.histogram({ name: 'a', help, range: [0, 1] }), /range is \[0,1\]/],
    [() => metrics.counter({ name: 'b_total', help, labels: ['x'] }).bind({} as never), /label x is undefined/],
    [() => metrics.gauge({ name: 'c', help, labels: ['x'] }).bind({ x: 1, y: 2 } as never), /no label y; it has x/],
    [() => createMetrics({ memoryBytes: '1kb' }), /expected from 64kb to 1gb/],
    [() => createMetrics({ memoryBytes: '1mb', shared: metrics.shared }), /both given/],
    [() => createMetrics({ shared: new SharedArrayBuffer(100_000) }), /not the memory of metrics/],
    [() => metrics.histogram({ name: 'h', help }).read().quantile(99), /q is 99; expected from 0 to 1/],
  ];
  for (const [run, message] of cases) assert.throws(run, { code: 'OPTIONS_INVALID', message });
});

test('an update never throws: what is no number, or would go down, is refused and counted', async () => {
  const metrics = createMetrics();
  const counter = metrics.counter({ name: 'a_total', help: 'A.' });
  const gauge = metrics.gauge({ name: 'g', help: 'G.' });
  const histogram = metrics.histogram({ name: 'h', help: 'H.' });
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 'x' as unknown as number]) {
    counter.bind().add(bad);
    gauge.bind().set(bad);
    gauge.bind().add(bad);
    histogram.bind().observe(bad);
  }
  counter.bind().add(-1);
  histogram.bind().observe(-1);
  histogram.bind().observe(1, 'no trace id');
  assert.deepEqual([counter.read(), gauge.read(), histogram.read().count, histogram.read().sum], [0, 0, 1, 1]);
  assert.ok((await page(metrics)).includes('spillway_metrics_refused_total{cause="value"} 18\n'));
  assert.ok(!(await page(metrics, openmetrics)).includes('trace_id'));
});

test('when the memory is full, what has room is counted on, what has none goes nowhere, and the page says so', async () => {
  const metrics = createMetrics({ memoryBytes: '64kb' });
  const histogram = metrics.histogram({ name: 'h', help: 'H.', labels: ['x'] });
  for (let x = 0; x < 50; x++) histogram.bind({ x }).observe(1, '4bf92f3577b34da6a3ce929d0e0e4736');
  histogram.bind({ x: 0 }).observe(1);
  const kept = histogram.series().length;
  assert.ok(kept > 5 && kept < 15, `${kept}`);
  assert.equal(histogram.read().count, kept + 1);
  const text = await page(metrics);
  assert.ok(text.includes(`spillway_metrics_refused_total{cause="memory"} ${50 - kept}\n`), text.slice(-900));
  assert.equal(histogram.bind({ x: 100 }), histogram.bind({ x: 101 }), 'what goes nowhere takes no memory for each');
  // Small things may still fit into the rest; definitions without end do not.
  const many = (): void => {
    for (let index = 0; index < 1000; index++) metrics.gauge({ name: `g${index}`, help: 'G.' });
  };
  assert.throws(many, { code: 'METRICS_FULL', message: /65536 bytes.*memoryBytes/ });
});

const noClock = {
  nowMs: () => 0,
  wallMs: () => 0,
  after: () => ({ clear: () => undefined }),
  every: () => ({ clear: () => undefined }),
};
