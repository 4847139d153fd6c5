/** `retries` of a service: what happens when an endpoint fails a request. The comment beside a default says why that number. */
import type * as z from 'zod';
import { count, duration, list, percentage, section } from '../../reading/values.ts';

export function retriesSchema<Range extends z.ZodType>(statusRange: Range) {
  return section({
    // One for a pooled connection that turns out dead, one for an endpoint that died with it.
    attempts: count(1, 10)
      .prefault(3)
      .describe(
        'Attempts in all, the first included; 1 is no retry. Only what is safe is sent again: idempotent requests, and those of which nothing was sent.',
      ),
    statuses: list(statusRange, { what: 'statuses or ranges', max: 100 })
      .prefault([])
      .describe(
        "Answers of an endpoint that are asked for again elsewhere, such as `[502, 503, 504]`. A `Retry-After` longer than `backoff.max` is passed on instead. Default: none; a server's answer is the answer.",
      ),
    backoff: section({
      // Long enough for a listen queue to drain, too short for a person to notice.
      base: duration({ min: 0 }).prefault('25ms').describe('Before the second attempt: any time up to this.'),
      max: duration({ min: 0 }).prefault('1s').describe('The bound doubles with each attempt, up to this.'),
    })
      .prefault({})
      .describe('How long to wait before another attempt. A random time, so that clients drift apart.'),
    budget: section({
      // Finagle's and linkerd's: enough for a rolling deploy or a dead server of five, and an outage is not made worse by more.
      share: percentage()
        .prefault('20%')
        .describe('Retries and hedges, as a share of the requests of the last ten seconds.'),
      min: count(0, 10_000)
        .prefault(10)
        .describe(
          'Retries a second and worker that there may be anyway, so that a service with little traffic has some.',
        ),
    })
      .prefault({})
      .describe('Bounds what retries add to the load when a service fails as a whole.'),
    hedge: section({
      after: duration().describe(
        'When the first attempt has not answered by then. A little over the usual 95th percentile.',
      ),
    })
      .optional()
      .describe(
        'Send a second attempt of a slow idempotent request to another endpoint, take the first answer and cancel the other; within the budget. Absent: none.',
      ),
  });
}
