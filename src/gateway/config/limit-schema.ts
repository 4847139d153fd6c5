/** `limits`: who may send how much, and how listeners and routes name them. Rules between them: limit-rules.ts. */
import * as z from 'zod';
import { formatDuration } from '../../kernel/units.ts';
import { type AlgorithmPlan, algorithmOf, type LimitKeySource, type OutagePlan } from '../limits/plan.ts';
import { redisUrl } from './redis-url.ts';
import { count, duration, expects, flag, list, name, oneOf, percentage, section, text } from '../../reading/values.ts';

const KINDS = [
  'token-bucket',
  'gcra',
  'fixed-window',
  'sliding-window',
  'sliding-log',
  'concurrency',
] as const satisfies readonly AlgorithmPlan['type'][];

/** What `spillway/limit` counts up to. */
const AMOUNT_MAX = 1e9;
const YEAR_MS = 366 * 86_400_000;

/** Which options each algorithm has; those in brackets may be left out. */
const options: Readonly<Record<AlgorithmPlan['type'], readonly string[]>> = {
  'token-bucket': ['capacity', 'refillPerSecond'],
  gcra: ['limit', 'per', '[burst]'],
  'fixed-window': ['limit', 'per'],
  'sliding-window': ['limit', 'per'],
  'sliding-log': ['limit', 'per'],
  concurrency: ['limit', '[lease]'],
};

/** Longer than most requests take; those that take longer renew it. */
const LEASE_MS = 30_000;

const algorithm = section({
  type: oneOf(KINDS).describe('Which one; docs/guides/rate-limiting.md says which to choose.'),
  capacity: count(1, AMOUNT_MAX)
    .optional()
    .describe('`token-bucket` only: how much may come at once; what a bucket holds that is full.'),
  refillPerSecond: z
    .number(expects('a number from 0.000001 to 1000000000'))
    .optional()
    .describe('`token-bucket` only: how much comes back in a second, steadily. At most six decimals.'),
  limit: count(1, AMOUNT_MAX)
    .optional()
    .describe(
      'How much may come in each `per`; of `concurrency`, at once: at most 1000 there, and 10000 for `sliding-log`.',
    ),
  per: duration({ max: YEAR_MS }).optional().describe('How long a window is: `1s`, `1m`, `1h`, `1d`.'),
  burst: count(1, AMOUNT_MAX).optional().describe('`gcra` only: how many of them may come at once. Default: `limit`.'),
  lease: duration({ min: 1000 })
    .optional()
    .describe(
      '`concurrency` only: after how long the slots of a worker that died are free again. Those of a request that lasts longer are renewed. Default `30s`.',
    ),
}).transform((given, context): AlgorithmPlan => {
  const wanted = options[given.type];
  const mistake = (key: string, expected: string): void =>
    context.addIssue({ code: 'custom', path: [key], params: { expected } });
  for (const key of wanted) {
    if (!key.startsWith('[') && !(key in given)) mistake(key, `a value: ${given.type} has ${wanted.join(', ')}`);
  }
  for (const key of Object.keys(given)) {
    if (key === 'type' || wanted.some((each) => each === key || each === `[${key}]`)) continue;
    mistake(key, `no ${key}: ${given.type} has ${wanted.join(', ')}`);
  }
  if (context.issues.length > 0) return z.NEVER;
  const plan = planOf(given);
  try {
    algorithmOf(plan);
  } catch (error) {
    const key = wanted.find((each) => error instanceof Error && error.message.includes(`: ${each} is`)) ?? wanted[0]!;
    mistake(key, (error as Error).message.replace(/^\w+: /, ''));
  }
  return plan;
});

interface Given {
  readonly type: AlgorithmPlan['type'];
  readonly capacity?: number | undefined;
  readonly refillPerSecond?: number | undefined;
  readonly limit?: number | undefined;
  readonly per?: number | undefined;
  readonly burst?: number | undefined;
  readonly lease?: number | undefined;
}

