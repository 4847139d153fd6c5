/** What a route does with its requests: the keys of a route beside `match` and `service`. Rules between them: shaping-rules.ts. */
import * as z from 'zod';
import { count, expects, list, mapOf, name, percentage, section, size, text } from '../../reading/values.ts';
import { keySource } from './values.ts';

const NAMES_MAX = 32;
/** What a front page in one piece needs; anything larger has a server. */
const BODY_MAX = 65_536;
/** A body comes along with its head only if it fits in one read. */
const MIRRORED_MAX = 65_536;

const template = (what: string) => text(what, /^[^\p{Cc}]*$/u, { max: 2048 });

const fieldName = text('the name of a header field', /^[!#$%&'*+\-.^`|~0-9A-Za-z]+$/, { max: 256 });
const fieldValue = template('the text of a header field, which may hold names in braces such as {client}');
const fields = mapOf(fieldName, fieldValue, NAMES_MAX);

export const fieldEdits = section({
  set: fields.prefault({}).describe('Fields with these values, in place of what was there.'),
  add: fields.prefault({}).describe('Fields with these values, beside what was there.'),
  remove: list(fieldName, { what: 'names of header fields', max: NAMES_MAX })
    .prefault([])
    .describe('Fields that are not passed on.'),
});

const arm = section({
  service: name().describe('Name of the service that answers.'),
  weight: z
    .number(expects('a number from 0 to 1000000'))
    .refine(
      (weight) => weight === 0 || (weight >= 1e-6 && weight <= 1e6),
      expects('0, or a number from 0.000001 to 1000000'),
    )
    .describe('Its share relative to the other arms. 0 gets nothing.'),
  name: name().optional().describe('Name of the arm in metrics and logs. Unique in its route. Default: the service’s.'),
});

export const split = section({
  by: z
    .union([z.literal('random').transform(() => null), keySource()])
    .prefault('random')
    .describe(
      'What keeps a request in its arm: `random` (nothing does), `client`, `path`, `header:NAME`, `query:NAME` or `cookie:NAME`. Without the key: by chance.',
    ),
  arms: list(arm, { what: 'arms', min: 1, max: NAMES_MAX }).describe(
    'The services, and how much of the requests each gets. A change moves no more keys than it must.',
  ),
});

const REDIRECTS = [301, 302, 303, 307, 308];

export const redirect = section({
  to: template('an address such as https://{host}{path}?{query}, or a path such as /users/{id}').describe(
    'A path or an address, with `{scheme}`, `{host}`, `{path}`, `{rest}`, `{query}`, `{client}` and the names of the route’s path.',
  ),
  status: z
    .int(expects(`one of ${REDIRECTS.join(', ')}`))
    .refine((status) => REDIRECTS.includes(status), expects(`one of ${REDIRECTS.join(', ')}`))
    .prefault(308)
    .describe(
      '301 and 302 let a POST become a GET, 307 and 308 do not; 303 makes everything a GET. 301 and 308 are for good.',
    ),
});

export const respond = section({
  status: count(200, 599).prefault(200).describe('Status of the answer.'),
  body: z
    .string(expects('a text'))
    .refine((body) => Buffer.byteLength(body) <= BODY_MAX, expects('at most 64 kB'))
    .prefault('')
    .describe('Its content, at most 64 kB.'),
  contentType: text('a media type such as text/html; charset=utf-8', /^[\w.+-]+\/[\w.+-]+[\x20-\x7e]*$/, { max: 256 })
    .prefault('text/plain; charset=utf-8')
    .describe('What the content is.'),
  headers: fields.prefault({}).describe('Fields of the answer, besides.'),
});

export const rewrite = section({
  path: template('a path such as /v2/{rest}')
    .optional()
    .describe('Path that is sent on, with the same names as `redirect.to`. The query goes along as it is.'),
  prefix: template('a path such as /internal')
    .optional()
    .describe('Instead of `path`, for a route with `/*`: what comes in place of what stands before the `*`.'),
  host: text('a host name with or without a port', /^([A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$/, {
    max: 253,
  })
    .optional()
    .describe('`Host` that is sent on. What the client asked for stays in `X-Forwarded-Host`.'),
});

export const mirror = section({
  service: name().describe('Name of the service that gets copies.'),
  // A copy costs as much as a request.
  share: percentage({ min: 0 }).prefault('100%').describe('How many of the requests are copied.'),
  bodyMax: size({ min: 0, max: MIRRORED_MAX })
    .prefault('16kb')
    .describe('Requests with a larger body, or one that does not come together with its head, are not copied.'),
});
