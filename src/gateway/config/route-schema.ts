/** Routes in the config: which requests, and what happens to them. */
import * as z from 'zod';
import { RegexMatcher } from '../routing/regex.ts';
import { limitUses } from './limit-schema.ts';
import { fieldEdits, mirror, redirect, respond, rewrite, split } from './shaping-schema.ts';
import {
  duration,
  expects,
  flag,
  list,
  mapOf,
  name,
  oneOf,
  type Problem,
  section,
  size,
  text,
} from '../../reading/values.ts';
import { range } from './values.ts';

/** Compiled to see whether it can be, so that what is accepted here runs there. */
function regex() {
  return z.string(expects('a regular expression')).superRefine((written, context) => {
    const mistake = RegexMatcher.mistakeIn(written);
    if (mistake === null) return;
    const problem: Problem = {
      expected: `a regular expression that runs in linear time: ${mistake.message} (character ${mistake.at + 1})`,
    };
    context.addIssue({ code: 'custom', params: { ...problem } });
  });
}

const wanted = text('the text a value must have', /^[^\p{Cc}]*$/u, { max: 8192 });

const valueMatch = z
  .union([
    wanted,
    section({
      equals: wanted.optional(),
      prefix: wanted.optional(),
      regex: regex().optional(),
      present: flag().optional(),
    }).refine((asked) => Object.keys(asked).length === 1, {
      ...expects('one of equals, prefix, regex and present'),
      when: ({ issues }) => issues.length === 0,
    }),
  ])
  .meta({ examples: ['1', { present: true }, { prefix: 'Bearer ' }, { regex: '^v[0-9]+$' }] });

const token = text('the name of a header field', /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, { max: 256 });
const parameter = text('the name of a query parameter', /^[^\p{Cc}]+$/u, { max: 256 });
const cookie = text('the name of a cookie', /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, { max: 256 });
const CONDITIONS_MAX = 32;

const routeMatch = section({
  host: text(
    'a host name without port, such as shop.example, or *.shop.example',
    /^(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$|^\[[0-9A-Fa-f:.]+\]$/,
    { max: 253 },
  )
    .optional()
    .describe(
      'Host the request is for, without port: `shop.example`, or `*.shop.example` for one or more labels below. Absent: any.',
    ),
  path: text(
    'a path that begins with /, with * only as its last segment and names as whole segments, such as /api/*, /login or /users/{id}',
    /^\/([A-Za-z0-9\-._~!$&'()+,;=:@/]|%[0-9A-Fa-f]{2}|(?<=\/)\{[A-Za-z_][A-Za-z0-9_]*\}(?=\/|$))*\*?$/,
  )
    .optional()
    .describe(
      '`/api/*` is /api and all below it, `/login` exactly that, `/users/{id}` any one segment there; after normalisation. Absent: any.',
    ),
  pathRegex: regex()
    .optional()
    .describe(
      'Instead of `path`: a regular expression, `^/v[0-9]+/`. Runs in linear time, so no look-around and no back-references. What a named group takes, as in `^/v(?<version>[0-9]+)/`, can be used as `{version}` in rewrites, redirects and header edits.',
    ),
  methods: list(text('a method, such as GET', /^[A-Z][A-Z0-9_-]*$/, { max: 32 }), { what: 'methods', min: 1, max: 32 })
    .optional()
    .describe('One of these methods. Absent: any.'),
  headers: mapOf(token, valueMatch, CONDITIONS_MAX)
    .optional()
    .describe(
      'Each of these fields: a text it equals, or `{ prefix }`, `{ regex }`, `{ present: true }`, `{ present: false }`.',
    ),
  query: mapOf(parameter, valueMatch, CONDITIONS_MAX)
    .optional()
    .describe('Each of these parameters, compared after decoding; asked like `headers`.'),
  cookies: mapOf(cookie, valueMatch, CONDITIONS_MAX)
    .optional()
    .describe('Each of these cookies; asked like `headers`.'),
  contentTypes: list(
    text('a media type, such as application/json or image/*', /^[\w.+-]+\/([\w.+-]+|\*)$/, { max: 128 }),
    {
      what: 'media types',
      min: 1,
      max: 32,
    },
  )
    .optional()
    .describe('One of these types of body, without parameters. Absent: any.'),
  clients: list(range(), { what: 'address ranges', min: 1, max: 1000 })
    .optional()
    .describe(
      'The client’s address lies in one of these ranges; behind a trusted proxy, the address it tells. Absent: any.',
    ),
  listeners: list(name(), { what: 'listener names', min: 1, max: 100 })
    .optional()
    .describe('Names of the listeners this route is for. Absent: all.'),
});

export const routeSchema = section({
  name: name()
    .optional()
    .describe('Name of this route in metrics and logs. Unique. Default: host and path of `match`.'),
  match: routeMatch
    .prefault({})
    .describe(
      'Which requests. The most specific host wins, then the most specific path, then who asks for more, then the order of the file.',
    ),
  service: name()
    .optional()
    .describe('Name of the service that answers. A route has this, or `split`, `redirect` or `respond`.'),
  split: split.optional().describe('Instead of `service`: several, each with its share of the requests.'),
  redirect: redirect.optional().describe('Instead of `service`: sends the client elsewhere.'),
  respond: respond.optional().describe('Instead of `service`: an answer that is always the same.'),
  rewrite: rewrite.optional().describe('Path and host that the service is asked for, where they are others.'),
  requestHeaders: fieldEdits.optional().describe('Changes to the fields of a request before it is sent on.'),
  responseHeaders: fieldEdits.optional().describe('Changes to the fields of an answer before the client gets it.'),
  mirror: mirror.optional().describe('Copies of requests to another service, whose answers are thrown away.'),
  limits: section({
    // What the common CDNs let through; bodies are streamed, so a larger one costs time and not memory.
    requestBody: size({ min: 0 })
      .prefault('100mb')
      .describe('Largest request body, also counted while a chunked one streams. Over it: 413.'),
    requests: limitUses().describe(
      'Names of the `limits` that its requests meet, besides those of the listener; `{ limit, cost }` where a request takes more than 1. All have room, or none is taken from. Over one: 429.',
    ),
  })
    .prefault({})
    .describe('How much a request may bring.'),
  upgrade: list(oneOf(['websocket']), { what: 'protocols', max: 10 })
    .prefault([])
    .describe('Protocols a request may upgrade to. Any other `Upgrade` is removed and the request goes on without.'),
  // Most applications ping every 30 to 60 s; four in a row may be lost.
  tunnelIdle: duration()
    .prefault('5m')
    .describe('An upgraded connection over which no byte went either way for this long is closed.'),
});

export type Route = z.output<typeof routeSchema>;

/** Of `service`, `split`, `redirect` and `respond` it has one. */
export function isAnswered({ service, split: division, redirect: elsewhere, respond: fixed }: Route): boolean {
  return [service, division, elsewhere, fixed].some((answerer) => answerer !== undefined);
}

/** The names of all services a route leads to. */
export function servicesOf({ service, split: division, mirror: copies }: Route): readonly string[] {
  const names = [service, ...(division?.arms ?? []).map((each) => each.service), copies?.service];
  return names.filter((each) => each !== undefined);
}

export type AskedValue = z.output<typeof valueMatch>;
