/** `health.active` of a service: what its endpoints are asked, how often, and what their answer must be. */
import * as z from 'zod';
import type { StatusRange } from '../../health/index.ts';
import type { ProbeKind } from '../control/probe-io.ts';
import { count, duration, list, mapOf, oneOf, percentage, section, text } from '../../reading/values.ts';

/** `200` or `200-299`, as an inclusive range. */
export const statusRange = z
  .union([count(100, 599), text('a status or a range of statuses, such as 200 or 200-299', /^[1-5]\d\d(-[1-5]\d\d)?$/)])
  .transform((given, context): StatusRange => {
    const [from = 0, to = from] = String(given).split('-').map(Number);
    if (from <= to) return { from, to };
    context.addIssue({ code: 'custom', params: { expected: 'a range from low to high', suggestion: `${to}-${from}` } });
    return z.NEVER;
  });

const fieldName = () => text('the name of a header field', /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, { max: 256 });
const fieldValue = (what: string) => text(what, /^[\t\u0020-\u007e]*$/, { max: 8192 });
const word = (what: string) => text(what, /^[\s\S]+$/);
/** A check is one small request. */
const FIELDS_MAX = 32;

const expectation = section({
  status: list(statusRange, { what: 'statuses or ranges', min: 1, max: 100 })
    .optional()
    .describe('`http` only: statuses that mean healthy. Default `[200-299]`.'),
  headers: mapOf(fieldName(), fieldValue('the value of a field, * for any characters'), FIELDS_MAX)
    .optional()
    .describe(
      '`http` only: fields that the answer must have, each with its value. `*` in a value stands for any characters, so `"*"` asks that the field is there.',
    ),
  body: word('a text that is not empty')
    .optional()
    .describe('`http` only: a text that the first 16 kB of the body must contain. Absent: anything.'),
  banner: word('a text that is not empty')
    .optional()
    .describe(
      '`tcp` only: a text that the first 4 kB of what the endpoint says must contain, such as `SSH-2.0` or, after a `send`, `+PONG`. Absent: a connection is enough.',
    ),
});

export const activeHealth = section({
  type: oneOf(['http', 'tcp', 'grpc'])
    .prefault('http')
    .describe(
      '`http`: send a request and look at the answer. `tcp`: only connect (and, with `tls`, shake hands), or look at the greeting as well. `grpc`: ask by the health protocol of gRPC over HTTP/2 (`grpc.health.v1.Health/Check`).',
    ),
  path: text('a path that begins with /', /^\/[!-~]*$/)
    .optional()
    .describe('`http` only: what to ask for. Default `/`.'),
  method: oneOf(['GET', 'HEAD', 'OPTIONS']).optional().describe('`http` only. Default `GET`.'),
  host: text('a host name or host:port', /^[A-Za-z0-9_.:[\]-]+$/, { max: 260 })
    .optional()
    .describe('`http` and `grpc`: the `Host` field, or `:authority`. Default: the address of the endpoint.'),
  headers: mapOf(fieldName(), fieldValue('the value of a field: printable ASCII'), FIELDS_MAX)
    .optional()
    .describe('`http` and `grpc`: fields to send with the request, such as `{ X-Forwarded-Proto: https }`.'),
  service: text('the name of a gRPC service, such as shop.v1.Orders', /^[!-~]+$/, { max: 255 })
    .optional()
    .describe('`grpc` only: which service to ask about. Default: the server as a whole.'),
  send: word('a text that is not empty')
    .optional()
    .describe('`tcp` only: what to say once connected, such as `"PING\\r\\n"`. Goes with `expect.banner`.'),
  expect: expectation.optional().describe('What the answer must be.'),
  port: count(1, 65535).optional().describe('Check this port instead of the one that gets traffic.'),
  // Twelve small requests a minute and endpoint; a dead one is noticed in 15 s, sooner by the requests that fail.
  interval: duration({ min: 10 })
    .prefault('5s')
    .describe('From the start of one check to the start of the next. Not below `timeout`.'),
  timeout: duration()
    .optional()
    .describe(
      'A check without a complete answer by then has failed. At most `interval`. Default `2s`, or `interval` if that is shorter.',
    ),
  unhealthyAfter: count(1, 1000)
    .prefault(3)
    .describe('Failed checks in a row that take an endpoint out. More is calmer, fewer is faster.'),
  healthyAfter: count(1, 1000).prefault(1).describe('Successful checks in a row that bring an endpoint back in.'),
  // Enough that gateways started together drift apart within a few rounds.
  jitter: percentage()
    .prefault('10%')
    .describe('How much an interval may vary, up or down, so that many gateways do not check in step.'),
});

export type ActiveHealth = z.output<typeof activeHealth>;

/** A server that needs longer for its own health page is not one to send people to. */
const TIMEOUT_MS = 2000;

/** How long one check may take. */
export function probeTimeoutMs({ timeout, interval }: ActiveHealth): number {
  return timeout ?? Math.min(TIMEOUT_MS, interval);
}

/** What is asked, and what the answer must be; each with its default. */
export function compileProbe({ type, expect = {}, ...active }: ActiveHealth): ProbeKind {
  const { path = '/', method = 'GET', host = null, headers: fields = {}, service = '', send = null } = active;
  if (type === 'grpc') return { type, service, host, fields };
  if (type === 'tcp') return { type, expectation: { send, expect: expect.banner ?? null } };
  const { status = [{ from: 200, to: 299 }], headers = {}, body = null } = expect;
  const expected = Object.entries(headers).map(([name, value]) => ({ name, value }));
  return { type, method, path, host, fields, expectation: { status, headers: expected, body } };
}
