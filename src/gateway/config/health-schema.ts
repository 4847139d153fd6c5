/**
 * `health` of a service, but for its checks: what its traffic is judged by, and when health is not believed. The defaults are those
 * of the library (spillway/health), where the reasons for the numbers are.
 */
import * as z from 'zod';
import {
  defaultEjectionPolicy,
  defaultEligibilityPolicy,
  defaultPassivePolicy,
  type HealthPolicy,
  type PassivePolicy,
} from '../../health/index.ts';
import { count, duration, expects, flag, oneOf, percentage, section } from '../../reading/values.ts';

const off = () => z.literal('off', expects('off'));
const factor = (min: number) =>
  z
    .number(expects('a number'))
    .min(min, expects(`at least ${min}`))
    .max(1000);

const { consecutive: row, errorRate: rate, latency: slow } = defaultPassivePolicy;

const consecutive = section({
  errors: count(1, 1000).prefault(row!.errors).describe('So many in a row eject an endpoint at once.'),
  serverErrors: flag()
    .prefault(row!.serverErrors)
    .describe(
      'Whether a 5xx is one. One URL that makes a server answer 500 could take out one server after the other.',
    ),
});

const errorRate = section({
  share: percentage({ min: 0.01 }).prefault('50%').describe('Share of results in the window that are errors.'),
  factor: factor(1).prefault(rate!.factor).describe('And so many times the share of the others.'),
  requests: count(1, 1_000_000).prefault(rate!.resultsMin).describe('With fewer in the window nothing is said.'),
  serverErrors: flag().prefault(rate!.serverErrors).describe('Whether a 5xx is an error.'),
});

const latency = section({
  factor: factor(1.1).prefault(slow!.factor).describe('So many times the median and the mean of the others.'),
  difference: duration().prefault('100ms').describe('And by at least so much.'),
  requests: count(10, 1_000_000)
    .prefault(slow!.samplesMin)
    .describe('Answers in the window, of it and of each it is compared with; with fewer nothing is said.'),
  others: count(1, 1000).prefault(slow!.peersMin).describe('With fewer others nobody knows who the odd one is.'),
  grace: duration({ min: 0 }).prefault('30s').describe('Not judged so soon after it came in: caches are cold.'),
});

const passive = section({
  consecutive: z
    .union([off(), consecutive])
    .prefault({})
    .describe('Errors in a row: no connection, cut, not HTTP, no answer in time. `off`, or options.'),
  errorRate: z
    .union([off(), errorRate])
    .prefault({})
    .describe('A share of errors that is clearly larger than at the others. `off`, or options.'),
  latency: z.union([off(), latency]).prefault({}).describe('Slower than the others by a factor. `off`, or options.'),
  window: duration({ min: 1000, max: 600_000 }).prefault('10s').describe('How far back traffic is looked at.'),
  ejection: duration({ min: 100 })
    .prefault('5s')
    .describe('How long the first ejection takes. The second takes twice as long, and so on.'),
  ejectionMax: duration({ min: 100 }).prefault('5m').describe('How long any ejection may take.'),
  share: percentage().prefault('80%').describe('Most of the weight of a service that may be out, checks included.'),
});

/** In place of a section, so that nothing is written for what is on anyway. */
export const passiveHealth = z
  .union([off(), passive])
  .prefault({})
  .transform((given) => {
    if (given === 'off') return null;
    const { ejection, ejectionMax, share, window, ...rules } = given;
    const { consecutive: inRow, errorRate: errors, latency: slowness } = rules;
    const policy: PassivePolicy = {
      consecutive: inRow === 'off' ? null : inRow,
      errorRate:
        errors === 'off'
          ? null
          : {
              shareMin: errors.share,
              factor: errors.factor,
              resultsMin: errors.requests,
              serverErrors: errors.serverErrors,
            },
      latency:
        slowness === 'off'
          ? null
          : {
              factor: slowness.factor,
              differenceMinMs: slowness.difference,
              samplesMin: slowness.requests,
              peersMin: slowness.others,
              graceMs: slowness.grace,
            },
      windowMs: window,
    };
    const { forgiveAfterMs } = defaultEjectionPolicy;
    return {
      ...policy,
      ejection: { baseMs: ejection, ejectionMaxMs: ejectionMax, ejectedShareMax: share, forgiveAfterMs },
    };
  });

export const failOpen = percentage()
  // A service that is down says so at once (503); whose checks can break as a whole asks for more, such as 20 %.
  .prefault('0%')
  .describe(
    'When less of the weight than this is left, health is not believed and all endpoints are used. `0%`: never; a service with nobody left answers 503.',
  );

export const startup = oneOf(['optimistic', 'cautious'])
  .prefault('optimistic')
  .describe('Whether an endpoint is used before its first check has succeeded. `cautious` waits for it, at most 30 s.');

interface Given {
  readonly passive: z.output<typeof passiveHealth>;
  readonly failOpen: number;
  readonly startup: 'optimistic' | 'cautious';
}

export function compileHealthPolicy({ passive: given, failOpen: failOpenBelow, startup: how }: Given): HealthPolicy {
  const eligibility = { ...defaultEligibilityPolicy, failOpenBelow, startup: how };
  if (given === null) return { passive: null, ejection: defaultEjectionPolicy, eligibility };
  const { ejection, ...policy } = given;
  return { passive: policy, ejection, eligibility };
}
