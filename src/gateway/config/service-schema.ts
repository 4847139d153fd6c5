/** `services`: named sets of endpoints, and how Spillway talks to them. The comment beside a default says why that number. */
import * as z from 'zod';
import { affinity, balance, slowStart } from './balance-schema.ts';
import { activeHealth, statusRange } from './check-schema.ts';
import { breakerSchema } from './breaker-schema.ts';
import { discoverySchema } from './discovery-schema.ts';
import { endpointList } from './endpoint-schema.ts';
import { failOpen, passiveHealth, startup } from './health-schema.ts';
import { retriesSchema } from './retry-schema.ts';
import { count, duration, expects, file, flag, name, oneOf, section, size, text } from '../../reading/values.ts';

const upstreamTls = section({
  ca: file().optional().describe('PEM file of the authorities to trust instead of the ones this machine trusts.'),
  serverName: text('a host name', /^[A-Za-z0-9_.-]+$/, { max: 253 })
    .optional()
    .describe("Name sent as SNI and looked for in the server's certificate. Default: the host of the endpoint."),
  verify: flag()
    .prefault(true)
    .describe("Check the server's certificate and name. `false` lets anyone on the way read and change the traffic."),
  certificate: file()
    .optional()
    .describe('PEM file with the certificate Spillway shows to the server. Goes with `key`.'),
  key: file().optional().describe('PEM file with the private key of `certificate`. Mode 0600, else a warning.'),
  closeNotify: oneOf(['required', 'optional'])
    .prefault('required')
    .describe(
      'A body that ends with the connection is whole only if TLS said that it ends (close_notify); else the message is broken off. `optional` believes a server that never says so, and anyone on the way who cuts the connection.',
    ),
});

const serviceTimeouts = section({
  // In one network a connect takes under 1 ms; 2 s leave room for one lost SYN (sent again after 1 s).
  connect: duration()
    .prefault('2s')
    .describe('To open a connection to an endpoint, TLS included. Over it: another endpoint, else 504.'),
  // Half of what people wait before they give up and reload.
  responseHeader: duration()
    .prefault('30s')
    .describe('From the request being sent to the complete head of the answer. Over it: 504.'),
  perTry: duration({ min: 0 })
    .prefault('0s')
    .describe(
      'From the begin of one attempt to the head of its answer; `0s` is no limit but `responseHeader`. Over it: another attempt if that is safe, else 504.',
    ),
  header: text('the name of a header field', /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, { max: 64 })
    .optional()
    .describe(
      'Tell the endpoint how many milliseconds it has in a field of this name, such as `X-Request-Timeout-Ms`; counted anew for each attempt. Absent: nothing is told.',
    ),
  // No hard deadline by default: it would cut long downloads and streams, which the idle times bound well enough.
  total: duration({ min: 0 })
    .prefault('0s')
    .describe('The whole exchange; `0s` is no limit. Over it: 504, or the message is broken off if it had begun.'),
  // Event streams send a comment every 15 to 30 s; one may be lost.
  bodyIdle: duration()
    .prefault('60s')
    .describe(
      "Longest pause between two bytes of the answer's body, or in which the endpoint takes no byte of the request's.",
    ),
  // Node, Apache and uvicorn close an idle connection after 5 s by default; ours must be gone first.
  idle: duration()
    .prefault('4s')
    .describe(
      "How long an unused connection to an endpoint is kept. Keep it below the server's own idle time, or requests meet closed connections.",
    ),
  // As long as a connect may take: waiting longer for a free one than for a new one makes no sense.
  queue: duration().prefault('2s').describe('To wait for a connection when all are in use. Over it: 503.'),
});

const serviceLimits = section({
  // Far below the 28,000 local ports there are for one endpoint address, far above what one process serves well.
  connections: count(1, 60_000)
    .prefault(1024)
    .describe('Most connections to one endpoint, per worker. Requests beyond it wait (`queue`).'),
  idleConnections: count(0, 60_000)
    .prefault(512)
    .describe('Most unused connections kept to one endpoint, per worker. At most `connections`.'),
  // As many again as are being served: more would only wait to time out.
  queue: count(0, 1_000_000)
    .prefault(1024)
    .describe('Most requests waiting for a connection to one endpoint, per worker. Over it: 503 at once.'),
  responseHeader: size({ min: 256, max: 2 ** 20 })
    .prefault('32kb')
    .describe("Largest head of an endpoint's answer. Over it: 502."),
  responseHeaderFields: count(1, 10_000)
    .prefault(100)
    .describe("Most fields in a head of an endpoint's answer. Over it: 502."),
  requestsPerConnection: count(1, 1_000_000_000)
    .prefault(10_000)
    .describe('Most requests on one connection to an endpoint before it is closed.'),
});

export const serviceSchema = section({
  name: name().describe('Name of this service in routes, metrics and logs. Unique among services.'),
  balance: balance
    .prefault('round-robin')
    .describe(
      'How an endpoint is picked: the name of an algorithm, or `{ algorithm, key }`. `round-robin`: in turn, by weight, without bursts. `two-choices`: the less busy of two. Others, and how to choose: the guide on load balancing.',
    ),
  slowStart: slowStart
    .optional()
    .describe(
      'An endpoint that is new or has come back gets its share little by little over this time. Absent: all at once.',
    ),
  affinity: affinity
    .optional()
    .describe('Keep a client at the endpoint that answered it first, by a cookie. Absent: each request for itself.'),
  endpoints: endpointList(1)
    .default([])
    .describe(
      'The servers: `host:port`, or `{ address, weight }`. Needed unless there is `discovery`; beside it, both.',
    ),
  discovery: discoverySchema
    .optional()
    .describe('Learn endpoints while running, from exactly one of `dns`, `file` and `api`. Absent: only `endpoints`.'),
  tls: z
    .union([z.literal(true, expects('true')), upstreamTls])
    .transform((given) => (given === true ? upstreamTls.parse({}) : given))
    .optional()
    .describe(
      'Encrypt the way to the endpoints: `true`, or options. The certificate is checked unless `verify` is false.',
    ),
  health: section({
    active: activeHealth.optional().describe('Ask each endpoint at an interval whether it is well. Absent: no checks.'),
    passive: passiveHealth.describe(
      'Judge each endpoint by what comes of its requests: who fails, or is slower than the others, gets none for a while. `off`, or options.',
    ),
    failOpen,
    startup,
  })
    .prefault({})
    .describe('How it is known which endpoints may get work.'),
  timeouts: serviceTimeouts.prefault({}).describe('How long an endpoint may take.'),
  limits: serviceLimits.prefault({}).describe('How much Spillway asks of an endpoint, and accepts from it.'),
  retries: retriesSchema(statusRange)
    .prefault({})
    .describe('What happens when an endpoint fails a request before it answered.'),
  breaker: breakerSchema
    .optional()
    .describe(
      'Answer 503 at once while the service as a whole fails or is slow, in place of waiting for it: the guide on circuit breakers. Absent: never. `{}` is the defaults.',
    ),
  retryAfter: duration({ min: 1000, max: 86_400_000 })
    .prefault('5s')
    .describe('What `Retry-After` says on a 503 when no endpoint is up. Whole seconds, rounded up.'),
  allowLinkLocal: flag()
    .prefault(false)
    .describe(
      'Allow endpoints in link-local ranges (169.254.0.0/16, fe80::/10) and at cloud metadata addresses, where credentials are handed out; also those that a name stands for.',
    ),
});

export type Service = z.output<typeof serviceSchema>;
