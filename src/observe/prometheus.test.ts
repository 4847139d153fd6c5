import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseExposition } from '../../test/exposition-parser.ts';
import { chooseFormat, formatMetrics, type MetricFamily, type MetricFormat } from './prometheus.ts';

function textOf(families: Iterable<MetricFamily>, format: MetricFormat): string {
  return Array.from(formatMetrics(families, format), ({ text }) => text).join('');
}

test('0.0.4: a counter, a gauge and a histogram, byte for byte', () => {
  const families: MetricFamily[] = [
    {
      name: 'a_total',
      type: 'counter',
      help: 'Say "a"\\\nb.',
      samples: [{ labels: { x: 'q"\\\n', y: '' }, value: 3 }],
    },
    { name: 'b', type: 'gauge', help: 'B.', samples: [{ labels: {}, value: -0.5 }] },
    { name: 'none', type: 'gauge', help: 'Left out.', samples: [] },
    {
      name: 'c_seconds',
      type: 'histogram',
      help: 'C.',
      samples: [
        {
          labels: { r: '1' },
          buckets: [
            { le: 0.5, count: 1 },
            { le: Number.POSITIVE_INFINITY, count: 4 },
          ],
          sum: 9,
          exponential: () => assert.fail('the text has no room for it'),
        },
      ],
    },
  ];
  assert.equal(
    textOf(families, 'prometheus'),
    `# HELP a_total Say "a"\\\\\\nb.
# TYPE a_total counter
a_total{x="q\\"\\\\\\n",y=""} 3
# HELP b B.
# TYPE b gauge
b -0.5
# HELP c_seconds C.
# TYPE c_seconds histogram
c_seconds_bucket{r="1",le="0.5"} 1
c_seconds_bucket{r="1",le="+Inf"} 4
c_seconds_sum{r="1"} 9
c_seconds_count{r="1"} 4
`,
  );
});

test('OpenMetrics: the family of a counter has no _total, quotes in HELP are escaped, the end is marked', () => {
  const families: MetricFamily[] = [
    { name: 'a_total', type: 'counter', help: 'Say "a".', samples: [{ labels: {}, value: 3 }] },
  ];
  assert.equal(textOf(families, 'openmetrics'), '# HELP a Say \\"a\\".\n# TYPE a counter\na_total 3\n# EOF\n');
});

test('whatever is in a label or a value, a strict reader reads back what was written', () => {
  const labels = fc.dictionary(fc.constantFrom('a', 'b', 'c_d'), fc.string({ unit: 'binary' }));
  const value = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(1e21, 5e-324, -0, Number.NEGATIVE_INFINITY));
  const sample = fc.record({ labels, value });
  const unique = fc.uniqueArray(sample, {
    selector: (one) => JSON.stringify(Object.entries(one.labels).map(String).sort()),
    maxLength: 6,
  });
  fc.assert(
    fc.property(unique, fc.constantFrom('prometheus' as const, 'openmetrics' as const), (samples, format) => {
      const text = textOf([{ name: 'x', type: 'gauge', help: 'H.', samples }], format);
      const read = parseExposition(text, format).flatMap((family) => family.samples);
      const plain = samples.map((one) => ({ name: 'x', labels: { ...one.labels }, value: one.value + 0 }));
      assert.deepEqual(
        read.map((one) => ({ ...one, labels: { ...one.labels }, value: one.value + 0 })),
        plain,
      );
    }),
  );
});

test('protobuf and OpenMetrics are sent to who prefers them, plain text to everyone else', () => {
  const prometheus3 =
    'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1';
  assert.equal(chooseFormat(prometheus3), 'openmetrics');
  assert.equal(chooseFormat('text/plain;q=0.9, application/openmetrics-text;q=0.5'), 'prometheus');
  assert.equal(chooseFormat('application/openmetrics-text;q=0'), 'prometheus');
  for (const accept of [undefined, '', '*/*', 'text/html', 'application/openmetrics-text;q=x']) {
    assert.equal(chooseFormat(accept), 'prometheus');
  }
  const native =
    'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,' + prometheus3;
  assert.equal(chooseFormat(native), 'protobuf');
  assert.equal(chooseFormat(native.replace('q=0.7', 'q=0.2')), 'openmetrics');
  assert.equal(chooseFormat(native.replace('encoding=delimited', 'encoding=text')), 'openmetrics');
});
