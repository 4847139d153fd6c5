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

function otlpEndpoint() {
  const what = 'the address of a collector, such as http://127.0.0.1:4318, without /v1/traces and without a password';
  return z
    .string(expects(what))
    .max(2048, expects(what))
    .meta({ examples: ['http://127.0.0.1:4318'] })
    .transform((given, context): string => {
      const url = URL.parse(given);
      const isUsable = url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
      if (isUsable && !/\/v1\/\w+\/?$/.test(url.pathname) && url.search === '' && url.hash === '') return url.href;
      context.addIssue({ code: 'custom', params: { expected: what } });
      return z.NEVER;
    });
}

export const telemetrySchema = section({
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
    endpoint: otlpEndpoint().describe(
      'Where a collector takes OTLP over HTTP; `/v1/traces` and `/v1/metrics` are added.',
    ),
    headers: list(
      section({
        name: text('the name of a field', /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, { max: 256 }).describe(
          'Such as `authorization`.',
        ),
        secret: pointedText({ ...headerSecret, meta: { examples: ['file:otlp-authorization'] } }).describe(
          'Its value. Better not written here: `file:PATH` (mode 0600, else a warning) or `env:NAME`.',
        ),
      }),
      { what: 'headers', max: 32 },
    )
      .prefault([])
      .describe('Fields that prove to the collector who sends.'),
    metrics: section({
      every: duration({ min: 1000 })
        .prefault('10s')
        .describe(
          'How often. What counts is cumulative, so a push that is lost loses nothing; while one still waits for the collector, the next is left out.',
        ),
    })
      .optional()
      .describe('Sends what `/metrics` shows too. Absent: it is only there to be scraped.'),
  })
    .optional()
    .describe(
      'A collector, to which the traces of this gateway are sent besides, and its metrics if `metrics` is there. Absent: nothing is sent.',
    ),
});