function planOf(given: Given): AlgorithmPlan {
  const { type, capacity = 1, refillPerSecond = 1, limit = 1, per = 1 } = given;
  switch (type) {
    case 'token-bucket':
      return { type, capacity, refillPerSecond };
    case 'gcra':
      return { type, limit, per, burst: given.burst ?? limit };
    case 'concurrency':
      return { type, limit, lease: given.lease ?? LEASE_MS };
    default:
      return { type, limit, per };
  }
}

/** `client`, `listener`, `route`, `header:NAME`, `query:NAME`, `cookie:NAME` or `claim:NAME`. */
function keyPart(): z.ZodType<LimitKeySource, string> {
  const what = 'client, listener, route, header:NAME, query:NAME, cookie:NAME or claim:NAME';
  return z
    .string(expects(what))
    .max(300, expects(what))
    .meta({ examples: ['client', 'header:X-Api-Key'] })
    .transform((text, context): LimitKeySource => {
      if (text === 'client' || text === 'listener' || text === 'route') return { kind: text };
      const [, kind, named = ''] = /^(header|query|cookie|claim):([!-~]+)$/.exec(text) ?? [];
      const isToken = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(named);
      if (kind === 'claim' || (isToken && (kind === 'header' || kind === 'query' || kind === 'cookie'))) {
        return { kind, name: named };
      }
      context.addIssue({ code: 'custom', params: { expected: what } });
      return z.NEVER;
    });
}

const store = section({
  redis: redisUrl().describe(
    'Redis or Valkey, 7.0 or later: `redis://[user:password@]host[:port][/database]`, `rediss://` with TLS. Better not written here if it has a password: `file:PATH` (mode 0600, else a warning) or `env:NAME`. Needs the package `ioredis` or `redis`.',
  ),
  prefix: text('1 to 64 of the characters a-z A-Z 0-9 _ . : -', /^[\w.:-]{1,64}$/)
    .prefault('spillway')
    .describe(
      'What every key in Redis begins with. Whoever uses the same prefix and the same name of a limit counts together, services with `spillway/limit` too.',
    ),
});

const outage = section({
  answer: oneOf(['fallback', 'open', 'closed'])
    .prefault('fallback')
    .describe(
      'What a request is told while the store does not answer: what this gateway counts by itself (`fallback`), yes (`open`), or 503 (`closed`).',
    ),
  share: percentage({ min: 0.001 })
    .optional()
    .describe(
      'Of `fallback`: the part of the limit that this gateway, all workers together, may admit by itself. With n gateways, 100% divided by n keeps the limit. Default: `100%`.',
    ),
  // What `spillway/limit` takes.
  deadline: duration({ max: 60_000 })
    .prefault('500ms')
    .describe(
      'How long the store may take to answer, and so the longest that a request waits for it. At most the `lease` of a `concurrency`.',
    ),
}).transform(({ answer, share, deadline }, context): OutagePlan => {
  if (share !== undefined && answer !== 'fallback') {
    context.addIssue({
      code: 'custom',
      path: ['share'],
      params: { expected: `no share: it is for fallback, not for ${answer}` },
    });
  }
  return { answer, share: share ?? 1, deadlineMs: deadline };
});

