/** What is kept of the requests of this gateway, and what is told about it to others. */
import { count, duration, percentage, section } from '../../reading/values.ts';

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
});
