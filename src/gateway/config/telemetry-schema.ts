/** What is kept of the requests of this gateway, and what is told about it to others. */
import * as z from 'zod';
import { count, duration, expects, list, percentage, section, text } from '../../reading/values.ts';
import { pointedText } from './secret.ts';

/** What stands in a field of a request; RFC 9110 §5.5, without what nobody types. */
const usableValue = /^[!-~]([ -~]{0,4094}[!-~])?$/;
export const headerSecret = {
  expected: 'a field value of 1 to 4096 visible ASCII characters',
  accepts: (given: string): boolean => usableValue.test(given),
};

function collector(what: string, accepts: (url: URL) => boolean, example: string) {
  const expected = `${what}, and without a password`;
  return z
    .string(expects(expected))
    .max(2048, expects(expected))
    .meta({ examples: [example] })
    .transform((given, context): string => {
      const url = URL.parse(given);
      const isUsable = url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
      if (isUsable && url.search === '' && url.hash === '' && accepts(url)) return url.href;
      context.addIssue({ code: 'custom', params: { expected } });
      return z.NEVER;
    });
}

const base = collector(
  'the address of a collector, such as http://127.0.0.1:4318, without /v1/traces',
  ({ pathname }) => !/\/v1\/\w+\/?$/.test(pathname),
  'http://127.0.0.1:4318',
);

function ofSignal(signal: string) {
  const example = `https://${signal}.example/v1/${signal}`;
  return collector(`the whole address that takes ${signal}, such as ${example}`, () => true, example);
}

function headers() {
  return list(
    section({
      name: text('the name of a field', /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, { max: 256 }).describe(
        'Such as `authorization`.',
      ),
      secret: pointedText({ ...headerSecret, meta: { examples: ['file:otlp-authorization'] } }).describe(
        'Its value. Better not written here: `file:PATH` (mode 0600, else a warning) or `env:NAME`.',
      ),
    }),
    { what: 'headers', max: 32 },
  );
}

const ENDPOINTS_NAMED = 1000;

export const telemetrySchema = section({
  metrics: section({
    endpoints: count(0, 65_536)
      .prefault(ENDPOINTS_NAMED)
      .describe(
        'How many endpoints have series of their own in `/metrics` and in pushes, 42 lines each. What the others of a service count together has the label `overflow="true"` in place of the endpoint’s, so sums over a service are whole.',
      ),
  })
    .prefault({})
    .describe('What `/metrics` shows.'),
  traces: section({
    sample: percentage()
      .prefault('1%')
      .describe(
        'Share of the traces that begin at this gateway which are kept, and whose services are told to keep theirs (the flag of `traceparent`). Those of a trusted proxy follow its flag.',
      ),
    slow: duration({ min: 1 })
      .prefault('1s')
      .describe('A request that takes longer is kept whatever `sample` says, as one that fails or is tried again.'),
    perSecond: count(1, 10_000)
      .prefault(100)
      .describe(
        'The most traces that each worker keeps in a second; more are counted in `spillway_traces_dropped_total`. A quarter of it is left to what failed or was slow.',
      ),
  })
    .optional()
    .describe(
      'Traces of requests: a span for each, with what was decided, and one for each attempt. Absent: none, and `traceparent` of a trusted proxy goes on as it came.',
    ),
  otlp: section({
    endpoint: base.describe('Where a collector takes OTLP over HTTP; `/v1/traces` and `/v1/metrics` are added.'),
    headers: headers().prefault([]).describe('Fields that prove to the collector who sends.'),
    traces: section({
      endpoint: ofSignal('traces').describe('Where traces go instead. Nothing is added.'),
      headers: headers().optional().describe('Fields for it. Absent: those of `otlp`; an empty list: none.'),
    })
      .optional()
      .describe('Another collector for traces. Absent: the one of `otlp`.'),
    metrics: section({
      every: duration({ min: 1000 })
        .prefault('10s')
        .describe(
          'How often. What counts is cumulative, so a push that is lost loses nothing; while one still waits for the collector, the next is left out.',
        ),
      endpoint: ofSignal('metrics')
        .optional()
        .describe('Where metrics go instead. Nothing is added. Absent: `/v1/metrics` at the one of `otlp`.'),
      headers: headers()
        .optional()
        .describe('Fields for that `endpoint`. Absent: those of `otlp`; an empty list: none.'),
    })
      .optional()
      .describe('Sends what `/metrics` shows too. Absent: it is only there to be scraped.'),
  })
    .optional()
    .describe(
      'A collector, to which the traces of this gateway are sent besides, and its metrics if `metrics` is there. Absent: nothing is sent.',
    ),
});