export const limitSchema = section({
  // The limiter of client addresses beside one by claims has a character more.
  name: name()
    .refine((text) => text.length <= 60, expects('a name of at most 60 characters'))
    .describe(
      'Name of this limit: in `limits.requests` of listeners and routes, in metrics and logs, and in what clients are told. With the algorithm it is the identity of the counters.',
    ),
  algorithm: algorithm.describe('How it counts: a map of `type` and the options of that type.'),
  key: z
    .union([keyPart().transform((part) => [part]), list(keyPart(), { what: 'parts of a key', min: 1, max: 8 })])
    .optional()
    .describe(
      'Whose requests count together: `client` (the address; of IPv6 the /64), `listener`, `route`, `header:NAME`, `query:NAME`, `cookie:NAME`, `claim:NAME` (of the JSON Web Token in `Authorization`), or a list, for each combination. Absent: all of them. A claim is not verified here, so such a limit holds for each client address as well.',
    ),
  withoutKey: oneOf(['client', 'together', 'skip'])
    .optional()
    .describe(
      'What a request counts as that lacks a header, parameter, cookie or claim of `key`, or has it empty: its client (`client`, the default), one client with all others that lack it (`together`), or nothing (`skip`).',
    ),
  store: store
    .optional()
    .describe(
      'Where it counts if several gateways are to share it: a map with `redis`. A request then waits for an answer before it goes on. Absent: in the memory of this process, without waiting.',
    ),
  outage: outage
    .optional()
    .describe('With `store`: what to answer while that does not. Default: `{ answer: fallback }`.'),
  // 8 to 17 MB of memory, of which only what is used is taken.
  keysMax: count(1, 2 ** 22)
    .optional()
    .describe(
      'Keys remembered, at least. Beyond it those that were not used lately are forgotten, and begin anew. Default: 65536, fewer where the algorithm needs much for each. Another number begins all counts anew. With `store`: while that does not answer, for `fallback`.',
    ),
  shadow: flag()
    .prefault(false)
    .describe('Decides and counts, and refuses nobody: for trying a limit on live traffic.'),
  fields: oneOf(['refused', 'always', 'never'])
    .prefault('refused')
    .describe(
      'Which answers tell the client of this limit, in `RateLimit-Policy` and `RateLimit`: refusals, those of servers too, or none. `Retry-After` is always told.',
    ),
  showKeys: flag()
    .prefault(false)
    .describe('Show the keys that are refused most in `/api/state` as they are. Absent: a hash of each.'),
}).transform(({ key = [], withoutKey, store: place, outage: given, ...rest }, context) => {
  if (withoutKey !== undefined && !key.some(({ kind }) => CARRIED.has(kind))) {
    const expected = 'no withoutKey: every request has this key';
    context.addIssue({ code: 'custom', path: ['withoutKey'], params: { expected } });
  }
  if (given !== undefined && place === undefined) {
    const expected = 'no outage: without a store there is nothing that can be out';
    context.addIssue({ code: 'custom', path: ['outage'], params: { expected } });
  }
  const policy = given ?? OUTAGE_DEFAULT;
  if (rest.keysMax !== undefined && place !== undefined && policy.answer !== 'fallback') {
    const expected = `no keysMax: Redis keeps the keys, and while it does not answer nobody counts (${policy.answer})`;
    context.addIssue({ code: 'custom', path: ['keysMax'], params: { expected } });
  }
  const { algorithm: counting } = rest;
  if (place !== undefined && counting.type === 'concurrency' && policy.deadlineMs > counting.lease) {
    const expected = `at most the lease, ${formatDuration(counting.lease)}: a slot that is granted later than that is free again before anybody hears of it`;
    context.addIssue({ code: 'custom', path: ['outage', 'deadline'], params: { expected } });
  }
  const counted = place === undefined ? null : { ...place, outage: policy };
  return { ...rest, keys: key, withoutKey: withoutKey ?? 'client', store: counted };
});

const OUTAGE_DEFAULT: OutagePlan = outage.parse({});

/** What a request may come without. */
const CARRIED: ReadonlySet<string> = new Set(['header', 'query', 'cookie', 'claim']);

export type Limit = z.output<typeof limitSchema>;

/** The most limits that one listener or route may name. */
const USES_MAX = 8;

/** The limits that a listener or route names. */
export function limitUses() {
  return list(
    z
      .union([
        name().transform((limit) => ({ limit, cost: 1 })),
        section({
          limit: name().describe('Name of the limit.'),
          cost: count(1, AMOUNT_MAX).describe('How much one request takes of it.'),
        }),
      ])
      .meta({ examples: ['per-client', { limit: 'per-client', cost: 5 }] }),
    { what: 'names of limits', max: USES_MAX },
  ).prefault([]);
}
