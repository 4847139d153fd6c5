/** `discovery` of a service: where it learns its endpoints from while it runs. The comment beside a default says why that number. */
import { isIP } from 'node:net';
import * as z from 'zod';
import { parseAddress } from './address.ts';
import { SERVICE_ENDPOINTS_MAX } from './endpoint-schema.ts';
import { count, duration, expects, file, list, oneOf, section, text, type Problem } from '../../reading/values.ts';

/** RFC 1035 §4.2: where a DNS server listens. */
export const DNS_PORT = 53;

export interface NameServer {
  readonly host: string;
  readonly port: number;
}

const serverExpected = 'the address of a DNS server, such as 10.0.0.2, 10.0.0.2:5353 or "[fd00::2]:53"';

const nameServer = z
  .string(expects(serverExpected))
  .max(64, expects(serverExpected))
  .meta({ examples: ['10.0.0.2'] })
  .transform((given, context): NameServer => {
    if (isIP(given) !== 0) return { host: given.toLowerCase(), port: DNS_PORT };
    const parsed = parseAddress(given, 'connect');
    if (parsed.ok && isIP(parsed.address.host) !== 0) return { host: parsed.address.host, port: parsed.address.port };
    const problem: Problem = { expected: serverExpected };
    context.addIssue({ code: 'custom', params: { ...problem } });
    return z.NEVER;
  });

const label = '[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?';
// A name that ends with a number is an address, and one to be written under `endpoints`.
const hostName = new RegExp(`^(${label}\\.)*(?!\\d+\\.?$)${label}\\.?$`);
const srvName = new RegExp(`^_${label}\\._${label}(\\.${label})+\\.?$`);

const dns = section({
  name: text('a host name without a port, such as shop.internal', hostName, { max: 253 })
    .optional()
    .describe(
      'Name whose addresses (A and AAAA) are the endpoints, at `port`. It is complete: no search list is tried.',
    ),
  port: count(1, 65535).optional().describe('Goes with `name`: the port of every address.'),
  srv: text('a name such as _http._tcp.shop.internal', srvName, { max: 253 })
    .optional()
    .describe(
      'Name whose SRV records (RFC 2782) say host, port, weight and priority of each endpoint. In place of `name`.',
    ),
  family: oneOf(['any', 'ipv4', 'ipv6'])
    .prefault('any')
    .describe('Which addresses are asked for. `any`: both; say which where the network has but one.'),
  servers: list(nameServer, { what: 'DNS servers', min: 1, max: 3 })
    .optional()
    .describe(
      'Asked in this order, port 53 unless one is given. Default: those of /etc/resolv.conf, read anew each time.',
    ),
  // What resolvers wait, halved: last good answers cover the difference.
  timeout: duration({ min: 10, max: 30_000 })
    .prefault('2s')
    .describe('How long one server may take. Then the next is asked; two rounds in all.'),
  refresh: section({
    // A TTL of 0 would have every answer followed by the next question.
    min: duration({ min: 100 }).prefault('1s').describe('Not asked again sooner, whatever the TTL.'),
    // A day's TTL on a name that moves is a day of errors; a question every 5 minutes costs nobody anything.
    max: duration({ min: 100 }).prefault('5m').describe('Asked again by then, whatever the TTL.'),
  })
    .prefault({})
    .describe('Bounds for how soon a name is asked for again. Between them its TTL decides.'),
});

export const discoverySchema = section({
  dns: dns.optional().describe('Ask a DNS server, again each time the answer has expired (TTL).'),
  file: file()
    .optional()
    .describe('Take them from a file of YAML or JSON with a list as in `endpoints`, and again when it changes.'),
  api: z
    .literal(true, expects('true'))
    .optional()
    .describe('Be told by the admin API: `PUT`, `POST` and `DELETE` of `/api/services/NAME/endpoints`.'),
  // Ten times a large service; a broken or hostile source gets no further.
  max: count(1, SERVICE_ENDPOINTS_MAX)
    .prefault(1000)
    .describe('Most endpoints that are taken from it. What is above is left out, and said.'),
  whenEmpty: oneOf(['keep', 'remove'])
    .prefault('keep')
    .describe(
      'What an answer without any endpoint means. `keep`: a mistake of the source, so the last endpoints stay. `remove`: there are none.',
    ),
});

export type Discovery = z.output<typeof discoverySchema>;
export type DnsDiscovery = z.output<typeof dns>;

/** Where the endpoints of a service come from, in a word or a few: `dns shop.internal:8080`, `file endpoints.yaml`, `api`. */
export function describeDiscovery({ dns: asked, file: path }: Discovery): string {
  if (path !== undefined) return `file ${path}`;
  if (asked === undefined) return 'api';
  return `dns ${asked.srv ?? `${asked.name}:${asked.port}`}`;
}
