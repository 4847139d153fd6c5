/** How a service picks among its endpoints: the algorithm, slow start, affinity. */
import * as z from 'zod';
import { algorithms, type BalancerName } from '../../balance/index.ts';
import type { KeySource } from '../key-source.ts';
import type { AffinityPlan, BalancePlan } from '../snapshot.ts';
import { secret } from './secret.ts';
import { duration, oneOf, percentage, section, text } from '../../reading/values.ts';
import { keySource } from './values.ts';

const names = Object.keys(algorithms) as [BalancerName, ...BalancerName[]];
const algorithm = () => oneOf(names);

const hashed = new Set<BalancerName>(['ip-hash', 'consistent-hash', 'maglev']);
const CLIENT: KeySource = { kind: 'client' };

export const balance = z
  .union([
    algorithm(),
    section({
      algorithm: algorithm().describe('Which one.'),
      key: keySource()
        .optional()
        .describe(
          '`consistent-hash` and `maglev` only: what requests with the same value of stay together. Default `client`, its address. A request without it goes to an endpoint by chance.',
        ),
      headroom: percentage()
        .optional()
        .describe(
          '`consistent-hash` only: how far above its share of the requests in flight an endpoint may be before keys are passed on to the next. Default `25%`.',
        ),
    }),
  ])
  .transform((given, context): BalancePlan => {
    const { algorithm, key, headroom } = typeof given === 'string' ? { algorithm: given } : given;
    if (key !== undefined && (!hashed.has(algorithm) || algorithm === 'ip-hash')) {
      const expected = 'no key: only consistent-hash and maglev have one';
      context.addIssue({ code: 'custom', path: ['key'], params: { expected } });
    }
    if (headroom !== undefined && algorithm !== 'consistent-hash') {
      const expected = 'no headroom: only consistent-hash has one';
      context.addIssue({ code: 'custom', path: ['headroom'], params: { expected } });
    }
    return { algorithm, key: hashed.has(algorithm) ? (key ?? CLIENT) : null, loadFactor: 1 + (headroom ?? 0.25) };
  });

/** The first share: enough to warm up by, little enough to be cold with. */
const FLOOR = '10%';

export const slowStart = z
  .union([
    duration(),
    section({
      window: duration().describe('From the first share to the full one.'),
      floor: percentage({ min: 0.001 }).prefault(FLOOR).describe('The first share of its weight.'),
      curve: z
        .number()
        .min(0.1)
        .max(10)
        .prefault(1)
        .describe('How the share grows: 1 evenly, 2 late, 0.5 early; the exponent of the time that has passed.'),
    }),
  ])
  .transform((given) => (typeof given === 'number' ? { window: given, floor: 0.1, curve: 1 } : given));

export const affinity = section({
  cookie: text('the name of a cookie', /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, { max: 64 })
    .prefault('spillway')
    .describe('Name of the cookie.'),
  secret: secret().describe(
    'What pins are made with: 16 characters or more, `file:PATH` or `env:NAME`. The same at every gateway in front of the service, and kept over restarts, or clients lose their place.',
  ),
  maxAge: duration({ min: 1000, max: 400 * 86_400_000 })
    .optional()
    .describe('How long the browser keeps it. Absent: until it is closed.'),
  path: text('a path that begins with /', /^\/[!-:<-~]*$/)
    .prefault('/')
    .describe('`Path` of the cookie.'),
  domain: text('a host name', /^\.?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/, { max: 253 })
    .optional()
    .describe('`Domain` of the cookie. Absent: the host that was asked.'),
  sameSite: oneOf(['strict', 'lax', 'none']).prefault('lax').describe('`SameSite` of the cookie.'),
  secure: oneOf(['auto', 'always', 'never'])
    .prefault('auto')
    .describe(
      '`Secure` of the cookie. `auto`: where the client came over TLS. Behind a proxy that speaks TLS: `always`.',
    ),
});

export type Affinity = z.output<typeof affinity>;

export function compileAffinity({ cookie, maxAge, path, domain, sameSite, secure }: Affinity): AffinityPlan {
  const attributes = [
    `; Path=${path}`,
    domain === undefined ? '' : `; Domain=${domain}`,
    maxAge === undefined ? '' : `; Max-Age=${Math.ceil(maxAge / 1000)}`,
    `; HttpOnly; SameSite=${{ strict: 'Strict', lax: 'Lax', none: 'None' }[sameSite]}`,
  ];
  return { cookie, attributes: attributes.join(''), secure };
}
